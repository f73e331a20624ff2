"""`costmodel train --kind network --learner transfer|meta|gnn|help --data TABLES`: few-shot learners, logged in MLflow.

One run per space whose table the folder holds. Its metrics are of known devices in the role of the new one; HELP, which
cannot leave devices out without training again, logs its meta-training loss.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.fewshot.pretrain import LABELS
from costmodel.fewshot.tables import LatencyTable, load_table
from costmodel.fewshot.training import LEARNERS, meta_train
from featurizers.errors import InputError, UnknownNameError
from featurizers.network.nas_physics import SPACES

EXPERIMENT = "costmodel-network-fewshot"
HELP = "help"
_EVERY = 50


@dataclass(frozen=True, slots=True)
class FewShotRequest:
    """data : folder of ``<space>_latency.parquet`` tables. out : write the learners' folders there too.
    episodes : of HELP's meta-training (None for its default)."""

    learner: str
    data: Path
    seed: int = 0
    out: Path | None = None
    track: bool = True
    episodes: int | None = None

    def __post_init__(self) -> None:
        if self.learner not in LEARNERS and self.learner != HELP:
            raise UnknownNameError("few-shot learner", self.learner, [*LEARNERS, HELP])
        if not spaces_in(self.data):
            raise InputError("'data'", "holds tables such as fbnet_latency.parquet", str(self.data))


def spaces_in(folder: Path) -> list[str]:
    """NAS spaces whose tables lie in a folder."""
    return [space for space in sorted(SPACES) if (folder / f"{space}_latency.parquet").is_file()]


def train_few_shot(request: FewShotRequest, log: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """Train, write, log; returns a row of figures per space and known device."""
    rows = []
    for space in spaces_in(request.data):
        table = load_table(request.data, space)
        with tempfile.TemporaryDirectory() as scratch:
            folder = (request.out or Path(scratch)) / f"network_fewshot_{space}"
            folder.mkdir(parents=True)
            found = _help(request, table, folder) if request.learner == HELP else _closed_form(request, table, folder)
            if request.track:
                log(_logged(request, space, table, found, folder))
        rows += [{"space": space, "device": device, **figures} for device, figures in found.items()]
    return rows


def _closed_form(request: FewShotRequest, table: LatencyTable, folder: Path) -> dict[str, dict[str, float]]:
    known = table.known(tuple(table.latency_ms))
    fitted = meta_train(request.learner, table.space, table.ops, known, request.seed)
    replace(fitted, card={**fitted.card, "labels": LABELS}).save(folder)
    left_out: dict[str, dict[str, float]] = fitted.card["left_out"]
    return left_out


def _help(request: FewShotRequest, table: LatencyTable, folder: Path) -> dict[str, dict[str, float]]:
    from costmodel.fewshot.help import Help, HelpSettings, references_of

    settings = HelpSettings() if request.episodes is None else HelpSettings(episodes=request.episodes)
    learner = Help(table.space, references_of(table.space.name, len(table.ops)), settings, request.seed)
    losses: list[float] = []
    learner.meta_train(
        table.ops, table.known(tuple(table.latency_ms)), np.arange(len(table.ops)), request.seed,
        progress=lambda _, loss: losses.append(loss),
    )  # fmt: skip
    learner.save(folder)
    return {"all": {"first_loss": float(np.mean(losses[:_EVERY])), "last_loss": float(np.mean(losses[-_EVERY:]))}}


def _logged(
    request: FewShotRequest, space: str, table: LatencyTable, found: dict[str, dict[str, float]], folder: Path
) -> str:  # fmt: skip
    """One MLflow run; returns a sentence with its id."""
    import mlflow

    from costmodel.tracking.store import connect, experiment_id

    client = connect()
    with mlflow.start_run(
        experiment_id=experiment_id(client, EXPERIMENT), run_name=f"{request.learner}-{space}"
    ) as run:
        mlflow.log_params({
            "kind": "network", "learner": request.learner, "space": space, "seed": request.seed,
            "devices": len(table.latency_ms), "architectures": len(table.ops),
        })  # fmt: skip
        read = (request.data / f"{space}_latency.parquet").read_bytes()
        mlflow.set_tags({"data_checksum": hashlib.sha256(read).hexdigest(), "data_licence": LABELS})
        mlflow.log_metrics({f"{device}/{name}": v for device, one in found.items() for name, v in one.items()})
        names = next(iter(found.values()))
        mlflow.log_metrics({f"mean/{name}": float(np.mean([one[name] for one in found.values()])) for name in names})
        mlflow.log_artifacts(str(folder), "learner")
    return f"MLflow run {run.info.run_id}: {request.learner} on {space}, {len(table.latency_ms)} known devices"
