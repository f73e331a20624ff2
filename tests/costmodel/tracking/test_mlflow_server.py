"""MLflow as a server on PostgreSQL with an artifact folder: trained into from one place, followed from another."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from costmodel.registry import ModelStore
from costmodel.tracking.watch import store_state
from costmodel.training import TrainRequest, TrainResult, train
from tests.postgres import new_database, running_postgres

pytest.importorskip("mlflow.server", reason="needs the extra 'train'")
pytestmark = [
    pytest.mark.usefixtures("box_kind"),
    # MLflow's own imports warn; what we call must not.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:(?s).*type hint:UserWarning"),
]
_STARTS_S = 120


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgres() as server:
        yield new_database(server, "mlflow").replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database, "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env={**environment, "MLFLOW_DISABLE_TELEMETRY": "true"}, stdout=log, stderr=log
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(f"{url}/health", process, folder / "log")
            yield url
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5).is_success:
                return
        time.sleep(0.2)
    pytest.fail(f"mlflow server did not start: {log.read_text()[-2000:]}")


def test_a_promotion_on_the_server_is_seen_by_whoever_follows_it(
    server: str,
    database: str,
    tmp_path: Path,
    box_training: tuple[Path, TrainResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    (tmp_path / "packaged").mkdir()
    (tmp_path / "packaged" / "box").symlink_to(box_training[0])
    replica = ModelStore(tmp_path / "packaged")
    assert store_state() == ()
    for version, learner in ((1, "constant"), (2, "roofline")):
        registered = train(TrainRequest("box", Path("data"), learner=learner), log=lambda _: None).registered
        assert registered is not None
        assert f"version {version}" in registered
        assert store_state() == (("costmodel-box", str(version)),)
        replica.refresh()
        assert replica.problem is None
        assert replica.predictor("box").version == f"registry-{version}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    assert store_state() == (("costmodel-box", "2"),)


def test_where_nobody_answers_there_is_no_state_and_mlflow_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for uri in ("http://127.0.0.1:9", "postgresql://nobody@127.0.0.1:9/mlflow", "databricks"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert store_state() is None
