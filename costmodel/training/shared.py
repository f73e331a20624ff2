"""One model per target for all devices: their descriptors are columns, so that each device teaches about the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from costmodel.calibration import Calibration, Flagged
from costmodel.corpus import CorpusError, Labels
from costmodel.domain import Domain
from costmodel.regressors import Array, Estimate, Regressor, group_folds
from costmodel.regressors.base import Mask, quick_of
from costmodel.target_model import TargetModel
from costmodel.training.fitting import FeatureStore, FitSettings
from featurizers.core import Features, joined

_MIN_TRAIN, _MIN_HELD_OUT = 20, 10
_FAMILY_FOLDS = 4
_DOMAIN_ROWS = 20_000
_FOLD_ROWS = 20_000
DOMAIN_GROUPS = {"mlir": ("estimate", "totals", "hot loop", "dialects")}
"""By kind, the groups of columns that the domain check looks at; all of them where a kind is not listed."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """All labels of one target: features and labels row by row, with each row's family, subject and split."""

    features: Features
    y: Array
    family: npt.NDArray[np.str_]
    ids: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]


def pools(labels: Sequence[Labels]) -> list[list[Labels]]:
    """By target, what one model is fitted to. Devices that no column tells apart (one profile: two compilers on one
    host) do not share a model."""
    found: dict[tuple[str, int], list[Labels]] = {}
    alike: Counter[tuple[str, str]] = Counter()
    for own in labels:
        same = own.target.name, own.device.profile
        found.setdefault((own.target.name, alike[same]), []).append(own)
        alike[same] += 1
    return list(found.values())


def pooled(store: FeatureStore, labels: Sequence[Labels]) -> Pooled:
    """The labels of one target on all its devices."""
    corpus = store.corpus
    rows = np.concatenate([own.subject for own in labels])
    return Pooled(
        joined([store.features(own) for own in labels]),
        np.concatenate([own.target.learned(own.value) for own in labels]),
        corpus.family[rows],
        np.asarray(corpus.ids)[rows],
        corpus.split[rows],
    )


def leave_out_refused(store: FeatureStore, log: Callable[[str], None]) -> None:
    """Take the labels of programs that the featurizer refuses out of the store's corpus, and say how many."""
    refused: dict[int, str] = {}
    for row in np.unique(np.concatenate([own.subject for own in store.corpus.labels])).tolist():
        try:
            store.subjects(np.asarray([row]))
        except CorpusError as error:
            refused[row] = str(error)
    if not refused:
        return
    log(f"{len(refused)} subjects are refused and left out; the first: {next(iter(refused.values()))}")
    labels = []
    for own in store.corpus.labels:
        keep = ~np.isin(own.subject, list(refused))
        labels.append(replace(own, subject=own.subject[keep], value=own.value[keep], noise=own.noise[keep]))
    store.corpus = replace(store.corpus, labels=tuple(labels))


def fit_shared(
    store: FeatureStore, settings: FitSettings, log: Callable[[str], None]
) -> dict[tuple[str, str], TargetModel]:
    """A model per target, the same object for each of its devices. CorpusError: too few subjects."""
    models = {}
    for labels in pools(store.corpus.labels):
        model = _fit_pool(pooled(store, labels), labels, store.corpus.kind, settings, log)
        models.update({(own.device.name, own.target.name): model for own in labels})
    return models


def refit_shared(
    store: FeatureStore,
    settings: FitSettings,
    models: Mapping[tuple[str, str], TargetModel],
    log: Callable[[str], None],
) -> dict[tuple[str, str], TargetModel]:
    """`models` with regressors and domains of all splits, to be shipped and not to be judged on the same data.

    Calibrations stay those of `models`: of rows, and of families, that their regressors had not seen. With more to
    learn from, errors are rather smaller than these say.
    """
    fitted: dict[tuple[str, str], TargetModel] = {}
    for labels in pools(store.corpus.labels):
        target, pool = labels[0].target.name, pooled(store, labels)
        rows = np.arange(len(pool.y))
        log(f"{target}: fitted again to all {len(rows)} rows")
        model = models[labels[0].device.name, target]
        again = getattr(model.regressor, "refitted", None)
        regressor = (
            _fitted(settings.new(target), pool, rows, settings.seed)
            if again is None
            else again(pool.features, pool.y, pool.ids, settings.seed)
        )
        model = replace(model, regressor=regressor, domain=_domain(pool, rows, store.corpus.kind, settings))
        fitted.update({(own.device.name, target): model for own in labels})
    return fitted


def _domain(pool: Pooled, rows: npt.NDArray[np.int64], kind: str, settings: FitSettings) -> Domain:
    return Domain.fit(pool.features.take(_some(rows, _DOMAIN_ROWS, settings.seed)), DOMAIN_GROUPS.get(kind))


def _fit_pool(
    pool: Pooled, labels: Sequence[Labels], kind: str, settings: FitSettings, log: Callable[[str], None]
) -> TargetModel:
    target = labels[0].target
    train = np.flatnonzero(pool.split == "train")
    held = np.flatnonzero(pool.split == "validation")
    log(f"{target.name}: {len(train)} train, {len(held)} validation, {len(labels)} devices")
    if len(train) < _MIN_TRAIN or len(held) < _MIN_HELD_OUT:
        rule = f"must hold at least {_MIN_TRAIN} training and {_MIN_HELD_OUT} validation rows"
        raise CorpusError(f"The data of '{target.name}' {rule}. They hold {len(train)} and {len(held)}.")
    regressor = _fitted(settings.new(target.name), pool, train, settings.seed)
    domain = _domain(pool, train, kind, settings)
    left_out = _families_left_out(pool, train, kind, regressor, target.name, settings)
    estimate = regressor.predict(pool.features.take(held))
    calibrated = Calibration.fit if left_out is None else left_out.calibrated
    calibration = calibrated(estimate, pool.y[held], settings.coverage)
    if target.count:
        calibration = replace(calibration, shift=0.0)
    return TargetModel(regressor, calibration, domain, target.positive, target.count)


def _fitted(regressor: Regressor, pool: Pooled, rows: npt.NDArray[np.int64], seed: int) -> Regressor:
    return regressor.fit(pool.features.take(rows), pool.y[rows], pool.ids[rows], seed)


def _some(rows: npt.NDArray[np.int64], most: int, seed: int) -> npt.NDArray[np.int64]:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Of rows whose whole family no model had seen that was asked about them: answers, truths (n,), and which of them
    the domain check flags."""

    estimate: Estimate
    y: Array
    flagged: Mask

    def calibrated(self, seen: Estimate, y: Array, coverage: float) -> Calibration:
        """Intervals for both: for rows like those of `seen`, whose truth is `y` (n,), and for rows like these."""
        error = np.abs(self.estimate.point - self.y)[self.flagged]
        flagged = Flagged(error, self.estimate.spread[self.flagged], np.zeros(len(error)))
        return Calibration.fit(seen, y, coverage, flagged=flagged, beyond=(self.estimate, self.y))


def _families_left_out(
    pool: Pooled, train: npt.NDArray[np.int64], kind: str, regressor: Regressor, target: str, settings: FitSettings
) -> LeftOut | None:
    """What is said of families left out; a regressor that can learn its spread from their errors does."""
    names = np.unique(pool.family[train])
    if len(names) < 2 * _FAMILY_FOLDS:
        return None
    # As many of each: what will be asked about is of a family that is like a family, not like a row, of these.
    each = [_some(train[pool.family[train] == name], _FOLD_ROWS // len(names), settings.seed) for name in names]
    rows = np.sort(np.concatenate(each))
    family = pool.family[rows]
    features, y = pool.features.take(rows), pool.y[rows]
    folds = group_folds(family, _FAMILY_FOLDS, settings.seed)
    beyond = getattr(regressor, "spread_beyond", None)
    if beyond is None:
        estimate = _folded(pool, rows, folds, target, settings)
    else:
        estimate = beyond(features, y, pool.ids[rows], folds, settings.seed)
    flagged = np.zeros(len(rows), dtype=bool)
    for held_out in folds:
        seen, unseen = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        domain = Domain.fit(features.take(seen), DOMAIN_GROUPS.get(kind))
        flagged[unseen] = [bool(reasons) for reasons in domain.check(features.take(unseen))]
    return LeftOut(estimate, y, flagged)


def _folded(
    pool: Pooled, rows: npt.NDArray[np.int64], folds: Sequence[Mask], target: str, settings: FitSettings
) -> Estimate:
    """What quick copies say of the fold that each has not seen."""
    point, spread = np.zeros(len(rows)), np.zeros(len(rows))
    for held_out in folds:
        regressor = _fitted(quick_of(settings.new(target)), pool, rows[~held_out], settings.seed)
        said = regressor.predict(pool.features.take(rows[held_out]))
        point[held_out], spread[held_out] = said.point, said.spread
    return Estimate(point, spread)
