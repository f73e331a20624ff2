"""A whole search on a device with ten measurements: NSGA-II over NAS-Bench-201 against predicted latency.

Quality is a stand-in for accuracy computed from the cell alone - log(1 + weights of its live convolutions) plus half of
log(1 + paths from input to output) - since the data set holds no accuracies: what is judged is the latency side, by the
measured latency of everything that the search found. Known devices are those of HELP's task; a target is never among
them. Searches of the same budget stand side by side: latency predicted from ten planned measurements (and a constraint
on the interval's upper end), latency taken from FLOPs by a line through the same ten, and the measured latency itself,
which no search in practice has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.nas import SPLITS, data_folder
from costmodel.devices.spaces import NasAdapter
from costmodel.fewshot import FewShotRegressor, meta_train
from costmodel.fewshot.tables import load_table
from costmodel.nas.optuna import LatencyObjective, suggest_cell
from costmodel.nas.oracle import Latency
from costmodel.regressors.base import Array
from featurizers.core import Raw
from featurizers.errors import InputError
from featurizers.network.nas_physics import NASBENCH201_EDGES, NASBENCH201_OPS, OpIndices, nasbench201_reach

MEASUREMENTS, TRIALS, SEEDS, POPULATION = 10, 500, 2, 50
LIMIT_QUANTILE = 0.4
"""The limit of latency: what this share of the space keeps on the target device."""
_WEIGHTS = {"nor_conv_1x1": 1.0, "nor_conv_3x3": 9.0}


def run(data: Path | None, mirror: Path | None = None, trials: int = TRIALS, seeds: int = SEEDS) -> dict[str, Any]:
    """{"benchmark", "rows", "summary"}: a row per target device and way to know latency, means over seeds."""
    split = SPLITS["help-nasbench201"]
    table = load_table(data_folder(data, mirror), split.space)
    learner = meta_train("meta", table.space, table.ops, table.known(split.known))
    adapter = NasAdapter(split.space, [learner])
    targets = [device for device in split.targets if device in table.latency_ms]
    quality = proxy(table.ops)
    rows: list[dict[str, Any]] = []
    for target in targets:
        rows += _rows(target, table.latency_ms[target], table.ops, quality, adapter, learner, trials, seeds)
    missing = [device for device in split.targets if device not in table.latency_ms]
    return {"benchmark": "nas-search", "rows": rows, "summary": _summary(rows), "targets": targets, "missing": missing}


def proxy(ops: OpIndices) -> Array:
    """The stand-in for accuracy, (n,)."""
    forward, backward, _ = nasbench201_reach(ops)
    passes = ops != NASBENCH201_OPS.index("none")
    live = (forward * backward * passes).astype(float)
    weights = sum(w * (live * (ops == NASBENCH201_OPS.index(name))).sum(axis=1) for name, w in _WEIGHTS.items())
    paths = np.zeros((len(ops), 4))
    paths[:, 0] = 1
    for edge, (source, target) in enumerate(NASBENCH201_EDGES):
        paths[:, target] += paths[:, source] * passes[:, edge]
    return np.asarray(np.log1p(weights) + 0.5 * np.log1p(paths[:, 3]))


@dataclass(frozen=True)
class _Table:
    """An `Oracle` over arrays of the whole space."""

    places: dict[str, int]
    ms: Array
    high_ms: Array

    def latency(self, raws: Sequence[Raw]) -> list[Latency]:
        found = [self.places[raw["nasbench201"]] for raw in raws]
        return [Latency(float(self.ms[i]), float(self.ms[i]), float(self.high_ms[i])) for i in found]


def _rows(
    target: str, truth: Array, ops: OpIndices, quality: Array, adapter: NasAdapter, learner: FewShotRegressor,
    trials: int, seeds: int,
) -> list[dict[str, Any]]:  # fmt: skip
    raws = [{"nasbench201": adapter._written(row)} for row in ops.tolist()]
    places = {raw["nasbench201"]: i for i, raw in enumerate(raws)}
    limit = float(np.quantile(truth, LIMIT_QUANTILE))
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        plan = adapter.plan(MEASUREMENTS, [], None, None, seed)
        measured = [places[raw["nasbench201"]] for raw in plan]
        answers = adapter.adapt(plan, truth[measured].tolist()).answer(raws)
        told = [answer for answer in answers if not isinstance(answer, InputError)]
        assert len(told) == len(raws), "every cell of the space has an answer"
        predicted = np.array([answer.value for answer in told])
        high = np.array([answer.high for answer in told])
        flops = _scaled(learner.known.space.physics(ops).column("macs"), truth[measured], measured)
        for name, ms, upper, surely in (
            ("predicted", predicted, high, False),
            ("predicted, surely", predicted, high, True),
            ("flops", flops, flops, False),
            ("measured", truth, truth, False),
        ):
            figures = _search(_Table(places, ms, upper), quality, truth, limit, trials, seed, surely)
            found.setdefault(name, []).append(figures)
    return [{"device": target, "latency": name, "limit_ms": limit, **_mean(figures)} for name, figures in found.items()]


def _mean(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}


def _scaled(macs: Array, measured_ms: Array, measured: Sequence[int]) -> Array:
    """FLOPs as milliseconds: a line through the same ten measurements."""
    slope, level = np.polyfit(macs[measured], measured_ms, 1)
    return np.asarray(np.maximum(level + slope * macs, 1e-6))


def _search(
    oracle: _Table, quality: Array, truth: Array, limit: float, trials: int, seed: int, surely: bool
) -> dict[str, float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def of(raw: Raw) -> float:
        return float(quality[oracle.places[raw["nasbench201"]]])

    figures: dict[str, float] = {}
    for constrained in (False, True):
        sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        objective = LatencyObjective(oracle, of, suggest_cell, limit if constrained else None, surely=surely)
        study.optimize(objective, n_trials=trials)
        best = np.array([oracle.places[_cell(trial)] for trial in study.best_trials], dtype=np.int64)
        if constrained:
            figures |= _held(best, quality, truth, limit)
        else:
            figures["hypervolume_ratio"] = _hypervolume(best, quality, truth) / _hypervolume(
                np.arange(len(truth)), quality, truth
            )
            figures["front_size"] = float(len(set(best.tolist())))
    return figures


def _cell(trial: Any) -> str:
    from costmodel.nas.cells import cell

    return str(cell(trial.params)["nasbench201"])


def _held(best: npt.NDArray[np.int64], quality: Array, truth: Array, limit: float) -> dict[str, float]:
    """Of what a search under the limit returns: how often the limit held in truth, and the best quality that held."""
    held = truth[best] <= limit
    reachable = quality[truth <= limit].max()
    reached = quality[best][held].max() if held.any() else 0.0
    near = truth[best] <= 1.05 * limit
    last = best[np.argmax(quality[best])]
    return {
        "constraint_held": float(held.mean()), "constraint_held_within_5pct": float(near.mean()),
        "best_held": float(truth[last] <= limit), "quality_reached": float(reached / reachable),
    }  # fmt: skip


def _hypervolume(rows: npt.NDArray[np.int64], quality: Array, truth: Array) -> float:
    """Area that measured (quality, latency) dominate, up to quality 0 and the slowest architecture of the space."""
    order = rows[np.lexsort((-quality[rows], truth[rows]))]
    worst, best, area = float(truth.max()), 0.0, 0.0
    for row in order:
        if quality[row] > best:
            area += (float(quality[row]) - best) * (worst - float(truth[row]))
            best = float(quality[row])
    return area


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    keys = {"predicted": "", "predicted, surely": "surely_", "flops": "flops_", "measured": "measured_"}
    figures = ("hypervolume_ratio", "constraint_held", "constraint_held_within_5pct", "quality_reached")
    return {
        f"{prefix}{figure}": float(np.mean([row[figure] for row in rows if row["latency"] == name]))
        for name, prefix in keys.items()
        for figure in figures
    } | {"measurements": float(MEASUREMENTS)}
