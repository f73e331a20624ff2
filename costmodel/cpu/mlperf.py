"""MLPerf Inference results as a table, and a process that forecasts the next round from the earlier ones.

A throughput is learned per accelerator, a latency as its reciprocal, so that "higher is better" holds for all; a task
is a benchmark in a scenario. What the same chip did in the same task counts most, then what chips alike in peaks,
bandwidth and memory did; software moves from round to round, submitters differ, and many chips scale less than few.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.corpus import CorpusError
from costmodel.regressors import Array
from featurizers.cpu.accelerators import SYSTEM_COLUMNS, AcceleratorSystem, system_from_mlperf, system_vectors

FILE = "results.parquet"
ROUNDS = ("v1.1", "v2.0", "v2.1", "v3.0", "v4.1", "v5.1")
_YEARS = {"v1.1": 2021.7, "v2.0": 2022.3, "v2.1": 2022.7, "v3.0": 2023.3, "v4.1": 2024.7, "v5.1": 2025.7}
_COLUMNS = ("round", "division", "benchmark_std", "scenario", "result", "higher_is_better", "accelerator", "submitter")
_LENGTHS = {
    **dict.fromkeys(("log_fp16_tflops", "log_int8_tops", "log_best_tops", "log_bandwidth_gbs", "log_memory_gb"), 1.0),
    **dict.fromkeys(("log_tdp_w", "year"), 1.5),
    **dict.fromkeys(("nvidia", "is_cpu", "log_link_gbs"), 2.0),
}

_RULE = {"log_int8_tops": 0.35, "log_fp16_tflops": 0.35, "log_tdp_w": 0.3}
_ONE_SAMPLE = 0.5
"""What a latency of one sample gains of a chip's promise, in logs: one sample does not fill a chip."""

_LAW = {"log_int8_tops": 0.35, "log_bandwidth_gbs": 0.25, "log_tdp_w": 0.4}


@dataclass(frozen=True)
class Results:
    """Closed-division results: all (n,). level : log of what one accelerator does (or of 1 / latency)."""

    systems: Sequence[AcceleratorSystem]
    benchmark: npt.NDArray[np.str_]
    scenario: npt.NDArray[np.str_]
    submitter: npt.NDArray[np.str_]
    round: npt.NDArray[np.str_]
    chip: npt.NDArray[np.str_]
    columns: npt.NDArray[np.float64]
    level: Array

    def take(self, rows: npt.NDArray[np.int64]) -> Results:
        """The given rows."""
        return Results(
            [self.systems[i] for i in rows],
            self.benchmark[rows],
            self.scenario[rows],
            self.submitter[rows],
            self.round[rows],
            self.chip[rows],
            self.columns[rows],
            self.level[rows],
        )

    def __len__(self) -> int:
        return len(self.level)


def load_results(folder: Path) -> Results:
    """Read, check and keep the closed division. CorpusError names what is wrong."""
    import pyarrow.parquet as pq

    if not (folder / FILE).is_file():
        raise CorpusError(f"{folder.name}: has no file '{FILE}'.")
    table = pq.read_table(folder / FILE)
    for name in _COLUMNS:
        if name not in table.column_names:
            raise CorpusError(f"{FILE}: has no column '{name}'.")
    return results_of([row for row in table.to_pylist() if row["division"] == "closed" and _sound(row)])


def _sound(row: Mapping[str, Any]) -> bool:
    """Known faults of the published tables: tokens given as samples or queries (see the data set's card)."""
    if row["round"] == "v5.1" and row["benchmark_std"] == "whisper":
        return False
    return bool(row["result"] and row["result"] > 0)


def results_of(rows: Sequence[Mapping[str, Any]]) -> Results:
    """A table of the given rows."""
    systems = [system_from_mlperf(row) for row in rows]
    result = np.array([float(row["result"]) for row in rows])
    count = np.array([system.count for system in systems])
    higher = np.array([bool(row["higher_is_better"]) for row in rows])
    text = {
        name: np.array([str(row[name]) for row in rows]) for name in ("benchmark_std", "scenario", "submitter", "round")
    }
    return Results(
        systems,
        text["benchmark_std"],
        text["scenario"],
        text["submitter"],
        text["round"],
        np.array([system.chip.name for system in systems]),
        system_vectors(systems).astype(np.float64),
        np.where(higher, np.log(result / count), -np.log(result)),
    )


@dataclass(frozen=True, slots=True)
class ForecastShape:
    """Variances in squared log units; see `RoundForecast.covariance`."""

    task: float = 9.0
    task_alike: float = 1.0
    task_chip: float = 0.3
    task_chip_recent: float = 0.1
    task_chip_count: float = 0.03
    alike: float = 1.0
    chip: float = 0.1
    linear: float = 0.01
    task_linear: float = 0.01
    noise: float = 0.005
    alike_length: float = 1.7


class RoundForecast:
    """Fitted on results of some rounds, predicts `level` of others."""

    def __init__(self, shape: ForecastShape | None = None):
        self.shape = shape or ForecastShape()

    def fit(self, results: Results) -> RoundForecast:
        """Merge equal configurations, then solve once."""
        key = np.stack([results.benchmark, results.scenario, results.round, results.chip, _counts(results)])
        _, first, row_of, number = np.unique(key, axis=1, return_index=True, return_inverse=True, return_counts=True)
        row_of = row_of.reshape(-1)
        merged = results.take(first)
        y = np.array([np.median(results.level[row_of == i]) for i in range(len(first))])
        known = np.isfinite(results.columns)
        self.fill = np.array(
            [np.median(c[k]) if k.any() else 0.0 for c, k in zip(results.columns.T, known.T, strict=True)]
        )
        filled = np.where(np.isfinite(merged.columns), merged.columns, self.fill)
        self.center, self.scale = filled.mean(axis=0), np.maximum(filled.std(axis=0), 0.2)
        y = y - self._law(merged)
        self.mean = float(np.median(y))
        self.levels = _task_levels(results)
        self.merged = merged
        covariance = self.covariance(merged, merged)
        covariance[np.diag_indices_from(covariance)] += self.shape.noise / np.sqrt(number) + 1e-6
        self.inverse = np.linalg.inv(covariance)
        self.weights = self.inverse @ (y - self.mean)
        return self

    def predict(self, results: Results) -> tuple[Array, Array]:
        """Level and its standard deviation, (n,) each."""
        between = self.covariance(results, self.merged)
        own = self._own_variance(results)
        explained = np.einsum("ns,ns->n", between @ self.inverse, between)
        point = self._law(results) + self.mean + between @ self.weights
        rule = self._rule(results)
        new = ~np.isin(results.chip, self.merged.chip) & np.isfinite(rule)
        # The two err in different directions on chips that no round has seen: their mean errs less than either.
        point[new] = (point[new] + rule[new]) / 2
        return point, np.sqrt(np.maximum(own - explained, 0) + self.shape.noise)

    def knows(self, results: Results) -> npt.NDArray[np.bool_]:
        """Whether the task was in an earlier round, (n,)."""
        tasks = set(_tasks(self.merged))
        return np.array(
            [f"{b}|{s}" in tasks for b, s in zip(results.benchmark, results.scenario, strict=True)], dtype=bool
        )

    def _law(self, results: Results) -> Array:
        """What peaks, bandwidth and power budget promise: chips of one maker are held back by power as often as by
        arithmetic."""
        names = [column.name for column in SYSTEM_COLUMNS]
        filled = np.where(np.isfinite(results.columns), results.columns, self.fill)
        promise = sum(filled[:, names.index(name)] * share for name, share in _LAW.items())
        return np.asarray(promise * _filling(results), dtype=np.float64)

    def _rule(self, results: Results) -> Array:
        """The task's median level per arithmetic and power; NaN for a new task or a chip without these facts."""
        levels = [self.levels.get(task, np.nan) for task in _tasks(results)]
        return np.asarray(np.array(levels) + _arithmetic_and_power(results), dtype=np.float64)

    def _own_variance(self, results: Results) -> Array:
        points = self._points(results)
        s = self.shape
        flat = s.task + s.task_alike + s.task_chip + s.task_chip_recent + s.task_chip_count
        return np.asarray(
            flat + s.alike + s.chip + (s.linear + s.task_linear) * (points**2).sum(axis=1),
            dtype=np.float64,
        )

    def _points(self, results: Results) -> Array:
        index = [i for i, column in enumerate(SYSTEM_COLUMNS) if column.name in _LENGTHS]
        lengths = np.array([_LENGTHS[SYSTEM_COLUMNS[i].name] for i in index])
        filled = np.where(np.isfinite(results.columns), results.columns, self.fill)
        return np.asarray(((filled - self.center) / self.scale)[:, index] / lengths)

    def covariance(self, a: Results, b: Results) -> Array:
        """(n, m): tasks weigh everything that is of one task; chips are the same, or alike in their facts."""
        s = self.shape
        task = _task_likeness(a, b)
        x, z = self._points(a), self._points(b)
        squared = np.maximum((x**2).sum(1)[:, None] + (z**2).sum(1)[None, :] - 2 * x @ z.T, 0)
        alike = 1 / (1 + squared / (2 * s.alike_length**2))
        linear = x @ z.T
        chip = (a.chip[:, None] == b.chip[None, :]).astype(np.float64)
        counts = np.array([np.log([system.count for system in r.systems]) for r in (a,)])[0]
        other = np.log([system.count for system in b.systems])
        near_count = np.exp(-0.5 * (counts[:, None] - other[None, :]) ** 2)
        years = [np.array([_YEARS.get(r, 2026.0) for r in results.round]) for results in (a, b)]
        recent = np.exp(-np.abs(years[0][:, None] - years[1][None, :]) / 1.5)
        of_task = s.task + s.task_alike * alike + s.task_linear * linear
        of_task = of_task + chip * (s.task_chip + s.task_chip_recent * recent + s.task_chip_count * near_count)
        return np.asarray(
            task * of_task + s.alike * alike + s.chip * chip + s.linear * linear,
            dtype=np.float64,
        )


def _tasks(results: Results) -> list[str]:
    return [f"{b}|{s}" for b, s in zip(results.benchmark, results.scenario, strict=True)]


def _arithmetic_and_power(results: Results) -> Array:
    names = [column.name for column in SYSTEM_COLUMNS]
    promise = np.asarray(sum(results.columns[:, names.index(name)] * share for name, share in _RULE.items()))
    return promise * _filling(results)


def _filling(results: Results) -> Array:
    return np.where(np.char.endswith(results.scenario, "Stream"), _ONE_SAMPLE, 1.0)


def _task_levels(results: Results) -> dict[str, float]:
    """Per task the median over chips of what is left of a chip's median level after arithmetic and power.

    Of each chip only its last round counts: software has got better since the earlier ones.
    """
    rest, tasks = results.level - _arithmetic_and_power(results), np.array(_tasks(results))
    levels: dict[str, float] = {}
    for task in np.unique(tasks).tolist():
        own = (tasks == task) & np.isfinite(rest)
        chips = [_last_round(rest, results, own & (results.chip == chip)) for chip in np.unique(results.chip[own])]
        if chips:
            levels[task] = float(np.median(np.array(chips)))
    return levels


def _last_round(rest: Array, results: Results, own: npt.NDArray[np.bool_]) -> float:
    last = max(np.unique(results.round[own]).tolist())  # names of rounds sort by time
    return float(np.median(rest[own & (results.round == last)]))


def _counts(results: Results) -> npt.NDArray[np.str_]:
    return np.array([f"{system.count:g}/{system.nodes:g}" for system in results.systems])


def _task_likeness(a: Results, b: Results) -> Array:
    """1 for the same task; less for another accuracy target, another scenario, and 0 for another model."""
    model_a, model_b = (np.array([re.sub(r"-99(\.9)?$", "", name) for name in r.benchmark]) for r in (a, b))
    same_model = model_a[:, None] == model_b[None, :]
    same_benchmark = a.benchmark[:, None] == b.benchmark[None, :]
    same_scenario = a.scenario[:, None] == b.scenario[None, :]
    return np.where(same_benchmark & same_scenario, 1.0, np.where(same_model & same_scenario, 0.9, 0.6 * same_model))
