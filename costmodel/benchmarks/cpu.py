"""``costmodel benchmark sparecores`` and ``perfcastdb``: benchmark scores of CPU models that no fit has seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.benchmarks.cpu_speed import bulk_row
from costmodel.cpu.baselines import CoreGhzBaseline
from costmodel.cpu.crossvalidation import (
    Mask,
    Unseen,
    adapted_errors,
    by_vendor,
    unseen_baseline,
    unseen_network,
    unseen_predictions,
    unseen_together,
)
from costmodel.cpu.sparecores import HEADLINE, ScoreTable, load_scores
from costmodel.evaluation.metrics import accuracy
from costmodel.evaluation.tables import format_table
from costmodel.regressors import Array, group_folds
from costmodel.regressors.gradient_boosting import GradientBoosting
from costmodel.regressors.simple import LogLinearRegressor
from featurizers.core import Features
from featurizers.cpu.columns import COLUMNS, vectors
from featurizers.errors import InputError

_FOLDS = 10
_SEED = 0
FOLDER = "cpu_perf"


def data_folder(data: Path | None, mirror: Path | None, name: str = FOLDER) -> Path:
    """`data` itself, or the mirror's folder of that name."""
    if data is not None:
        return data
    if mirror is not None:
        return mirror / name
    raise InputError("'--data' or '--mirror'", f"must name where '{name}' lies; its files are not part of this package")


def run_sparecores(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """Grouped 10-fold by CPU model and leave-one-CPU-vendor-out, beside the baselines; and `adapt` with three scores.

    core_ghz: score per core-GHz of the nearest micro-architecture. trees: boosting per benchmark on all our columns.
    together: one boosting over all benchmarks. ncpp: the group-attention network. line: a line on log CPUs.
    """
    table = load_scores(data_folder(data, mirror))
    features = Features(vectors(table.specs), COLUMNS)
    y = np.log(np.stack([table.column(target) for target in HEADLINE.values()], axis=1))
    groups = table.cpu_model
    folds = group_folds(groups, _FOLDS, _SEED)
    unseen = unseen_predictions(features, y, groups, folds, _SEED)
    baselines = {
        "core_ghz": unseen_baseline(features, y, groups, folds, _SEED, CoreGhzBaseline),
        "trees": unseen_baseline(features, y, groups, folds, _SEED, lambda: GradientBoosting(100, 0.08, 8, 8, 1)),
        "together": unseen_together(features, y, groups, folds, _SEED),
        "ncpp": unseen_network(features, y, groups, folds, _SEED),
        "line": unseen_baseline(features, y, groups, folds, _SEED, lambda: LogLinearRegressor("logical_cpus")),
    }
    rows = [_row(name, t, "cpu model", y, unseen, baselines, table) for t, name in enumerate(HEADLINE)]
    vendors = by_vendor(features)
    if len(vendors) > 1:
        other = unseen_predictions(features, y, groups, vendors, _SEED)
        rows += [_row(name, t, "cpu vendor", y, other, {}, table) for t, name in enumerate(HEADLINE)]
    rows += _adapted_rows(table, features, folds)
    print(format_table([row for row in rows if "coverage" in row], _SHOWN))
    for reason, count in table.left_out.items():
        print(f"left out: {count} {reason}")
    speed = bulk_row()
    print(f"in bulk: {speed['predictions_per_cpu_s']:,} predictions per CPU second, from fields to intervals")
    summary = _summary(rows) | {"predictions_per_cpu_s": speed["predictions_per_cpu_s"]}
    return {"benchmark": "sparecores", "rows": [*rows, speed], "summary": summary}


_SHOWN = (
    *(
        "benchmark",
        "unseen",
        "n",
        "cpu_models",
        "mape",
        "mape_without",
        "mape_by_model",
        "median_error",
        "p90_error",
        "spearman",
    ),
    *("coverage", "width_ratio", "mape_core_ghz", "mape_trees", "mape_together"),
    *("mape_ncpp", "mape_line", "known"),
)


_ADAPTED = {"cpu model, three scores known": False, "cpu model, three suggested scores known": True}
"""Rows of `adapt`, and whether the three are those that are suggested for the target, instead of one and the same."""


def _adapted_rows(table: ScoreTable, features: Features, folds: Sequence[Mask]) -> list[dict[str, Any]]:
    """Unseen CPU models by their specification alone, and with three known scores."""
    rows = []
    for unseen, chosen in _ADAPTED.items():
        found = adapted_errors(features, table, folds, list(HEADLINE.values()), chosen, _SEED)
        for t, (name, target) in enumerate(HEADLINE.items()):
            asked = np.isfinite(found.after[:, t])
            if not asked.any():
                continue
            before, after = (np.abs(np.expm1(-errors[asked, t])) for errors in (found.before, found.after))
            rows.append(
                {
                    "benchmark": name,
                    "target": target,
                    "unseen": unseen,
                    "n": int(asked.sum()),
                    "cpu_models": len(np.unique(table.cpu_model[asked])),
                    "mape": float(after.mean()),
                    "median_error": float(np.median(after)),
                    "p90_error": float(np.quantile(after, 0.9)),
                    "coverage": float(found.inside[asked, t].mean()),
                    "mape_without": float(before.mean()),
                    "known": ", ".join(found.known[t]),
                }
            )
    return rows


def _row(
    name: str, t: int, unseen_what: str, y: Array, unseen: Unseen, baselines: dict[str, Array], table: ScoreTable
) -> dict[str, Any]:
    known = np.isfinite(y[:, t]) & np.isfinite(unseen.point[:, t])
    truth, point = y[known, t], unseen.point[known, t]
    low, high = unseen.low[known, t], unseen.high[known, t]
    error = np.abs(np.exp(point - truth) - 1)
    _, code = np.unique(table.cpu_model[known], return_inverse=True)
    figures = accuracy(np.exp(truth), np.exp(point))
    row = {
        "benchmark": name,
        "target": HEADLINE[name],
        "unseen": unseen_what,
        "n": int(known.sum()),
        "cpu_models": int(code.max()) + 1,
        **{key: figures[key] for key in ("mape", "median_error", "p90_error", "within_10pct", "spearman")},
        "mape_by_model": float((np.bincount(code, weights=error) / np.bincount(code)).mean()),
        "coverage": float(((truth >= low) & (truth <= high)).mean()),
        "width_ratio": float(np.exp(np.median(high - low))),
    }
    for baseline, points in baselines.items():
        row[f"mape_{baseline}"] = float(np.abs(np.exp(points[known, t] - truth) - 1).mean())
    return row


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    mine = [row for row in rows if row["unseen"] == "cpu model"]
    summary = {f"mape_{row['benchmark']}": round(100 * row["mape"], 2) for row in mine}
    total = sum(row["n"] for row in mine)
    for prefix, unseen in zip(("mape_adapted", "mape_suggested"), _ADAPTED, strict=True):
        for row in (row for row in rows if row["unseen"] == unseen):
            summary[f"{prefix}_{row['benchmark']}"] = round(100 * row["mape"], 2)
    return summary | {"coverage": round(sum(row["coverage"] * row["n"] for row in mine) / total, 4)}


def run_perfcastdb(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """The paper's protocol (arXiv 2407.03385: fit on the train file, MAPE on the test file) on its public sample.

    The sample holds one machine per suite on either side, so there is nothing to learn a machine's influence from: the
    analytic answer is the training machine's score scaled by core-GHz (rates) or clock, and it is what is reported.
    """
    from costmodel.cpu.perfcastdb import load_runs, scaled_scores

    rows = scaled_scores(*load_runs(data_folder(data, mirror)))
    print(format_table(rows))
    print("one training machine per suite: these figures say that the path works, not which model is better")
    errors = [row["mape"] for row in rows]
    return {"benchmark": "perfcastdb", "rows": rows, "summary": {"mape": round(100 * float(np.mean(errors)), 2)}}
