"""Unrolling after the vectorisers: loops that became short enough, and copies of the body of those that stay.

Sources (LLVM 22): `computeUnrollCount`, `BasicTTIImpl::getUnrollingPreferences`, `AArch64TTIImpl` and `RISCVTTIImpl`.
"""

from __future__ import annotations

from math import gcd

from featurizers.mlir import opclass
from featurizers.mlir.boosts import ANALYSED, worth_it_late
from featurizers.mlir.costs import fixed
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access, Moving
from featurizers.mlir.sizes import near_stores, shifted_sums
from featurizers.mlir.vectorise import of_fixed_length


def after_vectorising(
    loop: Loop,
    cpu: Cpu,
    vf: int,
    interleave: int,
    trips: float,
    work: float,
    ratio: float,
    inner: float,
    scattered: float = 0.0,
    left: int = 0,
    vectors: bool = False,
) -> tuple[int, bool]:
    """Unroll factor of the (vector) loop after the vectorisers, and whether that leaves no loop.

    scattered : gathers and scatters, which are of two instructions to LLVM, and of three when they are made.
    left : loops that are left inside. vectors : whether there is vector code in it or in those.
    """
    if not loop.nest.depth:
        return 1, False
    body = max(work - scattered, work / 2) if vf > 1 else (loop.size - 3 - _reloaded(loop) - loop.folded) * ratio
    if vf == 1 and ratio == 1.0:
        body = max(body - near_stores(loop), 1.0)
    if cpu.isa == "aarch64" and vf == 1 and ratio < 1.0:
        body += _scaled_addresses(loop)
    size = body * interleave + 3 + inner
    whole = int(trips)
    if vf > 1 and cpu.scalable and not (of_fixed_length(loop, cpu) or fixed(loop, cpu, vf)):
        return 1, False
    if loop.exact and whole >= 1 and whole * max(size - 2, 1) + 2 <= 300:
        return max(whole, 1), True
    known = cpu.isa == "x86" or ratio == 1.0  # of what SLP packs, sizes are not
    if known and loop.exact and not loop.children and 1 < whole <= ANALYSED and worth_it_late(loop, vf, whole, size):
        return whole, True
    if loop.counts[opclass.CALL] > loop.moved_by_calls or loop.functions:
        return 1, False
    if vf == 1 and 1 < loop.most <= _MOST_BOUND and loop.most * max(size - 2, 1) + 2 <= 300:
        return loop.most, True
    if vf > 1 and (cpu.isa != "x86" or not loop.exact):
        return 1, False
    if left and not cpu.in_order and _stays_around(loop, cpu):
        return 1, False
    if vectors and cpu.isa == "riscv":
        return 1, False
    if cpu.isa == "riscv" and left > 1:  # a loop around one other has three blocks, with two inside five
        return 1, False
    if cpu.unroll_ops and vf == 1 and ratio == 1.0:
        size += shifted_sums(loop)
    return partly(loop, cpu, size, whole), False


def _reloaded(loop: Loop) -> int:
    """What is gone of loads of what the iteration before has stored; on RISC-V with their pointers."""
    return loop.nest.reloads * (2 if loop.isa == "riscv" else 1)


_VECTOR_BITS = 128


def _scaled_addresses(loop: Loop) -> int:
    """Addresses of vectors that SLP makes on AArch64 which are no part of an access: the index is of elements, and a
    register is added to a pointer as it is, or times the size of what is moved (`isLegalAddressingMode`). LLVM looks
    at what is moved where an address has one user (`TargetTransformInfoImplCRTPBase::getInstructionCost`)."""
    iv, step = loop.nest.iv, loop.nest.step
    users: dict[tuple[int, Moving | None], list[Access]] = {}
    for access in loop.accesses if step > 1 else ():
        if access.bits > _BYTE and access.lanes == 1 and access.stride(iv) == step:
            users.setdefault((access.base, access.moving), []).append(access)
    found = 0
    for accesses in users.values():
        places = {access.constant for access in accesses}
        found += len(places) == len(accesses) and sum([access.bits for access in accesses]) == _VECTOR_BITS
    return found


_BYTE = 8


def _stays_around(loop: Loop, cpu: Cpu) -> bool:
    """Whether a loop around others is no longer looked at: on AArch64 out of order, one whose inner loops count. In
    order, all are unrolled that are small enough with what is inside, vector loops too, whatever their length
    (`AArch64TTIImpl::getUnrollingPreferences`: Partial and Runtime; only a vectorised loop itself is left)."""
    return not loop.exact or (cpu.isa == "aarch64" and not all(child.nest.uncounted for child in loop.children))


_MOST_BOUND = 8
"""Iterations up to which a loop whose length is not known is unrolled to the most that it can have, with a way out
behind each (`UnrollMaxUpperBound`; every target sets `UpperBound`)."""


def left_over(loop: Loop, cpu: Cpu, copies: int) -> int:
    """Bodies behind the copies of a loop whose length is not known: a loop of single iterations, which RISC-V and
    AArch64 in order unroll as well (`UnrollRemainder`). None where all lengths are known to be multiples of the copies
    (`getSmallConstantTripMultiple`). Nor where the length is known but no multiple: one of the copies may leave the
    loop (`UnrollLoop`: BreakoutTrip)."""
    if loop.lengths and gcd(*[length for length, _ in loop.lengths]) % copies == 0:
        return 0
    return copies - 1 if unrolls_remainder(cpu) else 1


def unrolls_remainder(cpu: Cpu) -> bool:
    """`RISCVTTIImpl::getUnrollingPreferences`, and that of AArch64 for models in order."""
    return cpu.isa == "riscv" or (cpu.isa == "aarch64" and bool(cpu.in_order))


_FORCED = 12.0
"""Instructions below which RISC-V unrolls a loop whose length nobody can compute, with a way out of each copy
(`UnrollingPreferences::Force`). One without a counter has no step of it."""
_RUNTIME_COUNT = 8
"""`UnrollRuntimeCount`: copies of a loop's body where the length is not known, or has no better divisor."""


def partly(loop: Loop, cpu: Cpu, size: float, trips: int, exact: bool | None = None) -> int:
    """Copies of the body of a loop that stays: a divisor of its length if there is one, else a power of two."""
    if not cpu.unroll_ops or size <= 2 or loop.stacked:
        return 1
    if loop.nest.uncounted and (cpu.isa != "riscv" or size - (not loop.nest.at_most) >= _FORCED):
        return 1
    most = cpu.unroll_ops * (2 if cpu.isa == "aarch64" and loop.depth > 1 else 1)
    exact = loop.exact if exact is None else exact
    count = min(int((most - 2) / (size - 2)), trips) if exact else 0
    while count > 1 and trips % count:
        count -= 1
    if count > 1:
        return count
    if not cpu.runtime_unroll:
        return 1
    count = 4 if cpu.isa == "aarch64" and cpu.in_order else _RUNTIME_COUNT
    while count > 1 and (size - 2) * count + 2 > most:
        count //= 2
    return count


_LEFT_BY_VECTORS, _UNKNOWN = 8.0, 32.0
"""Iterations that the labels take a plain loop to run which may begin behind vectors of a length that is not known:
if it is unrolled, and if not (`labelling/remainders.py`, `labelling/weights.py`)."""


def plain_iterations(loop: Loop, cpu: Cpu, rest: float, known: bool) -> float:
    """Iterations of the plain loop where overlap checks fail, as the labels take it: of a loop that also does what
    vectors have left, no more than that, if unrolled at least once all copies. rest : what they have left, if any;
    known : whether that does not depend on the length of vectors."""
    if loop.exact and known and not rest:
        return loop.trip
    if known and not loop.exact:
        return max(rest, 1.0)
    copies = partly(loop, cpu, loop.size, int(loop.trip), False)
    if known and copies > 1:
        rest = rest % copies + max(rest // copies, 1.0) * copies
    elif not known:
        rest = max(_LEFT_BY_VECTORS / loop.nest.step, 1.0) if copies > 1 else _UNKNOWN
    return min(rest, loop.trip)
