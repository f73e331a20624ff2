"""Devices over REST: added, planned, measured further, shown, asked, removed; each refusal a problem."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from costmodel.state import Database, StateUnavailableError
from costmodel.zoo import nasbench201_model
from service import Settings, create_app
from tests.measured_phone import BAD_MEASUREMENTS, bad_measurements, cells, measured
from tests.served_network import CELLS, DEVICE, network_models
from tests.service.conftest import AppClient

__all__ = ["network_models"]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
QUICK = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def service(network_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    database = f"sqlite:///{tmp_path_factory.mktemp('devices') / 'state.db'}"
    chosen = Settings(
        models_dir=str(network_models), use_registry=False, database_url=database, devices_interval_s=0.05
    )
    with AppClient(create_app(chosen)) as client:
        yield client


@pytest.fixture
def app(network_models: Path, tmp_path: Path) -> Any:
    """An application of its own, since it cannot be started twice."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    return create_app(Settings(models_dir=str(network_models), use_registry=False, database_url=url))


@pytest.fixture(autouse=True)
def empty(service: AppClient) -> None:
    for device in service.get("/v1/devices").json()["devices"]:
        if device["descriptor"].get("added"):
            service.request("DELETE", f"/v1/devices/{device['name']}")


def add(service: AppClient, name: str = "phone", key: str | None = None, **fields: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return service.post("/v1/devices", json={"name": name, "measurements": measured(), **fields}, headers=headers)


def test_a_device_is_added_asked_and_removed(service: AppClient) -> None:
    answer = add(service, descriptor={"soc": "x"}, conditions={"runtime": "tflite"})
    assert answer.status_code == 201
    device = answer.json()
    assert service.get("/v1/devices/phone").json() == service.get(f"/v1/devices/{device['id']}").json() == device
    assert device["fit"]["learner"] == "meta"
    (listed,) = [d for d in service.get("/v1/devices?kind=network").json()["devices"] if d["name"] == "phone"]
    assert listed["descriptor"]["soc"] == "x"
    assert listed["descriptor"]["runtime"] == "tflite"

    inputs = list(cells(5, 3))
    question = {"device": "phone", "inputs": inputs}
    results = service.post("/v1/predict/network", json=question).json()["results"]
    assert [r["predictions"][0]["device"] for r in results] == ["phone"] * 5
    ranking = service.post("/v1/rank/network", json=question).json()["ranking"]
    by_value = sorted(range(5), key=lambda i: results[i]["predictions"][0]["value"])
    assert [entry["index"] for entry in ranking] == by_value
    fields = {"device": (None, "phone"), "nasbench201": (None, inputs[0]["nasbench201"])}
    (in_form,) = service.post("/v1/predict/network", files=fields).json()["results"]
    # Alone or among others: sums of floating-point numbers in another order.
    assert in_form["predictions"][0]["value"] == pytest.approx(results[0]["predictions"][0]["value"])

    removed = service.request("DELETE", "/v1/devices/phone")
    assert removed.json() == {"id": device["id"], "name": "phone"}
    assert service.post("/v1/predict/network", json=question).status_code == 422
    assert service.get("/v1/devices/phone").status_code == 404


def test_more_measurements_name_outliers_and_drift(service: AppClient) -> None:
    add(service, measurements=measured(20))
    given_more = measured(6, 4, factor=1.5)
    answer = service.post("/v1/devices/phone/measurements", json={"measurements": given_more}).json()
    assert answer["version"] == 2
    assert answer["versions"][1]["drift"] == pytest.approx(1.5, rel=0.1)
    assert len(service.get("/v1/devices/phone").json()["versions"]) == 2


def test_a_plan_and_the_next_best(service: AppClient) -> None:
    plan = service.post("/v1/devices/plan", json={"space": "nasbench201", "n": 4}).json()
    assert (plan["space"], len(plan["inputs"])) == ("nasbench201", 4)
    add(service)
    following = service.post("/v1/devices/plan", json={"device": "phone", "n": 2}).json()
    assert len(following["inputs"]) == 2


def test_a_key_makes_a_write_happen_once(service: AppClient, assert_problem: Callable[..., Any]) -> None:
    first = add(service, key="k1")
    again = add(service, key="k1")
    assert again.status_code == 201
    assert again.json() == first.json()
    assert_problem(add(service, "other", key="k1"), 422, what="The header 'Idempotency-Key'")
    more = {"json": {"measurements": measured(3, 4)}, "headers": {"Idempotency-Key": "k2"}}
    once = service.post("/v1/devices/phone/measurements", **more).json()
    assert service.post("/v1/devices/phone/measurements", **more).json() == once
    assert once["version"] == 2


def test_refusals_are_problems(service: AppClient, assert_problem: Callable[..., Any]) -> None:
    add(service)
    assert_problem(add(service), 409)
    assert_problem(add(service, DEVICE), 409)
    assert_problem(add(service, "b", measurements=measured(2)), 422, rule="needs at least 3 measurements")
    assert_problem(add(service, "b", space="darts"), 422, known=["fbnet", "nasbench201", "ofa", "onnx"])
    assert_problem(add(service, "b", kind="darts"), 422)
    assert_problem(add(service, "b", unknown=1), 422)
    assert_problem(add(service, "b", measurements=[{"input": {"onnx": "%"}, "latency_ms": 1}] * 3), 422)
    assert_problem(service.post("/v1/devices", content=b"{", headers={"content-type": "application/json"}), 400)
    assert_problem(service.post("/v1/devices", content=b"x", headers={"content-type": "text/csv"}), 415)
    assert_problem(service.get("/v1/devices/none"), 404)
    assert_problem(service.get(f"/v1/devices/{DEVICE}"), 404)
    assert_problem(service.request("DELETE", "/v1/devices/none"), 404)
    assert_problem(service.post("/v1/devices/none/measurements", json={"measurements": measured()}), 404)
    assert_problem(service.post("/v1/devices/plan", json={"device": "none"}), 404)
    assert_problem(service.post("/v1/explain/network", json={"device": "phone", "inputs": [cells(1)[0]]}), 422)


@pytest.mark.parametrize("name", BAD_MEASUREMENTS)
def test_bad_measurements_are_refused_with_the_reason(
    name: str, service: AppClient, assert_problem: Callable[..., Any]
) -> None:
    given, reason = bad_measurements(name)
    answer = add(service, measurements=given)
    assert_problem(answer, 422)
    assert reason in answer.text
    assert service.get("/v1/devices/phone").status_code == 404


def test_files_teach_a_device_too(service: AppClient) -> None:
    files = [nasbench201_model(text).SerializeToString() for text in CELLS[40:52]]
    given_files = [
        {"input": {"onnx": base64.b64encode(content).decode()}, "latency_ms": 1.0 + text.count("conv_3x3")}
        for content, text in zip(files, CELLS[40:52], strict=True)
    ]
    answer = add(service, "board", measurements=given_files[:10])
    assert answer.status_code == 201, answer.text
    assert answer.json()["space"] == "onnx"
    question = {"device": "board", "inputs": [entry["input"] for entry in given_files[10:]]}
    for result in service.post("/v1/predict/network", json=question).json()["results"]:
        (prediction,) = result["predictions"]
        assert prediction["low"] < prediction["value"] < prediction["high"]
    wrong = {"device": "board", "inputs": [cells(1)[0]]}
    assert "must be given by 'onnx' or 'pt2'" in service.post("/v1/predict/network", json=wrong).json()["detail"]


def test_a_database_that_is_gone_stops_writes_only(
    service: AppClient, monkeypatch: pytest.MonkeyPatch, assert_problem: Callable[..., Any]
) -> None:
    add(service)

    def gone(self: Database) -> Any:
        raise StateUnavailableError("The database is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_connected", gone)
        answer = add(service, "other")
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
        service.wait(0.2)
        question = {"device": "phone", "inputs": [cells(1)[0]]}
        assert service.post("/v1/predict/network", json=question).status_code == 200
        assert service.get("/readyz").json()["status"] == "degraded"
    service.wait(0.2)
    assert service.get("/readyz").json()["status"] == "ok"
    assert add(service, "other").status_code == 201


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_route_keeps_to_its_document(app: Any, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    operations = [operation for operation in operations if operation.path.startswith("/v1/devices")]
    assert len(operations) == 6
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue  # Nothing in a bare path can be generated wrong.

        @QUICK
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            case.validate_response(case.call(), checks=CHECKS)

        check()
