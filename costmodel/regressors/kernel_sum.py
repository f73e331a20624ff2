"""A learned cost per part, summed: ``y = log(sum over parts of count * exp(f(part)))``.

nn-Meter (MobiSys 2021) trains one regressor per kernel type on isolated kernels, and adds them up. Here the kernels are
learned *inside* networks: gradient boosting on the parts' columns, with the loss on the subject's total, so that any
measured total teaches about its parts, on devices without a profiler too; where one exists, each measured part joins as
a subject of one part. The roofline is the prior ``f0``; trees learn the log ratio to it.

For the loss ``(log T - y)^2 / 2`` and part p's share s_p of T: gradient ``(log T - y) * s_p``; the curvature is bounded
by ``s_p`` (all parts moving together move log T by as much), which keeps simultaneous leaf updates from overshooting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from costmodel.regressors.folds import group_folds
from costmodel.regressors.native_lightgbm import DETERMINISTIC, NativeBooster, compact
from costmodel.regressors.roofline import AdditiveRoofline
from featurizers.core import Features, Parts

_MIN_COST = 1e-12
_MAX_REMEMBERED = 200_000


class KernelSum:
    """Bagged boosters over parts; out-of-fold members give the spread.

    rounds, learning_rate, leaves, min_leaf : of each booster. members : folds, by group.
    robustness : residuals beyond this many natural-log units count linearly (Huber), since a few labels are noise.
    """

    name = "kernel-sum"

    def __init__(
        self,
        rounds: int = 400,
        learning_rate: float = 0.08,
        leaves: int = 31,
        min_leaf: float = 0.1,
        l2: float = 0.3,
        members: int = 5,
        robustness: float = 0.25,
    ):
        self.settings: dict[str, Any] = {
            "rounds": rounds,
            "learning_rate": learning_rate,
            "leaves": leaves,
            "min_leaf": min_leaf,
            "l2": l2,
            "members": members,
            "robustness": robustness,
        }
        self.prior = AdditiveRoofline()
        self.boosters: list[NativeBooster] = []
        self.spread_line = (0.05, 1.0)
        self.out_of_fold: Array = np.empty(0)
        self._remembered: dict[bytes, bytes] = {}

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        w = np.ones(len(y)) if weights is None else weights
        self.prior = AdditiveRoofline().fit(features, y, groups, seed, w)
        self.boosters, self._remembered = [], {}
        self.out_of_fold = np.full(len(y), np.nan)
        folds = max(self.settings["members"], 2)
        for member, held_out in enumerate(group_folds(groups, folds, seed)[: self.settings["members"]]):
            train = np.flatnonzero(~held_out) if self.settings["members"] > 1 else np.arange(len(y))
            booster = self._boost(features.take(train), y[train], w[train], seed + member)
            self.boosters.append(booster)
            rest = np.flatnonzero(held_out)
            if len(rest):
                held = features.take(rest)
                self.out_of_fold[rest] = np.log(self._totals(held, self._member_costs(held, [booster]))[:, 0])
        self._fit_spread(features, y, w)
        return self

    def _boost(self, features: Features, y: Array, w: Array, seed: int) -> NativeBooster:
        import lightgbm

        assert features.parts is not None
        objective = _SumObjective(features.parts, self.prior.part_costs(features), y, w, self.settings["robustness"])
        data = lightgbm.Dataset(features.parts.matrix, free_raw_data=False, params={"max_bin": 255})
        parameters = {
            "objective": objective,
            "learning_rate": self.settings["learning_rate"],
            "num_leaves": self.settings["leaves"],
            "min_sum_hessian_in_leaf": self.settings["min_leaf"],
            "min_data_in_leaf": 3,
            "lambda_l2": self.settings["l2"],
            "feature_fraction": 0.6,
            "bagging_fraction": 0.9,
            "bagging_freq": 1,
            "seed": seed,
            **DETERMINISTIC,
        }
        booster = lightgbm.train(parameters, data, num_boost_round=self.settings["rounds"])
        return NativeBooster(compact(booster.model_to_string()))

    def _fit_spread(self, features: Features, y: Array, w: Array) -> None:
        seen = np.isfinite(self.out_of_fold) & (w >= np.median(w))
        error = np.abs(y - self.out_of_fold)[seen]
        disagreement = self._point_and_disagreement(features)[1][seen]
        if len(error) < 20 or float(disagreement.std()) < 1e-9:
            self.spread_line = (float(np.mean(error)) if len(error) else 0.1, 0.0)
            return
        slope = float(np.cov(disagreement, error)[0, 1] / disagreement.var(ddof=1))
        slope = min(max(slope, 0.0), 3.0)
        self.spread_line = (max(float(error.mean() - slope * disagreement.mean()), 0.01), slope)

    def predict(self, features: Features) -> Estimate:
        point, disagreement = self._point_and_disagreement(features)
        constant, slope = self.spread_line
        return Estimate(point, constant + slope * disagreement)

    def _point_and_disagreement(self, features: Features) -> tuple[Array, Array]:
        """Mean and standard deviation of the members' log totals, each (n,); numpy's own cost three times as much."""
        logs = np.log(self._totals(features, self._costs(features)))
        point = np.add.reduce(logs, axis=1) / logs.shape[1]
        apart = logs - point[:, None]
        return point, np.sqrt(np.add.reduce(apart * apart, axis=1) / logs.shape[1])

    def part_costs(self, features: Features) -> Array:
        return np.asarray(np.exp(np.log(self._costs(features)).mean(axis=1)))

    def _totals(self, features: Features, costs: Array) -> Array:
        assert features.parts is not None
        parts, size = features.parts, len(features)
        entries = costs[parts.part] * parts.count[:, None]
        if size == 1:
            return np.asarray(np.maximum(np.add.reduce(entries, axis=0, keepdims=True), _MIN_COST))
        totals = [np.bincount(parts.owner, weights=column, minlength=size) for column in entries.T]
        return np.maximum(np.stack(totals, axis=1), _MIN_COST)

    def _member_costs(self, features: Features, boosters: list[NativeBooster]) -> Array:
        assert features.parts is not None
        prior = np.maximum(self.prior.part_costs(features), _MIN_COST)
        logs = np.stack([booster.predict(features.parts.matrix) for booster in boosters], axis=1)
        return np.asarray(prior[:, None] * np.exp(logs))

    def _costs(self, features: Features) -> Array:
        """Cost of each distinct part by each member (u, members); parts met before are remembered."""
        assert features.parts is not None
        keys = features.parts.keys()
        remembered = self._remembered
        known = [remembered.get(key) for key in keys]
        if None in known:
            fresh = np.array([i for i, cost in enumerate(known) if cost is None], dtype=np.int64)
            costs = self._member_costs(_only(features, fresh), self.boosters)
            if len(remembered) + len(fresh) > _MAX_REMEMBERED:
                remembered = self._remembered = {}
            for i, cost in zip(fresh.tolist(), costs, strict=True):
                known[i] = remembered[keys[i]] = cost.tobytes()
        # Joined bytes are read at once, where a list of numbers is taken number by number.
        return np.frombuffer(b"".join(known)).reshape(len(keys), len(self.boosters))  # type: ignore[arg-type]

    def save(self, folder: Path) -> None:
        content: Mapping[str, Any] = {"settings": self.settings, "spread_line": list(self.spread_line)}
        write_json(folder / "kernel_sum.json", content)
        prior = folder / "prior"
        prior.mkdir()
        self.prior.save(prior)
        for member, booster in enumerate(self.boosters):
            booster.save(folder / f"booster_{member}.txt.zst")

    @classmethod
    def load(cls, folder: Path) -> Self:
        content = read_json(folder / "kernel_sum.json")
        loaded = cls(**content["settings"])
        loaded.spread_line = (content["spread_line"][0], content["spread_line"][1])
        loaded.prior = AdditiveRoofline.load(folder / "prior")
        members = range(loaded.settings["members"])
        loaded.boosters = [NativeBooster.load(folder / f"booster_{member}.txt.zst") for member in members]
        return loaded


class _SumObjective:
    """Gradient and curvature of each distinct part for the loss on the subjects' log totals."""

    def __init__(self, parts: Parts, prior: Array, y: Array, w: Array, robustness: float):
        self.parts = parts
        self.prior = np.maximum(prior, _MIN_COST)
        self.y, self.w, self.robustness = y, w, robustness

    def __call__(self, scores: Array, _data: object) -> tuple[Array, Array]:
        parts = self.parts
        cost = (self.prior * np.exp(np.clip(scores, -12, 12)))[parts.part] * parts.count
        total = np.maximum(np.bincount(parts.owner, weights=cost, minlength=len(self.y)), _MIN_COST)
        residual = np.log(total) - self.y
        pull = self.w / np.maximum(1.0, np.abs(residual) / self.robustness)
        share = cost / total[parts.owner]
        size = len(self.prior)
        gradient = np.bincount(parts.part, weights=(pull * residual)[parts.owner] * share, minlength=size)
        curvature = np.bincount(parts.part, weights=pull[parts.owner] * share, minlength=size)
        return gradient.astype(np.float64), np.maximum(curvature, 1e-9).astype(np.float64)


def _only(features: Features, rows: npt.NDArray[np.int64]) -> Features:
    assert features.parts is not None
    none = np.empty(0, dtype=np.int64)
    parts = Parts(features.parts.matrix[rows], none, none, np.empty(0, dtype=np.float32))
    return Features(features.vectors[:0], features.columns, parts, features.part_columns)
