"""``python -m costmodel.tracking.versions NAME``: the registered versions of a model with what was measured of each.

A process of its own, as `costmodel.tracking.fetch`; `versions` asks it from within a service.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from costmodel.tracking.store import CHAMPION, store_exists, tracking_uri

_MOST = 50
_LIMIT_S = 60.0
_GOOD_S = 10.0
_asking = threading.Lock()
_answered: dict[tuple[str, str], tuple[float, list[ModelVersion]]] = {}


class ModelVersion(msgspec.Struct, frozen=True):
    """One registered version: its run in MLflow, and how it did on its held-out data.

    run_url : the run's page, where MLflow is a server; accuracy : rows as in a model's card.
    """

    version: str
    champion: bool
    created: str
    learner: str
    run_id: str
    run_url: str | None
    data_checksum: str
    git_commit: str
    held_out_median_error: float | None
    accuracy: tuple[dict[str, Any], ...]


class VersionsError(Exception):
    """The registry did not tell its versions."""


def versions(name: str) -> list[ModelVersion]:
    """Newest first, at most 50; none without a registry. Raises VersionsError.

    Asking takes seconds and a process, so one asks at a time, and an answer is good for ten seconds.
    """
    if not store_exists():
        return []
    with _asking:
        key = tracking_uri(), name
        found = _answered.get(key)
        if found is None or time.monotonic() - found[0] > _GOOD_S:
            found = _answered[key] = time.monotonic(), _ask(name)
        return found[1]


def _ask(name: str) -> list[ModelVersion]:
    command = [sys.executable, "-m", "costmodel.tracking.versions", name]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise VersionsError(f"The model registry does not answer within {_LIMIT_S:g} s.") from None
    if done.returncode != 0:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no answer"])[-1]
        raise VersionsError(f"The model registry: {last}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[ModelVersion])


def run_address(uri: str, experiment_id: str, run_id: str) -> str | None:
    """Where a browser finds the run, if the store is a server; never with the password that `uri` may hold."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return None
    place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
    return f"{place}/#/experiments/{experiment_id}/runs/{run_id}"


def main() -> None:
    """Print the versions as one line of JSON."""
    from costmodel.tracking.store import connect

    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    client, name = connect(), sys.argv[1]
    champion = str(client.get_registered_model(name).aliases.get(CHAMPION, "")) if _is_known(client, name) else ""
    escaped = name.replace("'", "")
    found = client.search_model_versions(f"name = '{escaped}'", max_results=_MOST)
    found = sorted(found, key=lambda version: -int(version.version))
    sys.stdout.write(msgspec.json.encode([_told(client, one, champion) for one in found]).decode() + "\n")


def _is_known(client: Any, name: str) -> bool:
    return any(model.name == name for model in client.search_registered_models())


def _told(client: Any, version: Any, champion: str) -> ModelVersion:
    from datetime import UTC, datetime

    import mlflow

    run = client.get_run(version.run_id)
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds")
    error = run.data.metrics.get("held_out_median_error")
    try:
        rows = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/accuracy.json")["rows"]
    except Exception:
        # A run whose artifacts are gone still has its metrics.
        rows = []
    return ModelVersion(
        str(version.version),
        str(version.version) == champion,
        created,
        run.data.params.get("learner", ""),
        run.info.run_id,
        run_address(tracking_uri(), run.info.experiment_id, run.info.run_id),
        run.data.tags.get("data_checksum", ""),
        run.data.tags.get("git_commit", ""),
        error,
        tuple(rows),
    )


if __name__ == "__main__":
    main()
