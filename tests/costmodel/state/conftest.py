"""The same tests on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from costmodel.state import Database, DeviceRecord, DeviceStore, Measurement
from tests.postgres import PostgresServer, new_database, running_postgres

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'state.db'}"
    return new_database(request.getfixturevalue("postgres"), f"test_{next(_numbers)}")


@pytest.fixture
def database_of() -> Iterator[Callable[[str], Database]]:
    opened: list[Database] = []

    def make(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def store(url: str, database_of: Callable[[str], Database]) -> DeviceStore:
    return DeviceStore(database_of(url))


@pytest.fixture
def phone() -> DeviceRecord:
    measured = tuple(
        Measurement({"nasbench201": text}, value, 1e3 * value, "us", {"threads": 1})
        for text, value in (("a", 1.0), ("b", 2.0), ("c", 3.5))
    )
    return DeviceRecord(
        "phone", "network", "nasbench201", "latency_ms", 1, {"soc": "x"}, {"runtime": "tflite"}, measured
    )
