"""LightGBM on whole-subject columns: the general learner, and the graph-level rival of `KernelSum`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from costmodel.regressors.boosting import QUICK_ROUNDS, boosted
from costmodel.regressors.folds import group_folds
from costmodel.regressors.native_lightgbm import NativeBooster
from featurizers.core import Features, FloatArray


class GradientBoosting:
    """Bagged over group folds; the spread is learned from out-of-fold errors by a second small booster."""

    name = "lightgbm"

    def __init__(
        self, rounds: int = 300, learning_rate: float = 0.05, leaves: int = 31, min_leaf: int = 10, members: int = 5
    ):
        self.settings: dict[str, Any] = {
            "rounds": rounds,
            "learning_rate": learning_rate,
            "leaves": leaves,
            "min_leaf": min_leaf,
            "members": members,
        }
        self.boosters: list[NativeBooster] = []
        self.spread_booster: NativeBooster | None = None
        self.out_of_fold: Array = np.empty(0)

    def quick(self) -> Self:
        """The same, unfitted, with a few trees."""
        return type(self)(**self.settings | {"rounds": min(self.settings["rounds"], QUICK_ROUNDS)})

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        w = np.ones(len(y)) if weights is None else weights
        self.boosters = []
        self.out_of_fold = np.full(len(y), np.nan)
        for member, held_out in enumerate(group_folds(groups, self.settings["members"], seed)):
            train = ~held_out if self.settings["members"] > 1 else np.ones(len(y), dtype=bool)
            booster = self._boost(features.vectors[train], y[train], w[train], seed + member, self.settings["rounds"])
            self.boosters.append(booster)
            self.out_of_fold[held_out] = booster.predict(features.vectors[held_out])
        seen = np.isfinite(self.out_of_fold)
        error = np.log(np.maximum(np.abs(y - self.out_of_fold)[seen], 1e-3))
        self.spread_booster = self._boost(features.vectors[seen], error, w[seen], seed, self.settings["rounds"] // 6)
        return self

    def _boost(self, matrix: FloatArray, y: Array, w: Array, seed: int, rounds: int) -> NativeBooster:
        parameters = {
            "objective": "regression",
            "learning_rate": self.settings["learning_rate"],
            "num_leaves": self.settings["leaves"],
            "min_data_in_leaf": min(self.settings["min_leaf"], max(len(y) // 10, 1)),
            "feature_fraction": 0.7,
            "bagging_fraction": 0.9,
            "bagging_freq": 1,
        }
        return boosted(parameters, matrix, y, w, rounds, seed)

    def predict(self, features: Features) -> Estimate:
        assert self.spread_booster is not None, "fit or load first"
        points = np.stack([booster.predict(features.vectors) for booster in self.boosters])
        return Estimate(points.mean(axis=0), np.exp(self.spread_booster.predict(features.vectors)))

    def part_costs(self, features: Features) -> Array | None:
        return None

    def save(self, folder: Path) -> None:
        assert self.spread_booster is not None, "fit first"
        write_json(folder / "gradient_boosting.json", {"settings": self.settings})
        for member, booster in enumerate(self.boosters):
            booster.save(folder / f"booster_{member}.txt.zst")
        self.spread_booster.save(folder / "spread.txt.zst")

    @classmethod
    def load(cls, folder: Path) -> Self:
        loaded = cls(**read_json(folder / "gradient_boosting.json")["settings"])
        members = range(loaded.settings["members"])
        loaded.boosters = [NativeBooster.load(folder / f"booster_{member}.txt.zst") for member in members]
        loaded.spread_booster = NativeBooster.load(folder / "spread.txt.zst")
        return loaded
