"""One schema on both databases, reached by migrations; an address that cannot be one is refused."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from costmodel.state import Database, StateUnavailableError, default_url
from costmodel.state.migrate import FOLDER, HEAD, upgrade
from costmodel.state.tables import metadata
from featurizers.errors import InputError

DatabaseOf = Callable[[str], Database]


def test_migrations_lead_to_the_drawn_tables(url: str, database_of: DatabaseOf) -> None:
    with database_of(url).reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_head_is_the_newest_migration() -> None:
    numbers = sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py"))
    assert numbers[-1] == HEAD
    assert numbers == [f"{i:04d}" for i in range(1, len(numbers) + 1)]


def test_processes_that_start_together_migrate_once(url: str, database_of: DatabaseOf) -> None:
    databases = [database_of(url) for _ in range(4)]
    errors: list[Exception] = []

    def read(database: Database) -> None:
        try:
            assert database.revision("devices") >= 0
            with database.writing("devices"):
                pass
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=read, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert databases[0].revision("devices") == 5


def test_a_database_of_a_later_version_is_left_alone(url: str, database_of: DatabaseOf) -> None:
    first = database_of(url)
    with first.writing("devices") as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert database_of(url).revision("devices") == 2


def test_downgrade_undoes_the_migrations(url: str, database_of: DatabaseOf) -> None:
    from alembic import command

    from costmodel.state.migrate import config

    database = database_of(url)
    with database.reading():
        pass
    engine = database._connected()
    with engine.connect() as connection, connection.begin():
        command.downgrade(config(connection), "base")
    assert set(sa.inspect(engine).get_table_names()) == {"alembic_version"}
    upgrade(engine)
    assert "devices" in sa.inspect(engine).get_table_names()


def test_a_failed_write_leaves_nothing(url: str, database_of: DatabaseOf) -> None:
    database = database_of(url)
    before = database.revision("devices")

    def fail() -> None:
        with database.writing("devices"):
            raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError, match="own"):
        fail()
    assert database.revision("devices") in (before, 1)


def test_sqlite_is_durable(tmp_path: Path, database_of: DatabaseOf) -> None:
    with database_of(f"sqlite:///{tmp_path / 'state.db'}").reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_who_comes_while_another_makes_the_file_waits(tmp_path: Path, database_of: DatabaseOf) -> None:
    """SQLite itself refuses at once to turn the log on beside a writer."""
    first = sqlite3.connect(tmp_path / "state.db", isolation_level=None, check_same_thread=False)
    first.execute("BEGIN IMMEDIATE")
    first.execute("CREATE TABLE being_made (x)")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite3.connect(tmp_path / "state.db", timeout=5).execute("PRAGMA journal_mode=WAL")
    done = threading.Timer(0.2, first.execute, ("COMMIT",))
    done.start()
    with database_of(f"sqlite:///{tmp_path / 'state.db'}").reading() as connection:
        assert sa.inspect(connection).has_table("being_made")
    done.join()
    first.close()


def test_a_sqlite_file_is_made_by_a_transaction_only(tmp_path: Path, database_of: DatabaseOf) -> None:
    database = database_of(f"sqlite:///{tmp_path / 'state.db'}")
    assert database.revision("devices") == 0
    assert not database.exists()


def test_a_server_that_is_gone_is_told(database_of: DatabaseOf) -> None:
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    database = database_of("postgresql://me:secret@127.0.0.1:1/none")
    with pytest.raises(StateUnavailableError, match=re.escape("me:***@127.0.0.1:1/none does not answer")):
        database.revision("devices")


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "sqlite:///:memory:", "nothing at all"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="The database's address must"):
        Database(url)


def test_the_default_is_a_file_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COSTMODEL_DATABASE_URL", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path}/costmodel/state.db"
    monkeypatch.setenv("COSTMODEL_DATABASE_URL", "postgresql://host/name")
    assert Database().shown == "postgresql+psycopg://host/name"
