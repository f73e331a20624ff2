"""Where MLflow keeps runs and models: `MLFLOW_TRACKING_URI`, or SQLite and artifacts in ./mlruns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

CHAMPION = "champion"
_FOLDER = "mlruns"


def registered_name(kind: str) -> str:
    """Name in the model registry."""
    return f"costmodel-{kind}"


def tracking_uri() -> str:
    """The standard `MLFLOW_TRACKING_URI` where set, else the embedded store of the present folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path(_FOLDER).resolve() / 'mlflow.db'}"


def store_exists() -> bool:
    """Whether there is anything to ask: a remote store was named, or the embedded one was filled before."""
    return "MLFLOW_TRACKING_URI" in os.environ or (Path(_FOLDER) / "mlflow.db").exists()


def connect() -> Any:
    """An MlflowClient of the store; the embedded one is made on first use."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    uri = tracking_uri()
    if "MLFLOW_TRACKING_URI" not in os.environ:
        Path(_FOLDER).mkdir(exist_ok=True)
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient()


def experiment_id(client: Any, name: str) -> str:
    """The experiment's id; a new one of the embedded store keeps its artifacts in ./mlruns/artifacts."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    embedded = "MLFLOW_TRACKING_URI" not in os.environ
    location = (Path(_FOLDER).resolve() / "artifacts").as_uri() if embedded else None
    return str(client.create_experiment(name, artifact_location=location))
