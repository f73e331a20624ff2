"""How well could anything rank these tables? What noise allows, per device and per task, from three sides.

A table is one noisy measurement of each architecture; the noise-free truth itself would not rank it perfectly.

`ceiling` (from below): a model of what each architecture executes, fitted to two thirds of *all* labels, on the last
third (every architecture is in one): the better of a robust sum of costs and of gradient boosting on top of it. The
truth may do better; a learner with twenty measurements cannot be expected to.

`repeats` (NAS-Bench-201): cells that differ only in the names of their inner nodes run the same kernels, so the table
measured 1,500 programs twice. The square root of the rank correlation between the two (attenuation: Spearman, 1904) is
what the noise-free truth would reach, with no model at all.

`drift_free`: rows are in no order that a network could tell, yet neighbouring rows are off alike, by up to 20%: the
device warmed up, or worked for somebody else. The labels without the median error of the neighbouring rows (the row
itself left out), ranked beside the labels as they are: what a learner would reach that knew everything but this drift.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.nas import SPLITS, Split, data_folder, trimmed
from costmodel.evaluation.metrics import spearman
from costmodel.fewshot.known import additive_fit, additive_predict
from costmodel.fewshot.tables import LatencyTable, load_table, model_of
from costmodel.regressors.base import Array
from featurizers.network.nas_cells import NASBENCH201_EDGES, NASBENCH201_OPS

_FOLDS = 3
_REACHES = (1, 2, 4, 8, 16)
"""Rows before and after that tell a row's drift."""
_ROUNDS = 120
_TAUGHT_ROUNDS = 2
_OUTLIER = 3.0
_ALONE: dict[str, float | None] = {"agreement": None, "agreement_max": None}
_BOOSTING = {
    "objective": "regression_l1", "num_leaves": 31, "learning_rate": 0.08, "feature_fraction": 0.3,
    "bagging_fraction": 0.7, "bagging_freq": 1, "verbose": -1, "num_threads": 1, "deterministic": True, "seed": 0,
}  # fmt: skip


def run(data: Path | None, mirror: Path | None = None) -> dict[str, Any]:
    """Rows per space and device; the summary has the mean ceiling of every task's targets that were found."""
    folder = data_folder(data, mirror)
    rows: list[dict[str, Any]] = []
    predicted, rest = {}, {}
    tables = {space: load_table(folder, space) for space in sorted({split.space for split in SPLITS.values()})}
    for space, table in tables.items():
        columns = _columns(table)
        choices = np.column_stack([columns, _choices(table)])
        for device, latency in table.latency_ms.items():
            predicted[space, device] = fitted = _out_of_fold(columns, latency)
            rest[space, device], taught = _taught(choices, latency, fitted)
            figures = {**_figures(latency, fitted), "taught": taught, "repeats": _repeats(table, latency)}
            rows.append({"space": space, "device": device, **figures})
    for row in rows:
        row |= _agreement(rest, row["space"], row["device"])
    summary = {f"ceiling_{name}": _task(split, tables[split.space], predicted) for name, split in SPLITS.items()}
    by_device = {(row["space"], row["device"]): row for row in rows}
    for name, split in SPLITS.items():
        if split.query is None:
            found = [by_device[key] for d in split.targets if (key := (split.space, d)) in by_device]
            for side in ("taught", "repeats", "drift_free"):
                known = [row[side] for row in found if row[side] is not None]
                if known:
                    summary[f"{side}_{name}"] = float(np.mean(known))
    return {"benchmark": "nas-ceiling", "rows": rows, "summary": summary}


def _columns(table: LatencyTable) -> Array:
    physics = table.space.physics(table.ops)
    return np.column_stack([physics.group(name) for name in ("network", "stage", "block")])


def _choices(table: LatencyTable) -> Array:
    """Every choice at every position, (n, positions * choices)."""
    return np.asarray((table.ops[:, :, None] == np.arange(table.ops.max() + 1)).reshape(len(table.ops), -1) * 1.0)


def _taught(columns: Array, latency: Array, fitted: Array) -> tuple[Array, float]:
    """What a sum of costs leaves of the labels without their drift, (n,), and how well it ranks the labels."""
    for _ in range(_TAUGHT_ROUNDS):
        residual = np.log(latency) - fitted
        residual -= np.median(residual)
        rest = _without_drift(residual)
        fitted = _sums_out_of_fold(columns, latency / np.exp(residual - rest))
    residual = np.log(latency) - fitted
    return _without_drift(residual - np.median(residual)), spearman(latency, fitted)


def _agreement(rest: dict[tuple[str, str], Array], space: str, device: str) -> dict[str, float | None]:
    own = _clipped(rest[space, device])
    others = [
        _clipped(values) for (of, name), values in rest.items() if of == space and model_of(name) != model_of(device)
    ]
    found = [abs(float(np.corrcoef(own, other)[0, 1])) for other in others]
    return {"agreement": float(np.mean(found)), "agreement_max": max(found)} if found else _ALONE


def _clipped(values: Array) -> Array:
    most = _OUTLIER * 1.4826 * float(np.median(np.abs(values))) + 1e-12
    return np.asarray(np.clip(values, -most, most))


def _sums_out_of_fold(columns: Array, latency: Array) -> Array:
    fold, level = _fold(len(latency)), np.array([float(np.median(latency))])
    sums = np.zeros(len(latency))
    for k in range(_FOLDS):
        fitted = additive_fit(columns[fold != k], latency[fold != k])
        sums[fold == k] = np.log(additive_predict(columns[fold == k], fitted[None], level)[:, 0])
    return sums


def _fold(rows: int) -> npt.NDArray[np.int64]:
    return np.asarray(np.random.default_rng(0).integers(0, _FOLDS, rows))


def _out_of_fold(columns: Array, latency: Array) -> Array:
    """Log latency (n,), each row predicted by a model that did not see it."""
    fold = _fold(len(latency))
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


def _repeats(table: LatencyTable, latency: Array) -> float | None:
    """None for a space without architectures that run the same kernels."""
    if table.space.name != "nasbench201":
        return None
    one, other = _twins(table)
    return float(np.sqrt(spearman(latency[np.concatenate([one, other])], latency[np.concatenate([other, one])])))


def _twins(table: LatencyTable) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of cells with nothing between nodes 1 and 2, and of the same cells with these two nodes swapped."""
    edges = list(NASBENCH201_EDGES)
    swapped = [edges.index(edge) for edge in ((0, 2), (0, 1), (1, 2), (0, 3), (2, 3), (1, 3))]
    apart = np.flatnonzero(table.ops[:, edges.index((1, 2))] == NASBENCH201_OPS.index("none"))
    place = {row.tobytes(): i for i, row in enumerate(table.ops)}
    other = np.array([place[np.ascontiguousarray(row[swapped]).tobytes()] for row in table.ops[apart]])
    once = other > apart
    return apart[once], other[once]


def _without_drift(residual: Array) -> Array:
    """Residuals (n,) less the median of their neighbours', the number of neighbours that leaves least."""
    found = []
    for reach in _REACHES:
        padded = np.pad(residual, reach, constant_values=np.nan)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        found.append(residual - np.nanmedian(np.delete(around, reach, axis=1), axis=1))
    return min(found, key=lambda rest: float(np.median(np.abs(rest))))


def _figures(latency: Array, fitted: Array) -> dict[str, float]:
    residual = np.log(latency) - fitted
    residual -= np.median(residual)
    rest = _without_drift(residual)
    return {
        "distinct_values": float(len(np.unique(latency))),
        "noise": float(1.4826 * np.median(np.abs(residual))),
        "noise_of_neighbouring_rows": float(np.corrcoef(residual[:-1], residual[1:])[0, 1]),
        "noise_without_drift": float(1.4826 * np.median(np.abs(rest))),
        "median_error": float(np.median(np.abs(np.expm1(residual)))),
        "spearman": spearman(latency, fitted),
        "drift_free": spearman(latency, fitted + rest),
    }


def _task(split: Split, table: LatencyTable, predicted: dict[tuple[str, str], Array]) -> float:
    found = []
    for device in split.targets:
        if device in table.latency_ms:
            latency = table.latency_ms[device]
            query: npt.NDArray[np.int64] = trimmed(split.query, latency)
            found.append(spearman(latency[query], predicted[split.space, device][query]))
    return float(np.mean(found)) if found else float("nan")
