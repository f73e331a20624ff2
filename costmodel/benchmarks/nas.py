"""HELP's and NASFLAT's tasks: a new device from n measurements in total, random and planned apart.

`help-*` follows HELP (Lee et al., NeurIPS 2021): pools and queries keep what lies between the 10th and 90th percentile
of the target device (which reads labels; planned samples come from the untrimmed pool). `nasflat-*` follows NASFLAT
(Akhauri and Abdelfattah, MLSys 2024): all architectures of the space, the sampled ones included. n is always the total
number of measurements; a target device is never among the known ones. Planned samples are planned as a user would:
five before anything was measured, then, at each of `_STEPS`, the next ones given the measurements so far.

The learners are closed forms and trained when the benchmark runs, within seconds, on the task's known devices alone:
the packaged ones know every device of the tables, targets among them. `--set bundle=DIR` takes learners from a folder
instead (of `costmodel train --kind network --learner ...`), and refuses those that were trained on a target.
`--set learners=meta,transfer,gnn` trains and compares those; `--set targets=gold_6240` asks for other devices than the
split's. `adapt_ms` is processor time of one thread, all learners
that the champion is chosen from together: what a quiet machine takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.evaluation.metrics import interval_quality, kendall, spearman
from costmodel.fewshot import AdaptedDevice, FewShotRegressor, champion, meta_train
from costmodel.fewshot.basis import Inputs
from costmodel.fewshot.tables import LatencyTable, load_table
from costmodel.regressors.base import Array
from featurizers.errors import InputError, UnknownNameError

Rows = npt.NDArray[np.int64]
SIZES = (5, 10, 20, 50)
SEEDS = 10
_LEARNERS = ("meta", "transfer")
_ROW_FIGURES = (
    "spearman", "spearman_sd", "kendall", "median_error", "within_10pct", "coverage", "width_ratio", "adapt_ms",
    "chose_meta",
)  # fmt: skip
_STEPS = (5, 10, 15, 20, 35, 50)
_OFFERED = 600
"""Architectures of which a plan chooses, a random part per seed; so that the spread over seeds means something."""
_KENDALL_ROWS = 600
_RIDGES = np.logspace(-4, 2, 7)


@dataclass(frozen=True, slots=True)
class Split:
    """A published task. pool, query : ranges of arch_index, None for all architectures without trimming."""

    space: str
    known: tuple[str, ...]
    targets: tuple[str, ...]
    pool: range | None = None
    query: range | None = None


_HELP_NB = (
    "1080ti_1", "1080ti_32", "1080ti_256", "silver_4114", "silver_4210r", "samsung_a50", "pixel3", "essential_ph_1",
    "samsung_s7",
)  # fmt: skip
_HELP_FB = tuple(name.replace("256", "64") for name in _HELP_NB)
_NB_TARGETS = ("titan_rtx_256", "gold_6226", "fpga", "pixel2", "raspi4", "eyeriss")
_FB_TARGETS = ("fpga", "raspi4", "eyeriss")
_GPUS = tuple(
    f"{gpu}_{batch}" for gpu in ("1080ti", "2080ti", "titan_rtx", "titanx", "titanxp") for batch in (1, 32, 64)
)


def _split(space: str, known: str, targets: str) -> Split:
    return Split(space, tuple(known.split()), tuple(targets.split()))


SPLITS: dict[str, Split] = {
    "help-nasbench201": Split("nasbench201", _HELP_NB, _NB_TARGETS, range(900), range(900, 1900)),
    "help-fbnet": Split("fbnet", _HELP_FB, _FB_TARGETS, range(4000), range(4000, 5000)),
    "nasflat-ND": Split("nasbench201", _HELP_NB, _NB_TARGETS),
    "nasflat-FD": Split("fbnet", _HELP_FB, _FB_TARGETS),
    "nasflat-F1": _split(
        "fbnet", "2080ti_1 essential_ph_1 silver_4114 titan_rtx_1 titan_rtx_32",
        "eyeriss fpga raspi4 samsung_a50 samsung_s7",
    ),
    "nasflat-F2": _split(
        "fbnet", "essential_ph_1 gold_6226 gold_6240 pixel3 raspi4",
        "1080ti_1 1080ti_32 2080ti_32 titan_rtx_1 titanxp_1"
    ),
    "nasflat-F3": _split(
        "fbnet", "essential_ph_1 pixel2 pixel3 raspi4 samsung_s7",
        "1080ti_1 1080ti_32 2080ti_1 titan_rtx_1 titan_rtx_32"
    ),
    "nasflat-F4": _split(
        "fbnet",
        "1080ti_64 2080ti_1 eyeriss gold_6226 gold_6240 raspi4 samsung_s7 silver_4210r titan_rtx_1 titan_rtx_32",
        "1080ti_1 pixel2 essential_ph_1",
    ),
    "nasflat-FA": Split("fbnet", _GPUS, ("gold_6226", "essential_ph_1", "samsung_s7", "pixel2")),
}  # fmt: skip


def run(
    name: str, data: Path | None, mirror: Path | None = None, seeds: int = SEEDS, bundle: str = "",
    learners: str = ",".join(_LEARNERS), targets: str = "",
) -> dict[str, Any]:  # fmt: skip
    """One task over the devices found in `data` (or ``<mirror>/nas_latency``): {"benchmark", "rows", "summary"}.

    learners : closed-form ones to train, the default one first (`gnn` needs torch); the champion is chosen among them.
    targets : other target devices than the split's, for a table that lacks those.
    The result also lists `known`, `targets` and `missing` devices, and under `trained_on` those of the learners. Raises
    UnknownNameError for a task, InputError without a folder or for a `bundle` that was trained on a target,
    FileNotFoundError without the table, ValueError without a target or with fewer than two known devices.
    """
    if name not in SPLITS:
        raise UnknownNameError("NAS benchmark", name, SPLITS)
    split = SPLITS[name] if not targets else replace(SPLITS[name], targets=tuple(targets.split(",")))
    if common := sorted(set(split.targets) & set(split.known)):
        raise InputError("'targets'", f"must not be among the known devices of {name}", common)
    table = load_table(data_folder(data, mirror), split.space)
    missing = [device for device in (*split.known, *split.targets) if device not in table.latency_ms]
    known, found = table.known(split.known), [d for d in split.targets if d in table.latency_ms]
    if len(known) < 2 or not found:
        raise ValueError(f"{name}: needs two known devices and a target, found {[d.name for d in known]} and {found}.")
    started = time.perf_counter()
    if not bundle:
        trained = [meta_train(learner, table.space, table.ops, known) for learner in learners.split(",")]
    else:
        trained = _packaged(Path(bundle), table, found)
    training_s = time.perf_counter() - started
    task = _Task(split, table, trained, seeds)
    rows = [row for target in found for row in task.rows(target)]
    summary = {**_summary(rows), "meta_training_s": training_s, "seeds": float(seeds)}
    trained_on = {learner.learner: list(learner.devices) for learner in trained}
    told = {
        "known": [device.name for device in known], "targets": found, "missing": missing, "trained_on": trained_on
    }  # fmt: skip
    return {"benchmark": name, "rows": rows, "summary": summary | {"targets_missing": _gone(split, missing)}, **told}


def _packaged(bundle: Path, table: LatencyTable, targets: Sequence[str]) -> list[FewShotRegressor]:
    """The learner in a folder, or those in its folders. InputError where one is not fit to answer for `targets`."""
    folders = sorted(found.parent for found in [*bundle.glob("regressor.json"), *bundle.glob("*/regressor.json")])
    if not folders:
        raise InputError("'bundle'", "is the folder of a few-shot learner, or holds such folders", str(bundle))
    learners = [FewShotRegressor.load(folder) for folder in folders]
    for learner, folder in zip(learners, folders, strict=True):
        if learner.known.space.name != table.space.name:
            raise InputError(f"The learner in {folder}", f"must be of {table.space.name}", learner.known.space.name)
        known = sorted(set(targets) & set(learner.devices))
        if known:
            raise InputError(f"The learner in {folder}", "must not be trained on target devices of the task", known)
    return learners


def _gone(split: Split, missing: Sequence[str]) -> float:
    return float(len(set(split.targets) & set(missing)))


def data_folder(data: Path | None, mirror: Path | None) -> Path:
    """Where the tables lie. InputError without one."""
    for folder in (data, None if mirror is None else mirror / "nas_latency"):
        if folder is not None and folder.is_dir():
            return folder
    raise InputError(
        "'--data' or '--mirror'", "names the folder of the NAS latency tables, see datasets/nas_latency/README.md"
    )


help_nasbench201 = partial(run, "help-nasbench201")
help_fbnet = partial(run, "help-fbnet")
nasflat_nd = partial(run, "nasflat-ND")
nasflat_fd = partial(run, "nasflat-FD")
nasflat_f1 = partial(run, "nasflat-F1")
nasflat_f2 = partial(run, "nasflat-F2")
nasflat_f3 = partial(run, "nasflat-F3")
nasflat_f4 = partial(run, "nasflat-F4")
nasflat_fa = partial(run, "nasflat-FA")


class _Task:
    """One split on one table: features computed once, the first plan made once."""

    def __init__(self, split: Split, table: LatencyTable, learners: Sequence[FewShotRegressor], seeds: int):
        self.split, self.table, self.learners, self.seeds = split, table, learners, seeds
        inputs = learners[0].known.inputs(table.ops)
        self.features = {one.learner: _features(one, learners[0], inputs, table) for one in learners}
        self.macs = inputs.physics.column("macs")
        devices = [device for device in learners[0].devices if device in table.latency_ms]
        self.known_log = np.log(np.column_stack([table.latency_ms[device] for device in devices]))
        self.places = {row.tobytes(): i for i, row in enumerate(table.ops)}
        self.offered = [self._offer(seed) for seed in range(seeds)]
        self.first = [
            self._rows_of(learners[0].plan(_STEPS[0], candidates=offered, seed=seed))
            for seed, offered in enumerate(self.offered)
        ]

    def rows(self, target: str) -> Iterator[dict[str, Any]]:
        """One row per method, way of sampling and number of measurements, means over seeds."""
        latency = self.table.latency_ms[target]
        query = trimmed(self.split.query, latency)
        yield _row(target, "flops", "none", 0, [{"spearman": spearman(self.macs[query], latency[query])}])
        plans = [self._planned(latency, seed) for seed in range(self.seeds)]
        for n in SIZES:
            for sampling in ("random", "planned"):
                found: dict[str, list[dict[str, float]]] = {}
                for seed in range(self.seeds):
                    measured = self._random(latency, n, seed) if sampling == "random" else plans[seed][:n]
                    for method, figures in self._once(latency, measured, query).items():
                        found.setdefault(method, []).append(figures)
                yield from (_row(target, method, sampling, n, figures) for method, figures in found.items())

    def _once(self, latency: Array, measured: Rows, query: Rows) -> dict[str, dict[str, float]]:
        ridge = ridge_regression(self.known_log[measured], np.log(latency[measured]), self.known_log[query])
        figures = {"ridge": _figures(latency[query], np.exp(ridge))}
        adapted = [self._adapt(learner, latency, measured) for learner in self.learners]
        for device, adapt_ms in adapted:
            figures[device.learner] = {**self._score(device, latency, query), "adapt_ms": adapt_ms}
        best = champion([device for device, _ in adapted]).learner
        both = sum(adapt_ms for _, adapt_ms in adapted)
        figures["champion"] = {**figures[best], "adapt_ms": both, "chose_meta": float(best == adapted[0][0].learner)}
        return figures

    def _adapt(self, learner: FewShotRegressor, latency: Array, measured: Rows) -> tuple[AdaptedDevice, float]:
        started = time.process_time()
        device = learner.adapt([row.tolist() for row in self.table.ops[measured]], latency[measured])
        return device, 1e3 * (time.process_time() - started)

    def _score(self, device: AdaptedDevice, latency: Array, query: Rows) -> dict[str, float]:
        offset, features = self.features[device.learner]
        estimate = device.predict_features(offset[query], features[query])
        low, high = device.interval(estimate)
        return {**_figures(latency[query], np.exp(estimate.point)), **interval_quality(latency[query], low, high)}

    def _random(self, latency: Array, n: int, seed: int) -> Rows:
        rng = np.random.default_rng(seed)
        return np.asarray(rng.choice(trimmed(self.split.pool, latency), n, replace=False))

    def _offer(self, seed: int) -> list[list[int]]:
        pool = np.arange(len(self.table.ops)) if self.split.pool is None else np.asarray(self.split.pool)
        rows = np.random.default_rng(seed).choice(pool, min(_OFFERED, len(pool)), replace=False)
        offered: list[list[int]] = self.table.ops[rows].tolist()
        return offered

    def _planned(self, latency: Array, seed: int) -> Rows:
        """Rows of the table in the order measured, for the largest size: a smaller plan is its beginning."""
        measured = self.first[seed]
        for size in _STEPS[1:]:
            device, _ = self._adapt(self.learners[0], latency, measured)
            chosen = device.plan(size - len(measured), candidates=self.offered[seed], seed=seed)
            measured = np.concatenate([measured, self._rows_of(chosen)])
        return measured

    def _rows_of(self, architectures: Sequence[Sequence[int]]) -> Rows:
        return np.array([self.places[np.array(row, dtype=np.int64).tobytes()] for row in architectures])


def _features(
    learner: FewShotRegressor, first: FewShotRegressor, inputs: Inputs, table: LatencyTable
) -> tuple[Array, Array]:  # fmt: skip
    """Learners of the same known devices read the same inputs, unless one has a network of its own."""
    same = learner.devices == first.devices and learner.known.deep is first.known.deep
    return learner.basis(inputs) if same else learner.features(table.ops)


def trimmed(rows: range | None, latency: Array) -> Rows:
    """HELP's trimming: without the tenth that is fastest on the target and the tenth that is slowest, by order."""
    if rows is None:
        return np.arange(len(latency))
    order = np.argsort(latency[rows.start : rows.stop], kind="stable")
    inside: Rows = rows.start + np.sort(order[int(0.1 * len(order)) : int(0.9 * len(order))])
    return inside


def ridge_regression(x: Array, y: Array, query: Array) -> Array:
    """Ridge regression over log latencies of known devices, penalty by leave-one-out: the plain method to beat."""
    centre, level = x.mean(axis=0), y.mean()
    kernel = (x - centre) @ (x - centre).T
    values, vectors = np.linalg.eigh(kernel)
    target = vectors.T @ (y - level)
    best, best_error, n = np.zeros(len(y)), np.inf, len(y)
    for ridge in _RIDGES * max(float(values.mean()), 1e-12):
        dual = vectors @ (target / (values + ridge))
        leverage = 1 / n + ((vectors**2) * (values / (values + ridge))).sum(axis=1)
        error = float((((ridge * dual) / np.maximum(1 - leverage, 1e-3)) ** 2).mean())
        if error < best_error:
            best, best_error = dual, error
    return np.asarray(level + (query - centre) @ ((x - centre).T @ best))


def _figures(truth: Array, predicted: Array) -> dict[str, float]:
    error = np.abs(predicted / truth - 1)
    return {
        "spearman": spearman(truth, predicted),
        "kendall": kendall(truth, predicted, limit=_KENDALL_ROWS),
        "median_error": float(np.median(error)),
        "within_10pct": float((error <= 0.10).mean()),
    }


def _row(target: str, method: str, sampling: str, n: int, figures: Sequence[dict[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"device": target, "method": method, "sampling": sampling, "n": n, "seeds": len(figures)}
    row |= dict.fromkeys(_ROW_FIGURES)
    row |= {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
    return row | {"spearman_sd": float(np.std([one["spearman"] for one in figures]))}


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over target devices, of the champion unless a key says otherwise."""

    def mean(figure: str, method: str, sampling: str, n: int) -> float:
        chosen = [r for r in rows if (r["method"], r["sampling"], r["n"]) == (method, sampling, n)]
        return float(np.mean([row[figure] for row in chosen]))

    summary = {"flops_spearman": mean("spearman", "flops", "none", 0)}
    for n in SIZES:
        summary[f"spearman_{n}"] = mean("spearman", "champion", "random", n)
        summary[f"spearman_planned_{n}"] = mean("spearman", "champion", "planned", n)
        summary[f"ridge_spearman_{n}"] = mean("spearman", "ridge", "random", n)
        summary[f"median_error_{n}"] = mean("median_error", "champion", "random", n)
        summary[f"median_error_planned_{n}"] = mean("median_error", "champion", "planned", n)
        summary[f"coverage_{n}"] = mean("coverage", "champion", "random", n)
        summary[f"coverage_planned_{n}"] = mean("coverage", "champion", "planned", n)
    summary["adapt_ms"] = mean("adapt_ms", "champion", "random", 10)
    return summary
