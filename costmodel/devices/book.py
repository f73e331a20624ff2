"""`DeviceBook`: adding, measuring, planning, showing and removing devices, over models and a database.

The service, the command line and the library all call this one class. What it holds in memory follows the database:
`follow` looks whether any device changed, in any process, and is cheap when none did.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any, Protocol

import msgspec

from costmodel.devices.checks import check_magnitudes, check_more
from costmodel.devices.errors import UnknownDeviceError
from costmodel.devices.extended import ExtendedPredictor
from costmodel.devices.held import HeldDevice, newest
from costmodel.devices.protocol import Adapter, Answer
from costmodel.devices.reading import checked_document, checked_name, read_measurements
from costmodel.devices.wire import (
    AddedDevice,
    MoreMeasurements,
    NewDevice,
    Outlier,
    PlanAnswer,
    PlanQuestion,
    Removed,
    VersionInfo,
)
from costmodel.fewshot import Comparison, monitor
from costmodel.kinds import KINDS, kind_of
from costmodel.predictor import Predictor
from costmodel.state import DeviceRecord, DeviceStore, Measurement, Remembered, StateUnavailableError
from costmodel.state.devices import ChangedError, NameTakenError
from costmodel.state.idempotency import Idempotency
from featurizers.core import Raw
from featurizers.errors import InputError, LimitError, UnknownNameError

PLAN_MAX = 100
CANDIDATES_MAX = 20_000
_RETRIES = 5
_DISTRUSTED = 0.1
"""Weight below which a measurement is named as an outlier."""
_log = logging.getLogger(__name__)


class Models(Protocol):
    """What the book needs of `ModelStore`."""

    def kinds(self) -> Sequence[str]: ...

    def predictor(self, kind: str) -> Predictor: ...


class DeviceBook:
    """Thread-safe. problem : in words, why the database could not be asked; what is in memory goes on answering."""

    def __init__(self, models: Models, store: DeviceStore):
        self._models = models
        self._store = store
        self._held: dict[str, HeldDevice] = {}
        self._revision = 0
        self._extended: dict[str, ExtendedPredictor] = {}
        self._adapters: dict[tuple[str, str], tuple[Predictor, Adapter]] = {}
        self._lock = RLock()
        self.problem: str | None = None

    # -- answering -----------------------------------------------------------------------------------------------------

    def predictor(self, kind: str) -> Predictor:
        """The kind's predictor with the devices added to it; the models' own where there are none."""
        base = self._models.predictor(kind)
        extended = self._extended.get(kind)
        if extended is None or extended.base is base:
            return base if extended is None else extended
        with self._lock:
            self._rebuild()
            return self._extended.get(kind, base)

    def follow(self) -> None:
        """Take over what changed in the database since the last time. Never raises: see `problem`."""
        try:
            revision = self._store.revision()
            if revision != self._revision:
                self._take_over(revision)
            self.problem = None
        except StateUnavailableError as error:
            self.problem = str(error)

    def prepare(self) -> None:
        """Learn every device now, so that no question waits for it."""
        for held in list(self._held.values()):
            try:
                _ = held.adapted
            except InputError as error:
                _log.warning("device %s cannot answer: %s", held.record.name, error)

    def _take_over(self, revision: int) -> None:
        heads = self._store.heads()
        with self._lock:
            present = {id: held for id, held in self._held.items() if heads.get(id) == held.record.version}
        changed = self._store.load([id for id in heads if id not in present])
        with self._lock:
            held = {record.id: found for record in changed if (found := self._hold(record)) is not None}
            self._held = {**present, **held}
            self._revision = revision
            self._rebuild()

    def _hold(self, record: DeviceRecord) -> HeldDevice | None:
        try:
            return HeldDevice(record, self.adapter(record.kind, record.space))
        except (LookupError, InputError) as error:
            # Of a kind or space that this process has no model of; another may.
            _log.warning("device %s is left out: %s", record.name, error)
            return None

    def _rebuild(self) -> None:
        by_kind: dict[str, list[HeldDevice]] = {}
        for id, held in list(self._held.items()):
            adapter = self.adapter(held.record.kind, held.record.space)
            if adapter is not held.adapter:
                self._held[id] = HeldDevice(held.record, adapter)
            by_kind.setdefault(held.record.kind, []).append(self._held[id])
        self._extended = {kind: ExtendedPredictor(self._models.predictor(kind), held) for kind, held in by_kind.items()}

    def adapter(self, kind: str, space: str) -> Adapter:
        """The adapter of a space, over the kind's present model. Raises UnknownNameError, LookupError."""
        base = self._models.predictor(kind)
        offered = kind_of(kind).adapters()
        if space not in offered:
            raise UnknownNameError(f"space of '{kind}' inputs for new devices", space, offered)
        with self._lock:
            found = self._adapters.get((kind, space))
            if found is None or found[0] is not base:
                found = self._adapters[kind, space] = base, offered[space](base)
            return found[1]

    # -- writing -------------------------------------------------------------------------------------------------------

    def add(self, new: NewDevice, request: Idempotency | None = None) -> Remembered:
        """Add a device. Raises InputError for what is wrong with it, NameTakenError, StateUnavailableError."""
        if (remembered := self._store.recall(request)) is not None:
            return remembered
        name = checked_name(new.name)
        self._check_free(name)
        adapter = self.adapter(new.kind, new.space or _space_of(new))
        if new.target not in (None, adapter.target.name):
            known = [adapter.target.name]
            raise UnknownNameError(f"target of a new device of '{adapter.space}'", new.target or "", known)
        conditions = checked_document("conditions", new.conditions)
        measurements, batch = read_measurements(new.measurements, adapter, new.unit, conditions, None)
        descriptor = checked_document("descriptor", new.descriptor)
        adapted = adapter.adapt(
            [m.raw for m in measurements], [m.value for m in measurements], any_scale=new.any_scale,
            descriptor=descriptor,
        )  # fmt: skip
        if not new.any_scale:
            check_magnitudes(adapted.answer([m.raw for m in measurements]), measurements)
        record = DeviceRecord(
            name, new.kind, adapter.space, adapter.target.name, batch, descriptor, conditions,
            _kept(adapter, measurements), new.any_scale,
        )  # fmt: skip
        report = _report(_suspects(adapted.trust.tolist(), adapted.answer([m.raw for m in measurements]), measurements))

        def answer(written: DeviceRecord, at: float) -> bytes:
            return msgspec.json.encode(self._told(HeldDevice(written, adapter, adapted), [], report, at))

        done = self._store.add(record, adapted.learner, report, answer, request)
        self.follow()
        return done

    def _check_free(self, name: str) -> None:
        for kind in self._models.kinds():
            if name in self._models.predictor(kind).devices:
                raise NameTakenError(name)
        if self._store.get(name) is not None:
            raise NameTakenError(name)

    def measure(self, name_or_id: str, more: MoreMeasurements, request: Idempotency | None = None) -> Remembered:
        """Add measurements to a device, each checked against its prediction.

        Raises UnknownDeviceError, InputError, StateUnavailableError.
        """
        if (remembered := self._store.recall(request)) is not None:
            return remembered
        for _ in range(_RETRIES):
            try:
                return self._measure(self._held_now(name_or_id), more, request)
            except ChangedError:
                continue
        raise StateUnavailableError(f"The device '{name_or_id}' is being changed by others all the time.")

    def _measure(self, held: HeldDevice, more: MoreMeasurements, request: Idempotency | None) -> Remembered:
        record, adapter = held.record, held.adapter
        conditions = {**record.conditions, **checked_document("conditions", more.conditions)}
        measurements, _ = read_measurements(more.measurements, adapter, more.unit, conditions, record.batch)
        answers = held.adapted.answer([m.raw for m in measurements])
        comparison = check_more(held, answers, measurements)
        kept = _kept(adapter, measurements)
        together = newest(adapter, [*record.measurements, *kept])
        adapted = adapter.adapt(
            [m.raw for m in together], [m.value for m in together], any_scale=True, descriptor=record.descriptor
        )
        report = _report(comparison)
        before = self._store.versions(record.id)

        def answer(written: DeviceRecord, at: float) -> bytes:
            told = self._told(HeldDevice(written, adapter, adapted), [_version(v, record) for v in before], report, at)
            return msgspec.json.encode(told)

        done = self._store.extend(record, kept, adapted.learner, report, answer, request)
        self.follow()
        return done

    def remove(self, name_or_id: str) -> Removed:
        """Take a device out of use. Raises UnknownDeviceError, StateUnavailableError."""
        record = self._record(name_or_id)
        if not self._store.remove(record.id):
            raise self._unknown(name_or_id)
        self.follow()
        return Removed(record.id, record.name)

    # -- reading -------------------------------------------------------------------------------------------------------

    def show(self, name_or_id: str) -> AddedDevice:
        """A device with its fit and versions. Raises UnknownDeviceError, StateUnavailableError."""
        held = self._held_now(name_or_id)
        versions = [_version(version, held.record) for version in self._store.versions(held.record.id)]
        return _added(held, versions)

    def kind_of(self, name_or_id: str) -> str:
        """The kind of inputs of a device. Raises UnknownDeviceError, StateUnavailableError."""
        return self._record(name_or_id).kind

    def names(self) -> list[str]:
        """Of the added devices, as far as this process knows."""
        return sorted(held.record.name for held in self._held.values())

    def plan(self, question: PlanQuestion) -> PlanAnswer:
        """Which inputs to measure. Raises InputError, UnknownDeviceError, StateUnavailableError."""
        if not 1 <= question.n <= PLAN_MAX:
            raise LimitError("The number of inputs to plan", f"must lie between 1 and {PLAN_MAX}", question.n)
        if question.candidates is not None and not 1 <= len(question.candidates) <= CANDIDATES_MAX:
            rule = f"must hold 1 to {CANDIDATES_MAX} inputs"
            raise LimitError("The list of candidates", rule, len(question.candidates))
        if question.seed < 0:
            raise InputError("The seed", "must be at least 0", question.seed)
        if question.device is None:
            adapter = self.adapter(question.kind, question.space or "nasbench201")
            planned = adapter.plan(question.n, question.measured, None, question.candidates, question.seed)
            return PlanAnswer(adapter.space, [dict(raw) for raw in planned])
        held = self._held_now(question.device)
        if question.space not in (None, held.record.space):
            raise InputError("The field 'space'", f"is '{held.record.space}' for this device", question.space)
        done = [*held.raws, *question.measured]
        count = question.n + len(question.measured)
        planned = held.adapter.plan(count, done, held.adapted, question.candidates, question.seed)
        return PlanAnswer(held.record.space, _without(planned, question.measured, held.adapter)[: question.n])

    def _held_now(self, name_or_id: str) -> HeldDevice:
        """The device as the database has it now: in memory where that is the same."""
        record = self._record(name_or_id)
        held = self._held.get(record.id)
        if held is not None and held.record.version == record.version:
            return held
        return HeldDevice(record, self.adapter(record.kind, record.space))

    def _record(self, name_or_id: str) -> DeviceRecord:
        record = self._store.get(name_or_id)
        if record is None:
            raise self._unknown(name_or_id)
        return record

    def _unknown(self, name_or_id: str) -> UnknownDeviceError:
        return UnknownDeviceError("added device", name_or_id, self.names())

    def _told(self, held: HeldDevice, before: list[VersionInfo], report: Mapping[str, Any], at: float) -> AddedDevice:
        record = held.record
        count = sum(m.version in (0, record.version) for m in record.measurements)
        now = _version_info(record.version, at, count, held.adapted.learner, report)
        return _added(held, [*before, now])


def _space_of(new: NewDevice) -> str:
    """The space by what the first input is given by."""
    offered = KINDS[new.kind].adapters() if new.kind in KINDS else {}
    if not new.measurements:
        raise InputError("The list of measurements", "must hold at least one measurement", 0)
    fields = new.measurements[0].input
    found = [space for space in offered if space in fields]
    if len(offered) == 1:
        return next(iter(offered))
    if "pt2" in fields and "onnx" in offered:
        return "onnx"
    if len(found) != 1:
        given = ", ".join(sorted(map(str, fields))) or "none"
        raise UnknownNameError("encoding", given, offered, where="measurement 0")
    return found[0]


def _kept(adapter: Adapter, measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    return tuple(replace(measurement, raw=adapter.kept(measurement.raw)) for measurement in measurements)


def _suspects(
    trust: Sequence[float], answers: Sequence[Answer | InputError], measurements: Sequence[Measurement]
) -> Comparison:
    """Measurements that a device was made of and that the others make implausible."""
    found = [
        monitor.Outlier(i, measurement.value, answer.value)
        for i, (weight, answer, measurement) in enumerate(zip(trust, answers, measurements, strict=True))
        if isinstance(answer, Answer) and weight < _DISTRUSTED
    ]
    return Comparison(tuple(found), None)


def _report(comparison: Comparison) -> dict[str, Any]:
    outliers = [{"index": o.index, "measured": o.measured_ms, "predicted": o.predicted_ms} for o in comparison.outliers]
    return {"outliers": outliers, "drift": comparison.drift}


def _version(version: Any, record: DeviceRecord) -> VersionInfo:
    count = sum(m.version == version.version for m in record.measurements)
    return _version_info(version.version, version.created_at, count, version.learner, version.report)


def _version_info(number: int, created_at: float, count: int, learner: str, report: Mapping[str, Any]) -> VersionInfo:
    outliers = [Outlier(**entry) for entry in report["outliers"]]
    return VersionInfo(number, created_at, count, learner, outliers, report["drift"])


def _added(held: HeldDevice, versions: list[VersionInfo]) -> AddedDevice:
    record = held.record
    return AddedDevice(
        record.id, record.name, record.kind, record.space, held.adapter.target, record.batch, dict(record.descriptor),
        dict(record.conditions), record.version, record.created_at, held.fit(), versions,
    )  # fmt: skip


def _without(planned: Sequence[Raw], measured: Sequence[Raw], adapter: Adapter) -> list[dict[str, Any]]:
    done = {adapter.identity(raw) for raw in measured}
    return [dict(raw) for raw in planned if adapter.identity(raw) not in done]
