"""Champions of a registry whose database and artifacts this process can reach itself: without MLflow, in milliseconds.

A process that imports MLflow takes seconds to fetch one; replicas are to answer with a new champion within two.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa

from costmodel.tracking.store import CHAMPION, registered_name, tracking_uri
from costmodel.tracking.watch import engine_of

_SQL = sa.text(
    "SELECT a.name, a.version, v.storage_location FROM registered_model_aliases a "
    "JOIN model_versions v ON v.name = a.name AND v.version = a.version WHERE a.alias = :alias"
)


def fetch(known: Mapping[str, str], into: Path) -> dict[str, dict[str, str]] | None:
    """Champions that are not the `known` versions (by kind), as ``{kind: {"version", "folder"}}``, copied below `into`.

    None where MLflow has to be asked: the store is no database, or a bundle is not on a disk of this machine.
    """
    try:
        rows = _rows(tracking_uri())
    except (sa.exc.SQLAlchemyError, OSError, ImportError):
        return None  # MLflow tells the problem
    if rows is None:
        return None
    found = {}
    for kind, version in known.items():
        entry = rows.get(registered_name(kind))
        if entry is None or entry[0] == version:
            continue
        bundle = _bundle(entry[1])
        if bundle is None:
            return None
        folder = into / f"{kind}-{entry[0]}"
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        found[kind] = {"version": entry[0], "folder": str(folder)}
    return found


def _rows(uri: str) -> dict[str, tuple[str, str]] | None:
    if uri.startswith("sqlite:///"):
        if not Path(uri.removeprefix("sqlite:///")).is_file():
            return None
        engine = sa.create_engine(uri, poolclass=sa.pool.NullPool)
    elif uri.startswith("postgresql"):
        engine = engine_of(uri)
    else:
        return None
    with engine.connect() as connection:
        rows = connection.execute(_SQL, {"alias": CHAMPION})
        return {str(name): (str(version), str(location or "")) for name, version, location in rows}


def _bundle(location: str) -> Path | None:
    """The bundle below a model's artifacts, where these lie on this machine."""
    parts = urlsplit(location)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost") or not location:
        return None
    # Training logs it as "bundle"; by hand it has the name of the folder that was given.
    found = sorted((Path(unquote(parts.path)) / "artifacts").glob("*/bundle.json"))
    return found[0].parent if found else None
