"""From a corpus to target models: features once per profile, a fit per device and target, intervals, domain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.calibration import Calibration, Flagged
from costmodel.corpus import Corpus, CorpusError, Labels
from costmodel.distributed import Here, active
from costmodel.distributed.featurising import features_by
from costmodel.domain import Domain
from costmodel.evaluation.tables import NOISY
from costmodel.kinds import kind_of
from costmodel.regressors import Array, Regressor, extras_of, group_folds, learner
from costmodel.target_model import TargetModel, novelty_of
from costmodel.training.parts import PartTable, match_parts, part_subjects
from featurizers.core import Features
from featurizers.errors import InputError

_FAMILY_FOLDS = 4
_MIN_TRAIN, _MIN_HELD_OUT = 20, 10
_PART_WEIGHT = 0.5
"""What all single-part labels of a subject together count, beside the subject's total which counts 1."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """learner : a key of `LEARNERS`; parameters : of its constructor."""

    learner: str
    seed: int = 0
    coverage: float = 0.9
    parameters: Mapping[str, Any] | None = None

    def new(self, target: str = "") -> Regressor:
        """An unfitted regressor, told which target it is for where it wants to know (`for_target`)."""
        made = learner(self.learner)(**(self.parameters or {}))
        return made.for_target(target) if hasattr(made, "for_target") else made


class FeatureStore:
    """Subjects of a corpus, parsed when first needed, and their features by what is asked of them.

    extras : what its regressors read beside vectors and parts, see `Featurizer.features`.
    """

    def __init__(self, corpus: Corpus, extras: Collection[str] = ()):
        self.corpus = corpus
        self.extras = extras
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
            self._features[key] = self._computed(labels.subject, key[0])
        return self._features[key]

    def _computed(self, rows: npt.NDArray[np.int64], profile: str) -> Features:
        cluster = active()
        if isinstance(cluster, Here):
            return self.featurizer.features(self.subjects(rows), profile=profile, extras=self.extras)
        ids, raws = self.corpus.ids, self.corpus.raws
        chosen = rows.tolist()
        return features_by(
            cluster, self.corpus.kind, [ids[i] for i in chosen], [raws[i] for i in chosen], profile, self.extras
        )

    def part_table(self, labels: Labels) -> PartTable:
        """The parts that `labels.parts` measured, found in their subjects."""
        assert labels.parts is not None
        if labels.device.name not in self._part_tables:
            rows = np.unique(labels.parts.subject)
            self._part_tables[labels.device.name] = match_parts(self.featurizer, rows, self.subjects(rows), labels)
        return self._part_tables[labels.device.name]


def fit_target(store: FeatureStore, labels: Labels, settings: FitSettings, log: Callable[[str], None]) -> TargetModel:
    """Fit one target on one device from the train split; intervals from the validation split.

    Labels too noisy to be a truth do not take part in the intervals. CorpusError: too few subjects.
    """
    corpus = store.corpus
    features = store.features(labels)
    y = labels.target.learned(labels.value)
    split = corpus.split[labels.subject]
    train = np.flatnonzero(split == "train")
    held = np.flatnonzero(split == "validation")
    log(f"{labels.device.name} {labels.target.name}: {len(train)} train, {len(held)} validation")
    if len(train) < _MIN_TRAIN or len(held) < _MIN_HELD_OUT:
        what = f"The data of '{labels.target.name}' on device '{labels.device.name}'"
        rule = f"must hold at least {_MIN_TRAIN} training and {_MIN_HELD_OUT} validation subjects"
        raise CorpusError(f"{what} {rule}. They hold {len(train)} and {len(held)}.")
    regressor = _fit(store, labels, features, y, train, settings)
    domain = Domain.fit(features.take(train))
    flagged = _errors_on_unseen_families(store, labels, features, y, train, settings)
    quiet = held[labels.noise[held] <= np.maximum(NOISY, np.median(labels.noise[held]))]
    estimate = regressor.predict(features.take(quiet))
    calibration = Calibration.fit(estimate, y[quiet], settings.coverage, flagged=flagged)
    return TargetModel(regressor, calibration, domain, labels.target.positive, labels.target.count)


def _fit(
    store: FeatureStore,
    labels: Labels,
    features: Features,
    y: Array,
    rows: npt.NDArray[np.int64],
    settings: FitSettings,
    members: int | None = None,
) -> Regressor:
    regressor = settings.new(labels.target.name)
    if members is not None and hasattr(regressor, "settings"):
        regressor.settings["members"] = members
    ids = np.asarray(store.corpus.ids)[labels.subject]
    weights = _weights(labels.noise)
    shown, target, groups, w = features.take(rows), y[rows], ids[rows], weights[rows]
    if labels.parts is not None and shown.parts is not None and not extras_of(regressor):
        table = store.part_table(labels)
        shown, target, groups, w = part_subjects(
            shown, target, groups, w, table, labels, labels.subject[rows], np.asarray(store.corpus.ids), _PART_WEIGHT
        )
    return regressor.fit(shown, target, groups, settings.seed, w)


def _weights(noise: Array) -> Array:
    """Labels that repeat badly count less: 1 up to 5% spread between repeats, falling with its square."""
    return np.asarray(1.0 / (1.0 + (np.maximum(noise, 0.0) / 0.05) ** 2) * 2.0).clip(0.05, 1.0)


def _errors_on_unseen_families(
    store: FeatureStore,
    labels: Labels,
    features: Features,
    y: Array,
    train: npt.NDArray[np.int64],
    settings: FitSettings,
) -> Flagged | None:
    """Errors on whole families left out, of the subjects that the domain check would flag."""
    family = store.corpus.family[labels.subject]
    if len(np.unique(family[train])) < 2 * _FAMILY_FOLDS:
        return None
    found = []
    for held_out in group_folds(family[train], _FAMILY_FOLDS, settings.seed):
        seen, unseen = train[~held_out], train[held_out]
        regressor = _fit(store, labels, features, y, seen, settings, members=2)
        domain, shown = Domain.fit(features.take(seen)), features.take(unseen)
        estimate, novelty = regressor.predict(shown), novelty_of(regressor, domain, shown)
        flagged = np.array([bool(reason) for reason in domain.check(shown)])
        error = np.abs(estimate.point - y[unseen])
        found.append((error[flagged], estimate.spread[flagged], novelty[flagged]))
    return Flagged(*(np.concatenate(column) for column in zip(*found, strict=True)))
