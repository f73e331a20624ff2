"""Intervals that hold after few measurements: how far off adapted known devices were, in units of their own spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.regressors.base import Array

SIZES = (5, 10, 20, 50)
COVERAGE = 0.9


@dataclass(frozen=True, slots=True)
class Scores:
    """Standardised absolute errors of one known device in the role of the new one, by number of measurements."""

    family: str
    by_size: dict[int, Array]


@dataclass(frozen=True, slots=True)
class FewShotCalibration:
    """quantiles : of |error| / spread that cover `COVERAGE`, per entry of `SIZES`."""

    quantiles: tuple[float, ...]

    def quantile(self, measurements: int) -> float:
        """Interpolated in the logarithm of the number of measurements."""
        return float(np.interp(np.log(measurements), np.log(SIZES), self.quantiles))


_GENERIC_QUANTILE = 2.5
"""Of an unfamiliar sort of hardware: a Student-t of about three degrees of freedom covers 0.9 there."""
_GENERIC_FAMILIES = 1.0
_LEVELS = np.arange(COVERAGE, 0.991, 0.01)


def calibrate(scores: Sequence[Scores]) -> FewShotCalibration:
    """One quantile per size, families counting alike: the one that would have covered families left out of it."""
    families = sorted({score.family for score in scores})
    quantiles = []
    for size in SIZES:
        pooled = {f: np.concatenate([s.by_size[size] for s in scores if s.family == f]) for f in families}
        learned = _quantile(pooled, _level_for_others(pooled))
        count = len(families)
        quantiles.append((count * learned + _GENERIC_FAMILIES * _GENERIC_QUANTILE) / (count + _GENERIC_FAMILIES))
    return FewShotCalibration(tuple(quantiles))


def _level_for_others(pooled: dict[str, Array]) -> float:
    """The lowest level whose quantile, from all families but one, covers `COVERAGE` of that one on average."""
    if len(pooled) < 3:
        return COVERAGE
    for level in _LEVELS:
        covered = []
        for family, own in pooled.items():
            rest = {name: values for name, values in pooled.items() if name != family}
            covered.append(float((own <= _quantile(rest, float(level))).mean()))
        if np.mean(covered) >= COVERAGE:
            return float(level)
    return float(_LEVELS[-1])


def _quantile(pooled: dict[str, Array], level: float) -> float:
    weights = np.concatenate([np.full(len(values), 1.0 / len(values)) for values in pooled.values()])
    return _weighted_quantile(np.concatenate(list(pooled.values())), weights, level)


def _weighted_quantile(values: Array, weights: Array, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, level)), len(values) - 1)])
