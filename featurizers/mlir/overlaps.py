"""How often overlap checks before a vector loop find places of one buffer that overlap, so that the plain loop runs.

Places that move in different ways over the loops around are told apart by their ranges: from the first to the last that
the loop touches, in all iterations of the loop around if the check can be made before that one
(`expandBounds` with ``-hoist-runtime-checks``: the loop is as long in each of them). What an in-place kernel reads of
the rows that it writes, as in Floyd-Warshall or LU, lies in these ranges though no iteration depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from featurizers.mlir.domain import Point
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access, Moving, Nest

_SAMPLES = 8
"""Iterations of the loops further out for which ranges are compared."""
_GOLDEN = 0.618
_MOST = 64
"""Ranges of one buffer that are compared at most."""


def overlapping(loop: Loop, around: Sequence[Loop]) -> float:
    """Share of the executions of a loop whose checks fail. around : the loops that it is in, outermost first."""
    ways: dict[int, dict[Moving | None, list[Access]]] = {}
    for access in loop.accesses:
        ways.setdefault(access.base, {}).setdefault(access.moving, []).append(access)
    pairs: list[tuple[_Range, _Range]] = []
    for shapes in ways.values():
        if 1 < len(shapes) <= _MOST and None not in shapes:
            found = [_Range(moving or (), accesses) for moving, accesses in shapes.items()]
            pairs += [(a, b) for at, a in enumerate(found) for b in found[:at] if a.written or b.written]
    if not pairs:
        return 0.0
    hoisted = bool(around) and around[-1].nest.iv not in loop.nest.bounded_by
    further, inside = (around[:-1], [around[-1], loop]) if hoisted else (around, [loop])
    failed = 0
    for sample in range(_SAMPLES):
        point: Point = {}
        for at, outer in enumerate(further):
            point[outer.nest.iv] = int(_length(outer, point) * (((sample + 0.5) / _SAMPLES + _GOLDEN * at) % 1.0))
        reach = {within.nest.iv: max(_length(within, point) - 1, 0) for within in inside}
        failed += any(a.meets(b, point, reach) for a, b in pairs)
    return failed / _SAMPLES


def refused(loop: Loop, outer: Loop) -> bool:
    """Whether the check that is made once for the loop around refuses the vectors whatever the buffers: it does where a
    place goes backwards over that loop (``stride.check``), and the vectoriser drops a loop whose check is known to
    fail. Places of two buffers that move alike are compared by their distance, in each iteration
    (`tryToCreateDiffCheck`).

    outer : the loop directly around."""
    iv = outer.nest.iv
    if not outer.nest.depth or outer.nest.uncounted or iv in loop.nest.bounded_by:
        return False
    bases: dict[int, list[Access]] = {}
    for access in loop.accesses:
        bases.setdefault(access.base, []).append(access)
    checked = [accesses for accesses in bases.values() if accesses[0].external]
    if len(checked) < 2 or not any(access.store for accesses in checked for access in accesses):
        checked = []
    checked += [found for found in bases.values() if found not in checked and _in_two_ways(found)]
    if all(access.stride(iv) >= 0 for accesses in checked for access in accesses):
        return False
    steps = {(access.stride(iv), access.stride(loop.nest.iv)) for accesses in checked for access in accesses}
    return len(steps) > 1 or any(len(accesses) > 1 for accesses in checked)


def goes_on(loop: Loop, outer: Loop) -> bool:
    """Whether a sum of floats is stored in each iteration, since other buffers may overlap, at a place that stays the
    same over the loop around: the next execution goes on with the value, which has three uses then, and is no sum in
    order (`checkOrderedReduction`)."""
    if not any(chain.is_float for chain in loop.chains):
        return False
    iv, around = loop.nest.iv, [nest.iv for nest in _between(outer.nest, loop.nest) if nest.depth and nest.trip > 1]
    stored = {access.base for access in loop.accesses if access.store and not access.stride(iv)}
    if not around or not stored:
        return False
    written = [
        access for nest in loop.nest.walk() for access in nest.accesses if access.store and access.base in stored
    ]
    return any(access.moving is not None and not access.stride(around[-1]) for access in written)


def _between(outer: Nest, nest: Nest) -> list[Nest]:
    """The nests from one to another inside it, which is not among them; none where it is not found."""
    for child in outer.children:
        if child.iv == nest.iv:
            return [outer]
        found = _between(child, nest)
        if found:
            return [outer, *found]
    return []


def _in_two_ways(accesses: Sequence[Access]) -> bool:
    """Whether a buffer that is written is used at places that move in different ways."""
    return any(access.store for access in accesses) and len({access.moving for access in accesses}) > 1


def _length(loop: Loop, point: Point) -> int:
    """Iterations of a loop at a point of those around."""
    level = loop.nest.level
    return int(loop.trip) if loop.exact or level is None else level.length(point)


class _Range:
    """The elements of a buffer from the first to the last that accesses touch which move alike."""

    def __init__(self, moving: Moving, accesses: Sequence[Access]):
        places = [access.constant for access in accesses]
        self.written = any(access.store for access in accesses)
        self.first, self.last = min(places), max(places)
        self.moving = moving

    def meets(self, other: _Range, point: Point, reach: Point) -> bool:
        """Whether the ranges have an element in common. point : an iteration of the loops further out, reach : the last
        iterations of those that ranges go over."""
        first, last = self._ends(point, reach)
        others_first, others_last = other._ends(point, reach)
        return first <= others_last and others_first <= last

    def _ends(self, point: Point, reach: Point) -> tuple[int, int]:
        first, last = self.first, self.last
        for iv, factor in self.moving:
            to = factor * reach.get(iv, 0)
            at = factor * point.get(iv, 0)
            first, last = first + at + min(to, 0), last + at + max(to, 0)
        return first, last
