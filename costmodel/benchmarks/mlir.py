"""`mlir`: the model on labelled programs, beside the analytic estimate and the paper's sequence models.

The packaged bundle answers about programs of others (``--data DIR``). To the repository's own it was fitted, test
splits and all: there the same learner is trained on the training split first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from costmodel.target_model import TargetModel
from costmodel.training.fitting import FeatureStore, FitSettings
from costmodel.training.shared import fit_shared, leave_out_refused, pooled
from featurizers.core import Features, Raw
from featurizers.errors import InputError

Models = Mapping[tuple[str, str], TargetModel]
Array = npt.NDArray[np.float64]
_SPLITS = {"test_seen": "seen", "test_unseen": "unseen"}
_POSITIVE = ("instructions", "cycles")
_TIMED = 200
TARGETS = ("instructions", "cycles", "code_bytes", "register_spills", "register_reloads", "stack_bytes")
BASELINES = Path("benchmarks/results/mlir-baselines.json")
"""Figures of the sequence models on the repository's own data, made by ``costmodel benchmark mlir-baselines``."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """One target on all CPUs: labels, answers, and who each row belongs to. together : answers where the variants of
    each function are asked about at once, as `rank` does."""

    value: Array
    point: Array
    low: Array
    high: Array
    flagged: npt.NDArray[np.bool_]
    analytic: Array
    any_spill: Array
    together: Array
    split: npt.NDArray[np.str_]
    pair_group: npt.NDArray[np.str_]


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """Both test splits, all CPUs that the bundle knows. Rows: a line per split and target, then per CPU."""
    predictor = Predictor.load(PRETRAINED / "mlir")
    store = FeatureStore(_corpus(predictor, data))
    leave_out_refused(store, print)
    models = _models(predictor, store)
    corpus = store.corpus = _tests(store.corpus)
    answered = {}
    for name in TARGETS:
        labels = [own for own in corpus.labels if own.target.name == name]
        if labels:
            answered[name] = _answer(models, store, labels)
    rows = [row for name, got in answered.items() for row in _rows(name, got)]
    rows += _baseline_rows() if data is None else []
    summary = _summary(answered)
    summary["predict_over_parse"] = predict_over_parse(predictor, _spread_over(corpus.raws))
    return {"benchmark": "mlir", "rows": rows, "summary": summary}


def _corpus(predictor: Predictor, data: Path | None) -> Corpus:
    """The labels that the bundle can be asked for."""
    kind = kind_of("mlir")
    assert kind.corpus is not None
    corpus = kind.corpus(data or dataset_folder(kind.dataset))
    devices = predictor.devices
    known = [
        own
        for own in corpus.labels
        if own.target.name in TARGETS
        and own.device.name in devices
        and own.target.name in devices[own.device.name].targets
    ]
    if not known:
        raise InputError("The labels", "must be of a CPU that the bundle knows", sorted(devices))
    return replace(corpus, labels=tuple(known))


def _models(predictor: Predictor, store: FeatureStore) -> Models:
    """The packaged models; where they were fitted to these very data, models of the training split alone."""
    card, corpus = predictor.card, store.corpus
    if "held_out" not in card or card.get("data_checksum") != corpus.checksum:
        return {
            (own.device.name, own.target.name): predictor.model(own.device.name, own.target.name)
            for own in corpus.labels
        }
    print("The packaged model was fitted to all of these data: training one on their training split (several minutes)")
    settings = FitSettings(card["learner"], card["seed"], parameters=card["parameters"])
    return fit_shared(store, settings, print)


def _tests(corpus: Corpus) -> Corpus:
    """The labels of the test splits."""
    tests = np.isin(corpus.split, list(_SPLITS))
    labels = []
    for own in corpus.labels:
        keep = tests[own.subject]
        labels.append(replace(own, subject=own.subject[keep], value=own.value[keep], noise=own.noise[keep]))
    return replace(corpus, labels=tuple(own for own in labels if len(own.subject)))


def _answer(models: Models, store: FeatureStore, labels: Sequence[Labels]) -> _Answered:
    pool = pooled(store, labels)
    target = labels[0].target
    model = models[labels[0].device.name, target.name]
    answers = model.answer(pool.features)
    analytic = CodeEstimate(target.name).predict(pool.features).point
    regressor: Any = model.regressor
    some = regressor.probability(pool.features) if target.count and hasattr(regressor, "probability") else answers.value
    value = np.concatenate([own.value for own in labels])
    cpu = np.concatenate([np.full(len(own.subject), own.device.name) for own in labels])
    groups = np.char.add(np.char.add(pool.ids.astype(str), "|"), cpu)
    flagged = np.array([bool(reason) for reason in answers.reasons])
    together = answers.value if target.count else _together(model, pool.features, answers.value, groups)
    plain = target.answered(analytic)
    return _Answered(
        value, answers.value, answers.low, answers.high, flagged, plain, some, together, pool.split, groups
    )


def _together(model: TargetModel, features: Features, alone: Array, groups: npt.NDArray[np.str_]) -> Array:
    """Answers (n,) about all variants of a function on a CPU at once; `alone` : about each by itself."""
    together = alone.copy()
    order = np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(groups[order][1:] != groups[order][:-1]) + 1):
        if len(rows) > 1:
            together[rows] = np.exp(model.compared(features.take(rows), np.log(alone[rows])))
    return together


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
        right, total = pairs_right(got.pair_group[chosen].tolist(), value, got.together[chosen])
        right_alone, _ = pairs_right(got.pair_group[chosen].tolist(), value, point)
        right_plain, _ = pairs_right(got.pair_group[chosen].tolist(), value, got.analytic[chosen])
        if total:
            row |= {"pairwise": right / total, "pairwise_alone": right_alone / total}
            row |= {"analytic_pairwise": right_plain / total}
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
