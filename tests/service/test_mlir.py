"""The packaged MLIR bundle through the service: answers, refusals with a place, explanations with lines."""

from __future__ import annotations

from typing import Any

import pytest

from costmodel.registry import PRETRAINED, ModelStore
from service import Settings, create_app
from service.source import StoreSource
from tests.featurizers.mlir.samples import MATMUL, SAXPY

CPU = "skylake-avx512"
SHORT = SAXPY.replace("0 to 1024", "0 to 64")


@pytest.fixture
def served(client_of: Any) -> Any:
    return client_of(create_app(Settings(), StoreSource(ModelStore(PRETRAINED, use_registry=False))))


def ask(served: Any, operation: str, **body: Any) -> Any:
    return served.post(f"/v1/{operation}/mlir", json=body)


def test_a_file_is_answered_by_one_command(served: Any) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    answer = served.post(f"/v1/predict/mlir?device={CPU}", content=MATMUL.encode(), headers=headers)
    assert answer.status_code == 200
    found = {p["target"]: p for p in answer.json()["results"][0]["predictions"]}
    assert {"instructions", "cycles", "register_spills", "stack_bytes", "code_bytes"} <= found.keys()
    assert 10 < found["instructions"]["value"] < 1000
    assert found["cycles"]["low"] < found["cycles"]["value"] < found["cycles"]["high"]


def test_each_bad_program_is_refused_with_its_place_and_the_rest_answered(served: Any) -> None:
    inputs = [
        {"mlir": SAXPY},
        {"mlir": "func.func @f() {\n  return %x : i32\n}"},
        {"mlir": "module {}"},
        {"mlir": SAXPY},
    ]
    answer = ask(served, "predict", device=CPU, inputs=inputs)
    assert answer.status_code == 200
    good, undeclared, empty, again = answer.json()["results"]
    assert good == again
    assert undeclared["error"]["where"] == "line 2, column 10"
    assert empty["error"]["where"] == "line 1, column 1"
    alone = ask(served, "predict", device=CPU, inputs=inputs[1:2])
    assert alone.status_code == 422


def test_rank_and_explain(served: Any) -> None:
    ranked = ask(served, "rank", device=CPU, target="cycles", inputs=[{"mlir": SAXPY}, {"mlir": SHORT}])
    assert [entry["index"] for entry in ranked.json()["ranking"]] == [1, 0]
    answer = ask(served, "explain", device=CPU, target="cycles", inputs=[{"mlir": MATMUL}]).json()
    explained = answer["results"][0]["explanation"]
    assert any("affine.for (line 5, column 7)" in share["names"] for share in explained["shares"])
    total = sum(share["value"] for share in explained["shares"])
    assert total == pytest.approx(explained["prediction"]["value"], rel=1e-6)
