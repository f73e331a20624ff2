"""Predictions of servers whose CPU model (or whole vendor) no fit has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from costmodel.calibration import Calibration
from costmodel.cpu.blend import ScoreBlend, fit_blends
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
    return Calibration.fit(estimate, y[known], coverage)


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


def by_vendor(features: Features) -> list[Mask]:
    """A fold per CPU vendor."""
    masks = [features.column(f"vendor_{name}") == 1 for name in ("intel", "amd", "arm")]
    return [mask for mask in masks if mask.any() and not mask.all()]
