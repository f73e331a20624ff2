"""`mlir`: the packaged bundle on labelled programs, beside the analytic estimate and the paper's sequence models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.mlir_speed import predict_over_parse
from costmodel.corpus import Corpus, Labels
from costmodel.evaluation.metrics import accuracy, interval_quality
from costmodel.kinds import kind_of
from costmodel.mlir.estimate import CodeEstimate
from costmodel.mlir.ranking import area_under_curve, pairs_right
from costmodel.paths import dataset_folder
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from costmodel.training.fitting import FeatureStore
from costmodel.training.shared import leave_out_refused, pooled
from featurizers.core import Raw
from featurizers.errors import InputError

Array = npt.NDArray[np.float64]
_SPLITS = {"test_seen": "seen", "test_unseen": "unseen"}
_POSITIVE = ("instructions", "cycles")
_TIMED = 200
BASELINES = Path("benchmarks/results/mlir-baselines.json")
"""Figures of the sequence models on the repository's own data, made by ``costmodel benchmark mlir-baselines``."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """One target on all CPUs: labels, answers, and who each row belongs to."""

    value: Array
    point: Array
    low: Array
    high: Array
    flagged: npt.NDArray[np.bool_]
    analytic: Array
    any_spill: Array
    split: npt.NDArray[np.str_]
    pair_group: npt.NDArray[np.str_]


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """Both test splits, all CPUs that the bundle knows. Rows: a line per split and target, then per CPU."""
    predictor = Predictor.load(PRETRAINED / "mlir")
    corpus = _corpus(predictor, data)
    store = FeatureStore(corpus)
    leave_out_refused(store, print)
    corpus = store.corpus
    answered = {}
    for name in ("instructions", "cycles", "code_bytes", "register_spills", "register_reloads", "stack_bytes"):
        labels = [own for own in corpus.labels if own.target.name == name]
        if labels:
            answered[name] = _answer(predictor, store, labels)
    rows = [row for name, got in answered.items() for row in _rows(name, got)]
    rows += _baseline_rows() if data is None else []
    summary = _summary(answered)
    summary["predict_over_parse"] = predict_over_parse(predictor, _spread_over(corpus.raws))
    return {"benchmark": "mlir", "rows": rows, "summary": summary}


def _corpus(predictor: Predictor, data: Path | None) -> Corpus:
    from dataclasses import replace

    kind = kind_of("mlir")
    assert kind.corpus is not None
    corpus = kind.corpus(data or dataset_folder(kind.dataset))
    tests = np.isin(corpus.split, list(_SPLITS))
    known = []
    for own in corpus.labels:
        device = predictor.devices.get(own.device.name)
        if device is not None and own.target.name in device.targets:
            keep = tests[own.subject]
            known.append(replace(own, subject=own.subject[keep], value=own.value[keep], noise=own.noise[keep]))
    if not known:
        raise InputError("The labels", "must be of a CPU that the bundle knows", sorted(predictor.devices))
    return replace(corpus, labels=tuple(own for own in known if len(own.subject)))


def _answer(predictor: Predictor, store: FeatureStore, labels: Sequence[Labels]) -> _Answered:
    pool = pooled(store, labels)
    target = labels[0].target
    model = predictor.model(labels[0].device.name, target.name)
    answers = model.answer(pool.features)
    analytic = CodeEstimate(target.name).predict(pool.features).point
    regressor: Any = model.regressor
    some = regressor.probability(pool.features) if target.count and hasattr(regressor, "probability") else answers.value
    value = np.concatenate([own.value for own in labels])
    cpu = np.concatenate([np.full(len(own.subject), own.device.name) for own in labels])
    groups = np.char.add(np.char.add(pool.ids.astype(str), "|"), cpu)
    flagged = np.array([bool(reason) for reason in answers.reasons])
    return _Answered(
        value, answers.value, answers.low, answers.high, flagged, target.answered(analytic), some, pool.split, groups
    )


def _rows(target: str, got: _Answered) -> list[dict[str, Any]]:
    cpus = np.array([group.rpartition("|")[2] for group in got.pair_group])
    rows = []
    for split, short in _SPLITS.items():
        member = got.split == split
        for cpu in ("all", *sorted(set(cpus[member]))):
            chosen = member & ((cpus == cpu) | (cpu == "all"))
            rows.append({"target": target, "split": short, "cpu": cpu, **_figures(target, got, chosen)})
    return rows


def _figures(target: str, got: _Answered, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    value, point = got.value[chosen], got.point[chosen]
    row: dict[str, Any] = {"n": len(value)}
    if not len(value):
        return row
    if target in _POSITIVE or target == "code_bytes":
        own, plain = accuracy(value, point), accuracy(value, got.analytic[chosen])
        row |= {key: own[key] for key in ("median_error", "p90_error", "within_10pct", "spearman")}
        row |= {f"analytic_{key}": plain[key] for key in ("median_error", "p90_error", "spearman")}
        row["coverage"] = interval_quality(value, got.low[chosen], got.high[chosen])["coverage"]
        right, total = pairs_right(got.pair_group[chosen].tolist(), value, point)
        right_plain, _ = pairs_right(got.pair_group[chosen].tolist(), value, got.analytic[chosen])
        if total:
            row |= {"pairwise": right / total, "analytic_pairwise": right_plain / total}
    else:
        row["exact"] = float(np.mean(np.round(point) == value))
        row["auc"] = area_under_curve(value > 0, got.any_spill[chosen])
        row["analytic_exact"] = float(np.mean(np.round(got.analytic[chosen]) == value))
        row["analytic_auc"] = area_under_curve(value > 0, got.analytic[chosen])
        row["coverage"] = interval_quality(value, got.low[chosen], got.high[chosen])["coverage"]
    row["flagged"] = float(got.flagged[chosen].mean())
    return row


def _summary(answered: Mapping[str, _Answered]) -> dict[str, float]:
    summary: dict[str, float] = {}
    for split, short in _SPLITS.items():
        figures = {name: _figures(name, got, got.split == split) for name, got in answered.items()}
        for name in _POSITIVE:
            for key in ("median_error", "p90_error"):
                summary[f"{key}_{name}_{short}"] = figures.get(name, {}).get(key, float("nan"))
            key = f"analytic_median_error_{name}_{short}"
            summary[key] = figures.get(name, {}).get("analytic_median_error", float("nan"))
        summary[f"pairwise_{short}"] = figures.get("cycles", {}).get("pairwise", float("nan"))
        spills = figures.get("register_spills", {})
        summary[f"spills_exact_{short}"] = spills.get("exact", float("nan"))
        summary[f"spills_auc_{short}"] = spills.get("auc", float("nan"))
        covered = [figures[name]["coverage"] for name in _POSITIVE if "coverage" in figures.get(name, {})]
        summary[f"coverage_{short}"] = float(np.mean(covered)) if covered else float("nan")
    return {key: value for key, value in summary.items() if np.isfinite(value)}


def _spread_over(raws: Sequence[Raw]) -> list[str]:
    """Some texts, evenly from all: neighbours are of one family, and of one size."""
    return [str(raw["mlir"]) for raw in raws[:: max(len(raws) // _TIMED, 1)]][:_TIMED]


def _baseline_rows() -> list[dict[str, Any]]:
    for root in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (root / BASELINES).is_file():
            found: list[dict[str, Any]] = json.loads((root / BASELINES).read_text())["rows"]
            return found
    return []
