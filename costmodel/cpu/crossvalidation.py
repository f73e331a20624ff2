"""Predictions of servers whose CPU model (or whole vendor) no fit has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from costmodel.calibration import Calibration, Flagged
from costmodel.cpu.adapt import QUICK, RANK, half_width_quantile, often_run, suggested
from costmodel.cpu.blend import ScoreBlend, boosted, fit_blends
from costmodel.cpu.factors import Factors
from costmodel.cpu.kernel import Shape
from costmodel.cpu.ncpp import GroupAttentionRegressor
from costmodel.cpu.process import choose_law, fit_together, law_of
from costmodel.cpu.sparecores import ScoreTable
from costmodel.domain import Domain
from costmodel.regressors import Array, Estimate, Regressor
from costmodel.regressors.base import Groups
from costmodel.target_model import TargetModel
from featurizers.core import Features

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Unseen:
    """Of each server and target, in log units and each (n, t): the point and interval by a fit that had not seen its
    group; NaN where the target is missing."""

    point: Array
    low: Array
    high: Array


def target_models(features: Features, y: Array, groups: Groups, seed: int, coverage: float = 0.9) -> list[TargetModel]:
    """A calibrated model per column of `y` (n, t), log scores with NaN for missing.

    Intervals come from inner folds grouped like the outer ones, so they hold for groups that were not seen.
    """
    domain = Domain.fit(features)
    models = []
    for t, regressor in enumerate(fit_blends(features, y, groups, seed)):
        models.append(TargetModel(regressor, _calibration(regressor, y[:, t], coverage), domain))
    return models


def _calibration(regressor: ScoreBlend, y: Array, coverage: float) -> Calibration:
    known = np.flatnonzero(np.isfinite(y) & np.isfinite(regressor.out_of_fold))
    estimate = Estimate(regressor.out_of_fold[known], regressor.out_of_fold_spread[known])
    return Calibration.fit(estimate, y[known], coverage, flagged=_of_other_vendors(regressor, y))


def _of_other_vendors(regressor: ScoreBlend, y: Array) -> Flagged | None:
    """Errors on CPU vendors that were left out; None where the training machines are of one vendor."""
    out = regressor.process.out_of_vendor
    known = np.flatnonzero(np.isfinite(y) & np.isfinite(out.point))
    if not out.novelty[known].any():
        return None
    return Flagged(np.abs(y[known] - out.point[known]), out.spread[known], out.novelty[known])


def unseen_predictions(features: Features, y: Array, groups: Groups, folds: Sequence[Mask], seed: int) -> Unseen:
    """Each fold predicted by models fitted on the others."""
    out = Unseen(*(np.full_like(y, np.nan) for _ in range(3)))
    for held in folds:
        seen = np.flatnonzero(~held)
        models = target_models(features.take(seen), y[seen], groups[seen], seed)
        shown = features.take(np.flatnonzero(held))
        for t, model in enumerate(models):
            answers = model.answer(shown)
            for field, value in (("point", answers.value), ("low", answers.low), ("high", answers.high)):
                getattr(out, field)[held, t] = np.log(value)
    return out


def unseen_baseline(
    features: Features, y: Array, groups: Groups, folds: Sequence[Mask], seed: int, new: Callable[[], Regressor]
) -> Array:
    """Points (n, t) of a baseline, fitted per target with every group counting alike."""
    out = np.full_like(y, np.nan)
    for held in folds:
        for t in range(y.shape[1]):
            seen = np.flatnonzero(~held & np.isfinite(y[:, t]))
            _, code, size = np.unique(groups[seen], return_inverse=True, return_counts=True)
            weights = 1.0 / size[code]
            fitted = new().fit(features.take(seen), y[seen, t], groups[seen], seed, weights / weights.mean())
            out[held, t] = fitted.predict(features.take(np.flatnonzero(held))).point
    return out


def unseen_network(features: Features, y: Array, groups: Groups, folds: Sequence[Mask], seed: int) -> Array:
    """Points (n, t) of the group-attention network, one for all targets per fold."""
    out = np.full_like(y, np.nan)
    for held in folds:
        seen, asked = np.flatnonzero(~held), np.flatnonzero(held)
        model = GroupAttentionRegressor().fit_scores(features.take(seen), y[seen], groups[seen], seed)
        out[asked] = model.predict_scores(features.take(asked))
    return out


def unseen_together(features: Features, y: Array, groups: Groups, folds: Sequence[Mask], seed: int) -> Array:
    """Points (n, t) of one boosting over all targets: a row per server and target, the target among the columns."""
    out = np.full_like(y, np.nan)
    laws = [choose_law(features, y[:, t], groups) for t in range(y.shape[1])]
    law = np.stack([law_of(features, name) for name in laws], axis=1)
    rest = y - law
    center, scale = np.nanmean(rest, axis=0), np.nanstd(rest, axis=0)
    for held in folds:
        row, target = np.nonzero(~held[:, None] & np.isfinite(rest))
        _, code, size = np.unique(groups[row], return_inverse=True, return_counts=True)
        z = (rest[row, target] - center[target]) / scale[target]
        booster = boosted(_with_target(features, row, target, y.shape[1]), z, 1.0 / size[code], seed, _TOGETHER)
        for t in range(y.shape[1]):
            asked = np.flatnonzero(held)
            found = booster.predict(_with_target(features, asked, np.full(len(asked), t), y.shape[1]))
            out[asked, t] = law[asked, t] + center[t] + scale[t] * found
    return out


_TOGETHER = {"num_leaves": 31, "min_data_in_leaf": 20, "rounds": 250}


def _with_target(
    features: Features, row: npt.NDArray[np.int64], target: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float32]:
    chosen = np.zeros((len(row), count), dtype=np.float32)
    chosen[np.arange(len(row)), target] = 1
    return np.concatenate([features.vectors[row], chosen], axis=1)


@dataclass(frozen=True)
class Adapted:
    """Of each server and target, in log units and each (n, t): errors by the specification alone and with three known
    scores; whether the adapted interval holds the truth. NaN for known targets, and where a score is missing.

    known : by target the three benchmarks of the last fold."""

    before: Array
    after: Array
    inside: Array
    known: tuple[tuple[str, ...], ...]


def adapted_errors(
    features: Features, table: ScoreTable, folds: Sequence[Mask], targets: Sequence[str], chosen: bool, seed: int
) -> Adapted:
    """A machine of an unseen CPU model with three known scores, as `Adapter` answers: factors of all benchmarks.

    The process's errors are those by other CPU models alone; the factors of a fold have not seen its CPU models.
    chosen : for each target the three that a fold's factors suggest, instead of `QUICK`.
    """
    columns = often_run(table.scores)
    names = [table.targets[i].name for i in columns]
    y = np.log(table.scores[:, columns])
    models = fit_together(features, y, table.cpu_model, seed, Shape(), spread=False)
    errors = y - np.stack([model.out_of_fold for model in models], axis=1)
    _, code, size = np.unique(table.cpu_model, return_inverse=True, return_counts=True)
    before, after, inside = np.full((3, len(y), len(targets)), np.nan)
    known = [tuple(QUICK)] * len(targets)
    for held in folds:
        factors = Factors.fit(errors[~held], 1.0 / size[code][~held], RANK)
        quantile = half_width_quantile(factors, errors[~held], names, QUICK, seed)
        for t, target in enumerate(targets):
            if chosen:
                known[t] = tuple(suggested(factors, names, [target]))
            quick, place = [names.index(name) for name in known[t]], names.index(target)
            rows = np.flatnonzero(held & np.isfinite(errors[:, [place, *quick]]).all(axis=1))
            if place in quick or not len(rows):
                continue
            mean, deviation = factors.given(quick, place, errors[rows][:, quick])
            before[rows, t], after[rows, t] = errors[rows, place], errors[rows, place] - mean
            inside[rows, t] = np.abs(after[rows, t]) <= quantile * deviation
    return Adapted(before, after, inside, tuple(known))


def by_vendor(features: Features) -> list[Mask]:
    """A fold per CPU vendor."""
    masks = [features.column(f"vendor_{name}") == 1 for name in ("intel", "amd", "arm")]
    return [mask for mask in masks if mask.any() and not mask.all()]
