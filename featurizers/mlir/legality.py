"""Whether LLVM's vectoriser may touch a loop: strides, dependences, overlap checks.

Thresholds are those of LLVM's sources: `LoopVectorize.cpp` and `LoopAccessAnalysis.cpp` (runtime checks of at most 8
pairs).
"""

from __future__ import annotations

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
from featurizers.mlir.nest import Access, Moving, strides
from featurizers.mlir.slp import runs

MAX_CHECKS = 8
_FAR = 16
"""Iterations beyond which a dependence is in no vector's way."""


def judge(loop: Loop) -> None:
    """Strides over this loop, and whether LoopVectorize would find it legal."""
    iv = loop.nest.iv
    bases: dict[int, list[Access]] = {}
    by_shape = strides(loop.accesses, iv)
    for access in loop.accesses:
        held = bases.get(access.base)
        if held is None:
            bases[access.base] = [access]
        else:
            held.append(access)
        stride = by_shape[access.moving]
        if access.moving is None:
            loop.gathered += 1
        elif stride == 0:
            loop.invariant += 1
        elif abs(stride) == max(access.lanes, 1):
            loop.unit += 1
        else:
            loop.strided += 1
    loop.streams = len(bases)
    loop.store_run = max(runs(loop).stores, default=1)
    loop.checks = _checks(bases)
    loop.legality = _legality(loop, bases, by_shape)


def _legality(loop: Loop, bases: dict[int, list[Access]], by_shape: dict[Moving | None, int]) -> int:
    nest, iv = loop.nest, loop.nest.iv
    if loop.children:
        return NOT_INNERMOST
    if loop.widths:
        return WIDE_ALREADY
    if loop.counts[opclass.CALL]:
        return HAS_CALL
    if nest.unknown_trip:
        return TOO_FEW
    if any(not chain.reassociable for chain in loop.chains):
        return CARRIED
    for accesses in bases.values():
        stores = [a for a in accesses if a.store]
        if any(s.moving is None or (not by_shape[s.moving] and not loop.memory_chain) for s in stores):
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
    if not step or max(offsets) - min(offsets) < abs(step):
        return False
    return any(not offsets.isdisjoint([place - step * k for place in stored]) for k in range(1, _FAR))


def _checks(bases: dict[int, list[Access]]) -> int:
    """Pairs of buffers that may overlap, one of which is written."""
    written = [base for base, accesses in bases.items() if accesses[0].external and any(a.store for a in accesses)]
    outside = [base for base, accesses in bases.items() if accesses[0].external]
    pairs = {(min(w, o), max(w, o)) for w in written for o in outside if w != o}
    return len(pairs)
