"""`own-networks`: a new device for networks that are no NAS encodings, from n measurements of datasets/host_networks.

Each device in turn is the new one; known are the packaged models of the devices of other runtimes (or of the real ones,
for a simulated accelerator), never one of its own: three ways to run onnxruntime in float32 are one runtime. Measured
are n validation networks, random or planned among `_OFFERED` random ones, five before anything was measured and then
step by step; judged are the networks of the test splits, two whole families of which no model has seen. Beside it: a
line through log FLOPs, the mean of the known devices times a constant, and ridge regression over the known predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.nas import ridge_regression
from costmodel.corpora.host_networks import load_corpus
from costmodel.corpus import Corpus, Labels
from costmodel.devices import work
from costmodel.devices.transfer import half_width
from costmodel.evaluation.metrics import interval_quality, spearman
from costmodel.fewshot.planning import greedy_plan
from costmodel.fewshot.posterior import CONSTANT_VARIANCE, Posterior, infer
from costmodel.paths import dataset_folder
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from costmodel.regressors.base import Array

SIZES = (5, 10, 20, 50)
SEEDS = 10
_TARGET = "latency_ms"
_OFFERED = 150
_PLANNING_NOISE = 0.01
_RUNTIMES = ("ort-fp32", "ort-int8", "openvino", "torch-eager", "sim-")
_PLAIN = ("flops", "scaled", "ridge")
_FIGURES = (
    "median_error", "median_error_unseen", "within_10pct", "spearman", "coverage", "width_ratio",
)  # fmt: skip
Rows = npt.NDArray[np.int64]


def run(data: Path | None, mirror: Path | None, seeds: int = SEEDS) -> dict[str, Any]:
    """Rows per device, method, way of sampling and number of measurements; the summary is their mean over devices."""
    corpus = load_corpus(data or dataset_folder("host_networks"))
    known = _Known(corpus, Predictor.load(PRETRAINED / "network"))
    labels = [own for own in corpus.labels if own.target.name == _TARGET and own.device.name in known.devices]
    rows = [row for own in labels for row in _New(known, own, seeds).rows()]
    return {"benchmark": "own-networks", "rows": rows, "summary": _summary(rows) | {"seeds": float(seeds)}}


def runtime_of(device: str) -> str:
    """Devices of one runtime are near copies of each other."""
    return next(name for name in _RUNTIMES if name in device)


class _Known:
    """Predictions of the packaged models for every network that training left out, and each network's work."""

    def __init__(self, corpus: Corpus, predictor: Predictor):
        self.split, self.rows = corpus.split, np.flatnonzero(corpus.split != "train")
        self.devices = [name for name, device in predictor.devices.items() if _TARGET in device.targets]
        raws = [corpus.raws[int(i)] for i in self.rows]
        self.logs = np.full((len(corpus.split), len(self.devices)), np.nan)
        outcomes = predictor.predict(raws, self.devices, [_TARGET])
        self.logs[self.rows] = np.log([[one.value for one in outcome] for outcome in outcomes])  # type: ignore[union-attr]
        self._work: dict[str, Array] = {}
        self.raws, self.predictor = raws, predictor

    def work(self, devices: Sequence[str]) -> Array:
        """(subjects, k) by the first measured one of `devices`."""
        device = work.shares_device(self.predictor, devices)
        if device not in self._work:
            found = work.work(self.predictor, device, _TARGET, self.raws)
            self._work[device] = np.full((len(self.logs), found.shape[1]), np.nan)
            self._work[device][self.rows] = found
        return self._work[device]


class _New:
    """One device in the role of the new one. Rows are those of its labels."""

    def __init__(self, known: _Known, own: Labels, seeds: int):
        self.device, self.seeds = own.device.name, seeds
        others = [i for i, name in enumerate(known.devices) if runtime_of(name) != runtime_of(self.device)]
        split = known.split[own.subject]
        self.pool = np.flatnonzero(split == "validation")
        self.test = np.flatnonzero(np.isin(split, ("test_seen", "test_unseen")))
        self.unseen = split[self.test] == "test_unseen"
        self.latency, self.logs = own.value, known.logs[own.subject][:, others]
        of = known.work([known.devices[i] for i in others])[own.subject]
        self.flops = of[:, -6]
        self.offset, self.features, self.group_of = work.design(self.logs, of)

    def rows(self) -> Iterator[dict[str, Any]]:
        plans = [self._planned(seed) for seed in range(self.seeds)]
        for n in SIZES:
            for sampling in ("random", "planned"):
                found: dict[str, list[dict[str, float]]] = {}
                for seed in range(self.seeds):
                    drawn = np.random.default_rng(seed).choice(self.pool, n, replace=False)
                    measured = drawn if sampling == "random" else plans[seed][:n]
                    for method, figures in self._once(measured).items():
                        found.setdefault(method, []).append(figures)
                for method, every in found.items():
                    mean = {key: float(np.mean([one[key] for one in every])) for key in every[0]}
                    row = {"device": self.device, "method": method, "sampling": sampling, "n": n}
                    yield row | dict.fromkeys(_FIGURES) | mean

    def _once(self, measured: Rows) -> dict[str, dict[str, float]]:
        log, test = np.log(self.latency[measured]), self.test
        line = np.polyfit(self.flops[measured], log, 1)
        scaled = self.offset[test] + float(np.median(log - self.offset[measured]))
        ridge = ridge_regression(self.logs[measured], log, self.logs[test])
        plain = dict(zip(_PLAIN, (np.polyval(line, self.flops[test]), scaled, ridge), strict=True))
        posterior = self._learned(measured)
        point = posterior.point(self.offset[test], self.features[test])
        half = half_width(posterior, self.features[test], len(measured))
        quality = interval_quality(self.latency[test], np.exp(point - half), np.exp(point + half))
        figures = {name: self._figures(np.asarray(value)) for name, value in plain.items()}
        return figures | {"transfer": self._figures(point) | quality}

    def _learned(self, measured: Rows) -> Posterior:
        residual = np.log(self.latency[measured]) - self.offset[measured]
        return infer(residual, self.features[measured], self.group_of, work.HYPERS)

    def _figures(self, point: Array) -> dict[str, float]:
        truth = self.latency[self.test]
        error = np.abs(np.exp(point) / truth - 1)
        return {
            "median_error": float(np.median(error)), "median_error_unseen": float(np.median(error[self.unseen])),
            "within_10pct": float((error <= 0.1).mean()), "spearman": spearman(truth, point),
        }  # fmt: skip

    def _planned(self, seed: int) -> Rows:
        """In the order measured, for the largest size."""
        offered = np.random.default_rng(seed).choice(self.pool, min(_OFFERED, len(self.pool)), replace=False)
        covariance = np.diag([CONSTANT_VARIANCE, *work.PLANNING_VARIANCE[self.group_of]])
        measured, noise = np.zeros(0, dtype=np.int64), _PLANNING_NOISE
        for size in SIZES:
            left = np.setdiff1d(offered, measured)
            chosen = greedy_plan(
                self.features[left], self.features[self.pool], covariance, noise, size - len(measured)
            )  # fmt: skip
            measured = np.concatenate([measured, left[chosen]])
            posterior = self._learned(measured)
            covariance, noise = posterior.covariance, posterior.noise
        return measured


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    def mean(figure: str, method: str, sampling: str, n: int) -> float:
        chosen = [row[figure] for row in rows if (row["method"], row["sampling"], row["n"]) == (method, sampling, n)]
        return float(np.mean(chosen))

    summary: dict[str, float] = {}
    for n in SIZES:
        for key, sampling in (("", "random"), ("_planned", "planned")):
            for figure in ("median_error", "median_error_unseen", "within_10pct", "spearman", "coverage"):
                summary[f"{figure}{key}_{n}"] = mean(figure, "transfer", sampling, n)
        for method in _PLAIN:
            summary[f"{method}_median_error_{n}"] = mean("median_error", method, "random", n)
    return summary
