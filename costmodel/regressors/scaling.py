"""Columns to numbers that a neural network takes: signed logs, centred and scaled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from featurizers.core import FloatArray

_FARTHEST = 6.0
"""In standard deviations; what lies beyond counts as that far, so that no answer runs away with one column."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """center, scale : (columns,) of the signed logs of what was seen."""

    center: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, matrix: FloatArray) -> Self:
        """From rows that were seen; a column of missing values only counts as 0."""
        x = _compress(matrix)
        x[:, np.isnan(x).all(axis=0)] = 0.0
        center = np.nanmean(x, axis=0) if len(x) else np.zeros(x.shape[1])
        spread = np.nanstd(x, axis=0) if len(x) else np.ones(x.shape[1])
        return cls(center, np.maximum(spread, 1e-2 + 0.02 * np.abs(center)))

    def __call__(self, matrix: FloatArray) -> FloatArray:
        """float32, same shape; a missing value counts as the mean. ValueError on another number of columns."""
        if matrix.shape[1] != len(self.center):
            raise ValueError(f"The model has {len(self.center)} columns. Got {matrix.shape[1]}.")
        z = np.clip((_compress(matrix) - self.center) / self.scale, -_FARTHEST, _FARTHEST)
        return np.nan_to_num(z, nan=0.0).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"center": self.center.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(np.asarray(content["center"], dtype=np.float64), np.asarray(content["scale"], dtype=np.float64))


def _compress(matrix: FloatArray) -> npt.NDArray[np.float64]:
    x = matrix.astype(np.float64)
    return np.asarray(np.copysign(np.log1p(np.abs(x)), x))
