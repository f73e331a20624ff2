"""MLflow as a server on PostgreSQL with an artifact folder, or a bucket where `moto` can stand for S3: trained into
from one place, followed from another."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from costmodel.registry import ModelStore
from costmodel.tracking.watch import engine_of, store_state
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
def own_postgres() -> Iterator[Any]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module", params=["folder", "bucket"])
def server(
    request: pytest.FixtureRequest, own_postgres: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Its address, and that of its database."""
    folder = tmp_path_factory.mktemp("mlflow")
    with contextlib.ExitStack() as stack:
        database = new_database(own_postgres, f"mlflow_{request.param}").replace("postgresql:", "postgresql+psycopg:")
        where, settings = str(folder / "artifacts"), {}
        if request.param == "bucket":
            where, settings = "s3://mlflow", stack.enter_context(_object_store(folder))
        port = _free_port()
        command = ["mlflow", "server", "--backend-store-uri", database, "--workers", "1"]
        command += ["--artifacts-destination", where, "--host", "127.0.0.1", "--port", str(port)]
        url = f"http://127.0.0.1:{port}"
        stack.enter_context(_running(command, f"{url}/health", folder, settings))
        yield url, database


@contextlib.contextmanager
def _object_store(folder: Path) -> Iterator[dict[str, str]]:
    """An object store with an empty bucket ``mlflow``; what tells MLflow of it."""
    pytest.importorskip("moto.server", reason="needs 'moto[server]' and 'boto3' to stand for an object store")
    boto3 = pytest.importorskip("boto3")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "two", "AWS_DEFAULT_REGION": "us-east-1"}
    with _running(["moto.server", "-p", str(port)], f"{url}/moto-api/", folder, {}):
        client = boto3.client("s3", endpoint_url=url, aws_access_key_id="one", aws_secret_access_key="two")
        client.create_bucket(Bucket="mlflow")
        yield {**keys, "MLFLOW_S3_ENDPOINT_URL": url}
        assert client.list_objects_v2(Bucket="mlflow")["KeyCount"] > 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(module: list[str], health: str, folder: Path, settings: dict[str, str]) -> Iterator[None]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    # Its jobs are nobody's here: eight processes that import MLflow.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment |= {**quiet, **settings}
    with (
        (folder / f"{module[0]}.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", *module], cwd=folder, env=environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            _wait(health, process, folder / f"{module[0]}.log")
            yield
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5).is_success:
                return
        time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def test_a_promotion_on_the_server_is_seen_by_whoever_follows_it(
    server: tuple[str, str],
    tmp_path: Path,
    box_training: tuple[Path, TrainResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    url, database = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
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
    engine_of(database).dispose()


def test_where_nobody_answers_there_is_no_state_and_mlflow_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for uri in ("http://127.0.0.1:9", "postgresql://nobody@127.0.0.1:9/mlflow", "databricks"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert store_state() is None
