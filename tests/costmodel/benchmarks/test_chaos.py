"""The faults of `costmodel benchmark chaos`, a few of each: nothing acknowledged is lost, nobody is refused in vain."""

from __future__ import annotations

from pathlib import Path

import pytest

from costmodel.benchmarks.chaos import (
    Asked,
    all_workers_row,
    clock_row,
    disk_row,
    gone_row,
    kill_row,
    losses,
    worker_row,
)
from costmodel.benchmarks.traffic import Writers
from tests.served_network import network_models

__all__ = ["network_models"]
UNHARMED = {"failed_predictions": 0, "answers": 1}
NOTHING_LOST = {"lost": 0, "half_written": 0, "twice": 0, "server_errors": 0}


@pytest.fixture(scope="module")
def asked(network_models: Path) -> Asked:
    return Asked(network_models)


def test_losses_are_seen() -> None:
    assert losses({1: 3, 2: 2, 3: 6}, {1, 2, 4}) == {"lost": 1, "half_written": 1, "twice": 1}


def test_the_service_killed_while_it_writes(asked: Asked, tmp_path: Path) -> None:
    row = kill_row(asked, f"sqlite:///{tmp_path / 'state.db'}", "SQLite", kills=1, writes=60)
    assert row | NOTHING_LOST | {"written": 60} == row
    assert row["broken_off"] > 0


def test_a_worker_killed_while_others_ask(asked: Asked) -> None:
    row = worker_row(asked, 1)
    assert row | UNHARMED == row
    assert row["predictions"] > 20


def test_all_workers_killed_while_others_ask(asked: Asked) -> None:
    """Connections wait at the supervisor's socket until there are workers again."""
    row = all_workers_row(asked, 3)
    assert row | UNHARMED == row
    assert row["back_s"] < 10


def test_the_database_gone_for_a_while(asked: Asked) -> None:
    row = gone_row(asked, seconds=1.0)
    if "not tried" in row["fault"]:
        pytest.skip(row["fault"])
    assert row | UNHARMED | NOTHING_LOST | {"written": 40, "without_retry_after": 0} == row
    assert row["refused_503"] > 0
    assert row["back_s"] < 5


def test_a_full_disk(asked: Asked) -> None:
    row = disk_row(asked)
    assert row | UNHARMED | NOTHING_LOST | {"written": 220, "without_retry_after": 0} == row
    assert row["refused_503"] > 0


def test_a_clock_that_jumps(asked: Asked) -> None:
    row = clock_row(asked)
    assert row | UNHARMED | NOTHING_LOST | {"written": 300} == row


def test_an_entry_without_an_answer_waits_to_be_sent_again() -> None:
    writers = Writers("/v1/measurements", lambda number: {"n": number}, range(3))
    writers.write("http://127.0.0.1:9", threads=1)
    assert writers.acknowledged == set()
    assert writers.said == {"no answer": 1}
