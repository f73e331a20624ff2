"""`train` and `evaluate`: from a dataset folder to a bundle, logged in MLflow, and perhaps the new champion."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.bundle_format import write_checksums
from costmodel.corpus import Corpus, Labels
from costmodel.evaluation.points import Points, held_out, write_points
from costmodel.evaluation.tables import evaluate_target
from costmodel.kinds import Kind, kind_of, load_bundle
from costmodel.predictor import Predictor
from costmodel.regressors import Regressor, extras_of, learner
from costmodel.target_model import TargetModel
from costmodel.training.feedback import Joined, join_reports
from costmodel.training.fitting import FeatureStore, FitSettings, fit_target
from featurizers.errors import InputError

REFITTED = "nothing: fitted on every split; its accuracy and points are of fits that had seen the training split alone"


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What `costmodel train` and `mlflow run . -e train` ask for.

    data : the dataset folder. out : write the bundle there too (must not exist). track : log to MLflow.
    tune : Optuna trials before the fit; 0 for none. parameters : of the learner. include_feedback : measured values
    that were reported to the service join the data, see `costmodel.training.feedback`. refit : what is judged has seen
    the training split alone; what is written has then been fitted again to every split.
    """

    kind: str
    data: Path
    learner: str | None = None
    seed: int = 0
    coverage: float = 0.9
    tune: int = 0
    out: Path | None = None
    track: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    include_feedback: bool = False
    refit: bool = False

    def __post_init__(self) -> None:
        kind_of(self.kind)
        if self.learner is not None:
            learner(self.learner)
        if not 0.5 <= self.coverage < 1:
            raise InputError("'coverage'", "must be at least 0.5 and below 1", self.coverage)
        if self.tune < 0:
            raise InputError("'tune'", "must be a number of trials, 0 or more", self.tune)
        if self.refit and not kind_of(self.kind).shared:
            raise InputError("'refit'", "goes with kinds whose devices share one model", self.kind)
        if self.out is not None and self.out.exists() and any(self.out.iterdir()):
            raise InputError("'out'", "must not exist, or be an empty folder", str(self.out))


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The predictor, its accuracy table, and what the registry did (None without tracking)."""

    predictor: Predictor
    rows: list[dict[str, Any]]
    held_out_error: float
    registered: str | None


def train(request: TrainRequest, log: Callable[[str], None] = print) -> TrainResult:
    """Fit, evaluate, write, log, and promote if better. CorpusError, before any fit: the data break their schema."""
    kind = kind_of(request.kind)
    if kind.corpus is None:
        raise InputError(f"The kind '{kind.name}'", "has no corpus to train on")
    settings = FitSettings(request.learner or kind.learner, request.seed, request.coverage, dict(request.parameters))
    store = FeatureStore(_chosen(kind.corpus(request.data), request.devices), extras_of(learner(settings.learner)))
    feedback = _feedback(store, request.kind, log) if request.include_feedback else None
    corpus = store.corpus
    if request.tune:
        from costmodel.training.tuning import tuned

        settings = tuned(store, settings, request.tune, log)
    whole = None if kind.fit is None else kind.fit(store, settings, log)
    if whole is not None:
        models = {(t.device.name, t.target.name): whole.model(t.device.name, t.target.name) for t in corpus.labels}
    elif kind.shared and not store.extras:  # who reads tokens or graphs does not see the device's columns
        from costmodel.training.shared import fit_shared, leave_out_refused

        leave_out_refused(store, log)
        models = fit_shared(store, settings, log)
    else:
        models = {(t.device.name, t.target.name): fit_target(store, t, settings, log) for t in corpus.labels}
    rows = table(store, models, kind, request.seed)
    error = held_out_error(rows)
    predictor = judged = whole or _predictor(kind, corpus, models, settings, rows)
    if request.refit:
        predictor = _predictor(kind, corpus, _refitted(store, settings, models, log), settings, rows)
        predictor.card = {**predictor.card, "held_out": REFITTED}
    if feedback is not None:
        predictor.card = {**predictor.card, "feedback": feedback.card()}
    registered = None
    with tempfile.TemporaryDirectory() as scratch:
        folder = request.out or Path(scratch) / "bundle"
        folder.mkdir(parents=True, exist_ok=True)
        write_points(folder, points_of(store, models))
        predictor.save(folder)
        if request.track:
            from costmodel.tracking.logging import log_training

            registered = log_training(request, settings, corpus, predictor, judged, rows, error, folder, store, log)
    return TrainResult(predictor, rows, error, registered)


def _refitted(
    store: FeatureStore,
    settings: FitSettings,
    models: Mapping[tuple[str, str], TargetModel],
    log: Callable[[str], None],
) -> dict[tuple[str, str], TargetModel]:
    from costmodel.training.shared import refit_shared

    if store.extras:
        raise InputError("'refit'", "goes with learners on columns that all devices share", settings.learner)
    return refit_shared(store, settings, models, log)


def _feedback(store: FeatureStore, kind: str, log: Callable[[str], None]) -> Joined:
    from costmodel.state import Database
    from costmodel.state.reports import ReportStore

    return join_reports(store, ReportStore(Database()).of_kind(kind), log)


def _chosen(corpus: Corpus, devices: tuple[str, ...]) -> Corpus:
    if not devices:
        return corpus
    from dataclasses import replace

    from featurizers.errors import UnknownNameError

    known = {labels.device.name for labels in corpus.labels}
    for name in devices:
        if name not in known:
            raise UnknownNameError("device", name, known)
    return replace(corpus, labels=tuple(labels for labels in corpus.labels if labels.device.name in devices))


def table(
    store: FeatureStore, models: Mapping[tuple[str, str], TargetModel], kind: Kind, seed: int
) -> list[dict[str, Any]]:
    """Accuracy by device, target and split, beside the kind's baselines fitted on the same training split."""
    rows = []
    for labels in store.corpus.labels:
        features = store.features(labels)
        split = store.corpus.split[labels.subject]
        baselines = {name: _baseline(name, store, labels, seed) for name in kind.baselines}
        model = models[labels.device.name, labels.target.name]
        rows += evaluate_target(model, baselines, features, labels, split.tolist())
    return rows


def points_of(store: FeatureStore, models: Mapping[tuple[str, str], TargetModel]) -> list[Points]:
    """Held-out predictions beside measurements, by device and target."""
    corpus = store.corpus
    return [
        held_out(
            models[labels.device.name, labels.target.name],
            store.features(labels),
            labels,
            corpus.split[labels.subject].tolist(),
            corpus.family[labels.subject].tolist(),
        )
        for labels in corpus.labels
    ]


def _baseline(name: str, store: FeatureStore, labels: Labels, seed: int) -> Regressor:
    train_rows = np.flatnonzero(store.corpus.split[labels.subject] == "train")
    features = store.features(labels).take(train_rows)
    y = labels.target.learned(labels.value)
    groups = np.asarray(store.corpus.ids)[labels.subject[train_rows]]
    return FitSettings(name).new(labels.target.name).fit(features, y[train_rows], groups, seed)


def held_out_error(rows: list[dict[str, Any]]) -> float:
    """Mean over devices and targets of the median error on the validation split: what decides about the champion."""
    return float(np.mean([row["median_error"] for row in rows if row["split"] == "validation"]))


def evaluate(predictor: Predictor, data: Path) -> list[dict[str, Any]]:
    """The accuracy table of any bundle on a dataset folder; targets and devices that it does not have are left out."""
    return evaluate_on(predictor, _corpus(predictor.kind, data))


def evaluate_on(predictor: Predictor, corpus: Corpus) -> list[dict[str, Any]]:
    """As `evaluate`, on labelled data that were read already."""
    store, models = _labelled(predictor, corpus)
    return table(store, models, kind_of(predictor.kind), seed=0)


def add_points(folder: Path, data: Path) -> None:
    """Put predictions beside measurements of a dataset folder's test subjects into the bundle in `folder`."""
    predictor = load_bundle(folder)
    store, models = _labelled(predictor, _corpus(predictor.kind, data))
    write_points(folder, points_of(store, models))
    write_checksums(folder)


def _corpus(name: str, data: Path) -> Corpus:
    kind = kind_of(name)
    if kind.corpus is None:
        raise InputError(f"The kind '{name}'", "has no corpus to evaluate on")
    return kind.corpus(data)


def _labelled(predictor: Predictor, corpus: Corpus) -> tuple[FeatureStore, dict[tuple[str, str], TargetModel]]:
    if "held_out" in predictor.card and predictor.card.get("data_checksum") == corpus.checksum:
        rule = f"cannot be judged on the data that it was fitted on (held out: {predictor.card['held_out']})"
        raise InputError(f"The model '{predictor.name}' {predictor.version}", rule)
    known = tuple(
        labels.device.name
        for labels in corpus.labels
        if labels.device.name in predictor.devices and labels.target.name in predictor.targets
    )
    if not known:
        raise InputError(
            f"The data '{corpus.name}'", "must hold a device that the bundle knows", sorted(predictor.devices)
        )
    chosen = _chosen(corpus, known)
    models = {
        (own.device.name, own.target.name): predictor.model(own.device.name, own.target.name) for own in chosen.labels
    }
    extras = frozenset().union(*(extras_of(model.regressor) for model in models.values()))
    return FeatureStore(chosen, extras), models


def _predictor(
    kind: Kind,
    corpus: Corpus,
    models: Mapping[tuple[str, str], TargetModel],
    settings: FitSettings,
    rows: list[dict[str, Any]],
) -> Predictor:
    from costmodel import __version__

    devices = {labels.device.name: labels.device for labels in corpus.labels}
    targets = {labels.target.name: labels.target for labels in corpus.labels}
    card = {
        "data": corpus.name,
        "data_checksum": corpus.checksum,
        "licence": corpus.licence,
        "learner": settings.learner,
        "seed": settings.seed,
        "parameters": dict(settings.parameters or {}),
        "accuracy": [_finite(row) for row in rows if row["split"].startswith("test")],
        "notes": dict(corpus.notes),
    }
    return Predictor(kind.name, f"costmodel-{kind.name}", __version__, devices, targets, dict(models), card)


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Figures rounded for the card; a figure that could not be computed is null."""
    return {
        key: (round(value, 4) if np.isfinite(value) else None) if isinstance(value, float) else value
        for key, value in row.items()
    }
