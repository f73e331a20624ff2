"""A CPU that was never labelled: a few labelled programs correct what the model says from its descriptor.

log y = log (prediction by its descriptor) + sum_c w_c * (log prediction for known CPU c - their mean) + b, with ridge
weights: the known CPUs span how code can differ, twenty programs say where the new one lies among them. Both give way
where they say no more than noise: the ridge may be so large that no weight is left, and b is shrunk as James and Stein
do. Intervals are conformal on the leave-one-out errors of those programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.calibration import conformal_quantile
from costmodel.predictor import Predictor
from featurizers.core import Raw
from featurizers.errors import InputError

Array = npt.NDArray[np.float64]
MIN_PROGRAMS = 5
_RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e6)
_LARGE = 1.0
"""Errors beyond a factor of e count alike where ridges are compared."""
_MEDIAN_ERROR = 1.2533 * 1.4826
"""Standard error of the median of n normal errors: this, times their median absolute deviation, over the root of n."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """weights : by known CPU, then the constant. half_width : of a 90% interval in log space. error : median of the
    leave-one-out errors, as a fraction."""

    cpu: str
    target: str
    weights: Mapping[str, float]
    constant: float
    half_width: float
    error: float

    def values(self, start: Array, known: Mapping[str, Array]) -> Array:
        """Predictions (n,) from log predictions by the descriptor and for each known CPU."""
        mean = np.mean(list(known.values()), axis=0)
        total = start + self.constant
        for name, weight in self.weights.items():
            total = total + weight * (known[name] - mean)
        return np.asarray(np.exp(total))


def fit(cpu: str, target: str, start: Array, known: Mapping[str, Array], y: Array) -> Adapted:
    """From log predictions (n,) and labels (n,) of n programs on the new CPU. InputError: fewer than MIN_PROGRAMS."""
    check_enough(len(y))
    names = sorted(known)
    mean = np.mean([known[name] for name in names], axis=0)
    design = np.stack([known[name] - mean for name in names], axis=1)
    rest = np.log(y) - start
    errors = {ridge: _leave_one_out(design, rest, ridge) for ridge in _RIDGES}
    ridge = _simplest({ridge: np.minimum(np.abs(missed), _LARGE) for ridge, missed in errors.items()})
    weights, constant = _solve(design, rest, ridge)
    missed = np.abs(errors[ridge])
    return Adapted(
        cpu,
        target,
        dict(zip(names, weights.tolist(), strict=True)),
        constant,
        conformal_quantile(missed, 0.9),
        float(np.expm1(np.median(missed))),
    )


def _simplest(errors: Mapping[float, Array]) -> float:
    """The largest ridge that is worse than the best by no more than one standard error of their difference (Breiman et
    al., Classification and Regression Trees, 3.4.3): the best of seven on twenty programs is often best by chance."""
    best = min(errors.values(), key=lambda own: float(own.mean()))

    def as_good(own: Array) -> bool:
        more = own - best
        return float(more.mean()) <= float(more.std(ddof=1)) / float(np.sqrt(len(more)))

    return max(ridge for ridge, own in errors.items() if as_good(own))


def check_enough(programs: int) -> None:
    """InputError for fewer than MIN_PROGRAMS."""
    if programs < MIN_PROGRAMS:
        raise InputError("The labelled programs", f"must be at least {MIN_PROGRAMS}", programs)


def _solve(design: Array, rest: Array, ridge: float) -> tuple[Array, float]:
    center, offset = design.mean(axis=0), float(np.median(rest))
    shifted = design - center
    gram = shifted.T @ shifted + ridge * np.eye(design.shape[1])
    weights = np.linalg.solve(gram, shifted.T @ (rest - offset))
    return np.asarray(weights), _shrunk_median(rest - design @ weights)


def _shrunk_median(values: Array) -> float:
    """The median, nearer to 0 the less it stands out of its own standard error."""
    median = float(np.median(values))
    error = _MEDIAN_ERROR * float(np.median(np.abs(values - median))) / float(np.sqrt(len(values)))
    return median * max(0.0, 1.0 - (error / median) ** 2) if median else 0.0


def _leave_one_out(design: Array, rest: Array, ridge: float) -> Array:
    errors = np.empty(len(rest))
    for i in range(len(rest)):
        keep = np.arange(len(rest)) != i
        weights, constant = _solve(design[keep], rest[keep], ridge)
        errors[i] = rest[i] - design[i] @ weights - constant
    return errors


def adapt(
    predictor: Predictor, cpu: str, raws: Sequence[Raw], values: Sequence[float], target: str = "cycles"
) -> Adapted:
    """Adapt a bundle to a CPU of the descriptor table that it was not trained on, by labelled programs."""
    subjects = [predictor.featurizer.parse(raw) for raw in raws]
    return fit(cpu, target, *log_predictions(predictor, cpu, subjects, target), np.asarray(values, dtype=np.float64))


def log_predictions(
    predictor: Predictor, cpu: str, subjects: Sequence[Any], target: str
) -> tuple[Array, dict[str, Array]]:
    """Log predictions by the CPU's own descriptor, and for each CPU that the bundle was trained on."""
    trained = [name for name, device in predictor.devices.items() if target in device.targets and name != cpu]

    def points(profile: str) -> Array:
        return log_points(predictor, profile, subjects, target)

    return points(cpu), {name: points(predictor.devices[name].profile) for name in trained}


def log_points(predictor: Predictor, profile: str, subjects: Sequence[Any], target: str) -> Array:
    """Log predictions (n,) by the descriptor of a CPU of the table, whether the bundle was trained on it or not."""
    trained = next(name for name, device in predictor.devices.items() if target in device.targets)
    features = predictor.featurizer.features(subjects, profile=profile)
    return predictor.model(trained, target).regressor.predict(features).point
