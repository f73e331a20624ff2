"""Kernels of a GPU: the loops of a function whose iterations do not depend on one another become blocks and threads,
and what is left inside of them is the code of one thread.

Loops are told parallel as MLIR's `affine-parallelize` does it, by the places that their iterations write; others by
what their operation says. A kernel's body is optimised as a function of its own (`optimise`). AMD's GPUs hold in vector
registers what differs between threads or was loaded where a store may change it, and in scalar ones what all threads
share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd
from typing import NamedTuple

import msgspec

from featurizers.mlir import opclass
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access, Function, Moving, Nest
from featurizers.mlir.optimise import BACK_EDGE, optimise

KERNELS = (
    ("kernels", "1"), ("kernel_dims", "1"), ("kernel_loops", "1"), ("kernel_copies", "1"), ("kernel_loads", "words"),
    ("kernel_stores", "words"), ("kernel_uniform", "words"), ("kernel_in_flight", "words"), ("kernel_blocked", "1"),
    ("kernel_addresses", "1"), ("kernel_buffers", "1"), ("kernel_size", "1"), ("kernel_bits", "bit"),
    ("kernel_divides", "1"), ("kernel_vgprs", "registers"), ("kernel_sgprs", "registers"),
)  # fmt: skip
"""How many kernels there are, and of the one that needs most vector registers: dims, the loops that became blocks and
threads; loops that are left in it; of the body that holds most at once, what `_Held` says, its size, and copies that
partial unrolling makes; addresses that differ between threads; buffers; the widest element. All are 0 where nothing is
parallel."""

_BACK = BACK_EDGE["amdgpu"]
_PARTIAL = 150.0
"""What partial unrolling lets a body grow to (`UnrollPartialThreshold`)."""
_EIGHT = 8
"""Copies where no other number divides the length (`DefaultUnrollRuntimeCount`)."""
_WORD = 32
_TILED = 2
"""Loops of a kernel whose iterations are threads of one block; of further ones a block has one."""
_MANY = 4096
"""Pairs of places in a buffer that are compared; where there are more, its loops are taken not to be parallel."""
_OF_TENSORS = frozenset({"linalg", "tosa", "stablehlo", "tensor"})
_DIVISIONS = tuple(opclass.CLASS[name] for name in ("fdiv", "idiv", "fsqrt"))


class Kernel(NamedTuple):
    """band : the loops that become blocks and threads, outermost first. threads : those of them whose index differs
    within a block. body : what one thread does."""

    band: tuple[Nest, ...]
    threads: frozenset[int]
    body: Loop


def kernel_columns(functions: Sequence[Function]) -> list[float]:
    """Values of `KERNELS`."""
    found = [kernel for function in functions for kernel in kernels(function.body)]
    if not found:
        return [0.0] * len(KERNELS)
    return [float(len(found)), *max([_of(kernel) for kernel in found], key=_vgprs)]


def kernels(function: Nest) -> Iterator[Kernel]:
    """The kernels that the nest of a function is made into, in order. Only a band with no parallel loop inside is cut
    into tiles, which are blocks of threads (`scf-parallel-loop-tiling`): elsewhere each block is one thread."""
    return _kernels(function, function)


def _kernels(around: Nest, function: Nest) -> Iterator[Kernel]:
    for nest in around.children:
        if is_parallel(nest):
            band = _band(nest)
            inside = any(is_parallel(below) for child in band[-1].children for below in child.walk())
            threads = frozenset[int]() if inside else frozenset([own.iv for own in band[:_TILED]])
            yield Kernel(band, threads, optimise(_thread(band[-1], function), "amdgpu"))
        else:
            yield from _kernels(nest, function)


def _band(nest: Nest) -> tuple[Nest, ...]:
    """Parallel loops with nothing but one another in them, whose lengths do not depend on one another."""
    found = [nest]
    while not nest.accesses and len(nest.children) == 1 and is_parallel(nest.children[0]):
        nest = nest.children[0]
        if nest.bounded_by or nest.starts:
            break
        found.append(nest)
    return tuple(found)


def _thread(nest: Nest, function: Nest) -> Nest:
    """One iteration of a nest, as a function of its own. Indices of its loops stay in the places that it goes to."""
    return msgspec.structs.replace(
        nest, label="kernel", trip=1.0, exact=True, iv=function.iv, depth=0, scope=function.scope, lengths=(),
        unknown_trip=False, bounded_by=frozenset(), starts=frozenset(), cut=False, share=1.0,
    )  # fmt: skip


def is_parallel(nest: Nest) -> bool:
    """Whether the iterations of a loop become blocks or threads."""
    if nest.parallel:
        return True
    affine = nest.label == "affine.for" or nest.label.partition(".")[0] in _OF_TENSORS
    if not affine or nest.chains or nest.unknown_trip:
        return False
    below = nest.walk()
    accesses = [access for inner in below for access in inner.accesses]
    trips = {inner.iv: inner.trip for inner in below}
    by_base: dict[int, list[Access]] = {}
    for access in accesses:
        by_base.setdefault(access.base, []).append(access)
    return not any(_written_again(same, nest.iv, trips) for same in by_base.values())


def _written_again(accesses: list[Access], iv: int, trips: dict[int, float]) -> bool:
    """Whether iterations of a loop meet in a buffer that one of them writes."""
    stores, others = _ways(accesses, stores=True), _ways(accesses, stores=False)
    if len(stores) * len(others) > _MANY:
        return True
    return any(_carried(one, other, iv, trips) for one in stores for other in others)


def _ways(accesses: list[Access], stores: bool) -> list[Access]:
    """One access for each way to move, and those of it that lie lowest and highest."""
    found: dict[Moving | None, list[Access]] = {}
    for access in accesses:
        if access.store or not stores:
            ends = found.setdefault(access.moving, [access, access])
            ends[0] = min(ends[0], access, key=_constant)
            ends[1] = max(ends[1], access, key=_constant)
    return [access for ends in found.values() for access in ends]


def _constant(access: Access) -> int:
    return access.constant


def _carried(store: Access, other: Access, iv: int, trips: dict[int, float]) -> bool:
    """Whether another iteration of a loop may meet the place of a store. trips : of it and the loops inside."""
    step = abs(store.stride(iv))
    if store.moving is None or other.moving is None or not step or store.stride(iv) != other.stride(iv):
        return True
    reach = step * trips[iv]
    low = high = other.constant - store.constant
    beyond = 0
    for access, sign in ((store, -1), (other, 1)):
        for loop, factor in access.moving or ():
            if loop == iv or loop not in trips:
                continue
            if abs(factor) >= reach:
                beyond = gcd(beyond, factor)
                continue
            far = int(sign * factor * max(trips[loop] - 1.0, 0.0))
            low, high = low + min(far, 0), high + max(far, 0)
    most = int(trips[iv]) - 1
    whole = {low // beyond * beyond, -(-high // beyond) * beyond} if beyond else {0}
    return any(_apart(low - shift, high - shift, step, most) for shift in whole)


def _apart(low: int, high: int, step: int, most: int) -> bool:
    """Whether some steps, not none and at most so many, lead to between both."""
    first, last = max(-(-low // step), -most), min(high // step, most)
    return first <= last and (first, last) != (0, 0)


class _Held(NamedTuple):
    """Words of 32 bits that a body with its copies loads and stores for each thread, and loads for all of them alike
    (uniform). in_flight : that are loaded into vector registers before any of them is needed, as the scheduler has it;
    blocked : a store stands between that may be of the same place, and whatever is loaded may have changed."""

    loads: float
    stores: float
    uniform: float
    in_flight: float
    blocked: bool
    copies: int
    size: float

    @classmethod
    def of(cls, loop: Loop, threads: frozenset[int]) -> _Held:
        copies = _copies(loop)
        loads = stores = uniform = 0.0
        written = {(access.base, access.external) for access in loop.accesses if access.store}
        read = {(access.base, access.external) for access in loop.accesses if not access.store}
        for access in loop.accesses:
            words = copies * max(access.bits * access.lanes, _WORD) / _WORD
            if access.store:
                stores += words
            elif _differs(access.moving, threads):
                loads += words
            else:
                uniform += words
        outside = {external for _, external in written} & {external for _, external in read}
        blocked = True in outside or not written.isdisjoint(read)
        if not blocked:
            return cls(loads, stores, uniform, loads, blocked, copies, loop.size)
        times = copies * len([access for access in loop.accesses if access.store])
        return cls(loads, stores, uniform, (loads + uniform) / times, blocked, copies, loop.size)


def _of(kernel: Kernel) -> list[float]:
    """Values of `KERNELS` behind the first."""
    loops = kernel.body.walk()
    most = max([_Held.of(loop, kernel.threads) for loop in loops], key=_hunger)
    accesses = [access for loop in loops for access in [*loop.accesses, *loop.lifted]]
    places = {(access.base, access.moving) for access in accesses}
    addresses = len([moving for _, moving in places if _differs(moving, kernel.threads)])
    buffers = len({access.base for access in accesses})
    divisions = sum([loop.counts[index] for loop in loops for index in _DIVISIONS])
    vgprs = 2.0 * len(kernel.threads) + 2.0 * addresses + most.in_flight
    sgprs = 2.0 * buffers + most.uniform * (not most.blocked)
    return [
        float(len(kernel.band)), float(len(loops) - 1), float(most.copies), most.loads, most.stores, most.uniform,
        most.in_flight, float(most.blocked), float(addresses), float(buffers), most.size,
        float(max([access.bits for access in accesses], default=0)), divisions, vgprs, sgprs,
    ]  # fmt: skip


def _vgprs(row: list[float]) -> float:
    return row[-2]


def _hunger(held: _Held) -> tuple[float, float]:
    return held.in_flight, held.loads + held.uniform


def _differs(moving: Moving | None, threads: frozenset[int]) -> bool:
    """Whether a place differs between the threads of a block."""
    return moving is None or any(loop in threads for loop, _ in moving)


def _copies(loop: Loop) -> int:
    """Iterations in one of what partial unrolling makes of a loop that is left (`computeUnrollCount`)."""
    if not loop.nest.depth or not loop.exact or loop.children:
        return 1
    growth = max(loop.size - _BACK, 1.0)
    most = min(int((_PARTIAL - _BACK) / growth), int(loop.trip))
    for count in range(most, 1, -1):
        if loop.trip % count == 0:
            return count
    count = _EIGHT
    while count > 1 and growth * count + _BACK > _PARTIAL:
        count //= 2
    return count
