"""A perceptron on the columns of a program: what trees, which cut one column at a time, cannot multiply.

Costs are products of counts, lengths and factors. On signed logs of the columns those are sums, which a network of two
hidden layers continues to programs between and beyond those that it has seen. Answers by numpy; trained by torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array
from featurizers.core import FloatArray

MOST = 5.0
"""Columns count for at most so many standard deviations from their mean."""
_LEAST_SCALE = 0.02
_CONSTANT = 1e-3
STEP = 1e-6
"""Points are multiples of it: layers are of 32 bits, whose sums in C (in another order, of 64) differ behind that."""
Weights = npt.NDArray[np.float64]
Hidden = npt.NDArray[np.float32]
Layers = tuple[tuple[Hidden, Hidden], ...]


@dataclass(frozen=True, slots=True)
class ColumnScaling:
    """Which columns are read (k,), and the mean and standard deviation of their signed logs (k,)."""

    columns: npt.NDArray[np.int64]
    center: Weights
    scale: Weights

    @classmethod
    def fit(cls, x: FloatArray) -> Self:
        """From the columns of training programs (n, columns)."""
        logs = signed_logs(x)
        center, spread = logs.mean(axis=0), logs.std(axis=0)
        columns = np.flatnonzero(spread > _CONSTANT)
        scale = np.maximum(spread[columns], _LEAST_SCALE)
        return cls(columns, short(center[columns]), short(scale))

    def __call__(self, x: FloatArray) -> Hidden:
        """(n, columns) -> (n, k)."""
        return clipped(signed_logs(x.take(self.columns, axis=1)), self.center, self.scale).astype(np.float32)

    def same(self, other: Self) -> bool:
        """Whether it scales as this one does."""
        pairs = ((self.columns, other.columns), (self.center, other.center), (self.scale, other.scale))
        return all(np.array_equal(own, its) for own, its in pairs)


@dataclass(frozen=True, slots=True)
class ColumnNetwork:
    """scaling, then layers of weights (in, out) and biases (out,) with SiLU between; the mean of `members` such."""

    scaling: ColumnScaling
    members: tuple[Layers, ...]

    def predict(self, x: FloatArray) -> Array:
        """What was learned, float64 (n,), of columns (n, columns)."""
        return self.of_scaled(self.scaling(x))

    def of_scaled(self, z: Hidden) -> Array:
        """The same, of columns that `scaling` has scaled (n, k)."""
        total = layered(self.members[0], z)[:, 0].astype(np.float64)
        for layers in self.members[1:]:
            total = total + layered(layers, z)[:, 0]
        return np.asarray(np.rint(total / (len(self.members) * STEP)) * STEP)

    def save(self, path: Path) -> None:
        """Numbers of 16 bits, which they were rounded to when they were learned."""
        from safetensors.numpy import save_file

        arrays: dict[str, npt.NDArray[Any]] = {"columns": self.scaling.columns.astype(np.int32)}
        arrays |= {"center": self.scaling.center, "scale": self.scaling.scale}
        for m, layers in enumerate(self.members):
            for k, (weights, bias) in enumerate(layers):
                arrays |= {f"{m}.{k}.weights": weights, f"{m}.{k}.bias": bias}
        save_file({k: np.ascontiguousarray(v if k == "columns" else _half(v)) for k, v in arrays.items()}, path)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """What `save` wrote; None where it wrote nothing."""
        if not path.is_file():
            return None
        from safetensors.numpy import load_file

        arrays = load_file(path)
        scaling = ColumnScaling(
            arrays["columns"].astype(np.int64), *(arrays[name].astype(np.float64) for name in ("center", "scale"))
        )
        places = sorted({tuple(map(int, name.split(".")[:2])) for name in arrays if name[0].isdigit()})
        members = tuple(
            tuple(
                (arrays[f"{m}.{k}.weights"].astype(np.float32), arrays[f"{m}.{k}.bias"].astype(np.float32))
                for other, k in places
                if other == m
            )
            for m in sorted({m for m, _ in places})
        )
        return cls(scaling, members)


def rounded(layers: Layers) -> Layers:
    """As they will be after `save` and `load`: what is judged is what is kept."""
    return tuple((_single(weights), _single(bias)) for weights, bias in layers)


def signed_logs(x: FloatArray) -> Weights:
    """sign(x) log(1 + |x|), a missing value as 0; of the same shape."""
    logs = np.abs(x, dtype=np.float64)
    np.copysign(np.log1p(logs, out=logs), x, out=logs)
    return np.nan_to_num(logs, copy=False) if isnan(np.add.reduce(logs, axis=None)) else logs


def clipped(logs: Weights, center: Weights, scale: Weights) -> Weights:
    """`logs` (..., k) in standard deviations `scale` (k,) from `center`, at most `MOST` of them; written over."""
    logs -= center
    logs /= scale
    np.maximum(logs, -MOST, out=logs)
    return np.minimum(logs, MOST, out=logs)


def affine(layer: tuple[Hidden, Hidden], z: Hidden) -> Hidden:
    """z (..., in) by one layer's weights (in, out) and bias (out,). Row by row, so that one alone is the same as among
    others; most are asked alone, which takes as long as the weights take to come from memory: hence 32 bits."""
    out: Hidden = (z[..., None, :] @ layer[0])[..., 0, :]
    out += layer[1]
    return out


def silu(z: Hidden) -> Hidden:
    """z times its logistic, written over z."""
    logistic = np.minimum(-z, 80.0)
    np.exp(logistic, out=logistic)
    logistic += 1.0
    z /= logistic
    return z


def layered(layers: Layers, z: Hidden) -> Hidden:
    """All layers, with SiLU between them."""
    for layer in layers[:-1]:
        z = silu(affine(layer, z))
    return affine(layers[-1], z)


def _half(values: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    return np.asarray(np.clip(values, -6e4, 6e4), dtype=np.float16)


def _single(values: npt.NDArray[Any]) -> Hidden:
    return np.ascontiguousarray(_half(values), dtype=np.float32)


def short(values: npt.NDArray[Any]) -> Weights:
    """Rounded to what 16 bits hold."""
    return _half(values).astype(np.float64)
