"""The packaged learner of scores: mostly the process over facts, a little of boosted trees over every column.

The process extrapolates smoothly along facts; trees catch thresholds (a cache that the working set no longer fits) and
columns that the kernel does not look at. On unseen CPU models the blend errs less than either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np

from costmodel.cpu.kernel import Shape
from costmodel.cpu.process import ScoreProcess, fit_together, law_of
from costmodel.regressors.base import Array, Estimate, Groups
from costmodel.regressors.folds import group_folds
from costmodel.regressors.native_lightgbm import DETERMINISTIC, NativeBooster
from featurizers.core import Features

TREES = 0.3
"""Share of the boosted trees, from 0 to 1; by folds grouped by CPU model anything from 0.2 to 0.5 does."""

_ROUNDS = 80
_INNER_FOLDS = 3


class ScoreBlend:
    """``(1 - TREES) * process + TREES * trees``, both on the rest that the process's law of scaling leaves."""

    name = "cpu-blend"

    def __init__(self, **shape: float):
        self.process = ScoreProcess(**shape)
        self.booster: NativeBooster | None = None
        self.out_of_fold: Array = np.empty(0)
        self.out_of_fold_spread: Array = np.empty(0)

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        """`weights` change nothing: every group counts alike."""
        fitted = fit_blends(features, np.asarray(y)[:, None], groups, seed, self.process.shape)[0]
        self.__dict__.update(fitted.__dict__)
        return self

    def predict(self, features: Features) -> Estimate:
        assert self.booster is not None, "fit or load first"
        smooth = self.process.predict(features)
        law = law_of(features, self.process.law)
        trees = self.booster.predict(features.vectors)
        point = (1 - TREES) * smooth.point + TREES * (law + trees)
        return Estimate(point, smooth.spread)

    def part_costs(self, features: Features) -> Array | None:
        return None

    def novelty(self, features: Features) -> Array:
        """See `ScoreProcess.novelty`."""
        return self.process.novelty(features)

    def save(self, folder: Path) -> None:
        assert self.booster is not None, "fit first"
        self.process.save(folder)
        self.booster.save(folder / "trees.txt.zst")

    @classmethod
    def load(cls, folder: Path) -> Self:
        loaded = cls()
        loaded.process = ScoreProcess.load(folder)
        loaded.booster = NativeBooster.load(folder / "trees.txt.zst")
        return loaded


def fit_blends(features: Features, y: Array, groups: Groups, seed: int, shape: Shape | None = None) -> list[ScoreBlend]:
    """A model per column of `y` (n, t), log scores with NaN where a benchmark was not run."""
    shape = shape or Shape()
    out = []
    for t, process in enumerate(fit_together(features, y, groups, seed, shape)):
        known = np.flatnonzero(np.isfinite(y[:, t]))
        rest = y[known, t] - law_of(features, process.law)[known]
        model = ScoreBlend(**asdict(shape))
        model.process = process
        model.booster = _boost(features.vectors[known], rest, groups[known], seed)
        trees = np.full(len(y), np.nan)
        for held in group_folds(groups[known], _INNER_FOLDS, seed):
            inner = _boost(features.vectors[known[~held]], rest[~held], groups[known[~held]], seed)
            trees[known[held]] = inner.predict(features.vectors[known[held]])
        trees += law_of(features, process.law)
        model.out_of_fold = (1 - TREES) * process.out_of_fold + TREES * trees
        model.out_of_fold_spread = process.out_of_fold_spread
        out.append(model)
    return out


def _boost(matrix: Any, y: Array, groups: Groups, seed: int) -> NativeBooster:
    _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    own = {"num_leaves": 8, "min_data_in_leaf": min(8, max(len(y) // 10, 1)), "rounds": _ROUNDS}
    return boosted(matrix, y, 1.0 / size[code], seed, own)


def boosted(matrix: Any, y: Array, weights: Array, seed: int, own: Mapping[str, int]) -> NativeBooster:
    """Trees on `matrix` (n, c). own : num_leaves, min_data_in_leaf and rounds."""
    import lightgbm

    parameters = {
        "objective": "regression",
        "learning_rate": 0.1,
        "num_leaves": own["num_leaves"],
        "min_data_in_leaf": own["min_data_in_leaf"],
        "feature_fraction": 0.4,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "max_bin": 63,
        "seed": seed,
        **DETERMINISTIC,
    }
    data = lightgbm.Dataset(matrix, y, weight=weights / weights.mean())
    return NativeBooster(lightgbm.train(parameters, data, num_boost_round=own["rounds"]).model_to_string())
