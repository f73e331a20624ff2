"""How well could anything rank these tables? The ceiling that noise sets, per device and per task.

A table is one noisy measurement of each architecture; the noise-free truth itself would not rank it perfectly. The
truth is unknown, but a model of what each architecture executes, fitted to two thirds of *all* labels, comes close to
it: its Spearman on the last third (every architecture is in one) is what a learner with twenty measurements cannot be
expected to pass by much. A lower bound of the true ceiling: the better of a robust sum of costs and of gradient
boosting on top of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.nas import SPLITS, Split, data_folder, trimmed
from costmodel.evaluation.metrics import spearman
from costmodel.fewshot.known import additive_fit, additive_predict
from costmodel.fewshot.tables import LatencyTable, load_table
from costmodel.regressors.base import Array

_FOLDS = 3
_ROUNDS = 120
_BOOSTING = {
    "objective": "regression_l1", "num_leaves": 31, "learning_rate": 0.08, "feature_fraction": 0.3,
    "bagging_fraction": 0.7, "bagging_freq": 1, "verbose": -1, "num_threads": 1, "deterministic": True, "seed": 0,
}  # fmt: skip


def run(data: Path | None, mirror: Path | None = None) -> dict[str, Any]:
    """Rows per space and device; the summary has the mean ceiling of every task's targets that were found."""
    folder = data_folder(data, mirror)
    rows, predicted = [], {}
    tables = {space: load_table(folder, space) for space in sorted({split.space for split in SPLITS.values()})}
    for space, table in tables.items():
        columns = _columns(table)
        for device, latency in table.latency_ms.items():
            predicted[space, device] = fitted = _out_of_fold(columns, latency)
            rows.append({"space": space, "device": device} | _figures(latency, fitted))
    summary = {f"ceiling_{name}": _task(split, tables[split.space], predicted) for name, split in SPLITS.items()}
    return {"benchmark": "nas-ceiling", "rows": rows, "summary": summary}


def _columns(table: LatencyTable) -> Array:
    physics = table.space.physics(table.ops)
    return np.column_stack([physics.group(name) for name in ("network", "stage", "block")])


def _out_of_fold(columns: Array, latency: Array) -> Array:
    """Log latency (n,), each row predicted by a model that did not see it."""
    fold = np.random.default_rng(0).integers(0, _FOLDS, len(latency))
    sums, boosted = np.zeros(len(latency)), np.zeros(len(latency))
    for k in range(_FOLDS):
        seen, held = fold != k, fold == k
        level = np.array([float(np.median(latency))])
        fitted = additive_fit(columns[seen], latency[seen])
        sums[:] = np.where(held, np.log(additive_predict(columns, fitted[None], level)[:, 0]), sums)
        inside = np.log(latency[seen]) - np.log(additive_predict(columns[seen], fitted[None], level)[:, 0])
        boosted[held] = sums[held] + _boost(columns[seen], inside, columns[held])
    return max((sums, boosted), key=lambda one: spearman(latency, one))


def _boost(columns: Array, target: Array, asked: Array) -> Array:
    import lightgbm

    booster = lightgbm.train(_BOOSTING, lightgbm.Dataset(columns, target), _ROUNDS)
    return np.asarray(booster.predict(asked))


def _figures(latency: Array, fitted: Array) -> dict[str, float]:
    residual = np.log(latency) - fitted
    residual -= np.median(residual)
    return {
        "distinct_values": float(len(np.unique(latency))),
        "noise": float(1.4826 * np.median(np.abs(residual))),
        "noise_of_neighbouring_rows": float(np.corrcoef(residual[:-1], residual[1:])[0, 1]),
        "median_error": float(np.median(np.abs(np.expm1(residual)))),
        "spearman": spearman(latency, fitted),
    }


def _task(split: Split, table: LatencyTable, predicted: dict[tuple[str, str], Array]) -> float:
    found = []
    for device in split.targets:
        if device in table.latency_ms:
            latency = table.latency_ms[device]
            query: npt.NDArray[np.int64] = trimmed(split.query, latency)
            found.append(spearman(latency[query], predicted[split.space, device][query]))
    return float(np.mean(found)) if found else float("nan")
