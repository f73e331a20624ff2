"""One database for all processes: SQLite embedded, or PostgreSQL by URL.

What was acknowledged was committed and is on the disk: SQLite runs with a write-ahead log and ``synchronous=FULL``, so
that neither kill -9 nor a power cut takes it back. Readers never wait for a writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from costmodel.state.errors import StateUnavailableError
from costmodel.state.tables import revisions
from featurizers.errors import InputError

VARIABLE = "COSTMODEL_DATABASE_URL"
_SQLITE, _POSTGRESQL = "sqlite", "postgresql"
_WAIT_S = 5.0
"""How long a writer waits for another one, and how long a connection may take."""
_AGAIN_S = 0.01


def default_url() -> str:
    """`COSTMODEL_DATABASE_URL`, else a SQLite file of this user (``$XDG_DATA_HOME/costmodel/state.db``)."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return chosen
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return f"sqlite:///{home / 'costmodel' / 'state.db'}"


class Database:
    """Connections to one database, made when first needed. Thread-safe.

    url : ``sqlite:///path`` or ``postgresql://user:password@host/name``. Raises InputError for any other.
    """

    def __init__(self, url: str | None = None):
        self.url = _checked(url or default_url())
        self._engine: sa.Engine | None = None
        self._migrated = False
        self._lock = threading.Lock()

    @property
    def shown(self) -> str:
        """The address without its password, for messages."""
        return self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        embedded = self.url.get_backend_name() == _SQLITE
        return Path(str(self.url.database)).expanduser() if embedded else None

    def exists(self) -> bool:
        """Whether there is anything to read: a file that was not made yet holds nothing."""
        return self.file is None or self.file.is_file()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of everything. Raises StateUnavailableError."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self, group: str) -> Iterator[sa.Connection]:
        """A transaction that is on the disk when the block ends, or did not happen; one per `group` at a time."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            raised = sa.update(revisions).where(revisions.c.name == group).values(value=revisions.c.value + 1)
            if connection.execute(raised).rowcount == 0:
                raise LookupError(f"There is no group of tables '{group}'; its migration adds a row to 'revisions'.")
            yield connection

    def revision(self, group: str) -> int:
        """Changes with every write to a group of tables; 0 for a database that does not exist yet."""
        if not self.exists():
            return 0
        with self.reading() as connection:
            found = connection.execute(sa.select(revisions.c.value).where(revisions.c.name == group)).scalar()
        return int(found or 0)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sa.Connection]:
        try:
            engine = self._connected()
            with engine.connect().execution_options(costmodel_begin=begin) as connection, connection.begin():
                yield connection
        except sa.exc.IntegrityError:
            raise
        except (OperationalError, PoolTimeoutError, OSError) as error:
            raise StateUnavailableError(f"The database {self.shown} does not answer: {_cause(error)}") from error
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise StateUnavailableError(f"The database {self.shown} went away: {_cause(error)}") from error

    def _connected(self) -> sa.Engine:
        if self._engine is not None and self._migrated:
            return self._engine
        with self._lock:
            if self._engine is None:
                self._engine = _engine(self.url, self.file)
            if not self._migrated:
                from costmodel.state.migrate import upgrade

                upgrade(self._engine)
                self._migrated = True
            return self._engine

    def close(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            self._engine.dispose()


def _cause(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _checked(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise InputError("The database's address", "must be sqlite:///path or postgresql://...", text) from None
    backend = url.get_backend_name()
    if backend not in (_SQLITE, _POSTGRESQL):
        raise InputError("The database's address", "must be of sqlite or postgresql", backend)
    if backend == _SQLITE and url.database in (None, "", ":memory:"):
        raise InputError("The database's address", "must name a file: memory is neither shared nor kept", text)
    return url.set(drivername="postgresql+psycopg") if url.drivername == _POSTGRESQL else url


def _engine(url: URL, file: Path | None) -> sa.Engine:
    if file is None:
        # The socket's own timeout: a server that hangs is as gone as one that refuses.
        options = {"connect_timeout": int(_WAIT_S), "options": f"-c lock_timeout={int(1000 * _WAIT_S)}"}
        return sa.create_engine(url, pool_pre_ping=True, pool_timeout=_WAIT_S, connect_args=options)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = sa.create_engine(url, connect_args={"timeout": _WAIT_S}, pool_timeout=_WAIT_S)
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connected(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late to keep a reader's view
    cursor = connection.cursor()
    _log_ahead(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _log_ahead(cursor: sqlite3.Cursor) -> None:
    """Of connections that are the first to a new file, SQLite lets one turn the log on, and the others do not wait: a
    read lock that is to become a write lock is refused at once, whatever the timeout."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_S)


def _sqlite_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("costmodel_begin", "BEGIN"))
