"""What a model says of many designs at once, and of one; values in units and the space that they were learned in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.forms import HlsTarget
from costmodel.hls4ml.layers import Layers, Values
from costmodel.prediction import Prediction
from costmodel.regressors.base import Array, Estimate

_FARTHEST = 4.0
"""Distance beyond which another kind of design is not stranger still."""


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """Of n designs in the target's unit: value, low, high (n,); point and half in learning space."""

    value: Array
    low: Array
    high: Array
    point: Array
    half: Array


@dataclass(frozen=True, slots=True)
class DesignAnswer:
    """One design's answers. fits : P(all resources within the part's limits), None without a part.

    percent : of the part, by target. latency_ns : cycles at the design's clock: (value, low, high).
    """

    predictions: tuple[Prediction, ...]
    percent: Mapping[str, float]
    latency_ns: tuple[float, ...]
    fits: float | None
    synthesises: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where designs lie, (n,) each: inside of what was trained on, distance (1 at its edge), strange kinds of layer.

    far : by what factor errors grow with the distance.
    """

    inside: npt.NDArray[np.bool_]
    distance: Array
    strange: npt.NDArray[np.bool_]
    far: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "far", np.sqrt(np.minimum(np.maximum(self.distance, 1.0), _FARTHEST)))

    @property
    def trust(self) -> Array:
        """Weight of the learned residual: it fades where nothing like the design was seen."""
        return np.minimum(np.maximum(2 - self.distance, 0.0), 1.0) * ~self.strange


@dataclass(frozen=True, slots=True)
class Shared:
    """What the targets of one call have in common."""

    layers: Layers
    sums: Values
    matrix: Values
    place: Place
    trust: Array
    residuals: Mapping[str, Array]
    estimates: dict[str, tuple[Estimate, Array]] = field(default_factory=dict)


def at_clock(cycles: TargetAnswer, clock_ns: Array) -> TargetAnswer:
    value, low, high = (np.round(part * clock_ns, 3) for part in (cycles.value, cycles.low, cycles.high))
    return TargetAnswer(value, low, high, cycles.point, cycles.half)


@lru_cache(maxsize=64)
def _scales(specs: tuple[HlsTarget, ...]) -> tuple[Array, Array]:
    """Offsets and steps, (targets, 1) each."""
    offset, step = (np.array([[getattr(spec, name)] for spec in specs]) for name in ("offset", "step"))
    return offset, step


def in_units(specs: Sequence[HlsTarget], points: Array, halves: Array) -> list[TargetAnswer]:
    """By target of `specs` whole counts (or steps of it), from learning space: points and halves (targets, n)."""
    offset, step = _scales(tuple(specs))

    def counts(logs: Array) -> Array:
        return np.asarray(np.round((np.exp(np.minimum(logs, 60.0)) - offset) / step, 6))

    middle, least, most = counts(np.stack((points, points - halves, points + halves)))
    value = np.maximum(np.round(middle) * step, 0.0)
    low = np.minimum(np.maximum(np.floor(least) * step, 0.0), value)
    high = np.maximum(np.ceil(most) * step, value)
    return [TargetAnswer(*columns) for columns in zip(value, low, high, points, halves, strict=True)]
