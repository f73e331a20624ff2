"""From a corpus to target models: features once per profile, a fit per device and target, intervals, domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.calibration import Calibration
from costmodel.corpus import Corpus, CorpusError, Labels
from costmodel.domain import Domain
from costmodel.kinds import kind_of
from costmodel.regressors import Array, Estimate, Regressor, group_folds, learner
from costmodel.target_model import TargetModel
from costmodel.training.parts import PartTable, match_parts, part_subjects
from featurizers.core import Features
from featurizers.errors import InputError

_FAMILY_FOLDS = 4
_PART_WEIGHT = 0.5
"""What all single-part labels of a subject together count, beside the subject's total which counts 1."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """learner : a key of `LEARNERS`; parameters : of its constructor."""

    learner: str
    seed: int = 0
    coverage: float = 0.9
    parameters: Mapping[str, Any] | None = None

    def new(self) -> Regressor:
        """An unfitted regressor."""
        return learner(self.learner)(**(self.parameters or {}))


class FeatureStore:
    """Subjects of a corpus, parsed when first needed, and their features by what is asked of them."""

    def __init__(self, corpus: Corpus):
        self.corpus = corpus
        self.featurizer = kind_of(corpus.kind).featurizer()
        self._subjects: dict[int, Any] = {}
        self._features: dict[tuple[str, bytes], Features] = {}
        self._part_tables: dict[str, PartTable] = {}

    def subjects(self, rows: npt.NDArray[np.int64]) -> list[Any]:
        """Parsed subjects. CorpusError names the one that its featurizer refuses."""
        return [self._subject(row) for row in rows.tolist()]

    def _subject(self, row: int) -> Any:
        if row not in self._subjects:
            try:
                self._subjects[row] = self.featurizer.parse(self.corpus.raws[row])
            except InputError as error:
                raise CorpusError(f"{self.corpus.name}, subject '{self.corpus.ids[row]}': {error}") from error
        return self._subjects[row]

    def features(self, labels: Labels) -> Features:
        """Features of the labelled subjects under the device's profile, in the labels' order."""
        key = (labels.device.profile, labels.subject.tobytes())
        if key not in self._features:
            self._features[key] = self.featurizer.features(self.subjects(labels.subject), profile=key[0])
        return self._features[key]

    def part_table(self, labels: Labels) -> PartTable:
        """The parts that `labels.parts` measured, found in their subjects."""
        assert labels.parts is not None
        if labels.device.name not in self._part_tables:
            rows = np.unique(labels.parts.subject)
            self._part_tables[labels.device.name] = match_parts(self.featurizer, rows, self.subjects(rows), labels)
        return self._part_tables[labels.device.name]


def fit_target(store: FeatureStore, labels: Labels, settings: FitSettings, log: Callable[[str], None]) -> TargetModel:
    """Fit one target on one device from the train split; intervals from what each fit had not seen."""
    corpus = store.corpus
    features = store.features(labels)
    y = np.log(labels.value) if labels.target.positive else labels.value
    split = corpus.split[labels.subject]
    train = np.flatnonzero(split == "train")
    held = np.flatnonzero(split == "validation")
    log(f"{labels.device.name} {labels.target.name}: {len(train)} train, {len(held)} validation")
    regressor, unseen = _fit(store, labels, features, y, train, settings)
    estimate, truth = _unseen_by_fit(regressor, features, y, held, train, unseen)
    domain = Domain.fit(features.take(train))
    outside = _errors_on_unseen_families(store, labels, features, y, train, settings)
    calibration = Calibration.fit(estimate, truth, settings.coverage, outside=outside)
    return TargetModel(regressor, calibration, domain, labels.target.positive)


def _fit(
    store: FeatureStore,
    labels: Labels,
    features: Features,
    y: Array,
    rows: npt.NDArray[np.int64],
    settings: FitSettings,
    members: int | None = None,
) -> tuple[Regressor, Array]:
    """The regressor, and its out-of-fold points of `rows` (NaN where it has none)."""
    regressor = settings.new()
    if members is not None and hasattr(regressor, "settings"):
        regressor.settings["members"] = members
    ids = np.asarray(store.corpus.ids)[labels.subject]
    weights = _weights(labels.noise)
    shown, target, groups, w = features.take(rows), y[rows], ids[rows], weights[rows]
    if labels.parts is not None and shown.parts is not None:
        table = store.part_table(labels)
        shown, target, groups, w = part_subjects(
            shown, target, groups, w, table, labels, labels.subject[rows], np.asarray(store.corpus.ids), _PART_WEIGHT
        )
    regressor.fit(shown, target, groups, settings.seed, w)
    unseen = np.asarray(getattr(regressor, "out_of_fold", np.full(len(target), np.nan)))[: len(rows)]
    return regressor, unseen


def _weights(noise: Array) -> Array:
    """Labels that repeat badly count less: 1 up to 5% spread between repeats, falling with its square."""
    return np.asarray(1.0 / (1.0 + (np.maximum(noise, 0.0) / 0.05) ** 2) * 2.0).clip(0.05, 1.0)


def _unseen_by_fit(
    regressor: Regressor,
    features: Features,
    y: Array,
    held: npt.NDArray[np.int64],
    train: npt.NDArray[np.int64],
    out_of_fold: Array,
) -> tuple[Estimate, Array]:
    """Estimates of subjects that the fit had not seen: the validation split, and the training split out of fold."""
    rows = np.concatenate([held, train[np.isfinite(out_of_fold)]])
    estimate = regressor.predict(features.take(rows))
    point = estimate.point.copy()
    point[len(held) :] = out_of_fold[np.isfinite(out_of_fold)]
    if len(held) > 10 and len(rows) > len(held):
        # One member alone errs more than the average of all: scale its errors to what validation shows of the whole.
        single = np.median(np.abs(point[len(held) :] - y[rows][len(held) :]))
        whole = np.median(np.abs(point[: len(held)] - y[held]))
        shrink = float(np.clip(whole / max(single, 1e-9), 0.7, 1.0))
        point[len(held) :] = y[rows][len(held) :] + shrink * (point[len(held) :] - y[rows][len(held) :])
    return Estimate(point, estimate.spread), y[rows]


def _errors_on_unseen_families(
    store: FeatureStore,
    labels: Labels,
    features: Features,
    y: Array,
    train: npt.NDArray[np.int64],
    settings: FitSettings,
) -> Array | None:
    """|error|/spread on whole families left out, of the subjects that the domain check would flag."""
    family = store.corpus.family[labels.subject]
    if len(np.unique(family[train])) < 2 * _FAMILY_FOLDS:
        return None
    found = []
    for held_out in group_folds(family[train], _FAMILY_FOLDS, settings.seed):
        seen, unseen = train[~held_out], train[held_out]
        regressor, _ = _fit(store, labels, features, y, seen, settings, members=2)
        estimate = regressor.predict(features.take(unseen))
        flagged = np.array([bool(reason) for reason in Domain.fit(features.take(seen)).check(features.take(unseen))])
        found.append((np.abs(estimate.point - y[unseen]) / estimate.spread)[flagged])
    return np.concatenate(found)
