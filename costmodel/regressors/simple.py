"""The plain baselines: what any learned model has to beat, and what tests of the seam use."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Self

import numpy as np

from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from featurizers.core import Features


class ConstantRegressor:
    """The median of what it was shown."""

    name = "constant"

    def __init__(self, median: float = 0.0, spread: float = 1.0):
        self.median = median
        self.spread = spread

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        self.median = float(np.median(y))
        self.spread = max(float(np.std(y)), 1e-6)
        return self

    def predict(self, features: Features) -> Estimate:
        return Estimate(np.full(len(features), self.median), np.full(len(features), self.spread))

    def part_costs(self, features: Features) -> Array | None:
        return None

    def save(self, folder: Path) -> None:
        write_json(folder / "constant.json", {"median": self.median, "spread": self.spread})

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**read_json(folder / "constant.json"))


class RandomRegressor(ConstantRegressor):
    """Seeded noise around the median, a function of the columns alone: for tests of everything above the seam."""

    name = "random"

    def predict(self, features: Features) -> Estimate:
        seeds = [zlib.crc32(row.tobytes()) for row in np.ascontiguousarray(features.vectors)]
        noise = np.array([np.random.default_rng(seed).standard_normal() for seed in seeds])
        return Estimate(self.median + self.spread * noise, np.full(len(features), self.spread))


class LogLinearRegressor:
    """``y = a + b * log(column)``: with `column` = FLOPs, the proxy that papers and tools use for latency."""

    name = "log-linear"

    def __init__(self, column: str = "flops", intercept: float = 0.0, slope: float = 1.0, spread: float = 1.0):
        self.column = column
        self.intercept = intercept
        self.slope = slope
        self.spread = spread

    def _x(self, features: Features) -> Array:
        return np.log(np.maximum(features.column(self.column).astype(np.float64), 1.0))

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        x = self._x(features)
        w = np.sqrt(np.ones_like(y) if weights is None else weights)
        design = np.stack([np.ones_like(x), x], axis=1)
        solution = np.linalg.lstsq(design * w[:, None], y * w, rcond=None)[0]
        self.intercept, self.slope = float(solution[0]), float(solution[1])
        self.spread = max(float(np.std(y - design @ solution)), 1e-6)
        return self

    def predict(self, features: Features) -> Estimate:
        point = self.intercept + self.slope * self._x(features)
        return Estimate(point, np.full(len(features), self.spread))

    def part_costs(self, features: Features) -> Array | None:
        return None

    def save(self, folder: Path) -> None:
        content = {"column": self.column, "intercept": self.intercept, "slope": self.slope, "spread": self.spread}
        write_json(folder / "log_linear.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**read_json(folder / "log_linear.json"))
