"""``costmodel benchmark mlperf``: train on the earlier rounds of MLPerf Inference, predict the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.cpu import data_folder
from costmodel.calibration import NORMAL_90
from costmodel.cpu.mlperf import ROUNDS, Results, RoundForecast, load_results
from costmodel.evaluation.tables import format_table
from costmodel.regressors import Array

_SHOWN = ("round", "chip", "n", "chips", "median_error", "p90_error", "coverage", "median_error_peak", "new_tasks")


def run_mlperf(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """Every round from the second on, chips seen in earlier rounds and chips unseen apart.

    Beside it a rule of thumb: the task's median level per peak int8 rate. Results are of the closed division; figures
    here are predictions about published results, not MLPerf results.
    """
    results = load_results(data_folder(data, mirror, "mlperf_inference"))
    rows: list[dict[str, Any]] = []
    errors: dict[bool, list[Array]] = {True: [], False: []}
    for number, name in enumerate(ROUNDS[1:], start=1):
        earlier = np.flatnonzero(np.isin(results.round, ROUNDS[:number]))
        later = np.flatnonzero(results.round == name)
        if len(earlier) and len(later):
            rows += _round(name, results.take(earlier), results.take(later), errors)
    summary = {
        f"median_error_{word}": round(float(np.median(np.concatenate(errors[seen]))), 4) if errors[seen] else 0.0
        for word, seen in (("seen", True), ("unseen", False))
    }
    total = sum(row["n"] for row in rows)
    summary["coverage"] = round(sum(row["coverage"] * row["n"] for row in rows) / max(total, 1), 4)
    print(format_table(rows, _SHOWN))
    return {"benchmark": "mlperf", "rows": rows, "summary": summary}


def _round(name: str, earlier: Results, later: Results, errors: dict[bool, list[Array]]) -> list[dict[str, Any]]:
    model = RoundForecast().fit(earlier)
    knows = model.knows(later)
    asked = later.take(np.flatnonzero(knows))
    if not len(asked):
        return []
    point, deviation = model.predict(asked)
    peak = _by_peak(earlier, asked)
    seen = np.isin(asked.chip, earlier.chip)
    rows = []
    for word, group in (("seen", seen), ("unseen", ~seen)):
        if not group.any():
            continue
        error = _errors(point, asked.level, group)
        errors[word == "seen"].append(error)
        inside = np.abs(point - asked.level)[group] <= NORMAL_90 * deviation[group]
        rows.append(
            {
                "round": name,
                "chip": word,
                "n": int(group.sum()),
                "chips": len(np.unique(asked.chip[group])),
                "median_error": float(np.median(error)),
                "p90_error": float(np.quantile(error, 0.9)),
                "coverage": float(inside.mean()),
                "median_error_peak": float(np.nanmedian(_errors(peak, asked.level, group))),
                "new_tasks": int((~knows).sum()),
            }
        )
    return rows


def _errors(point: Array, level: Array, group: npt.NDArray[np.bool_]) -> Array:
    return np.asarray(np.abs(np.exp(point - level) - 1)[group])


def _by_peak(earlier: Results, asked: Results) -> Array:
    """Log level as the task's median of level minus log peak int8 rate; NaN where the peak is not known."""
    tasks = {f"{b}|{s}" for b, s in zip(asked.benchmark, asked.scenario, strict=True)}
    before, now = (np.char.add(np.char.add(r.benchmark, "|"), r.scenario) for r in (earlier, asked))
    out = np.full(len(asked), np.nan)
    for task in tasks:
        rest = (earlier.level - earlier.columns[:, 1])[before == task]
        known = rest[np.isfinite(rest)]
        if len(known):
            out[now == task] = np.median(known) + asked.columns[now == task, 1]
    return out
