"""A running service on a registry of its own: a damaged champion, and a new one under load. Part of `chaos`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from costmodel.benchmarks.servers import Server, our_server
from costmodel.benchmarks.traffic import Callers, calling

_NAME = "costmodel-cpu"
_ASK = {"device": "spare-cores", "inputs": [{"server": "aws/m7i.large"}]}
_LIMIT_S = 120.0
_REGISTER = """
import sys, mlflow
from costmodel.tracking.logging import PYFUNC
uri, bundle, name = sys.argv[1:]
mlflow.set_tracking_uri(uri)
with mlflow.start_run():
    info = mlflow.pyfunc.log_model(name="model", python_model=str(PYFUNC), artifacts={"bundle": bundle},
                                   pip_requirements=["costmodel"], registered_model_name=name)
mlflow.MlflowClient().set_registered_model_alias(name, "champion", info.registered_model_version)
"""


def registry_rows(bundle: Path) -> list[dict[str, Any]]:
    """bundle : of the kind `cpu`. A sound champion, then a damaged one, then a sound one again, all under load."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        damaged = Path(folder) / "damaged"
        shutil.copytree(bundle, damaged)
        _damage(damaged)
        _register(folder, uri, bundle)
        variables = {
            "COSTMODEL_USE_REGISTRY": "true",
            "COSTMODEL_REFRESH_INTERVAL_S": "0.2",
            "COSTMODEL_DATABASE_URL": f"sqlite:///{folder}/state.db",
            "MLFLOW_TRACKING_URI": uri,
        }
        with our_server(bundle.parent, variables) as server:
            _wait(server, lambda health: health["models"]["cpu"] == f"{_NAME} registry-1")
            refused = _under_load(
                server,
                "damaged bundle in the registry",
                lambda: _register(folder, uri, damaged),
                lambda health: health["status"] == "degraded",
                "registry-1",
            )
            promoted = _under_load(
                server,
                "model promoted under load",
                lambda: _register(folder, uri, bundle),
                lambda health: health["models"]["cpu"] == f"{_NAME} registry-3",
                "registry-3",
            )
        return [refused, promoted]


def _damage(folder: Path) -> None:
    """One byte of one file, as a bad disk would."""
    victim = max((path for path in folder.rglob("*") if path.name == "trees.txt.zst"), key=lambda p: p.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))


def _register(folder: str, uri: str, bundle: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", _REGISTER, uri, str(bundle.resolve()), _NAME],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        capture_output=True,
        timeout=_LIMIT_S,
    )


def _under_load(
    server: Server, fault: str, act: Callable[[], None], done: Callable[[Any], bool], version: str
) -> dict[str, Any]:
    """back_s : from the moment the registry has it until the service has taken notice."""
    callers = Callers(f"http://127.0.0.1:{server.port}", "/v1/predict/cpu", _ASK)
    with calling(callers):
        act()
        started = time.monotonic()
        _wait(server, done)
        back_s = time.monotonic() - started
        time.sleep(0.5)
        now = httpx.post(f"{callers.base}{callers.path}", json=_ASK, timeout=30).json()
    answering = {each["model_version"] for each in now["results"][0]["predictions"]}
    values = {_values(text) for text in callers.answers}
    return {
        "fault": fault,
        "predictions": callers.said["200"],
        "failed_predictions": callers.failed,
        "answers": len(values),
        "wrong_model": int(answering != {version}),
        "back_s": back_s,
    }


def _values(text: str) -> str:
    found = json.loads(text)["results"][0]["predictions"]
    return json.dumps([(each["target"], each["value"]) for each in found])


def _wait(server: Server, done: Callable[[Any], bool]) -> None:
    until = time.monotonic() + _LIMIT_S
    while not done(httpx.get(f"http://127.0.0.1:{server.port}/readyz", timeout=30).json()):
        if time.monotonic() > until:
            raise RuntimeError("the service took no notice of the registry")
        time.sleep(0.05)
