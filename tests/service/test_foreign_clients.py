"""Clients that others wrote: Triton's, MLflow's, and one generated from the OpenAPI document."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from tests.served_box import box_models, box_url

__all__ = ["box_models", "box_url"]
BOXES = [[9, 9, 9], [2, 3, 4]]


def expected(url: str) -> list[float]:
    question = {"device": "slow", "inputs": [{"sides": sides} for sides in BOXES]}
    results = httpx.post(f"{url}/v1/predict/box", json=question, timeout=30).json()["results"]
    return [result["predictions"][0]["value"] for result in results]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient(box_url: str, binary: bool) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
    client = triton.InferenceServerClient(urlsplit(box_url).netloc)
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("costmodel-box")
        metadata = client.get_model_metadata("costmodel-box")
        assert {"name": "latency_ns", "datatype": "FP64", "shape": [-1]} in metadata["outputs"]
        tensor = triton.InferInput("input", [len(BOXES)], "BYTES")
        texts = [json.dumps({"sides": sides}).encode() for sides in BOXES]
        tensor.set_data_from_numpy(np.array(texts, dtype=object), binary_data=binary)
        names = ("latency_ns", "latency_ns_low", "latency_ns_in_domain")
        wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
        answer = client.infer("costmodel-box", [tensor], outputs=wanted, parameters={"device": "slow"}, request_id="7")
        assert answer.get_response()["id"] == "7"
        assert answer.as_numpy("latency_ns").tolist() == pytest.approx(expected(box_url))
        assert (answer.as_numpy("latency_ns_low") < answer.as_numpy("latency_ns")).all()
        assert answer.as_numpy("latency_ns_in_domain").dtype == bool
        with pytest.raises(Exception, match="is not known"):
            client.infer("costmodel-box", [tensor], parameters={"device": "fir"})
    finally:
        client.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:(?s).*type hint:UserWarning")
def test_mlflows_own_scoring_client(box_url: str) -> None:
    """The client by which `mlflow models predict` and its deployments ask a scoring server."""
    scoring = pytest.importorskip("mlflow.pyfunc.scoring_server.client", reason="mlflow is not installed")
    pd = pytest.importorskip("pandas")
    address = urlsplit(box_url)
    client = scoring.ScoringServerClient(address.hostname, address.port)
    client.ping()
    assert client.get_version()
    frame = pd.DataFrame({"input": [json.dumps({"sides": sides}) for sides in BOXES]})
    answer = client.invoke(frame, params={"kind": "box", "device": "slow"}).get_predictions()
    assert answer["value"].tolist() == pytest.approx(expected(box_url))
    assert {"low", "high", "unit", "in_domain"} <= set(answer.columns)


def test_a_client_generated_from_the_document(box_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openapi_python_client", reason="openapi-python-client is not installed")
    document = tmp_path / "openapi.json"
    document.write_bytes(httpx.get(f"{box_url}/openapi.json").content)
    (tmp_path / "config.yml").write_text("post_hooks: []\npackage_name_override: generated\n")
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document), "--meta", "none",
         "--config", str(tmp_path / "config.yml"), "--output-path", str(tmp_path / "generated")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    # The generator knows no CSV; of everything else a client comes whole.
    assert made.stderr.count("WARNING") == made.stderr.count("Unsupported content type text/csv") == 1, made.stderr
    monkeypatch.syspath_prepend(tmp_path)
    generated = importlib.import_module("generated")
    devices = importlib.import_module("generated.api.catalogue.list_devices")
    predict = importlib.import_module("generated.api.answers.predict")
    models = importlib.import_module("generated.models")
    with generated.Client(base_url=box_url) as client:
        listed = devices.sync(client=client, limit=1)
        assert [device.name for device in listed.devices] == ["fast"]
        assert devices.sync(client=client, cursor=listed.next_cursor).devices[0].name == "slow"
        question = models.Question.from_dict({"device": "slow", "inputs": [{"sides": BOXES[0]}]})
        answer = predict.sync(models.PredictKind("box"), client=client, body=question)
        assert answer.results[0].predictions[0].value == pytest.approx(expected(box_url)[0])
