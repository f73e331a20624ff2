"""Vectors under masks: what a loop does under a condition, and last iterations that are no whole vector.

Sources (LLVM 22): `LoopVectorizationCostModel::computeMaxVF`, `useEmulatedMaskMemRefHack`,
`AArch64TTIImpl::preferPredicateOverEpilogue`, `InterleavedAccessInfo::analyzeInterleaving`.
"""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Moving


def masks(cpu: Cpu) -> bool:
    """Whether a CPU moves vectors under masks."""
    return cpu.scalable > 0 or (cpu.isa == "x86" and cpu.vector_bits >= 512)


def emulates_masks(loop: Loop) -> bool:
    """Whether accesses under a condition are in the way of a target without masks: all loads, and stores but for one
    (`useEmulatedMaskMemRefHack`). What both ways store is stored behind them."""
    places: dict[tuple[int, Moving | None, int, bool], int] = {}
    for access in loop.accesses:
        if access.maybe:
            place = access.base, access.moving, access.constant, access.store
            places[place] = places.get(place, 0) + 1
    stores = [place[3] for place, count in places.items() if count == 1]
    return not all(stores) or len(stores) > 1


def longest(loop: Loop, cpu: Cpu) -> int:
    """The longest vector for a short loop: if it leaves a rest, all vectors run under masks."""
    widest = max(cpu.prefer_bits // loop.widest, 1)
    trip = int(loop.trip)
    if cpu.scalable:  # SVE's may have up to 2,048 bits
        return widest if cpu.isa == "riscv" else _MOST_BITS // loop.narrowest
    return trip if trip < widest and trip & (trip - 1) == 0 else widest


_MOST_BITS, _NEON_BITS = 2048, 128


def whole_under_mask(loop: Loop, vf: int) -> bool:
    """Whether vectors of fixed length run under SVE's masks: those of a whole register of NEON
    (`AArch64TTIImpl::isLegalMaskedLoadStore`), which calls of the mathematical library leave no others for. How often
    they run, scalar evolution does not say: the labels take it that it is as often as a loop of unknown length."""
    alone = not (loop.strided or loop.gathered)
    return alone and loop.counts[opclass.LIBM] > 0 and vf * loop.narrowest == vf * loop.widest == _NEON_BITS


def predicated(loop: Loop, cpu: Cpu) -> bool:
    """Whether all iterations of SVE run under a predicate: those of bodies that are long enough, without reductions
    and not backwards (`preferPredicateOverEpilogue`, `TailFoldingOpts::Simple`), without interleaved groups, of
    which strided stores are one too, whatever is left between them."""
    if cpu.isa != "aarch64" or not cpu.scalable or loop.chains:
        return False
    iv = loop.nest.iv
    for access in loop.accesses:
        stride = access.stride(iv)
        if stride == -1 or 1 < abs(stride) <= _MOST_INTERLEAVED:
            return False
    size = sum(loop.counts) if loop.counts[opclass.LIBM] else loop.size - 3.0  # a call is one instruction
    return size + len(loop.accesses) + _OF_LOOP >= _PREDICATED_SIZE


_MOST_INTERLEAVED = 8
_OF_LOOP, _PREDICATED_SIZE = 4.0, 15.0
"""LLVM's instructions of a loop's index, and those of a body, addresses counted, from which on tails are folded."""


TINY_TRIP = 16
"""Iterations below which no scalar loop is left behind a vector loop (`TinyTripCountVectorThreshold`)."""


def known_length(loop: Loop) -> float:
    """The iterations that the vectoriser goes by: those of a loop whose length is not known are the most that it can
    have, unless it begins with an index (`getSmallBestKnownTC`). 0 where there is nothing to go by."""
    return loop.trip if loop.exact else 0.0 if loop.nest.starts else float(loop.most)


def keeps_last(loop: Loop) -> bool:
    """Whether the last iteration stays scalar, whatever the length: a group of strided loads whose last member nobody
    reads would be read beyond the buffer's end (`InterleavedAccessInfo::requiresScalarEpilogue`). Short loops, which
    have no scalar one behind them, have no such groups (`invalidateGroupsRequiringScalarEpilogue`)."""
    if not loop.strided or (loop.exact and loop.trip < TINY_TRIP):
        return False
    iv = loop.nest.iv
    groups: dict[tuple[int, Moving, int], list[int]] = {}
    for access in loop.accesses:
        if access.moving and not access.store and not access.maybe and access.lanes == 1:
            stride = access.stride(iv)
            if 1 < stride <= _MOST_INTERLEAVED:
                groups.setdefault((access.base, access.moving, stride), []).append(access.constant)
    return any(_open_ended(places, stride) for (_, _, stride), places in groups.items())


def _open_ended(places: list[int], stride: int) -> bool:
    """Whether a group that begins with the first of these places, or with the first one beyond it, lacks its last."""
    taken, first = set(places), None
    for place in sorted(taken):
        if first is None or place >= first + stride:
            first = place
            if place + stride - 1 not in taken:
                return True
    return False
