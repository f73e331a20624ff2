"""Reported measurements of what was predicted, as rows beside the prediction."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import zstandard

from costmodel.state.database import Database
from costmodel.state.idempotency import Idempotency, Remembered
from costmodel.state.tables import reports as table

GROUP = "reports"


@dataclass(frozen=True, slots=True)
class Report:
    """One measured value, in the target's unit, and what the model of that moment had predicted."""

    kind: str
    model: str
    model_version: str
    device: str
    target: str
    raw: Mapping[str, Any]
    measured: float
    predicted: float
    low: float
    high: float
    coverage: float
    in_domain: bool
    conditions: Mapping[str, Any]

    @property
    def inside(self) -> bool:
        """Whether the interval held."""
        return self.low <= self.measured <= self.high


class ReportStore:
    """Rows of reports. Every method raises StateUnavailableError where the database does not answer."""

    def __init__(self, database: Database):
        self._database = database

    def revision(self) -> int:
        """Changes with every report."""
        return self._database.revision(GROUP)

    def add(
        self, reports: Sequence[Report], answer: Callable[[], bytes], request: Idempotency | None = None
    ) -> Remembered:
        """Write reports, all or none; the same request again gets its first answer and writes nothing."""
        with self._database.writing(GROUP) as connection:
            if request is not None and (remembered := request.recall(connection)):
                return remembered
            if reports:
                connection.execute(sa.insert(table), [_columns(report) for report in reports])
            remembered = Remembered(200, answer())
            if request is not None:
                request.keep(connection, remembered.status, remembered.answer)
            return remembered

    def last(self, count: int) -> list[Report]:
        """The newest reports of each model, device and target, at most `count` of each, newest first."""
        if not self._database.exists():
            return []
        group = (table.c.model, table.c.device, table.c.target)
        place = sa.func.row_number().over(partition_by=group, order_by=table.c.id.desc()).label("place")
        ranked = sa.select(table, place).subquery()
        query = sa.select(ranked).where(ranked.c.place <= count).order_by(ranked.c.id.desc())
        with self._database.reading() as connection:
            return [_report(row) for row in connection.execute(query)]

    def page(
        self, kind: str | None, device: str | None, before: int | None, limit: int
    ) -> list[tuple[int, float, Report]]:
        """The newest first: number, time (seconds since 1970) and report, of those with a number below `before`."""
        if not self._database.exists():
            return []
        query = sa.select(table).order_by(table.c.id.desc()).limit(limit)
        for column, value in ((table.c.kind, kind), (table.c.device, device)):
            query = query if value is None else query.where(column == value)
        query = query if before is None else query.where(table.c.id < before)
        with self._database.reading() as connection:
            return [(int(row.id), float(row.created_at), _report(row)) for row in connection.execute(query)]

    def of_kind(self, kind: str) -> Iterator[Report]:
        """Every report of a kind of input, the oldest first, read while they are taken."""
        if not self._database.exists():
            return
        query = sa.select(table).where(table.c.kind == kind).order_by(table.c.id)
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=200).execute(query):
                yield _report(row)


def _columns(report: Report) -> dict[str, Any]:
    files = {name: value for name, value in report.raw.items() if isinstance(value, bytes)}
    field, content = next(iter(files.items()), (None, None))
    return {
        "kind": report.kind, "model": report.model, "model_version": report.model_version, "device": report.device,
        "target": report.target,
        "subject": json.dumps({name: value for name, value in report.raw.items() if name != field}),
        "file_field": field, "file": None if content is None else zstandard.compress(content),
        "measured": report.measured, "predicted": report.predicted, "low": report.low, "high": report.high,
        "coverage": report.coverage, "in_domain": report.in_domain, "conditions": json.dumps(dict(report.conditions)),
        "created_at": time.time(),
    }  # fmt: skip


def _report(row: Any) -> Report:
    raw = json.loads(row.subject)
    if row.file_field is not None:
        raw[row.file_field] = zstandard.decompress(row.file)
    return Report(
        row.kind, row.model, row.model_version, row.device, row.target, raw, float(row.measured),
        float(row.predicted), float(row.low), float(row.high), float(row.coverage), bool(row.in_domain),
        json.loads(row.conditions),
    )  # fmt: skip
