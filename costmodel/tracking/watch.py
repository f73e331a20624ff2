"""Has the registry moved? A look that costs a file's status, one query or one request, and no import of MLflow."""

from __future__ import annotations

import os
from collections.abc import Hashable
from functools import lru_cache
from typing import Any

from costmodel.tracking.store import CHAMPION, registered_name, tracking_uri

State = tuple[Hashable, ...]

_WAIT_S = 2.0
_SQL = "SELECT name, version FROM registered_model_aliases WHERE alias = :alias AND name LIKE :name ORDER BY name"
_SEARCH = "/api/2.0/mlflow/registered-models/search"


def store_state() -> State | None:
    """Something that changes whenever a champion does; None where only MLflow itself can tell, or nobody answers."""
    uri = tracking_uri()
    if uri.startswith("sqlite:///"):
        return _of_file(uri.removeprefix("sqlite:///"))
    try:
        if uri.startswith("postgresql"):
            return _of_database(uri)
        if uri.startswith(("http://", "https://")):
            return _of_server(uri)
    except Exception:
        # Whatever a driver or a server says: then MLflow is asked, seldom, and its problem is told.
        return None
    return None


def _of_file(name: str) -> State:
    state: list[int] = []
    for path in (name, f"{name}-wal"):
        try:
            found = os.stat(path)
        except OSError:
            continue
        state += [found.st_mtime_ns, found.st_size]
    return tuple(state)


@lru_cache(maxsize=2)
def engine_of(uri: str) -> Any:
    import sqlalchemy as sa

    address = sa.make_url(uri)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return sa.create_engine(address, pool_pre_ping=True, pool_size=1, connect_args={"connect_timeout": int(_WAIT_S)})


def _of_database(uri: str) -> State:
    import sqlalchemy as sa

    with engine_of(uri).connect() as connection:
        rows = connection.execute(sa.text(_SQL), {"alias": CHAMPION, "name": registered_name("%")})
        return tuple((str(name), str(version)) for name, version in rows)


def _of_server(uri: str) -> State:
    import httpx

    asked = {"filter": f"name LIKE '{registered_name('%')}'", "max_results": "100"}
    answer = httpx.get(f"{uri.rstrip('/')}{_SEARCH}", params=asked, headers=_token(), auth=_login(), timeout=_WAIT_S)
    models = answer.raise_for_status().json().get("registered_models", [])
    aliases = ((model["name"], alias) for model in models for alias in model.get("aliases", []))
    return tuple(sorted((name, str(alias["version"])) for name, alias in aliases if alias["alias"] == CHAMPION))


def _token() -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _login() -> tuple[str, str] | None:
    name, password = (os.environ.get(f"MLFLOW_TRACKING_{what}") for what in ("USERNAME", "PASSWORD"))
    return (name, password) if name and password else None
