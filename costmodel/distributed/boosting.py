"""Trees on the rows of all workers: LightGBM's data-parallel learner through ``lightgbm.dask``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from costmodel.distributed.cluster import DaskCluster
from costmodel.prediction import Array
from featurizers.core import FloatArray

MANY_ROWS = 50_000
"""Fits of fewer rows stay in one process: faster than sending them, and the very same trees as without a cluster."""
_TRIES = 3
_MINUTES = 2
"""How long the others wait for a worker that is gone before the fit fails (and is tried again)."""


def fit_on_workers(
    cluster: DaskCluster, parameters: Mapping[str, Any], x: FloatArray, y: Array, w: Array, rounds: int
) -> str:
    """The booster as LightGBM's text. Bins are found from each worker's own rows, so trees differ a little from those
    of one process: as much as between two seeds."""
    from lightgbm import LGBMModel
    from lightgbm.basic import LightGBMError
    from lightgbm.dask import DaskLGBMRegressor

    own = {**parameters, "time_out": _MINUTES, "tree_learner": "data", "n_estimators": rounds}
    own.pop("num_threads", None)
    for attempt in range(_TRIES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # parameters by their own names, threads set by Dask
                fitted: LGBMModel = DaskLGBMRegressor(client=cluster.client, **own).fit(*_divided(cluster, x, y, w))
            return str(fitted.booster_.model_to_string())
        except (LightGBMError, OSError, RuntimeError):
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _divided(cluster: DaskCluster, x: FloatArray, y: Array, w: Array) -> tuple[Any, Any, Any]:
    """Dask arrays in as many blocks of rows as there are workers, in an order that mixes the groups."""
    from dask.array import from_array

    order = np.random.default_rng(0).permutation(len(y))
    rows = -(-len(y) // cluster.workers)
    blocks = ((x[order], (rows, x.shape[1])), (y[order], rows), (w[order], rows))
    divided = [from_array(values, chunks=chunks) for values, chunks in blocks]  # type: ignore[no-untyped-call]
    return divided[0], divided[1], divided[2]
