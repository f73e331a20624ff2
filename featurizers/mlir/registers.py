"""Registers against live values: what the allocator cannot keep, and what a call drives out."""

from __future__ import annotations

from collections import Counter

import msgspec

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.legal import GROUPED_BITS
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access
from featurizers.mlir.slp import Packed
from featurizers.mlir.widths import mean_bits

_SAVED_INT = {"x86": 6, "aarch64": 10, "riscv": 12, "amdgpu": 0}
_SAVED_FLOAT = {"x86": 0, "aarch64": 8, "riscv": 12, "amdgpu": 0}
VECTOR_BITS = {"x86": 512, "aarch64": 128, "riscv": 128, "amdgpu": 32}
"""Of a register, for vectors that the source has."""
"""Registers that a call leaves alone; of vectors, none is left whole."""


def registers(
    loop: Loop, cpu: Cpu, vf: int, interleave: int, copies: int, packed: Packed, indices: int, waiting: int
) -> tuple[float, float, float]:
    """Most pressing ratio of live values to registers, the values beyond, and which of those are vectors.
    indices : see `scattered_indices`. waiting : see `waiting_in`."""
    held = waiting / packed.lanes
    if vf > 1 and loop.checks:
        held += _fixed_once_checked(loop)
    wide = vf > 1 or packed.mostly
    grouped = vf > 1 and cpu.isa == "riscv"  # values in groups of registers, as wide as what is computed
    in_flight = float(max(loop.live_float, loop.live_float * interleave if interleave > 1 else 0))
    if copies > 1 or loop.copies > 1:
        in_flight = max(in_flight, min(loop.live_float * max(copies, 1), loop.live_float + 8))
    if vf == 1:  # in vectors that SLP has packed
        in_flight *= 1.0 - packed.share * (1.0 - 1.0 / packed.lanes)
    in_flight = max(in_flight, loop.live_bits / VECTOR_BITS[cpu.isa])
    in_flight += len(loop.chains) * (interleave - 1) / packed.lanes
    streams = loop.streams + loop.nest.depth
    ints = float(loop.live_int + (streams if loop.nest.depth else 0) + indices)
    if wide and not loop.is_float:
        pointers = _pointers(loop) if grouped else 0
        in_flight += max(loop.live_int - pointers, 1) * interleave
        ints -= loop.live_int / 2
    if wide or loop.is_float:
        in_flight += held
    else:
        ints += held
    files: float = cpu.vector_registers
    if grouped:
        files /= max(vf * max(loop.widest, mean_bits(loop)) / GROUPED_BITS, 1.0)
    ahead = min(loop.live_float * (loop.copies - 1.0), _AHEAD) if cpu.in_order and held else 0.0
    over_float = max(in_flight + ahead - files, 0.0)
    over_int = max(ints - cpu.int_registers, 0.0)
    pressure = max(in_flight / files, ints / cpu.int_registers)
    if indices and over_int:  # all alike, they are all split: stored before the loop and where they go on
        over_int = 2.0 * indices
    return pressure, over_float + over_int, over_float if wide else 0.0


def _pointers(loop: Loop) -> int:
    """Of `live_int`, buffers, which are in no vector: as many as one block has."""
    return max([len({access.base for access in nest.accesses}) for nest in loop.nest.walk()])


def waiting_in(loop: Loop, around: int | None, once: bool) -> int:
    """Loads that moved out of a loop and wait in it. once : of the loop, a single vector iteration is left, which is no
    loop: what it needs is loaded where it is used, but for what does not vary in the loop `around` either."""
    waiting = [access for access in loop.lifted if not access.store]
    if once:
        waiting = [access for access in waiting if around is not None and not access.stride(around)]
    return len(waiting)


_AHEAD = 10.0
"""Values of other copies of a body that are alive at once where `MachineScheduler` puts copies side by side for a core
without order (`MicroOpBufferSize` 0: it waits for nothing, so that latency comes before pressure). Chosen by labels."""


def _fixed_once_checked(loop: Loop) -> int:
    """Loads that stay where they are: behind the vectoriser's checks no store can overwrite them, and they move out."""
    iv = loop.nest.iv
    written = {access.base for access in loop.accesses if access.store}
    fixed = [a for a in loop.accesses if not a.store and a.moving is not None and not a.stride(iv)]
    return sum([access.base not in written for access in fixed])


def driven_out(loop: Loop, cpu: Cpu, vf: int, interleave: int, unroll: int, packed: Packed) -> float:
    """Floats that wait on the stack while the mathematical library is called, in all copies of a body. A vector is
    taken apart for the calls of its lanes: it waits itself, so do its upper parts, and what is there of the result.
    What is read again of a buffer that the body has stored to are results of calls, which wait for the last of them:
    one each at most. A fused product of halves is x86's in double precision, which `__truncdfhf2` rounds."""
    calls = loop.counts[opclass.LIBM]
    rounding = loop.nest.across_rounding if cpu.isa == "x86" and vf == 1 and not packed.share else 0
    if not calls:
        return float(rounding * unroll)
    waiting = loop.across - (loop.across_in_memory if cpu.load_folding else 0.0)
    forwarded = min(max(loop.forwarded, 0), calls)
    lanes = vf if vf > 1 else int(packed.lanes) if packed.share else 1
    if lanes > 1:
        whole = 1.0 + _UPPER.get(lanes * max(loop.bits, 8), 0.0)
        loaded = loop.called_loaded if cpu.load_folding else 0.0
        apart = calls * (lanes - 1) + max(calls - loaded, 0.0) * whole
        if vf > 1:
            return (apart + waiting) * interleave * unroll
        return (apart * packed.share + waiting + forwarded) / lanes
    if _SAVED_FLOAT[cpu.isa]:
        return max(max(loop.live_float - 1.0, forwarded * unroll) - _SAVED_FLOAT[cpu.isa], 0.0)
    return (max(waiting, rounding) + forwarded) * unroll


_UPPER = {256: 1.0, 512: 3.0}
"""Parts of a vector beyond its lowest 128 bits, each of which is a register of its own once it is taken apart."""


def kept_sums(loop: Loop, around: int, cpu: Cpu, lanes: int, copies: int, share: float = 1.0) -> float:
    """Registers for places that a vector loop which is unrolled completely adds to, where the loop `around` has them
    once and nothing else may be there: they wait in it throughout (`promoteLoopAccessesToScalars`). A group of three or
    so is a vector that no register is of: where it waits across blocks, each lane has its own
    (`getVectorTypeBreakdown`). lanes, copies : of a vector iteration, and of those. share : of a register, for a scalar
    of a body that is no loop's vectors."""
    own = loop.nest.iv
    stores = [a for a in loop.accesses if a.store and a.moving and a.stride(own) and not a.stride(around)]
    if not stores or _accesses(loop, cpu, lanes, copies, share) > _PROMOTED:
        return 0.0
    several = len({access.base for access in loop.accesses if access.external}) > 1
    loads = {(a.base, a.moving, a.constant) for a in loop.accesses if not a.store}
    single = Counter([base for base, _ in {(access.base, access.moving) for access in loop.accesses}])
    found = 0.0
    for a in stores:
        if (a.base, a.moving, a.constant) in loads and single[a.base] == 1 and not (a.external and several):
            if lanes == 1:
                found += share * copies
                continue
            stride = abs(a.stride(own))
            if cpu.gather and stride > _IN_GROUP and a.bits >= _SCATTERED_BITS:
                continue  # scattered, by calls that LICM leaves where they are
            found += _wide(a, cpu, lanes, stride) * copies + loop.trip % lanes
    return found


def _wide(access: Access, cpu: Cpu, lanes: int, stride: int) -> float:
    return max(access.bits * lanes / cpu.prefer_bits, 1.0) if stride & (stride - 1) == 0 else float(lanes)


def _accesses(loop: Loop, cpu: Cpu, lanes: int, copies: int, share: float) -> float:
    """Of all copies in the body around, as LLVM's IR has them: of a group, its vectors are members of one."""
    if lanes == 1:
        return len(loop.accesses) * share * copies
    each = [max(access.bits * lanes / cpu.prefer_bits, 1.0) * copies for access in loop.accesses]
    return loop.factor * (sum(each) + loop.trip % lanes * len(each))


_IN_GROUP, _SCATTERED_BITS = 8, 32
"""Most accesses of a group that the vectoriser makes one of (`MaxInterleaveGroupFactor`); elements that x86 and SVE
scatter (``vscatterdps``)."""

_PROMOTED = 250.0
"""Accesses of a body beyond which `LICM` leaves its sums in memory (`licm-mssa-max-acc-promotion`)."""

IN_FLIGHT = 2.0
"""Vectors that a body computes with beside them."""


class Waiting(msgspec.Struct, frozen=True):
    """Of a function. buffers : that it touches. deepest, calling : most loops around a point, and around a call (-1
    where it makes none)."""

    buffers: int
    deepest: int
    calling: int


def waiting(root: Loop) -> Waiting:
    """What waits in registers, whatever the CPU."""
    buffers: set[int] = set()
    deepest, calling = 0, -1
    for loop in root.walk():
        depth = loop.nest.depth
        buffers.update([access.base for access in loop.accesses])
        deepest = max(deepest, depth)
        if depth > calling and (loop.counts[opclass.CALL] or loop.counts[opclass.LIBM]):
            calling = depth
    return Waiting(len(buffers), deepest, calling)


def across(found: Waiting, cpu: Cpu, allocations: int) -> float:
    """Pointers and indices of a function beyond the registers for them; of one that makes calls, beyond those that they
    leave alone. Negative where registers are left. Buffers that it makes are freed at its end: their pointers wait."""
    if found.calling < 0:
        return float(found.buffers + 2 * found.deepest - cpu.int_registers)
    return float(found.buffers + allocations + 2 * found.calling - _SAVED_INT[cpu.isa])


_SAVED_PAIR = {"x86": 2.0, "aarch64": 1.0, "riscv": 2.0, "amdgpu": 0.0}
"""Instructions that save a register and bring it back: AArch64 does two at once."""


def saves(found: Waiting, addresses: float, isa: str) -> float:
    """Instructions around a function for registers that it must leave as they were. One that makes calls keeps in them
    what waits: buffers, indices, and the address to return to. Another one takes them where `addresses` and the
    counters of its loops are more than all others hold."""
    if isa == "amdgpu":
        return 0.0
    if found.calling < 0:
        held = addresses + found.deepest - _FREE[isa]
        return min(max(held, 0.0), float(_SAVED_INT[isa])) * _SAVED_PAIR[isa]
    held = min(float(found.buffers + 2 * found.calling), float(_SAVED_INT[isa]))
    return (held + 1.0) * _SAVED_PAIR[isa]


_FREE = {"x86": 10.0, "aarch64": 14.0, "riscv": 11.0}
"""Addresses and counters up to which no register is saved. Registers that a function may write over are 9, 17 or 18,
and 15 (bodies of AArch64 and RISC-V need some for themselves). Chosen by labels."""
