"""Where MLflow keeps runs and models: `MLFLOW_TRACKING_URI`, or SQLite and artifacts in ./mlruns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

CHAMPION = "champion"
_FOLDER = "mlruns"
_VARIABLE = "MLFLOW_TRACKING_URI"


def registered_name(kind: str) -> str:
    """Name in the model registry."""
    return f"costmodel-{kind}"


def chosen_uri() -> str | None:
    """`MLFLOW_TRACKING_URI` where somebody chose one.

    `mlflow run` without a choice sets it to MLflow's own default, ./mlflow.db: that is taken as no choice, so that
    `mlflow run . -e train` and `costmodel train` write to the same store; our own default is no choice either.
    """
    uri = os.environ.get(_VARIABLE)
    return None if uri in (None, "", f"sqlite:///{Path('mlflow.db').resolve()}", _embedded_uri()) else uri


def _embedded_uri() -> str:
    return f"sqlite:///{Path(_FOLDER).resolve() / 'mlflow.db'}"


def tracking_uri() -> str:
    """The chosen store, else the embedded one of the present folder."""
    return chosen_uri() or _embedded_uri()


def store_exists() -> bool:
    """Whether there is anything to ask: a store was chosen, or the embedded one was filled before."""
    return chosen_uri() is not None or (Path(_FOLDER) / "mlflow.db").exists()


def run_to_resume() -> str | None:
    """The run that `mlflow run` opened for us, where it lies in the store we write to."""
    return os.environ.get("MLFLOW_RUN_ID") if chosen_uri() is not None else None


def connect() -> Any:
    """An MlflowClient of the store; the embedded one is made on first use. Whose store it is stays as it was chosen."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    chosen = chosen_uri()
    mlflow.set_tracking_uri(tracking_uri())
    if chosen is None:
        Path(_FOLDER).mkdir(exist_ok=True)
        # MLflow has just written the variable: in any other folder, and to any child, that would be a choice.
        os.environ.pop(_VARIABLE, None)
        os.environ.pop("MLFLOW_RUN_ID", None)
    return mlflow.MlflowClient()


def experiment_id(client: Any, name: str) -> str:
    """The experiment's id; a new one of the embedded store keeps its artifacts in ./mlruns/artifacts."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = (Path(_FOLDER).resolve() / "artifacts").as_uri() if chosen_uri() is None else None
    return str(client.create_experiment(name, artifact_location=location))
