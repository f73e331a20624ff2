"""More measurements of an adapted device, against what it predicts: which are outliers, and has the device drifted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.fewshot.checks import check_values
from costmodel.fewshot.regressor import AdaptedDevice
from costmodel.regressors.base import Array, Estimate

_OUTLIER_SPREADS = 4.0
_DRIFT_SPREADS = 3.0
_DRIFT_MEASUREMENTS = 3


@dataclass(frozen=True, slots=True)
class Outlier:
    """A measurement that the device's other measurements make implausible. index : its place in what was given."""

    index: int
    measured_ms: float
    predicted_ms: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """drift : typical measured over predicted latency where it is surely not 1 (throttling, an update), or None."""

    outliers: tuple[Outlier, ...]
    drift: float | None


def compare(device: AdaptedDevice, encodings: Sequence[object], latency_ms: Sequence[float] | Array) -> Comparison:
    """Measurements beside predictions. A common shift is drift and makes no outliers. Raises InputError."""
    ops = device.owner.parse(encodings)
    values = check_values(ops, latency_ms)
    offset, features = device.owner.features(ops)
    estimate = device.predict_features(offset, features)
    return compare_estimates(values, estimate)


def compare_estimates(values: Array, estimate: Estimate) -> Comparison:
    """Positive measurements (n,) beside their estimates, made by whatever learner."""
    residual = np.log(values) - estimate.point
    shift = float(np.median(residual))
    typical = float(np.median(estimate.spread))
    surely = _DRIFT_SPREADS * typical / math.sqrt(len(values))
    drifted = len(values) >= _DRIFT_MEASUREMENTS and abs(shift) > surely
    off = np.abs(residual - (shift if drifted else 0.0)) / estimate.spread
    outliers = tuple(
        Outlier(int(i), float(values[i]), float(np.exp(estimate.point[i])))
        for i in np.flatnonzero(off > _OUTLIER_SPREADS)
    )
    return Comparison(outliers, math.exp(shift) if drifted else None)
