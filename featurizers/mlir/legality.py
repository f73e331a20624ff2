"""Whether LLVM's vectoriser may touch a loop: strides, dependences, overlap checks.

Thresholds are those of LLVM's sources: `LoopVectorize.cpp` and `LoopAccessAnalysis.cpp` (runtime checks of at most 8
pairs).
"""

from __future__ import annotations

from itertools import pairwise

from featurizers.mlir import opclass
from featurizers.mlir.loop import (
    CARRIED,
    DEPENDENCE,
    HAS_CALL,
    NOT_INNERMOST,
    NOT_LINEAR,
    TOO_FEW,
    VECTORISABLE,
    WIDE_ALREADY,
    Loop,
)
from featurizers.mlir.nest import Access, Moving

MAX_CHECKS = 8
_FAR = 16
"""Iterations beyond which a dependence is in no vector's way."""


def judge(loop: Loop) -> None:
    """Strides over this loop, and whether LoopVectorize would find it legal."""
    iv = loop.nest.iv
    bases: dict[int, list[Access]] = {}
    for access in loop.accesses:
        bases.setdefault(access.base, []).append(access)
        stride = access.stride(iv)
        if access.moving is None:
            loop.gathered += 1
        elif stride == 0:
            loop.invariant += 1
        elif abs(stride) == max(access.lanes, 1):
            loop.unit += 1
        else:
            loop.strided += 1
    loop.streams = len(bases)
    loop.store_run = _run_of_stores(loop.accesses)
    loop.checks = _checks(bases)
    loop.legality = _legality(loop, bases)


def _legality(loop: Loop, bases: dict[int, list[Access]]) -> int:
    nest, iv = loop.nest, loop.nest.iv
    if loop.children:
        return NOT_INNERMOST
    if nest.widths:
        return WIDE_ALREADY
    if loop.counts[opclass.CALL]:
        return HAS_CALL
    if nest.unknown_trip:
        return TOO_FEW
    if any(not chain.reassociable for chain in loop.chains):
        return CARRIED
    for accesses in bases.values():
        stores = [a for a in accesses if a.store]
        if any(s.moving is None or (not s.stride(iv) and not loop.memory_chain) for s in stores):
            return NOT_LINEAR
        if stores and len(accesses) > 1 and _dependent(accesses, iv):
            return DEPENDENCE
    return VECTORISABLE if loop.checks <= MAX_CHECKS else DEPENDENCE


def _dependent(accesses: list[Access], iv: int) -> bool:
    """Whether a value stored to this buffer is needed by a later iteration: no vector may span the distance.

    Stores all have a form. Accumulators (same place in every iteration) are judged by their chain.
    """
    offsets: set[int] = set()
    stored: set[int] = set()
    shape = accesses[0].moving
    for access in accesses:
        if access.moving is None or access.moving != shape:
            return True
        (stored if access.store else offsets).add(access.constant)
    step = accesses[0].stride(iv)
    offsets |= stored
    return bool(step) and any(place - step * k in offsets for place in stored for k in range(1, _FAR))


def _checks(bases: dict[int, list[Access]]) -> int:
    """Pairs of buffers that may overlap, one of which is written."""
    written = [base for base, accesses in bases.items() if accesses[0].external and any(a.store for a in accesses)]
    outside = [base for base, accesses in bases.items() if accesses[0].external]
    pairs = {(min(w, o), max(w, o)) for w in written for o in outside if w != o}
    return len(pairs)


def _run_of_stores(accesses: list[Access]) -> int:
    """Longest run of stores to neighbouring elements: what the SLP vectoriser starts from."""
    by_place: dict[tuple[int, Moving], list[int]] = {}
    for access in accesses:
        if access.store and access.moving is not None:
            by_place.setdefault((access.base, access.moving), []).append(access.constant)
    longest = 1
    for places in by_place.values():
        run = 1
        ordered = sorted(set(places))
        for before, after in pairwise(ordered):
            run = run + 1 if after == before + 1 else 1
            longest = max(longest, run)
    return longest
