"""Learner ``ncpp``: a group-attention network after NCPP (arXiv 2407.03385), the baseline of the learned scores.

Trained by torch, kept as ONNX, served by onnxruntime. One network answers all benchmarks that it was fitted on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from costmodel.cpu.process import choose_law, law_of
from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from costmodel.regressors.folds import group_folds
from costmodel.regressors.onnx_model import OnnxModel
from featurizers.core import Features, FloatArray

WIDTH = 32
EPOCHS = 300
RATE = 4e-3
_HELD = 7
"""One CPU model in so many is held out to choose when to stop, and to learn the spread."""


class GroupAttentionRegressor:
    """See the module. `fit` is for one benchmark, `fit_scores` for several."""

    name = "ncpp"

    def __init__(self, epochs: int = EPOCHS, width: int = WIDTH, rate: float = RATE):
        self.epochs, self.width, self.rate = int(epochs), int(width), float(rate)
        self.laws: tuple[str, ...] = ()
        self.center: Array = np.empty(0)
        self.scale: Array = np.empty(0)
        self.level: Array = np.empty(0)
        self.size: Array = np.empty(0)
        self.spread: Array = np.empty(0)
        self.model: OnnxModel | None = None

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        """`weights` change nothing: every group counts alike."""
        return self.fit_scores(features, np.asarray(y)[:, None], groups, seed)

    def fit_scores(self, features: Features, y: Array, groups: Groups, seed: int) -> Self:
        """One network for all columns of `y` (n, t), log scores with NaN where a benchmark was not run."""
        from costmodel.cpu.ncpp_torch import GroupAttention, train
        from costmodel.regressors.onnx_export import exported, seeded

        self.laws = tuple(choose_law(features, y[:, t], groups) for t in range(y.shape[1]))
        raw = features.vectors.astype(np.float64)
        missing = np.isnan(raw).all(axis=0)
        filled = np.where(missing, 0.0, raw)
        self.center, self.scale = np.nanmean(filled, axis=0), np.maximum(np.nanstd(filled, axis=0), 1e-3)
        rest = y - self._laws(features)
        self.level, self.size = np.nanmean(rest, axis=0), np.maximum(np.nanstd(rest, axis=0), 1e-6)
        _, code, count = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
        held = group_folds(np.asarray(groups), min(_HELD, len(count)), seed)[0]
        arguments = (group_sizes(features), self.width, y.shape[1])
        with seeded(seed) as torch:
            model = GroupAttention(*arguments)
            scaled = torch.tensor((rest - self.level) / self.size, dtype=torch.float32)
            own = torch.tensor(1.0 / count[code], dtype=torch.float32)
            x = torch.tensor(self._inputs(features))
            train(model, x, scaled, own, torch.tensor(held), self.epochs, self.rate)
            self.model = OnnxModel(exported(GroupAttention, arguments, model.state_dict()))
        error = np.abs(rest - (self.predict_scores(features) - self._laws(features)))[held]
        self.spread = np.maximum(1.2533 * np.nanmean(error, axis=0), 1e-3)
        return self

    def predict_scores(self, features: Features) -> Array:
        """Log scores, (n, t)."""
        assert self.model is not None, "fit or load first"
        (out,) = self.model.run({"x": self._inputs(features)})
        return np.asarray(out.astype(np.float64) * self.size + self.level + self._laws(features))

    def predict(self, features: Features) -> Estimate:
        return Estimate(self.predict_scores(features)[:, 0], np.full(len(features), self.spread[0]))

    def part_costs(self, features: Features) -> Array | None:
        return None

    def _laws(self, features: Features) -> Array:
        return np.stack([law_of(features, law) for law in self.laws], axis=1)

    def _inputs(self, features: Features) -> FloatArray:
        z = (features.vectors - self.center) / self.scale
        flags = np.isnan(z)
        return np.concatenate([np.clip(np.where(flags, 0.0, z), -6, 6), flags], axis=1).astype(np.float32)

    def save(self, folder: Path) -> None:
        assert self.model is not None, "fit first"
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        write_json(folder / "ncpp.json", {"laws": list(self.laws), **arrays})
        self.model.save(folder / "ncpp.onnx.zst")

    @classmethod
    def load(cls, folder: Path) -> Self:
        content = read_json(folder / "ncpp.json")
        loaded = cls()
        loaded.laws = tuple(content["laws"])
        for name in _ARRAYS:
            setattr(loaded, name, np.asarray(content[name], dtype=np.float64))
        loaded.model = OnnxModel.load(folder / "ncpp.onnx.zst")
        return loaded


_ARRAYS = ("center", "scale", "level", "size", "spread")


def group_sizes(features: Features) -> tuple[int, ...]:
    """How many columns each group has; a group's columns lie side by side."""
    names = [column.group for column in features.columns]
    order = list(dict.fromkeys(names))
    if [name for name in order for _ in range(names.count(name))] != names:
        raise ValueError("The columns of a group must lie side by side.")
    return tuple(names.count(name) for name in order)
