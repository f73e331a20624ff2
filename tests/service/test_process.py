"""The service as users start it: `costmodel serve` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from costmodel.benchmarks.servers import Server, our_server
from costmodel.cli import main
from costmodel.client import Client
from costmodel.predictor import Predictor
from costmodel.zoo import nasbench201_model
from tests.served_network import CELLS, DEVICE, network_models

__all__ = ["network_models"]
HEAVY = ("torch", "pandas", "sklearn", "mlflow", "matplotlib", "onnx", "onnxruntime", "optuna", "pyarrow")


@pytest.fixture(scope="module")
def server(network_models: Path) -> Iterator[Server]:
    with our_server(network_models, {"COSTMODEL_BODY_BYTES_MAX": "20000000"}) as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        yield client


def post_file(http: httpx.Client, content: bytes, operation: str = "predict") -> httpx.Response:
    headers = {"content-type": "application/octet-stream"}
    return http.post(f"/v1/{operation}/network?device={DEVICE}", content=content, headers=headers)


@pytest.fixture(scope="module")
def model() -> bytes:
    content: bytes = nasbench201_model(CELLS[40]).SerializeToString()
    return content


def test_a_curled_onnx_file_is_answered_and_explained(http: httpx.Client, model: bytes) -> None:
    [result] = post_file(http, model).json()["results"]
    [prediction] = result["predictions"]
    assert prediction["low"] < prediction["value"] < prediction["high"]
    assert (prediction["unit"], prediction["device"]) == ("ms", DEVICE)
    [explained] = post_file(http, model, "explain").json()["results"]
    shares = explained["explanation"]["shares"]
    assert sum(share["value"] for share in shares) == pytest.approx(prediction["value"])


def test_a_cell_costs_what_its_onnx_file_costs(http: httpx.Client, model: bytes) -> None:
    question = {"device": DEVICE, "inputs": [{"nasbench201": CELLS[40]}]}
    by_name = http.post("/v1/predict/network", json=question).json()["results"]
    assert by_name[0]["predictions"][0]["value"] == pytest.approx(
        post_file(http, model).json()["results"][0]["predictions"][0]["value"], rel=1e-3
    )


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "flipped"])
def test_a_damaged_file_is_a_4xx_and_the_process_lives(http: httpx.Client, model: bytes, damage: str) -> None:
    half = len(model) // 2
    content = {
        "truncated": model[:half],
        "empty": b"",
        "text": b"hello",
        "flipped": model[:100] + bytes(255 - byte for byte in model[100:300]) + model[300:],
    }[damage]
    answer = post_file(http, content)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["input"] == 0
    assert http.get("/readyz").json()["status"] == "ok"


def test_three_gigabytes_are_refused_before_they_are_sent(server: Server) -> None:
    head = "POST /v1/predict/network HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode() + str(3 * 1024**3).encode() + b"\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["value"] == str(3 * 1024**3)


def test_an_endless_body_is_cut_off(server: Server) -> None:
    head = b"POST /v1/predict/network HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        sent = 0
        try:
            for _ in range(200):
                connection.sendall(chunk)
                sent += len(chunk)
            answer = connection.recv(65536)
        except ConnectionError:
            answer = b"HTTP/1.1 413"
    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < 200_000_000


def test_all_four_ways_give_the_same_answer(
    http: httpx.Client, network_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs: list[Any] = [{"nasbench201": CELLS[3]}, {"nasbench201": "|broken|"}, {"nasbench201": CELLS[70]}]
    local = Predictor.load(network_models / "network").predict(inputs, [DEVICE])
    with Client(str(http.base_url)) as client:
        remote = client.predict("network", inputs, [DEVICE])
    assert [remote[0], remote[2]] == [local[0], local[2]]
    assert str(remote[1]) == str(local[1])
    rest = http.post("/v1/predict/network", json={"device": DEVICE, "inputs": inputs}).json()
    encodings = [f"--nasbench201={raw['nasbench201']}" for raw in inputs]
    for place in (["--models-dir", str(network_models)], ["--url", str(http.base_url)]):
        assert main(["predict", *encodings, "--device", DEVICE, "--json", *place]) == 1
        assert json.loads(capsys.readouterr().out) == rest


def test_memory_is_small_and_nothing_heavy_is_mapped(server: Server, http: httpx.Client, model: bytes) -> None:
    post_file(http, model)
    assert server.resident_mb() < 400
    mapped = Path(f"/proc/{server.pid}/maps").read_text()
    assert "/numpy/" in mapped
    for name in HEAVY:
        assert f"/{name}/" not in mapped, name


def test_answering_imports_nothing_heavy(network_models: Path) -> None:
    script = f"""
import asyncio, json, sys
import httpx
from service import Settings, create_app
app = create_app(Settings(models_dir={str(network_models)!r}, use_registry=True))
async def main():
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            question = {{"device": {DEVICE!r}, "inputs": [{{"nasbench201": {CELLS[0]!r}}}]}}
            for operation in ("predict", "rank", "explain"):
                answer = await client.post(f"/v1/{{operation}}/network", json=question)
                assert answer.status_code == 200, answer.text
asyncio.run(main())
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, check=True, cwd=network_models, env=environment
    )
    assert json.loads(done.stdout) == []


def test_it_stops_when_it_is_told_to(network_models: Path) -> None:
    with our_server(network_models) as server:
        os.kill(server.pid, signal.SIGINT)
        for _ in range(600):
            if Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                break
            time.sleep(0.05)
        else:
            pytest.fail("the service went on after SIGINT")


def test_worker_processes_share_the_port(network_models: Path) -> None:
    with our_server(network_models, {"COSTMODEL_THREADS": "1"}, workers=2) as server:
        url = f"http://127.0.0.1:{server.port}"
        question = {"device": DEVICE, "inputs": [{"nasbench201": CELLS[0]}]}
        answers = {httpx.post(f"{url}/v1/predict/network", json=question, timeout=30).text for _ in range(8)}
        counted = httpx.get(f"{url}/metrics", timeout=30).text
    assert len(answers) == 1
    assert 'costmodel_requests_total{operation="predict",status="200"} 8.0' in counted
