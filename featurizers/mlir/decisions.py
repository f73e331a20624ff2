"""How close the decisions about full unrolling are: the sizes that LLVM compares with its threshold are estimates here,
so that a learner is told what would change if one came out otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from featurizers.mlir.loop import Loop

_KEPT = ("size", "trip", "growth", "children")
_SLOTS = ("kept1", "kept2")
_DONE = ("size", "trip", "share")
DECISIONS = (
    *((f"{slot}_{name}", "1") for slot in _SLOTS for name in _KEPT),
    *((f"unrolled1_{name}", "1") for name in _DONE),
    ("kept_smallest", "1"),
)
"""kept : loops that stay, by how much the code would grow. unrolled : of those that do not, the largest growth.
size : of the unrolled loop in LLVM instructions. growth, share : log of the code with it over the code without."""

_FAR = 4000.0


def decisions(roots: Sequence[Loop], instructions: float) -> list[float]:
    """Values of `DECISIONS`."""
    kept: list[tuple[float, float, Loop]] = []
    smallest = _FAR
    for root in roots:
        for loop in root.walk():
            if not loop.nest.depth or not loop.exact or loop.trip < 2:
                continue
            size = (loop.total - 2) * loop.trip + 2
            smallest = min(smallest, size)
            if size < _FAR:
                kept.append(((loop.total - 2) * (loop.trip - 1) * loop.multiplicity, size, loop))
    kept.sort(key=lambda found: -found[0])
    values: list[float] = []
    for growth, size, loop in kept[: len(_SLOTS)]:
        values += [size, loop.trip, log(1 + growth / max(instructions, 1.0)), float(len(loop.children))]
    values += [0.0] * (len(_KEPT) * len(_SLOTS) - len(values))
    done = [found for root in roots for loop in root.walk() for found in loop.decided]
    size, trip = max(done, default=(0.0, 0.0))
    values += [size, trip, log(1 + size / max(instructions, 1.0)), smallest]
    return values
