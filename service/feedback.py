"""What was measured of what was predicted: does the interval hold, and how far off is the value?"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from costmodel.prediction import Prediction
from costmodel.predictor import Predictor
from costmodel.state.idempotency import Idempotency, Remembered
from costmodel.state.reports import Report, ReportStore
from featurizers.core import Raw
from featurizers.errors import InputError, LimitError, UnknownNameError
from service.paging import cursor_of

log = logging.getLogger("costmodel.service")

_CONDITIONS_BYTES_MAX: Final = 4096
_FEWEST: Final = 20
"""Of fewer reports no share can be told from another."""
_SIGMAS: Final = 2.58
"""Of a binomial share: 1% of models that are well calibrated are called out of their band."""


class NewReport(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One raw input (files in base64) and its measured value, in the target's unit."""

    input: dict[str, Any]
    value: float
    conditions: dict[str, Any] = {}


class NewReports(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Measured values of one device. `target` may be left out where the device has one."""

    kind: str
    device: str
    measurements: list[NewReport]
    target: str | None = None


class Judged(msgspec.Struct, frozen=True):
    """A measured value beside its prediction. ratio : measured / predicted."""

    measured: float
    predicted: float
    low: float
    high: float
    inside: bool
    in_domain: bool
    ratio: float


class ReportsAnswer(msgspec.Struct, frozen=True):
    """One entry per measurement, in their order; all of them are kept."""

    model: str
    model_version: str
    judged: list[Judged]


class Reported(msgspec.Struct, frozen=True):
    """A report as it is kept. input : without its file. reported_at : seconds since 1970."""

    kind: str
    model: str
    model_version: str
    device: str
    target: str
    input: dict[str, Any]
    measured: float
    predicted: float
    low: float
    high: float
    inside: bool
    in_domain: bool
    conditions: dict[str, Any]
    reported_at: float


class ReportList(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of reports, the newest first. next_cursor : where there are more."""

    measurements: list[Reported]
    next_cursor: str | None = None


class Standing(msgspec.Struct, frozen=True):
    """How a model did on the last reports of one device and target, those outside of its domain left out.

    coverage : share inside the interval; `promised` is what the interval says. in_band : no more than chance apart
    from it, or None while there are too few to tell. told : the same in words.
    """

    model: str
    device: str
    target: str
    reports: int
    out_of_domain: int
    coverage: float | None
    promised: float
    median_error: float | None
    in_band: bool | None
    told: str


class ModelHealth(msgspec.Struct, frozen=True):
    """A model against what was reported of its predictions."""

    model: str
    model_version: str
    in_band: bool | None
    standings: list[Standing]


class Feedback:
    """Takes reports and keeps the standings in memory, so that no scrape waits for the database."""

    def __init__(self, store: ReportStore, last: int):
        self._store, self._last = store, last
        self._revision: int | None = None
        self.standings: list[Standing] = []

    def refresh(self) -> None:
        """Read the reports anew where there are new ones."""
        revision = self._store.revision()
        if revision != self._revision:
            before = {(s.model, s.device, s.target) for s in self.standings if s.in_band is False}
            self.standings = standings_of(self._store.last(self._last))
            self._revision = revision
            for standing in self.standings:
                name = standing.model, standing.device, standing.target
                if standing.in_band is False and name not in before:
                    log.warning("coverage of %s has left its band: %s", "/".join(name), standing.told)

    def add(self, predictor: Predictor, asked: NewReports, raws: Sequence[Raw], key: Idempotency | None) -> Remembered:
        """Predict, compare and write. Raises `InputError` naming the measurement that is wrong; then none is kept."""
        target = _target(predictor, asked)
        _check_values(asked.measurements, predictor.targets[target].positive)
        outcomes = predictor.predict(raws, [asked.device], [target])
        reports = []
        for index, (outcome, raw, measured) in enumerate(zip(outcomes, raws, asked.measurements, strict=True)):
            if isinstance(outcome, InputError):
                raise InputError(f"Measurement {index}", f"is refused: {outcome}", where=f"$.measurements[{index}]")
            reports.append(_report(predictor, outcome[0], raw, measured))
        answer = ReportsAnswer(predictor.name, predictor.version, [_judged(report) for report in reports])
        return self._store.add(reports, lambda: msgspec.json.encode(answer), key)

    def page(self, kind: str | None, device: str | None, before: int | None, limit: int) -> ReportList:
        """At most `limit` reports older than the one of number `before`. Raises StateUnavailableError."""
        kept = self._store.page(kind, device, before, limit + 1)
        told = [_reported(report, at) for _, at, report in kept[:limit]]
        return ReportList(told, cursor_of(str(kept[limit - 1][0])) if len(kept) > limit else None)

    def health(self, predictor: Predictor) -> ModelHealth:
        """Of the model of a kind."""
        own = [standing for standing in self.standings if standing.model == predictor.name]
        told = [standing.in_band for standing in own if standing.in_band is not None]
        return ModelHealth(predictor.name, predictor.version, all(told) if told else None, own)

    def metrics(self) -> bytes:
        """The standings in Prometheus' text format; the same in every process, so not added up over them."""
        registry, labels = CollectorRegistry(), ("model", "device", "target")
        reports = Gauge("costmodel_reports", "Reported measurements looked at.", labels, registry=registry)
        coverage = Gauge("costmodel_reported_coverage", "Share inside the interval.", labels, registry=registry)
        error = Gauge("costmodel_reported_median_error", "Median |measured/predicted - 1|.", labels, registry=registry)
        band = Gauge("costmodel_reported_in_band", "1 while coverage is what it promises.", labels, registry=registry)
        for standing in self.standings:
            own = (standing.model, standing.device, standing.target)
            reports.labels(*own).set(standing.reports)
            for gauge, value in (
                (coverage, standing.coverage),
                (error, standing.median_error),
                (band, standing.in_band),
            ):
                if value is not None:
                    gauge.labels(*own).set(value)
        return generate_latest(registry)


def _target(predictor: Predictor, asked: NewReports) -> str:
    if asked.device not in predictor.devices:
        raise UnknownNameError("device", asked.device, predictor.devices)
    offered = predictor.devices[asked.device].targets
    if asked.target is None and len(offered) == 1:
        return offered[0]
    if asked.target not in offered:
        raise UnknownNameError(f"target of device '{asked.device}'", str(asked.target), offered)
    return asked.target


def _check_values(measurements: Sequence[NewReport], positive: bool) -> None:
    if not measurements:
        raise InputError("The list of measurements", "must hold at least one", 0)
    for index, measured in enumerate(measurements):
        if not math.isfinite(measured.value) or (positive and measured.value <= 0):
            rule = "must be a positive number" if positive else "must be a finite number"
            raise InputError(
                f"The value of measurement {index}", rule, measured.value, where=f"$.measurements[{index}]"
            )
        if len(msgspec.json.encode(measured.conditions)) > _CONDITIONS_BYTES_MAX:
            rule = f"must hold at most {_CONDITIONS_BYTES_MAX} bytes of JSON"
            where = f"$.measurements[{index}].conditions"
            raise LimitError(f"The conditions of measurement {index}", rule, where=where)


def _report(predictor: Predictor, prediction: Prediction, raw: Raw, measured: NewReport) -> Report:
    return Report(
        predictor.kind, predictor.name, predictor.version, prediction.device, prediction.target, raw, measured.value,
        prediction.value, prediction.low, prediction.high, prediction.coverage, prediction.in_domain,
        measured.conditions,
    )  # fmt: skip


def _reported(report: Report, at: float) -> Reported:
    shown = {name: value for name, value in report.raw.items() if not isinstance(value, bytes)}
    return Reported(
        report.kind, report.model, report.model_version, report.device, report.target, shown, report.measured,
        report.predicted, report.low, report.high, report.inside, report.in_domain, dict(report.conditions), at,
    )  # fmt: skip


def _judged(report: Report) -> Judged:
    ratio = report.measured / report.predicted if report.predicted else math.copysign(1e308, report.measured)
    return Judged(
        report.measured, report.predicted, report.low, report.high, report.inside, report.in_domain, ratio
    )  # fmt: skip


def standings_of(reports: Sequence[Report]) -> list[Standing]:
    """By model, device and target."""
    groups: dict[tuple[str, str, str], list[Report]] = {}
    for report in reports:
        groups.setdefault((report.model, report.device, report.target), []).append(report)
    return [_standing(names, own) for names, own in sorted(groups.items())]


def _standing(names: tuple[str, str, str], reports: Sequence[Report]) -> Standing:
    known = [report for report in reports if report.in_domain]
    promised = reports[0].coverage
    if not known:
        return Standing(*names, len(reports), len(reports), None, promised, None, None, "Nothing within the domain.")
    coverage = sum(report.inside for report in known) / len(known)
    error = statistics.median(abs(r.measured / r.predicted - 1) if r.predicted else abs(r.measured) for r in known)
    half = _SIGMAS * math.sqrt(promised * (1 - promised) / len(known))
    in_band = None if len(known) < _FEWEST else abs(coverage - promised) <= half
    return Standing(
        *names, len(reports), len(reports) - len(known), coverage, promised, error, in_band,
        _told(coverage, promised, len(known), in_band),
    )  # fmt: skip


def _told(coverage: float, promised: float, count: int, in_band: bool | None) -> str:
    held = f"{coverage:.0%} of {count} intervals held, {promised:.0%} are promised"
    if in_band is None:
        return f"{held}; {_FEWEST} reports are needed to tell."
    if in_band:
        return f"{held}: no more apart than by chance."
    return f"{held}: intervals are too {'narrow' if coverage < promised else 'wide'}. Train again with these reports."
