"""Devices that users added, their versions and every measurement, as rows; knows nothing of learners."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
import zstandard

from costmodel.state.database import Database
from costmodel.state.idempotency import Idempotency, Remembered
from costmodel.state.tables import devices, measurements, versions

GROUP = "devices"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured value of one raw input. value : in the target's unit; given_value : in given_unit, as it came.

    version : of the device that it came with; 0 until it is written.
    """

    raw: Mapping[str, Any]
    value: float
    given_value: float
    given_unit: str
    conditions: Mapping[str, Any]
    version: int = 0


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device as it stands, with all its measurements in their order. any_scale : its caller vouches for the unit."""

    name: str
    kind: str
    space: str
    target: str
    batch: int
    descriptor: Mapping[str, Any]
    conditions: Mapping[str, Any]
    measurements: tuple[Measurement, ...]
    any_scale: bool = False
    id: str = ""
    version: int = 0
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Version:
    """What one write added and what was said of it. learner : the champion that answered from then on."""

    version: int
    created_at: float
    learner: str
    report: Mapping[str, Any]


class NameTakenError(Exception):
    """A living device has this name."""


class ChangedError(Exception):
    """The device is not at the version that the write was made for; look again and repeat."""


Answer = Callable[[DeviceRecord, float], bytes]
"""What is answered to a write, made from the record with its id and version and the time of the write; it is kept with
the idempotency key."""


class DeviceStore:
    """Rows of devices. Every method raises StateUnavailableError where the database does not answer."""

    def __init__(self, database: Database):
        self.database = database

    def revision(self) -> int:
        """Changes whenever any device does."""
        return self.database.revision(GROUP)

    def heads(self) -> dict[str, int]:
        """Id -> version of the living devices."""
        if not self.database.exists():
            return {}
        query = sa.select(devices.c.id, devices.c.version).where(devices.c.removed_at.is_(None))
        with self.database.reading() as connection:
            return {row.id: int(row.version) for row in connection.execute(query)}

    def get(self, name_or_id: str) -> DeviceRecord | None:
        """A living device by its id or its name."""
        found = self.load([name_or_id], by_name=True)
        return found[0] if found else None

    def load(self, ids: Sequence[str], by_name: bool = False) -> list[DeviceRecord]:
        """Living devices by id (or name); one that is gone is left out."""
        if not ids or not self.database.exists():
            return []
        wanted = devices.c.id.in_(ids)
        query = sa.select(devices).where(sa.or_(wanted, devices.c.name.in_(ids)) if by_name else wanted)
        with self.database.reading() as connection:
            rows = connection.execute(query.where(devices.c.removed_at.is_(None))).all()
            measured = sa.select(measurements).where(measurements.c.device_id.in_([row.id for row in rows]))
            found: dict[str, list[Measurement]] = {row.id: [] for row in rows}
            for entry in connection.execute(measured.order_by(measurements.c.version, measurements.c.place)):
                found[entry.device_id].append(_measurement(entry))
        return [_record(row, found[row.id]) for row in rows]

    def versions(self, device_id: str) -> list[Version]:
        """Every version of a device, oldest first, of a removed one too."""
        query = sa.select(versions).where(versions.c.device_id == device_id).order_by(versions.c.version)
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return [Version(int(r.version), float(r.created_at), r.learner, json.loads(r.report)) for r in rows]

    def recall(self, request: Idempotency | None) -> Remembered | None:
        """The answer that a request with this key got before. Raises InputError when it was another request."""
        if request is None or not self.database.exists():
            return None
        with self.database.reading() as connection:
            return request.recall(connection)

    def add(
        self, device: DeviceRecord, learner: str, report: Mapping[str, Any], answer: Answer,
        request: Idempotency | None = None,
    ) -> Remembered:  # fmt: skip
        """Write a new device. Raises NameTakenError."""
        with self.database.writing(GROUP) as connection:
            if request is not None and (remembered := request.recall(connection)):
                return remembered
            taken = sa.select(devices.c.id).where(devices.c.name == device.name, devices.c.removed_at.is_(None))
            if connection.execute(taken).first() is not None:
                raise NameTakenError(device.name)
            written = replace(device, id=uuid.uuid4().hex, version=1, created_at=time.time())
            connection.execute(sa.insert(devices).values(_columns(written)))
            return _finish(connection, written, device.measurements, learner, report, answer, 201, request)

    def extend(
        self, device: DeviceRecord, more: Sequence[Measurement], learner: str, report: Mapping[str, Any],
        answer: Answer, request: Idempotency | None = None,
    ) -> Remembered:  # fmt: skip
        """Add measurements to `device` as it was read. Raises ChangedError when it is another by now."""
        with self.database.writing(GROUP) as connection:
            if request is not None and (remembered := request.recall(connection)):
                return remembered
            number = device.version + 1
            this = sa.and_(
                devices.c.id == device.id, devices.c.version == device.version, devices.c.removed_at.is_(None)
            )
            if connection.execute(sa.update(devices).where(this).values(version=number)).rowcount == 0:
                raise ChangedError(device.name)
            written = replace(device, version=number, measurements=(*device.measurements, *more))
            return _finish(connection, written, more, learner, report, answer, 200, request)

    def remove(self, device_id: str) -> bool:
        """Take a device out of use; its rows stay, its name is free. False when it was not there."""
        if not self.database.exists():
            return False
        living = sa.and_(devices.c.id == device_id, devices.c.removed_at.is_(None))
        with self.database.writing(GROUP) as connection:
            removed = connection.execute(sa.update(devices).where(living).values(removed_at=time.time()))
            return bool(removed.rowcount)


def _finish(
    connection: sa.Connection, device: DeviceRecord, new: Sequence[Measurement], learner: str,
    report: Mapping[str, Any], answer: Answer, status: int, request: Idempotency | None,
) -> Remembered:  # fmt: skip
    now = device.created_at if device.version == 1 else time.time()
    connection.execute(
        sa.insert(versions).values(
            device_id=device.id, version=device.version, created_at=now, learner=learner,
            report=json.dumps(report),
        )
    )  # fmt: skip
    rows = [_measurement_columns(device, place, measured) for place, measured in enumerate(new)]
    if rows:
        connection.execute(sa.insert(measurements), rows)
    remembered = Remembered(status, answer(device, now))
    if request is not None:
        request.keep(connection, remembered.status, remembered.answer)
    return remembered


def _columns(device: DeviceRecord) -> dict[str, Any]:
    return {
        "id": device.id, "name": device.name, "kind": device.kind, "space": device.space, "target": device.target,
        "batch": device.batch, "any_scale": device.any_scale, "descriptor": json.dumps(dict(device.descriptor)),
        "conditions": json.dumps(dict(device.conditions)), "version": device.version, "created_at": device.created_at,
    }  # fmt: skip


def _measurement_columns(device: DeviceRecord, place: int, measured: Measurement) -> dict[str, Any]:
    files = {name: value for name, value in measured.raw.items() if isinstance(value, bytes)}
    if len(files) > 1:
        raise ValueError(f"A raw input with several files is not kept: {sorted(files)}.")
    field, content = next(iter(files.items()), (None, None))
    return {
        "device_id": device.id, "version": device.version, "place": place,
        "subject": json.dumps({name: value for name, value in measured.raw.items() if name != field}),
        "file_field": field, "file": None if content is None else zstandard.compress(content),
        "value": measured.value, "given_value": measured.given_value, "given_unit": measured.given_unit,
        "conditions": json.dumps(dict(measured.conditions)),
    }  # fmt: skip


def _record(row: Any, measured: Sequence[Measurement]) -> DeviceRecord:
    return DeviceRecord(
        row.name, row.kind, row.space, row.target, int(row.batch), json.loads(row.descriptor),
        json.loads(row.conditions), tuple(measured), bool(row.any_scale), row.id, int(row.version),
        float(row.created_at),
    )  # fmt: skip


def _measurement(row: Any) -> Measurement:
    raw = json.loads(row.subject)
    if row.file_field is not None:
        raw[row.file_field] = zstandard.decompress(row.file)
    return Measurement(
        raw, float(row.value), float(row.given_value), row.given_unit, json.loads(row.conditions), int(row.version)
    )
