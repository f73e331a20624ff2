"""Intervals that hold after few measurements: how far off adapted known devices were, in units of their own spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.calibration import conformal_quantile
from costmodel.regressors.base import Array

SIZES = (5, 10, 20, 50)
COVERAGE = 0.9


@dataclass(frozen=True, slots=True)
class Scores:
    """Absolute errors of one known device in the role of the new one, over spread and `own_scale`, by number of
    measurements."""

    family: str
    by_size: dict[int, Array]


@dataclass(frozen=True, slots=True)
class FewShotCalibration:
    """quantiles : of |error| / spread / own scale that cover `COVERAGE`, per entry of `SIZES`."""

    quantiles: tuple[float, ...]

    def quantile(self, measurements: int) -> float:
        """Interpolated in the logarithm of the number of measurements."""
        return float(np.interp(np.log(measurements), np.log(SIZES), self.quantiles))


_GENERIC = (1.9, 1.1, 1.05, 1.02)
"""Quantile of an unfamiliar sort of hardware, per entry of `SIZES`: rounded from leaving out every family of the FBNet
and NAS-Bench-201 tables in turn. Five measurements do not tell a phone from a simulator, ten do."""
_GENERIC_FAMILIES = 0.5
_EXPECTED_MEASUREMENTS = 4.0
"""So many measurements is what was expected worth, beside a device's own leave-one-out errors."""
_FLOOR, _CAP = 0.1, 4.0
"""Of a leave-one-out error in spreads: a value in another unit is an outlier and does not describe the device."""


def own_scale(surprise: float, off: Array) -> float:
    """How wide a device's errors are, in spreads: geometric mean of what was expected, corrected by `surprise`, and
    of the conformal quantile of its own leave-one-out errors `off` (n,), weighted by their number.

    Busy phones have heavy tails and simulators none; ten measurements tell the two apart, known devices do not.
    """
    own = conformal_quantile(np.minimum(off, _CAP), COVERAGE) + _FLOOR
    weight = _trust(len(off))
    return float(surprise ** (1 - weight) * own**weight)


def calibrate(scores: Sequence[Scores]) -> FewShotCalibration:
    """One quantile per size, families counting alike, and with them a generic one for hardware that is like none."""
    families = sorted({score.family for score in scores})
    quantiles = []
    for size, generic in zip(SIZES, _GENERIC, strict=True):
        pooled = {f: np.concatenate([s.by_size[size] for s in scores if s.family == f]) for f in families}
        count = len(families)
        learned = _quantile(pooled, COVERAGE)
        quantiles.append((count * learned + _GENERIC_FAMILIES * generic) / (count + _GENERIC_FAMILIES))
    return FewShotCalibration(tuple(quantiles))


def _trust(measurements: int) -> float:
    return measurements / (measurements + _EXPECTED_MEASUREMENTS)


def _quantile(pooled: dict[str, Array], level: float) -> float:
    weights = np.concatenate([np.full(len(values), 1.0 / len(values)) for values in pooled.values()])
    return _weighted_quantile(np.concatenate(list(pooled.values())), weights, level)


def _weighted_quantile(values: Array, weights: Array, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, level)), len(values) - 1)])
