"""Optuna over a learner's constructor, by error on families left out of the training split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from costmodel.corpus import Labels
from costmodel.regressors import group_folds
from costmodel.training.fitting import FeatureStore, FitSettings
from featurizers.errors import InputError

_FOLDS = 3
_LABEL_SETS = 2
"""Tuned on the first few devices: what suits one suits its neighbours, and a trial stays cheap."""


def tuned(store: FeatureStore, settings: FitSettings, trials: int, log: Callable[[str], None]) -> FitSettings:
    """`settings` with the best of `trials` parameter sets, or as they are when none is better.

    Parameters that were given stay as given. The same seed finds the same.
    """
    import optuna

    if settings.learner not in _SPACES:
        raise InputError(f"The learner '{settings.learner}'", f"cannot be tuned; these can: {', '.join(_SPACES)}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=settings.seed))
    given = dict(settings.parameters or {})

    def error(parameters: dict[str, Any]) -> float:
        labels = store.corpus.labels[:_LABEL_SETS]
        trial = replace(settings, parameters={**parameters, "members": 1})
        return float(np.mean([_error(store, one, trial) for one in labels]))

    as_given = error(given)
    study.optimize(lambda trial: error({**_SPACES[settings.learner](trial), **given}), n_trials=trials)
    log(f"tuning: median error on left-out families {as_given:.4f} as given, {study.best_value:.4f} best of {trials}")
    if study.best_value >= as_given:
        return settings
    return replace(settings, parameters={**study.best_params, **given})


def _error(store: FeatureStore, labels: Labels, settings: FitSettings) -> float:
    train = np.flatnonzero(store.corpus.split[labels.subject] == "train")
    features = store.features(labels)
    family, ids = store.corpus.family[labels.subject], np.asarray(store.corpus.ids)[labels.subject]
    y = np.log(labels.value) if labels.target.positive else labels.value
    errors = []
    for held_out in group_folds(family[train], _FOLDS, settings.seed):
        seen, unseen = train[~held_out], train[held_out]
        fitted = settings.new().fit(features.take(seen), y[seen], ids[seen], settings.seed)
        errors.append(np.abs(fitted.predict(features.take(unseen)).point - y[unseen]))
    return float(np.median(np.concatenate(errors)))


def _kernel_sum(trial: Any) -> dict[str, Any]:
    return {
        "rounds": trial.suggest_int("rounds", 100, 500, step=50),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "leaves": trial.suggest_int("leaves", 8, 48),
        "min_leaf": trial.suggest_float("min_leaf", 0.3, 10.0, log=True),
        "l2": trial.suggest_float("l2", 0.1, 10.0, log=True),
    }


def _lightgbm(trial: Any) -> dict[str, Any]:
    return {
        "rounds": trial.suggest_int("rounds", 100, 800, step=50),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "leaves": trial.suggest_int("leaves", 4, 63),
        "min_leaf": trial.suggest_int("min_leaf", 3, 40),
    }


_SPACES: dict[str, Callable[[Any], dict[str, Any]]] = {"kernel-sum": _kernel_sum, "lightgbm": _lightgbm}
