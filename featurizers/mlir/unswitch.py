"""Copies of a loop, one that has a loop in it and one for when that one does not run at all.

Source (LLVM 22): `SimpleLoopUnswitch.cpp`. Whether an inner loop runs is asked before it, once it is rotated. Where the
answer does not vary in the loop around, it is asked before that loop, of which there are two versions then, if what
they have in common is smaller than 50 (`UnswitchThreshold`), times the loops beside it
(`calculateUnswitchCostMultiplier`).
"""

from __future__ import annotations

import msgspec

from featurizers.mlir import opclass
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Nest

_THRESHOLD = 50.0


def divided_by(loop: Loop, siblings: int) -> Nest | None:
    """The innermost loop by which a loop is divided into two versions: the largest, which leaves the least for both.
    siblings : loops beside this one, itself among them."""
    iv = loop.nest.iv
    found = [child for child in loop.children if _asked_before(child, iv) and 0 < _never(child.nest) < 1]
    found = [child for child in found if any(child.nest is nest for nest in loop.nest.children)]  # no version itself
    if not found or not loop.nest.depth:
        return None
    largest = max(found, key=_total)
    return largest.nest if _in_common(loop, largest) * max(siblings, 1) < _THRESHOLD else None


def unmet(loop: Loop, siblings: int) -> float:
    """Size of the version of a loop for when one inside does not run, where that one runs whenever this one does, which
    only later passes see."""
    if loop.exact or not loop.lengths or loop.nest.least:
        return 0.0
    found = [child for child in loop.children if _asked_before(child, loop.nest.iv) and child.nest.least > 0]
    if not found:
        return 0.0
    size = _in_common(loop, max(found, key=_total))
    return size if size * max(siblings, 1) < _THRESHOLD else 0.0


def _in_common(loop: Loop, child: Loop) -> float:
    """Size of what both versions have, before anything was unrolled."""
    grown = sum([size - (size - 2) / max(trip, 1.0) for size, trip in loop.decided])
    return loop.raw - grown + sum([inside.total for inside in loop.children]) - child.total - len(child.lifted)


def _asked_before(child: Loop, iv: int) -> bool:
    """Whether it is asked if an innermost loop runs, and that does not vary in the loop around it."""
    bounds = child.nest.bounded_by
    return not (child.exact or child.children) and bool(bounds) and iv not in bounds and bool(child.lengths)


def _never(nest: Nest) -> float:
    """The part of its executions in which a loop does not run; less than what is sampled where that did not find it."""
    length, share = nest.lengths[0]
    return 0.0 if nest.least else _RARE if length else share


_RARE = 1 / 64
"""Half of one of the 32 iterations of a loop that are looked at (`domain`)."""


def _total(loop: Loop) -> float:
    return loop.total


def versions(nest: Nest, inner: Nest) -> list[tuple[Nest, float]]:
    """A loop with `inner`, which runs then, and one without it, unless that does nothing; each with its part of the
    executions."""
    never = _never(inner)
    lengths = inner.lengths
    trip = inner.trip
    if lengths[0][0] == 0:
        trip /= 1.0 - never
        lengths = tuple([(length, share / (1.0 - never)) for length, share in lengths[1:]])
    runs = msgspec.structs.replace(inner, trip=trip, lengths=lengths, least=1)
    with_it = [runs if child is inner else child for child in nest.children]
    without = [child for child in nest.children if child is not inner]
    found = [(msgspec.structs.replace(nest, children=with_it), 1.0 - never)]
    stores = any(access.store for access in nest.accesses)
    if without or stores or nest.chains or nest.counts[opclass.CALL]:
        found.append((msgspec.structs.replace(nest, children=without), never))
    return found
