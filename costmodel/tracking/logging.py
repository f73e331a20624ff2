"""One training run in MLflow: parameters, data checksum, commit, metrics, plots, the bundle as a pyfunc model."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.tracking.champion import promote_if_better
from costmodel.tracking.store import connect, experiment_id, registered_name, run_to_resume

if TYPE_CHECKING:
    from costmodel.corpus import Corpus
    from costmodel.predictor import Predictor
    from costmodel.training.fitting import FeatureStore, FitSettings
    from costmodel.training.run import TrainRequest

PYFUNC = Path(__file__).with_name("pyfunc_model.py")
_BAD_IN_NAME = re.compile(r"[^\w./ -]")


def log_training(
    request: TrainRequest,
    settings: FitSettings,
    corpus: Corpus,
    predictor: Predictor,
    judged: Predictor,
    rows: list[dict[str, Any]],
    held_out_error: float,
    folder: Path,
    store: FeatureStore,
    log: Callable[[str], None],
) -> str:
    """Log the run, register the model, perhaps move the alias; returns a sentence that says what happened.

    judged : what `rows` and the error are of; `predictor` itself unless that was fitted again to every split.
    """
    import mlflow

    run_id = run_to_resume()
    client = connect()
    name = registered_name(request.kind)
    started = mlflow.start_run(
        run_id=run_id, experiment_id=None if run_id else experiment_id(client, name), run_name=settings.learner
    )
    with started as run:
        _log_parameters(client, run.info.run_id, settings, corpus, request)
        _log_metrics(client, run.info.run_id, rows, held_out_error)
        _log_plots(judged, store, rows)
        version = _log_model(predictor, folder, corpus, name)
    sentence = promote_if_better(client, name, version, held_out_error, predictor, corpus)
    log(f"MLflow run {run.info.run_id}: {sentence}")
    return sentence


def _log_parameters(client: Any, run_id: str, settings: FitSettings, corpus: Corpus, request: TrainRequest) -> None:
    values = {"kind": request.kind, "learner": settings.learner, "seed": settings.seed, "coverage": settings.coverage}
    values |= {"include_feedback": request.include_feedback, "refit": request.refit}
    values |= {f"learner.{key}": value for key, value in (settings.parameters or {}).items()}
    known = client.get_run(run_id).data.params
    for key, value in values.items():
        if key not in known:
            client.log_param(run_id, key, value)
    client.set_tag(run_id, "data", corpus.name)
    client.set_tag(run_id, "data_checksum", corpus.checksum)
    client.set_tag(run_id, "data_licence", corpus.licence)
    client.set_tag(run_id, "git_commit", _git_commit())


def _git_commit() -> str:
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: not a git checkout"


def _log_metrics(client: Any, run_id: str, rows: list[dict[str, Any]], held_out_error: float) -> None:
    import math
    import time

    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric("held_out_median_error", held_out_error, now, 0)]
    for row in rows:
        prefix = _BAD_IN_NAME.sub("_", f"{row['split']}/{row['device']}/{row['target']}")
        metrics += [
            Metric(f"{prefix}/{key}", float(value), now, 0)
            for key, value in row.items()
            if isinstance(value, (int, float)) and math.isfinite(value)
        ]
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])


def _log_plots(predictor: Predictor, store: FeatureStore, rows: list[dict[str, Any]]) -> None:
    import mlflow

    from costmodel.tracking.plots import write_plots

    with tempfile.TemporaryDirectory() as scratch:
        write_plots(predictor, store, Path(scratch))
        mlflow.log_artifacts(scratch, "plots")
    mlflow.log_dict({"rows": rows}, "accuracy.json")


def _log_model(predictor: Predictor, folder: Path, corpus: Corpus, name: str) -> str:
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    example = pd.DataFrame({"input": [input_example(corpus)]})
    parameters = {"device": next(iter(predictor.devices)), "targets": ""}
    output = pd.DataFrame({"index": [0], "value": [1.0], "low": [0.9], "high": [1.1]})
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(PYFUNC),
        artifacts={"bundle": str(folder)},
        input_example=(example, parameters),
        signature=infer_signature(example, output, parameters),
        pip_requirements=["costmodel"],
        registered_model_name=name,
    )
    return str(info.registered_model_version)


def input_example(corpus: Corpus) -> str:
    """The smallest raw input of the first hundred subjects, as JSON text."""
    import base64
    import json

    def text(raw: Any) -> str:
        return json.dumps({k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in raw.items()})

    return min((text(corpus.raws[i]) for i in range(min(len(corpus.raws), 100))), key=len)
