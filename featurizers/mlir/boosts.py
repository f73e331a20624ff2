"""What is gone when the index is known raises the threshold of full unrolling in proportion, up to four times.

Source (LLVM 22): `analyzeLoopUnrollCost` and `getFullUnrollBoostingFactor`, for innermost loops of few iterations.
"""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.loop import Loop

UNROLL_THRESHOLD = 300
ANALYSED, _MOST_BOOST = 10, 4.0
CALL_LATENCY = 9.0
"""Of a lane of such a function, beyond its size, where sizes are of latency as well (``-cost-kind=size-latency``)."""


def calls(loop: Loop) -> bool:
    """Whether a body calls functions, which LLVM does not go through; those of the mathematical library are none."""
    return loop.counts[opclass.CALL] + loop.functions > 0


def worth_it(loop: Loop) -> bool:
    """At the first full unrolling: what is computed of the index alone is gone, and what does not vary is computed
    once."""
    if loop.children or loop.trip > ANALYSED or calls(loop):
        return False
    if loop.kept and loop.deleted:
        return _boosted(loop, loop.raw, *_of_single_iterations(loop))
    return _boosted(loop, loop.raw, loop.early_indexing - loop.early_mixed - loop.early_tied)


_NOT_TAKEN = 3.0
"""Branches of the way past a loop inside that is known to run."""


def _of_single_iterations(loop: Loop) -> tuple[float, float]:
    """What is gone, and what is computed once, of loops of one iteration that begin with the index of a loop further
    out and whose bodies lie one by one in this one's: all that they compute of this loop's index and of indices around
    it (`UnrolledInstAnalyzer::simplifyInstWithSCEV`). Branches between their blocks are not."""
    copies, iv = loop.deleted / len(loop.kept), loop.nest.iv
    still = sum([size for key, size in loop.kept.items() if key != iv and key not in loop.fixed])
    return copies * loop.kept.get(iv, 0.0) + _NOT_TAKEN * loop.nest.begun, copies * still


def constant_by_now(loop: Loop, known: frozenset[int], size: float) -> bool:
    """The same of the copies of a loop in one that is gone, whose addresses are all constants if they are of indices
    that are known one by one."""
    if loop.trip > ANALYSED or calls(loop):
        return False
    known = known | {loop.nest.iv}
    if any(moving is None or any(key not in known for key, _ in moving) for moving in loop.by_shape()):
        return False
    return _boosted(loop, size, loop.indexing + loop.shared)


def _boosted(loop: Loop, size: float, free: float, once: float = 0.0) -> bool:
    size += CALL_LATENCY * loop.counts[opclass.LIBM]
    once += loop.settled
    rolled, left = loop.trip * size, loop.trip * max(size - 3.0 - free - once, 1.0) + once
    return left < UNROLL_THRESHOLD * min(rolled / left, _MOST_BOOST)


def worth_it_late(loop: Loop, vf: int, trips: int, size: float) -> bool:
    """Once more behind the vectorisers; nothing is known of an index that begins with another. (Not of vectors whose
    lanes are no neighbours, whose sizes are not known well enough but on x86.)"""
    if calls(loop) or (vf > 1 and loop.isa != "x86" and (loop.strided or loop.gathered)):
        return False
    slow = CALL_LATENCY * vf * loop.counts[opclass.LIBM]
    free = loop.indexing - loop.mixed - loop.tied if vf == 1 and not loop.nest.starts else 0.0
    left = max(size - 3.0 - free, 1.0) + slow
    return trips * left < UNROLL_THRESHOLD * min((size + slow) / left, _MOST_BOOST)
