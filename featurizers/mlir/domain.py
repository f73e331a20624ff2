"""How long a loop runs whose bounds depend on the loops around it, and how often a condition on their indices holds:
counted over the iterations of those loops, of which long ones are sampled evenly (as the labels are, `weights.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil

import msgspec

from featurizers.mlir.nest import CONSTANT, Form

Point = dict[int, int]
"""An iteration: by loop (`Nest.iv`), how many came before it."""
Points = list[tuple[Point, float]]
"""Iterations and how many each stands for."""
Bound = tuple[object, ...]
"""An expression that is not linear: (operation, Bound or Form, Bound or Form)."""
Lengths = tuple[tuple[int, float], ...]
"""Iterations per execution of a loop, with the share of executions that have as many."""

_SAMPLES, _POINTS = 32, 512
"""Iterations followed of one loop, and of all loops of a nest together."""

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "mod": lambda a, b: a % b if b else 0,
    "floordiv": lambda a, b: a // b if b else 0,
    "ceildiv": lambda a, b: -(-a // b) if b else 0,
}


class Level(msgspec.Struct, frozen=True):
    """A loop, or a condition (step 0: all of `lows` are at least zero, all of `highs` are zero), around the code.

    depends : loops that it varies with.
    """

    iv: int
    lows: Sequence[Form | Bound]
    highs: Sequence[Form | Bound]
    step: int
    depends: frozenset[int]
    negated: bool = False

    def length(self, point: Point) -> int:
        """Iterations of the loop at a point."""
        lows, highs = self.lows, self.highs
        low = value(lows[0], point) if len(lows) == 1 else max([value(bound, point) for bound in lows])
        high = value(highs[0], point) if len(highs) == 1 else min([value(bound, point) for bound in highs])
        return ceil((high - low) / self.step) if high > low else 0

    def holds(self, point: Point) -> bool:
        """Whether the condition is true at a point."""
        missed = [value(low, point) < 0 for low in self.lows] + [value(high, point) != 0 for high in self.highs]
        return any(missed) == self.negated


def value(bound: Form | Bound, point: Point) -> int:
    """A bound at a point; loops that are not in it count as at their start."""
    if isinstance(bound, dict):
        total = 0
        for key, factor in bound.items():
            if key == CONSTANT:
                total += factor
            elif factor:
                total += factor * point.get(key, 0)
        return total
    name, left, right = bound
    return OPERATIONS[name](value(left, point), value(right, point))  # type: ignore[index,arg-type]


def varying(bounds: Iterable[Form | Bound]) -> frozenset[int]:
    """The loops that bounds vary with."""
    found: set[int] = set()
    for bound in bounds:
        if isinstance(bound, dict):
            found.update([key for key, factor in bound.items() if key != CONSTANT and factor])
        else:
            found |= varying(bound[1:])  # type: ignore[arg-type]
    return frozenset(found)


def points(path: Sequence[Level], depends: frozenset[int]) -> Points:
    """Iterations of the loops that matter to what varies with `depends`: those, the ones that they vary with, and what
    lies between and varies too, which decides how often each is met."""
    found: Points = [({}, 1.0)]
    for level in _varying_with(path, depends):
        if not level.step:
            found = [(point, weight) for point, weight in found if level.holds(point)]
            continue
        most = max(min(_SAMPLES, _POINTS // max(len(found), 1)), 1)
        found = [(inner, part) for point, weight in found for inner, part in _iterations(level, point, weight, most)]
    return found


def _varying_with(path: Sequence[Level], depends: frozenset[int]) -> list[Level]:
    wanted = set(depends)
    levels: list[Level] = []
    for level in reversed(path):
        if level.iv in wanted or not wanted.isdisjoint(level.depends):
            wanted |= level.depends
            levels.append(level)
    return levels[::-1]


def _iterations(level: Level, point: Point, weight: float, most: int) -> Points:
    length = level.length(point)
    count = min(length, most)
    return [({**point, level.iv: (2 * k + 1) * length // (2 * count)}, weight * length / count) for k in range(count)]


def lengths(path: Sequence[Level], level: Level) -> Lengths:
    """How long a loop runs."""
    found: dict[int, float] = {}
    total = 0.0
    for point, weight in points(path, level.depends):
        length = level.length(point)
        found[length] = found.get(length, 0.0) + weight
        total += weight
    return tuple([(length, weight / total) for length, weight in sorted(found.items())])


def least(path: Sequence[Level], level: Level, found: Lengths) -> int:
    """The shortest length of a loop, where those around begin and end as well as where they were sampled."""
    ends: list[Point] = [{}]
    for around in _varying_with(path, level.depends):
        if not around.step:
            ends = [point for point in ends if around.holds(point)]
        elif len(ends) <= _ENDS:
            ends = [{**point, around.iv: at} for point in ends for at in _first_and_last(around.length(point))]
    return min([found[0][0], *[level.length(point) for point in ends]]) if found else 0


def _first_and_last(length: int) -> list[int]:
    return [0, length - 1][: max(length, 0)]


_ENDS = 8
"""Points from which on loops further in are taken where they begin."""


def share(path: Sequence[Level], level: Level) -> float:
    """The part of the iterations in which a condition holds."""
    held = total = 0.0
    for point, weight in points(path, level.depends):
        total += weight
        held += weight * level.holds(point)
    return held / total if total else 0.0


def mean(found: Lengths) -> float:
    """Iterations per execution."""
    return sum([length * weight for length, weight in found])
