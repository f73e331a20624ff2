"""What may be wrong with a server, over REST: refused with what and where, or answered and marked."""

from __future__ import annotations

from typing import Any

import pytest

from costmodel.registry import PRETRAINED, ModelStore
from service import Settings, create_app
from service.source import StoreSource

MILAN = {"cpu_name": "AMD EPYC 7763", "logical_cpus": 8, "threads_per_core": 2, "cores_per_socket": 4, "sockets": 1}
ASKED = {"device": "spare-cores", "target": "passmark:SUMM_CPU"}


@pytest.fixture(scope="module")
def models() -> StoreSource:
    return StoreSource(ModelStore(PRETRAINED, use_registry=False))


@pytest.fixture
def packaged(client_of: Any, models: StoreSource) -> Any:
    return client_of(create_app(Settings(), models))


@pytest.mark.parametrize(
    ("changed", "detail", "where"),
    [
        ({"sockets": 2}, "threads_per_core x cores_per_socket x sockets = 2 x 4 x 2 = 16. Got 8.", "$"),
        ({"l3_mb": 32 / 1024}, "The 'l3_mb' must lie between 0.5 and 16384 MiB in all. Got 0.03125.", "$"),
        ({"l3_mb": 0}, "The 'l3_mb' must lie between 0.5", "$"),
        ({"max_ghz": 5000}, "The 'max_ghz' must lie between 0.1 and 10 GHz. Got 5000.0.", "$"),
        ({"flags": ["avx512g"]}, "The CPU flag 'avx512g' is not known. Nearest: avx512f", "$.flags"),
        ({"l3_kb": 32768}, "The field 'l3_kb' is not known. Nearest: l3_mb", "$.l3_kb"),
    ],
)
def test_what_no_server_can_be(packaged: Any, changed: dict[str, Any], detail: str, where: str):
    answer = packaged.post("/v1/predict/cpu", json={"inputs": [MILAN | changed], **ASKED})
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert answer.json()["where"] == where


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        ({"cpu_name": "AMD EPYC 7763"}, "a name alone does not say the size"),
        ({"server": "azure/Standard_D8s_v4"}, "'Dsv4' is not known. Nearest: Lsv4, Dsv7, Dsv6"),
        ({"lscpu": {"lscpu": [{"field": "CPU(s):", "data": "8"}, {"field": "L3 cache:", "data": "32K"}]}}, "'l3_mb'"),
        (
            {"lscpu": {"lscpu": [{"field": "CPU(s):", "data": "8"}, {"field": "CPU max MHz:", "data": "5000000"}]}},
            "GHz",
        ),
    ],
)
def test_what_says_too_little_or_what_cannot_be(packaged: Any, raw: dict[str, Any], detail: str):
    answer = packaged.post("/v1/predict/cpu", json={"inputs": [raw], **ASKED})
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("operation", ["predict", "rank", "explain"])
def test_who_asks_about_a_server_need_not_know_of_a_device(packaged: Any, operation: str):
    asked = {"inputs": [MILAN], "target": "passmark:SUMM_CPU"}
    found = packaged.post(f"/v1/{operation}/cpu", json=asked)
    assert found.status_code == 200, found.text
    assert found.json() == packaged.post(f"/v1/{operation}/cpu", json=asked | ASKED).json()


def test_an_unknown_cpu_is_answered_from_its_fields_and_marked(packaged: Any):
    raws = [{"cpu_name": "Unheard Of 1", "logical_cpus": 8}, MILAN]
    answer = packaged.post("/v1/predict/cpu", json={"inputs": raws, **ASKED}).json()
    unknown, known = (result["predictions"][0] for result in answer["results"])
    assert not unknown["in_domain"]
    assert "'Unheard Of 1' is in no table of ours: answered from the given fields alone" in unknown["reasons"][0]
    assert unknown["high"] / unknown["low"] > known["high"] / known["low"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("predict", {"inputs": [MILAN], "device": "spare-cores", "target": "passmark:SUM_CPU"}),
        ("rank", {"inputs": [MILAN], "device": "spare-cores", "weights": {"passmark:SUM_CPU": 1}}),
        ("explain", {"inputs": [MILAN], "device": "spare-cores", "target": "passmark:SUM_CPU"}),
        ("adapt", {"input": MILAN, "known": {"passmark:SUM_CPU": 20000}}),
        ("what-if", {"input": MILAN, "scale": {"l3_mb": 2}, "targets": ["passmark:SUM_CPU"]}),
    ],
)
def test_an_unknown_benchmark_is_named_with_the_nearest(packaged: Any, path: str, body: dict[str, Any]):
    answer = packaged.post(f"/v1/{path}/cpu", json=body)
    assert answer.status_code == 422
    assert "'passmark:SUM_CPU' is not known. Nearest: passmark:SUMM_CPU" in answer.json()["detail"]


def test_one_bad_server_leaves_the_others_their_answers(packaged: Any):
    raws = [MILAN | {"sockets": 2}, MILAN]
    ranked = packaged.post("/v1/rank/cpu", json={"inputs": raws, **ASKED}).json()
    assert [place["index"] for place in ranked["ranking"]] == [1]
    assert "must equal threads_per_core" in ranked["errors"][0]["error"]["detail"]
