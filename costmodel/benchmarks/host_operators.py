"""`host-operators`: error of the packaged network bundle by operator, against the profiler's time of each kernel.

The place to look when accuracy falls short: it names the operators that the model gets wrong, and what they weigh.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.corpus import Labels
from costmodel.kinds import kind_of
from costmodel.paths import dataset_folder
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from costmodel.regressors import Array
from costmodel.training.fitting import FeatureStore
from costmodel.training.parts import PartTable
from featurizers.core import Features, Featurizer, Parts

_SPLITS = {"test_seen": "seen", "test_unseen": "unseen"}
_LEAST_SHARE = 0.005
"""Operators with less of a split's time than this are not listed."""


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """One row per device, split and operator: share of the measured time, predicted over measured, median error."""
    predictor = Predictor.load(PRETRAINED / "network")
    kind = kind_of("network")
    assert kind.corpus is not None
    store = FeatureStore(kind.corpus(data or dataset_folder(kind.dataset)))
    rows: list[dict[str, Any]] = []
    for labels in store.corpus.labels:
        if labels.parts is not None and labels.device.name in predictor.devices:
            rows += _rows_of_device(predictor, store, labels)
    summary = {
        f"{key}_{split}": float(np.average([row[key] for row in own], weights=[row["time_share"] for row in own]))
        for split in _SPLITS.values()
        for key in ("median_error", "abs_bias")
        if (own := [row for row in rows if row["split"] == split])
    }
    return {"benchmark": "host-operators", "rows": rows, "summary": summary}


def _rows_of_device(predictor: Predictor, store: FeatureStore, labels: Labels) -> list[dict[str, Any]]:
    table = store.part_table(labels)
    single = _single_parts(table, store.featurizer)
    predicted = predictor.model(labels.device.name, labels.target.name).regressor.part_costs(single)
    assert predicted is not None
    ops = np.array(store.featurizer.part_ops(single))
    split = store.corpus.split[table.subject]
    rows = []
    for name, short in _SPLITS.items():
        own = split == name
        rows += [
            {"device": labels.device.name, "split": short, **row}
            for row in by_operator(ops[own], table.value[own], predicted[own])
        ]
    return rows


def _single_parts(table: PartTable, featurizer: Featurizer[Any]) -> Features:
    """Each measured part as a subject of its own."""
    one_each = np.arange(len(table.matrix), dtype=np.int64)
    parts = Parts(table.matrix, one_each, one_each, np.ones(len(one_each), dtype=np.float32))
    return Features(table.vectors, featurizer.columns, parts, featurizer.part_columns)


def by_operator(ops: npt.NDArray[np.str_], measured: Array, predicted: Array) -> list[dict[str, Any]]:
    """Of measured parts (k,) one row per operator, the largest error in total time first."""
    rows: list[dict[str, Any]] = []
    for op in np.unique(ops):
        own = ops == op
        bias = float(predicted[own].sum() / measured[own].sum())
        rows.append(
            {
                "operator": str(op),
                "n": int(own.sum()),
                "time_share": float(measured[own].sum() / measured.sum()),
                "predicted_over_measured": bias,
                "abs_bias": abs(bias - 1),
                "median_error": float(np.median(np.abs(predicted[own] / measured[own] - 1))),
            }
        )
    kept = [row for row in rows if row["time_share"] >= _LEAST_SHARE]
    return sorted(kept, key=lambda row: -row["time_share"] * row["abs_bias"])
