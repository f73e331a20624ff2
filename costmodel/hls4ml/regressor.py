"""Closed form first, then gradient boosting on what is left, in log space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.basis import PRIORS, TERMS, terms
from costmodel.hls4ml.closed_forms import combinational_registers
from costmodel.hls4ml.forms import TARGETS, YOSYS_TARGETS, fixed_form, totals
from costmodel.hls4ml.layers import Layers, Values, layers_of, once
from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from costmodel.regressors.folds import group_folds
from costmodel.regressors.native_lightgbm import DETERMINISTIC, NativeBooster
from featurizers.core import Features

_FLOOR = 0.003
"""Smallest spread: a closed form that never failed on the training data may still be off by a fraction of a percent."""

_FEW = 12
"""Designs that a regime needs before anything is fitted to it."""

_GAIN = 0.9
"""The learned residual is taken when it leaves less than this share of the closed form's error."""

_FEW_GROUPS = 8
"""Groups that a regime needs before its learned residual is trusted at all."""

_PRIOR_WEIGHT = 0.01
"""How hard a term is pulled to its prior, in units of one design's relative error."""

_GATES = (0.0, 0.5, 1.0)
_UNSEEN_SPREAD = 0.5
"""Spread (natural log) of a regime without enough examples."""

REGIMES = ("serial dense", "unrolled dense", "shared dense", "other layers")
"""Groups of designs whose errors are of one kind, since their cost comes about in one way."""


@once
def regimes(layers: Layers) -> npt.NDArray[np.int64]:
    """Of each design the index into `REGIMES`."""
    is_plain = layers.is_kind("dense", "input", "reshape", "quantize") & (layers["stream"] == 0)
    other = layers.most(~is_plain) > 0
    is_shared = layers.unrolled & layers.is_strategy("latency") & (layers["reuse"] > 1)
    found = np.where(layers.most(layers.unrolled) > 0, 1, 0)
    found = np.where(layers.most(is_shared) > 0, 2, found)
    return np.where(other, 3, found).astype(np.int64)


def learner_matrix(features: Features, sums: Values) -> Values:
    """What the residual learner sees, but for the closed form's own value: float64 (n, columns)."""
    return np.concatenate([features.vectors.astype(np.float64), np.log1p(sums)], axis=1)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a closed form rests on: amounts of terms (n, q) or the logs of a fixed form (n,).

    settled : of designs whose amount is known without any price, (n,); NaN of others.
    """

    amounts: Values | None
    fixed: Array | None
    settled: Array | None


class HlsPhysics:
    """The closed form alone (rounds = 0) or with boosting on its residual.

    `weight` (n,) in `predict_with` fades the learned residual where a design lies outside of what was seen.
    """

    name = "hls-physics"

    def __init__(self, target: str = "lut_csynth", rounds: int = 120, folds: int = 4, leaves: int = 15):
        self.settings: dict[str, Any] = {"target": target, "rounds": rounds, "folds": folds, "leaves": leaves}
        self.coefficients: Array = np.empty(0)
        self.booster: NativeBooster | None = None
        self.spreads: Array = np.full(len(REGIMES), _UNSEEN_SPREAD)
        self.gates: Array = np.ones(len(REGIMES))
        self.bases: Array = np.empty(0)
        self.out_of_fold: Array = np.empty(0)

    @property
    def _spec(self) -> Any:
        return TARGETS[self.settings["target"]]

    def _layers(self, features: Features) -> Layers:
        return layers_of(features, pixels_apart=self.settings["target"] in YOSYS_TARGETS)

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        """`y` is ``log(value + offset)``."""
        layers = self._layers(features)
        sums = totals(layers)
        matrix = learner_matrix(features, sums)
        shown = self._shown(layers, sums)
        w = np.ones(len(y)) if weights is None else weights
        bases, residuals = np.zeros(len(y)), np.zeros(len(y))
        for fold, held_out in enumerate(group_folds(groups, self.settings["folds"], seed)):
            train = ~held_out
            if not train.any() or not held_out.any():
                continue
            coefficients, booster = self._learn(matrix, shown, y, w, train, seed + fold)
            base = self._base(shown, coefficients)
            bases[held_out], residuals[held_out] = base[held_out], self._residual(booster, matrix, base)[held_out]
        everything = np.ones(len(y), dtype=bool)
        self.coefficients, self.booster = self._learn(matrix, shown, y, w, everything, seed)
        self.bases = bases
        self.take_residuals(residuals, y, regimes(layers), groups)
        if not self.gates.any():
            self.booster = None
        return self

    def take_residuals(self, residuals: Array, y: Array, regime: npt.NDArray[np.int64], groups: Groups) -> None:
        """Decide how far to trust what was learned, from residuals (n,) of groups that their learner had not seen."""
        self._fit_gates(y - self.bases, residuals, regime, groups)
        self.out_of_fold = self.bases + self.gates[regime] * residuals
        self._fit_spreads(np.abs(y - self.out_of_fold), regime)

    def _fit_gates(self, errors: Array, residuals: Array, regime: npt.NDArray[np.int64], groups: Groups) -> None:
        """How much of the learned residual to take in each regime: what was best on groups held out.

        Where the closed form is all but exact, or few groups speak, a learner of what is left only adds noise.
        """
        self.gates = np.zeros(len(REGIMES))
        for index in range(len(REGIMES)):
            own = regime == index
            if len(np.unique(groups[own])) >= _FEW_GROUPS:
                left = [float(np.mean(np.abs(errors[own] - gate * residuals[own]))) for gate in _GATES]
                best = int(np.argmin(left))
                self.gates[index] = _GATES[best] if left[best] < _GAIN * left[0] else 0.0

    def _fit_spreads(self, errors: Array, regime: npt.NDArray[np.int64]) -> None:
        self.spreads = np.full(len(REGIMES), max(_UNSEEN_SPREAD, 2 * float(np.quantile(errors, 0.9))))
        for index in range(len(REGIMES)):
            own = errors[regime == index]
            if len(own) >= _FEW:
                self.spreads[index] = max(float(np.quantile(own, 0.8)), _FLOOR)

    def _learn(
        self,
        matrix: Values,
        shown: _Shown,
        y: Array,
        w: Array,
        train: npt.NDArray[np.bool_],
        seed: int,
    ) -> tuple[Array, NativeBooster | None]:
        coefficients = np.empty(0)
        if shown.amounts is not None:
            prior = PRIORS[self._spec.resource] * self._spec.prior_share
            coefficients = fit_terms(shown.amounts[train], np.exp(y[train]), w[train], prior)
        if self.settings["rounds"] == 0:
            return coefficients, None
        base = self._base(shown, coefficients)
        inputs = np.concatenate([matrix, base[:, None]], axis=1)
        return coefficients, self._boost(inputs[train], (y - base)[train], w[train], seed)

    def _boost(self, inputs: Values, residual: Array, w: Array, seed: int) -> NativeBooster:
        import lightgbm

        parameters = {
            "objective": "l1",
            "learning_rate": 0.08,
            "num_leaves": self.settings["leaves"],
            "min_data_in_leaf": 4,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "seed": seed,
            **DETERMINISTIC,
        }
        data = lightgbm.Dataset(inputs.astype(np.float32), residual, weight=w)
        text: str = lightgbm.train(parameters, data, self.settings["rounds"]).model_to_string()
        return NativeBooster(text)

    def _shown(self, layers: Layers, sums: Values) -> _Shown:
        spec = self._spec
        if spec.form != "terms":
            return _Shown(None, np.log(fixed_form(spec.form, layers) + spec.offset), None)
        settled = combinational_registers(layers) if spec.name == "ff_csynth" else None
        return _Shown(sums[:, : len(TERMS)], None, settled)

    def _base(self, shown: _Shown, coefficients: Array) -> Array:
        if shown.amounts is None:
            assert shown.fixed is not None, "a target has terms or a fixed form"
            return shown.fixed
        amount = np.maximum(shown.amounts @ coefficients, 0.0)
        if shown.settled is not None:
            amount = np.where(np.isnan(shown.settled), amount, shown.settled)
        return np.asarray(np.log(amount + self._spec.offset))

    @staticmethod
    def _residual(booster: NativeBooster | None, matrix: Values, base: Array) -> Array:
        if booster is None:
            return np.zeros(len(base))
        inputs = np.concatenate([matrix, base[:, None]], axis=1).astype(np.float32)
        return np.asarray(booster.predict(inputs), dtype=np.float64)

    def predict(self, features: Features) -> Estimate:
        """Median and spread in learning space."""
        layers = self._layers(features)
        sums = totals(layers)
        return self.predict_with(layers, sums, learner_matrix(features, sums), np.ones(len(features)))

    def predict_with(
        self, layers: Layers, sums: Values, matrix: Values, weight: Array, residual: Array | None = None
    ) -> Estimate:
        """As `predict`, with what several targets share (`totals`, `learner_matrix`) computed once.

        residual : (n,) of a network that all targets share, in place of the booster's.
        """
        base = self._base(self._shown(layers, sums), self.coefficients)
        regime = regimes(layers)
        share = weight * self.gates[regime]
        if np.count_nonzero(share):  # else nothing of what was learned is taken, and the trees need not be asked
            base = base + share * (self._residual(self.booster, matrix, base) if residual is None else residual)
        return Estimate(base, self.spreads[regime])

    def part_costs(self, features: Features) -> Array | None:
        """Cost of each distinct layer by the fitted terms; None for targets that are no sum over layers."""
        if self._spec.form != "terms" or features.parts is None:
            return None
        return np.asarray(terms(self._layers(features)) @ self.coefficients)

    def save(self, folder: Path) -> None:
        content = {
            "settings": self.settings,
            "coefficients": self.coefficients.tolist(),
            "spreads": self.spreads.tolist(),
            "gates": self.gates.tolist(),
            "boosted": self.booster is not None,
        }
        write_json(folder / "hls_physics.json", content)
        if self.booster is not None:
            self.booster.save(folder / "residual.txt.zst")

    @classmethod
    def load(cls, folder: Path) -> Self:
        content = read_json(folder / "hls_physics.json")
        loaded = cls(**content["settings"])
        loaded.coefficients = np.asarray(content["coefficients"], dtype=np.float64)
        loaded.spreads = np.asarray(content["spreads"], dtype=np.float64)
        loaded.gates = np.asarray(content["gates"], dtype=np.float64)
        if content["boosted"]:
            loaded.booster = NativeBooster.load(folder / "residual.txt.zst")
        return loaded


def fit_terms(amounts: Values, value: Array, weights: Array, prior: Array) -> Array:
    """Non-negative coefficients with the least relative squared error; a term never seen keeps its prior (q,)."""
    from scipy.optimize import nnls

    root = np.sqrt(weights) / value
    pull = np.diag(np.divide(_PRIOR_WEIGHT, prior, out=np.zeros(len(prior)), where=prior > 0))
    left = np.concatenate([amounts * root[:, None], pull[prior > 0]])
    right = np.concatenate([value * root, np.full(int((prior > 0).sum()), _PRIOR_WEIGHT)])
    norms = np.maximum(np.sqrt((left**2).sum(axis=0)), 1e-12)
    solution = nnls(left / norms, right, maxiter=50 * left.shape[1])[0] / norms
    return np.where(amounts.max(axis=0) > 0, solution, prior)
