"""What the estimate gets wrong, by trees and a network for all CPUs at once; counts in two parts: any, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from costmodel.mlir.estimate import COUNTS, estimated, part_costs
from costmodel.mlir.loop_network import LoopColumns, LoopNetwork
from costmodel.mlir.network import ColumnNetwork
from costmodel.mlir.variants import VariantOrder
from costmodel.regressors.base import Array, Estimate, Groups, Mask, read_json, write_json
from costmodel.regressors.boosting import boosted
from costmodel.regressors.folds import group_folds
from costmodel.regressors.native_lightgbm import NativeBooster
from featurizers.core import Column, Features, FloatArray

_MIN_ERROR = 3e-3
_LIKELY = tuple(round(0.4 + 0.05 * step, 2) for step in range(12))
"""Probabilities from which a count may be answered as not 0; which of them, the held-out half of the folds says."""
_ONE = float(np.log(2.0))
_FEW = 50
_MANY = 1500
"""From so many rows on, a network is trained beside the trees."""
_ASKED_WHETHER = frozenset({"register_spills"})
"""Counts of which a network says too whether there are any; the others are asked for less, and follow this one."""
_COMPARED = frozenset({"instructions", "cycles", "executed_instructions", "time_us"})
"""What variants of a function are chosen by."""
NETWORK_SHARE = 0.8
"""What networks count beside trees. Each is wrong in its own way: the mean is better than the better one."""
_ODDS_SHARE = 0.6
"""The same of log odds: whether there are any."""
_FOLDS = 2
"""Of functions: what is held out of each says how far off the boosters are."""
_QUICK = {"rounds": 120, "networks": 1}
"""Enough for errors on what was never seen, see `costmodel.regressors.base.quick_of`."""


def _by_group(groups: Groups) -> Array:
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / np.sqrt(counts[index]))


def _threshold(likely: Array, predicted: Array, y: Array) -> float:
    """The probability of any from which most counts come out exact."""
    exact = np.round(np.expm1(np.maximum(predicted, np.log(2.0)))) == np.round(np.expm1(y))
    return max(_LIKELY, key=lambda p: float(np.mean(np.where(likely > p, exact, y == 0))))


Networks = tuple[ColumnNetwork | None, LoopNetwork | None]


def _mean_of(boosters: Sequence[NativeBooster], networks: Networks, x: FloatArray) -> Array:
    trees = _mean([booster.predict(x) for booster in boosters])
    said = _said(networks, x)
    return (1 - NETWORK_SHARE) * trees + NETWORK_SHARE * _mean(said) if said else trees


def _said(networks: Networks, x: FloatArray) -> list[Array]:
    """What each network says; columns are scaled once for both where they share a scaling."""
    plain, loops = networks
    if plain is None or loops is None or plain.scaling is not loops.scaling:
        return [network.predict(x) for network in networks if network is not None]
    z = plain.scaling(x)
    return [plain.of_scaled(z), loops.of_scaled(z, x)]


def _sharing(networks: Networks) -> Networks:
    """Of one scaling, where those of both are the same: they are when both were fitted to the same rows."""
    plain, loops = networks
    if plain is None or loops is None or not plain.scaling.same(loops.scaling):
        return networks
    return plain, replace(loops, scaling=plain.scaling)


def _mean(each: list[Array]) -> Array:
    total = each[0]
    for further in each[1:]:
        total = total + further
    return total / len(each)


def _probability(booster: NativeBooster, network: ColumnNetwork | None, x: FloatArray) -> Array:
    """Of any, (n,): log odds of both are averaged."""
    trees = booster.predict(x)
    if network is None:
        return trees
    odds = (1 - _ODDS_SHARE) * np.log(trees / (1.0 - trees)) + _ODDS_SHARE * network.predict(x)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


class CodeBoosting:
    """Point: the estimate plus the mean of `members` boosters of all rows, fitted to absolute errors (an estimate that
    missed a decision of the compiler is wrong by factors), and of `networks` perceptrons of `epochs` on the same
    columns, where there are rows enough for them; the last of several adds up loops. Networks are fitted to Cauchy's
    loss: they say what is likeliest, not what lies in the middle of two decisions. Spread: a booster on errors out of
    group folds, or on families left out (`spread_beyond`).

    Where `orders`, what the variants of one function differ by is learned too, see `costmodel.mlir.variants`.

    For counts a further booster and network give the probability of any, and the others are fitted where there are
    some. The point is 0 where that probability is below the one that makes most points exact on folds held out: one
    count among many must be likely to be likelier than 0.

    Rows of a large group count less (by the root of its size): functions differ more than their variants do.
    """

    name = "mlir-boost"

    def __init__(
        self,
        rounds: int = 320,
        learning_rate: float = 0.12,
        leaves: int = 31,
        min_leaf: int = 20,
        members: int = 1,
        networks: int = 2,
        epochs: int = 24,
        orders: bool = True,
        target: str = "",
        likely: float = 0.5,
    ):
        self.settings: dict[str, Any] = {
            "rounds": rounds,
            "learning_rate": learning_rate,
            "leaves": leaves,
            "min_leaf": min_leaf,
            "members": members,
            "networks": networks,
            "epochs": epochs,
            "orders": orders,
            "target": target,
            "likely": likely,
        }
        self.boosters: list[NativeBooster] = []
        self.any_booster: NativeBooster | None = None
        self.spread_booster: NativeBooster | None = None
        self.network: ColumnNetwork | None = None
        self.loop_network: LoopNetwork | None = None
        self.any_network: ColumnNetwork | None = None
        self.order: VariantOrder | None = None

    @property
    def _counts(self) -> bool:
        return self.settings["target"] in COUNTS

    @property
    def network_share(self) -> float:
        """What networks count beside trees: in the point, and of a count in the log odds of any."""
        return _ODDS_SHARE if self._counts else NETWORK_SHARE

    def for_target(self, target: str) -> Self:
        """Which quantity it learns: decides about the estimate it starts from, and whether it is a count."""
        self.settings["target"] = target
        return self

    def quick(self) -> Self:
        """The same, unfitted, with fewer trees and one network beside them."""
        rounds, networks = (min(self.settings[of], most) for of, most in _QUICK.items())
        return type(self)(**self.settings | {"rounds": rounds, "networks": networks, "orders": False})

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        w = _by_group(groups) * (np.ones(len(y)) if weights is None else weights)
        x, start = features.vectors, self._start(features)
        some = y > 0 if self._counts else np.ones(len(y), dtype=bool)
        predicted, likely = np.zeros(len(y)), np.zeros(len(y))
        for fold, held_out in enumerate(group_folds(groups, _FOLDS, seed)):
            train = ~held_out & some
            booster = self._boost(x[train], (y - start)[train], w[train], seed + fold, self.settings["rounds"])
            networks = self._nets(features.columns, x[train], (y - start)[train], w[train], seed + fold, members=1)
            predicted[held_out] = _mean_of([booster], networks, x[held_out]) + start[held_out]
            if self._counts:
                whether = self._whether(x[~held_out], some[~held_out], w[~held_out], seed + fold)
                likely[held_out] = _probability(*whether, x[held_out])
        if self._counts:
            self.settings["likely"] = _threshold(likely, predicted, y)
            predicted = np.where(likely > self.settings["likely"], predicted, 0.0)
        elif self.settings["orders"] and self.settings["target"] in _COMPARED:
            self.order = VariantOrder.fit(features, y, groups, predicted, self.settings["rounds"], seed)
        self.spread_booster = self._spread(x, np.abs(y - predicted), w, seed)
        self._fit_points(features, y, w, seed)
        return self

    def _spread(self, x: FloatArray, error: Array, w: Array, seed: int) -> NativeBooster:
        logs = np.log(np.maximum(error, _MIN_ERROR))
        return self._boost(x, logs, w, seed, self.settings["rounds"] // 5, "regression", leaves=15)

    def spread_beyond(self, features: Features, y: Array, groups: Groups, folds: Sequence[Mask], seed: int) -> Estimate:
        """Learn the spread anew, from errors on whole families left out: those on functions left out of families that
        were seen take families for known that no model has seen.

        folds : masks (n,), each of the families that one quick copy does not see. Returns what the copies say of what
        they have not seen, with spreads learned from the other folds' errors.
        """
        w, x = _by_group(groups), features.vectors
        point, spread = np.zeros(len(y)), np.zeros(len(y))
        for held_out in folds:
            seen = np.flatnonzero(~held_out)
            copy = self.quick()
            copy._fit_points(features.take(seen), y[seen], w[seen], seed)
            point[held_out] = copy.point(features.take(np.flatnonzero(held_out)))
        error = np.abs(y - point)
        for held_out in folds:
            own = self._spread(x[~held_out], error[~held_out], w[~held_out], seed)
            spread[held_out] = np.exp(own.predict(x[held_out]))
        self.spread_booster = self._spread(x, error, w, seed)
        return Estimate(point, spread)

    def _fit_points(self, features: Features, y: Array, w: Array, seed: int) -> None:
        x, residual = features.vectors, y - self._start(features)
        some = y > 0 if self._counts else np.ones(len(y), dtype=bool)
        if self._counts:
            self.any_booster, self.any_network = self._whether(x, some, w, seed)
        self.boosters = [
            self._boost(x[some], residual[some], w[some], seed + _FOLDS + member, self.settings["rounds"])
            for member in range(self.settings["members"])
        ]
        members = self.settings["networks"]
        self.network, self.loop_network = self._nets(
            features.columns, x[some], residual[some], w[some], seed + _FOLDS, members
        )

    def refitted(self, features: Features, y: Array, groups: Groups, seed: int) -> Self:
        """The same with points fitted to these subjects, more than were there before. What folds held out have said of
        errors and of when a count is answered stays."""
        again = type(self)(**self.settings)
        again.spread_booster = self.spread_booster
        if self.order is not None:
            again.order = self.order.refitted(features, y, groups, self.settings["rounds"], seed)
        again._fit_points(features, y, _by_group(groups), seed)
        return again

    def _nets(self, columns: Sequence[Column], x: FloatArray, y: Array, w: Array, seed: int, members: int) -> Networks:
        if self._counts or len(y) < _MANY or not self.settings["networks"]:
            return None, None
        from costmodel.mlir.network_training import fit_columns, fit_loops

        epochs = self.settings["epochs"]
        loops = LoopColumns.of(columns, self.settings["target"]) if members > 1 else None
        if loops is None:
            return fit_columns(x, y, w, epochs, members, seed), None
        plain = fit_columns(x, y, w, epochs, members - 1, seed)
        return plain, fit_loops(x, y, w, loops, epochs, seed + members)

    def _whether(self, x: FloatArray, some: Any, w: Array, seed: int) -> tuple[NativeBooster, ColumnNetwork | None]:
        """What says of a count whether there are any: trees, and a network where there are rows enough."""
        target = some.astype(np.float64)
        booster = self._boost(x, target, w, seed, self.settings["rounds"] // 2, objective="binary")
        asked = self.settings["target"] in _ASKED_WHETHER and self.settings["networks"]
        if len(target) < _MANY or not asked:
            return booster, None
        from costmodel.mlir.network_training import fit_columns

        return booster, fit_columns(x, target, w, 2 * self.settings["epochs"] // 3, 1, seed, logistic=True)

    def _start(self, features: Features) -> Array:
        return np.zeros(len(features)) if self._counts else estimated(features, self.settings["target"])

    def _boost(
        self,
        x: FloatArray,
        y: Array,
        w: Array,
        seed: int,
        rounds: int,
        objective: str = "regression_l1",
        leaves: int = 0,
    ) -> NativeBooster:
        parameters = {
            "objective": objective,
            "learning_rate": self.settings["learning_rate"],
            "num_leaves": leaves or self.settings["leaves"],
            "min_data_in_leaf": min(self.settings["min_leaf"], max(len(y) // 10, 1)),
            "feature_fraction": 0.3,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 2.0,
            "max_bin": 127,
        }
        if len(y) < _FEW:
            # Bags of so few rows may be empty, which LightGBM refuses; of no rows at all, nothing is learned but 0.
            parameters["bagging_freq"] = 0
        if len(y) == 0:
            x, y, w = np.zeros((2, x.shape[1]), np.float32), np.zeros(2), np.ones(2)
        return boosted(parameters, x, y, w, rounds, seed)

    def predict(self, features: Features) -> Estimate:
        assert self.spread_booster is not None, "fit or load first"
        return Estimate(self.point(features), np.exp(self.spread_booster.predict(features.vectors)))

    def point(self, features: Features) -> Array:
        """The point of `predict` alone, (n,)."""
        x = features.vectors
        point = _mean_of(self.boosters, (self.network, self.loop_network), x) + self._start(features)
        if self.any_booster is not None:
            likely = _probability(self.any_booster, self.any_network, x)
            point = np.where(likely > self.settings["likely"], np.maximum(point, _ONE), 0.0)
        return np.asarray(point)

    def probability(self, features: Features) -> Array:
        """Of a count: the probability that it is not 0, (n,)."""
        assert self.any_booster is not None, "not a count, or not fitted"
        return _probability(self.any_booster, self.any_network, features.vectors)

    def relative(self, features: Features, point: Array) -> Array | None:
        """Of variants of one function: log cost of each against the mean of all, (n,); None where that is not known.

        point : what `predict` said of them.
        """
        return None if self.order is None else self.order.relative(features, point)

    def part_costs(self, features: Features) -> Array | None:
        return part_costs(features, self.settings["target"])

    def save(self, folder: Path) -> None:
        assert self.spread_booster is not None, "fit first"
        write_json(folder / "boosting.json", {"settings": self.settings})
        for member, booster in enumerate(self.boosters):
            booster.save(folder / f"booster_{member}.txt.zst")
        self.spread_booster.save(folder / "spread.txt.zst")
        if self.any_booster is not None:
            self.any_booster.save(folder / "any.txt.zst")
        if self.any_network is not None:
            self.any_network.save(folder / "any.safetensors")
        if self.network is not None:
            self.network.save(folder / "network.safetensors")
        if self.loop_network is not None:
            self.loop_network.save(folder / "loops.safetensors")
        if self.order is not None:
            self.order.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        loaded = cls(**read_json(folder / "boosting.json")["settings"])
        members = range(loaded.settings["members"])
        loaded.boosters = [NativeBooster.load(folder / f"booster_{member}.txt.zst") for member in members]
        loaded.spread_booster = NativeBooster.load(folder / "spread.txt.zst")
        if loaded._counts:
            loaded.any_booster = NativeBooster.load(folder / "any.txt.zst")
        loaded.network, loaded.loop_network = _sharing(
            (ColumnNetwork.load(folder / "network.safetensors"), LoopNetwork.load(folder / "loops.safetensors"))
        )
        loaded.any_network = ColumnNetwork.load(folder / "any.safetensors")
        loaded.order = VariantOrder.load(folder)
        return loaded
