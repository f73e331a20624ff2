"""How the variants of one function differ: what a compiler that chooses between them asks.

A model of whole programs spends its trees on what tells functions apart, and puts two variants of one function in the
right order hardly more often than the estimate does. These trees see each variant's columns beside how they depart from
the mean of all variants of the function on the same CPU, and are fitted to pairs: the logistic loss of RankNet (Burges
et al., "Learning to Rank using Gradient Descent", ICML 2005), weighted by what a wrong choice costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.mlir.ranking import TIE
from costmodel.regressors.base import Array, Groups, read_json, write_json
from costmodel.regressors.boosting import boosted_here
from costmodel.regressors.folds import group_folds
from costmodel.regressors.native_lightgbm import NativeBooster
from featurizers.core import Features, FloatArray

Index = npt.NDArray[np.int64]
_FOLDS = 2
_MIN_PAIRS = 50
"""With fewer pairs to learn from, variants are ordered by their predictions alone."""
_CLEAR = 1.0
"""Pairs that differ by a factor of e or more count alike."""
_LEAST_CURVATURE = 0.05
_FAR_QUANTILE, _FAR_SLACK = 0.995, 1.5
_PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 2.0,
    "max_bin": 127,
}


@dataclass(frozen=True, slots=True)
class Pairs:
    """first, second : rows (p,) of one function on one CPU whose labels differ. apart : log of their ratio (p,)."""

    first: Index
    second: Index
    apart: Array

    @classmethod
    def of(cls, sets: Index, y: Array) -> Self:
        """All pairs within a set (n,) whose logs y (n,) differ by more than a tie."""
        order = np.argsort(sets, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(sets[order])) + 1)
        both = [own[np.stack(np.triu_indices(len(own), 1))] for own in members]
        first, second = np.concatenate([np.empty((2, 0), np.int64), *both], axis=1)
        apart = y[first] - y[second]
        differ = np.abs(apart) > np.log1p(TIE)
        return cls(first[differ], second[differ], apart[differ])

    def weights(self, sets: Index) -> Array:
        """What a pair counts (p,): by what is lost when it is put wrong; pairs of a function with many count less."""
        in_set = np.bincount(sets[self.first])[sets[self.first]]
        return np.asarray(np.minimum(np.abs(self.apart), _CLEAR) / np.sqrt(in_set))

    def objective(self, sets: Index, rows: int) -> Callable[[Array, Any], tuple[Any, Any]]:
        """LightGBM's: gradient and curvature of each row's score."""
        sign, w = np.sign(self.apart), self.weights(sets)
        w = w * (rows / 2 / w.sum())

        def gradient_and_curvature(score: Array, _data: Any) -> tuple[Any, Any]:
            wrong = 1.0 / (1.0 + np.exp(np.clip(sign * (score[self.first] - score[self.second]), -50.0, 50.0)))
            slope = -sign * wrong * w
            curve = np.maximum(wrong * (1.0 - wrong), _LEAST_CURVATURE) * w
            return (
                np.bincount(self.first, slope, rows) - np.bincount(self.second, slope, rows),
                np.bincount(self.first, curve, rows) + np.bincount(self.second, curve, rows),
            )

        return gradient_and_curvature


@dataclass(frozen=True, slots=True)
class VariantOrder:
    """booster : score of a variant, higher costs more. by_score, by_point : what a unit of the score, and of what the
    point predictions differ by, are worth in log cost. usual : how far each column departs from the variants' mean
    (columns,). limit : multiple of it beyond which programs are taken not to be variants of one function."""

    booster: NativeBooster
    by_score: float
    by_point: float
    usual: Array
    limit: float

    @classmethod
    def fit(cls, features: Features, y: Array, groups: Groups, point: Array, rounds: int, seed: int) -> Self | None:
        """From log costs y (n,) and predictions of them by models that had not seen the function; None where there is
        too little to learn from.

        groups : (n,) the function of each row. Rows of one function on different CPUs are no variants of another.
        """
        sets = variant_sets(features, groups)
        own = np.flatnonzero(np.bincount(sets)[sets] > 1)
        features, y, groups, point, sets = features.take(own), y[own], groups[own], point[own], sets[own]
        if len(Pairs.of(sets, y).apart) < _MIN_PAIRS:
            return None
        departures = _departures(features.vectors, sets)
        x = _both(features.vectors, departures)
        score = np.zeros(len(y))
        for fold, held_out in enumerate(group_folds(groups, _FOLDS, seed)):
            booster = _boost(x[~held_out], y[~held_out], sets[~held_out], rounds, seed + fold)
            score[held_out] = booster.predict(x[held_out])
        by_score, by_point = _worth(centred(score, sets), centred(point, sets), centred(y, sets), sets)
        usual = np.sqrt(np.mean(np.square(departures, dtype=np.float64), axis=0))
        far = _distance(departures, usual)
        limit = float(np.quantile(far, _FAR_QUANTILE)) * _FAR_SLACK
        return cls(_boost(x, y, sets, rounds, seed + _FOLDS), by_score, by_point, usual, limit)

    def refitted(self, features: Features, y: Array, groups: Groups, rounds: int, seed: int) -> Self:
        """The same with trees fitted to these functions, more than were there before; see `fit`."""
        sets = variant_sets(features, groups)
        own = np.flatnonzero(np.bincount(sets)[sets] > 1)
        x, sets = features.vectors[own], sets[own]
        booster = _boost(_both(x, _departures(x, sets)), y[own], sets, rounds, seed + _FOLDS)
        return replace(self, booster=booster)

    def relative(self, features: Features, point: Array) -> Array | None:
        """Log cost of each variant (n,) against the mean of all; None where these are no variants of one function.

        point : their predictions in logs, (n,).
        """
        departures = _departures(features.vectors, np.zeros(len(features), np.int64))
        if len(features) < 2 or (_distance(departures, self.usual) > self.limit).any():
            return None
        score = self.booster.predict(_both(features.vectors, departures))
        apart = self.by_score * (score - score.mean()) + self.by_point * (point - point.mean())
        return np.asarray(apart)

    def save(self, folder: Path) -> None:
        """Two files into an existing folder."""
        content = {"by_score": self.by_score, "by_point": self.by_point, "limit": self.limit}
        write_json(folder / "variants.json", {**content, "usual": [float(f"{u:.6g}") for u in self.usual]})
        self.booster.save(folder / "variants.txt.zst")

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """What `save` wrote; None where it wrote nothing."""
        if not (folder / "variants.json").is_file():
            return None
        content: Mapping[str, Any] = read_json(folder / "variants.json")
        booster = NativeBooster.load(folder / "variants.txt.zst")
        usual = np.asarray(content["usual"], dtype=np.float64)
        return cls(booster, content["by_score"], content["by_point"], usual, content["limit"])


def variant_sets(features: Features, groups: Groups) -> Index:
    """Which rows (n,) are variants of one another: of one function and on one CPU, as the columns of the CPU say."""
    own = [place for place, column in enumerate(features.columns) if column.group == "cpu"]
    _, cpu = np.unique(features.vectors[:, own], axis=0, return_inverse=True)
    _, function = np.unique(groups, return_inverse=True)
    _, sets = np.unique(np.stack([function, cpu.reshape(-1)]), axis=1, return_inverse=True)
    return np.asarray(sets.reshape(-1), dtype=np.int64)


def centred(values: Array, sets: Index) -> Array:
    """Less the mean of its set, (n,)."""
    return np.asarray(values - (np.bincount(sets, values) / np.maximum(np.bincount(sets), 1))[sets])


def _departures(x: FloatArray, sets: Index) -> FloatArray:
    """Signed logs of the columns less their mean over the set, (n, columns)."""
    logs = _signed_logs(x)
    order = np.argsort(sets, kind="stable")
    starts = np.flatnonzero(np.diff(sets[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    means = np.add.reduceat(logs[order], starts, axis=0) / counts[:, None]
    centre = np.empty_like(logs)
    centre[order] = np.repeat(means, counts, axis=0)
    return np.asarray(logs - centre, dtype=np.float32)


def _signed_logs(x: FloatArray) -> FloatArray:
    return np.copysign(np.log1p(np.abs(np.nan_to_num(x))), x, dtype=np.float32)


def _both(x: FloatArray, departures: FloatArray) -> FloatArray:
    return np.concatenate([np.asarray(x, dtype=np.float32), departures], axis=1)


def _distance(departures: FloatArray, usual: Array) -> Array:
    some = usual > 0
    if not some.any():
        return np.zeros(len(departures))
    return np.asarray(np.sqrt(np.mean((departures[:, some] / usual[some]) ** 2, axis=1)))


def _boost(x: FloatArray, y: Array, sets: Index, rounds: int, seed: int) -> NativeBooster:
    pairs = Pairs.of(sets, y)
    least = min(_PARAMETERS["min_data_in_leaf"], max(len(y) // 10, 1))
    parameters = {**_PARAMETERS, "min_data_in_leaf": least, "objective": pairs.objective(sets, len(y))}
    return boosted_here(parameters, x, y, np.ones(len(y)), rounds, seed)


def _worth(score: Array, point: Array, y: Array, sets: Index) -> tuple[float, float]:
    """Least squares of y on both, none of them negative; a large set counts by the root of its size."""
    w = np.bincount(sets)[sets] ** -0.25
    found: Array = np.linalg.lstsq(np.stack([score, point], axis=1) * w[:, None], y * w, rcond=None)[0]
    if found[1] < 0.0:
        own, wanted = w * score, w * y
        return max(float(own @ wanted) / max(float(own @ own), 1e-12), 0.0), 0.0
    return max(float(found[0]), 0.0), float(found[1])
