"""A PostgreSQL server for tests; skips and says why without one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from costmodel.benchmarks.postgres import NoPostgresError, PostgresServer, new_database
from costmodel.benchmarks.postgres import running_postgres as _running

__all__ = ["PostgresServer", "new_database", "running_postgres"]


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """As `costmodel.benchmarks.postgres.running_postgres`."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(_running())
        except NoPostgresError as error:
            pytest.skip(str(error))
        yield server
