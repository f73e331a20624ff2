"""Fitting trees by LightGBM, here or on the workers of the active cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.distributed.cluster import DaskCluster, active
from costmodel.prediction import Array
from costmodel.regressors.native_lightgbm import DETERMINISTIC, NativeBooster, compact
from featurizers.core import FloatArray

QUICK_ROUNDS = 40
"""Enough for a learner's errors on what it has not seen; see `costmodel.regressors.base.quick_of`."""


def boosted(parameters: Mapping[str, Any], x: FloatArray, y: Array, w: Array, rounds: int, seed: int) -> NativeBooster:
    """Trees on x (n, columns) for y (n,), weighted by w (n,); the same ones each time (`DETERMINISTIC`)."""
    parameters = {**parameters, "seed": seed, **DETERMINISTIC}
    cluster = active()
    if isinstance(cluster, DaskCluster):
        from costmodel.distributed.boosting import MANY_ROWS, fit_on_workers

        if len(y) >= MANY_ROWS:
            return NativeBooster(compact(fit_on_workers(cluster, parameters, x, y, w, rounds)))
    return _trained(parameters, x, y, w, rounds)


def boosted_here(
    parameters: Mapping[str, Any], x: FloatArray, y: Array, w: Array, rounds: int, seed: int
) -> NativeBooster:
    """As `boosted`, never on workers: for objectives that look at several rows at once, which must stay together."""
    return _trained({**parameters, "seed": seed, **DETERMINISTIC}, x, y, w, rounds)


def _trained(parameters: Mapping[str, Any], x: FloatArray, y: Array, w: Array, rounds: int) -> NativeBooster:
    import lightgbm

    booster = lightgbm.train(dict(parameters), lightgbm.Dataset(x, y, weight=w), num_boost_round=max(rounds, 1))
    return NativeBooster(compact(booster.model_to_string()))
