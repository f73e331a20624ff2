"""Bring a database to the newest revision; Alembic is imported only where it is not there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

FOLDER = Path(__file__).with_name("migrations")
HEAD = "0002"
"""The newest revision; a test holds it to what lies in `migrations/versions`."""
_LOCK = 7_318_442_011
"""Of PostgreSQL's advisory locks the one under which replicas that start together migrate one after the other."""


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Apply the migrations that are missing. A database of a newer version is left alone."""
    if revision == "head" and _present(engine) == HEAD:
        return
    from alembic import command

    with engine.connect().execution_options(costmodel_begin="BEGIN IMMEDIATE") as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        if not _is_newer(connection):
            command.upgrade(config(connection), revision)


def config(connection: sa.Connection) -> Any:
    """Alembic's configuration for one connection, whose transaction is the caller's."""
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    found.attributes["connection"] = connection
    return found


def _present(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return _revision(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _is_newer(connection: sa.Connection) -> bool:
    """Written by a later version of costmodel, whose migrations only add: what this one knows is still there."""
    present = _revision(connection)
    return present is not None and present.isdecimal() and int(present) > int(HEAD)
