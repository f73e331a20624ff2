"""Will synthesis give a report at all? Unrolling too many products makes HLS fail or run out of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.layers import Layers, Values, layers_of
from costmodel.regressors import Array
from featurizers.core import Features

_RIDGE = 0.02
_ITERATIONS = 60
_LARGE = 2048
"""Products from which the shape of an unrolled layer was seen to matter."""

_FACTS: Final = (
    "one",
    "unrolled",
    "log2 unrolled products - 11.5",
    "tall",
    "latency strategy",
    "unrolled bits",
    "log2 serial products - 14",
)


def success_facts(layers: Layers) -> Values:
    """What decides: how many products stand side by side, and how they are laid out. float64 (n, 7).

    Vivado HLS refuses to partition an array into more than 4096 elements, which is why 2^12 is the edge.
    """
    products = layers["multiplications"]
    unrolled = layers.most(np.where(layers.unrolled, products, 0.0))
    serial = layers.most(np.where(layers.serial, products, 0.0))
    is_unrolled = unrolled > 0
    size = np.where(is_unrolled, np.log2(np.maximum(unrolled, 1.0)) - 11.5, 0.0)
    tall = np.log2(np.maximum(layers["n_in"], 1) / np.maximum(layers["n_out"], 1))
    is_latency = layers.most(layers.unrolled & layers.is_strategy("latency")) > 0
    bits = layers.most(np.where(layers.unrolled, layers["weight_bits"], 0.0)) / 16
    columns = (
        np.ones(layers.designs),
        is_unrolled,
        size,
        layers.most(np.where(layers.unrolled & (products >= _LARGE), np.maximum(tall, 0.0), 0.0)) * is_latency,
        is_latency,
        bits * is_latency,
        np.where(serial > 0, np.log2(np.maximum(serial, 1.0)) - 14, 0.0),
    )
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


@dataclass(frozen=True, slots=True)
class SuccessModel:
    """Logistic regression on seven facts; `weights` (7,)."""

    weights: Array

    @classmethod
    def fit(cls, features: Features, success: npt.NDArray[np.bool_]) -> Self:
        """By Newton's method with a ridge, since the classes all but separate."""
        x, y = success_facts(layers_of(features)), success.astype(np.float64)
        weights = np.zeros(x.shape[1])
        penalty = _RIDGE * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
        for _ in range(_ITERATIONS):
            p = _sigmoid(x @ weights)
            gradient = x.T @ (y - p) - penalty @ weights
            curvature = (x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(x.shape[1])
            step = np.linalg.solve(curvature, gradient)
            weights = weights + np.clip(step, -2.0, 2.0)
            if float(np.abs(step).max()) < 1e-8:
                break
        return cls(weights)

    def probability(self, layers: Layers) -> Array:
        """P(synthesis succeeds), (n,)."""
        return _sigmoid(success_facts(layers) @ self.weights)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"facts": list(_FACTS), "weights": self.weights.tolist()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(np.asarray(content["weights"], dtype=np.float64))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


def area_under_curve(score: Array, positive: npt.NDArray[np.bool_]) -> float:
    """Probability that a positive scores higher than a negative, ties counted half."""
    order = np.sort(score[~positive])
    below = np.searchsorted(order, score[positive], side="left")
    ties = np.searchsorted(order, score[positive], side="right") - below
    return float((below + ties / 2).sum() / max(positive.sum() * (~positive).sum(), 1))
