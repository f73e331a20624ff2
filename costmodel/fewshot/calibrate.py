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


def calibrate(scores: Sequence[Scores]) -> FewShotCalibration:
    """One quantile per size over all devices, families counting alike."""
    families = [score.family for score in scores]
    quantiles = []
    for size in SIZES:
        pooled = [score.by_size[size] for score in scores]
        share = [np.full(len(p), 1.0 / len(p) / families.count(f)) for p, f in zip(pooled, families, strict=True)]
        quantiles.append(_weighted_quantile(np.concatenate(pooled), np.concatenate(share), COVERAGE))
    return FewShotCalibration(tuple(quantiles))


def _weighted_quantile(values: Array, weights: Array, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, level)), len(values) - 1)])
