"""A book over the packaged models and a database of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from costmodel.devices import DeviceBook
from costmodel.registry import ModelStore
from costmodel.state import Database, DeviceStore


@pytest.fixture(scope="session")
def models() -> ModelStore:
    return ModelStore(use_registry=False)


@pytest.fixture
def book_of(tmp_path: Path, models: ModelStore) -> Iterator[Callable[[], DeviceBook]]:
    opened: list[Database] = []

    def make() -> DeviceBook:
        opened.append(Database(f"sqlite:///{tmp_path / 'state.db'}"))
        return DeviceBook(models, DeviceStore(opened[-1]))

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def book(book_of: Callable[[], DeviceBook]) -> DeviceBook:
    return book_of()
