"""adapt and what-if as the service, the client and the command line ask for them."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest

from costmodel.cli import main
from costmodel.client import Client
from costmodel.cpu.operations import OPERATIONS
from costmodel.cpu.predictor import CpuPredictor
from costmodel.cpu.whatif import ChangeSpread
from costmodel.registry import PRETRAINED, ModelStore
from featurizers.errors import InputError, UnknownNameError
from service import Settings, create_app
from service.source import StoreSource
from tests.service.conftest import AppClient

MACHINE = {"server": "aws/m7i.2xlarge"}


@pytest.fixture(scope="module")
def predictor() -> CpuPredictor:
    return CpuPredictor.load(PRETRAINED / "cpu")


def ask(predictor: CpuPredictor, name: str, **fields: Any) -> Any:
    return OPERATIONS[name].ask(predictor, fields)


def test_adapt_gives_every_other_benchmark_with_its_direction(predictor: CpuPredictor):
    known = {"redis:SET:threads=1:pipeline=1": 640_000.0}
    answer = ask(predictor, "adapt", input=MACHINE, known=known)
    by_name = {prediction.target: prediction for prediction in answer.predictions}
    assert len(by_name) > 300
    assert not known.keys() & by_name.keys()
    assert by_name["passmark:SUMM_CPU"].higher_is_better
    assert not by_name["passmark:ME_LATENCY"].higher_is_better
    assert answer.suggested == ["passmark:CPU_SINGLETHREAD", "bw_mem:rd:64.00MB"]
    assert [neighbour.likeness for neighbour in answer.nearest] == sorted(
        (neighbour.likeness for neighbour in answer.nearest), reverse=True
    )


def test_adapt_refuses_by_name(predictor: CpuPredictor):
    with pytest.raises(InputError, match="at least one score"):
        ask(predictor, "adapt", input=MACHINE, known={})
    with pytest.raises(UnknownNameError, match=r"Nearest: [^.]*openssl:sha256"):
        ask(predictor, "adapt", input=MACHINE, known={"openssl:sha265": 1e9})
    with pytest.raises(InputError, match="must be a positive number"):
        ask(predictor, "adapt", input=MACHINE, known={"openssl:sha256": "fast"})
    with pytest.raises(UnknownNameError, match="benchmark"):
        ask(predictor, "adapt", input=MACHINE, known={"openssl:sha256": 1e9}, targets=["speed"])


def test_an_unknown_machine_is_adapted_and_marked(predictor: CpuPredictor):
    machine = {"cpu_name": "Elbrus-16S", "logical_cpus": 8}
    answer = ask(predictor, "adapt", input=machine, known={"openssl:sha256": 1e9})
    assert not answer.predictions[0].in_domain
    assert "Elbrus" in answer.predictions[0].reasons[0]


def test_what_if_says_what_it_changed_and_where_data_are_thin(predictor: CpuPredictor):
    answer = ask(predictor, "what-if", input=MACHINE, scale={"l3_mb": 2}, add={"memory_mts": 1000})
    assert answer.before == {"l3_mb": 105.0, "memory_mts": 4800.0}
    assert answer.after == {"l3_mb": 210.0, "memory_mts": 5800.0}
    reading = next(change for change in answer.changes if change.target == "bw_mem:rd:256.00MB")
    assert reading.ratio_low < 1 < reading.ratio < reading.ratio_high
    assert any("l3_mb" in warning for warning in reading.warnings)


def test_a_small_change_has_a_narrow_interval(predictor: CpuPredictor):
    target = ["passmark:SUMM_CPU"]
    small, large = (
        ask(predictor, "what-if", input=MACHINE, scale={"memory_mts": factor}, targets=target).changes[0]
        for factor in (1.001, 1.5)
    )
    assert 1 < small.ratio_high / small.ratio_low < 1.02
    assert small.ratio_high / small.ratio_low < large.ratio_high / large.ratio_low
    assert large.ratio_high / large.ratio_low < (large.after.high / large.after.low) ** 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "at least one field"),
        ({"set": {"l3": 3}}, "Nearest: l3_mb"),
        ({"set": {"l3_mb": 64}, "scale": {"l3_mb": 2}}, "in one way only"),
        ({"set": {"max_ghz": 5000}}, "must lie between 0.1 and 10 GHz"),
        ({"scale": {"l1i_kb": 2}}, "can only be set"),
        ({"set": {"logical_cpus": 12}}, "threads_per_core x cores_per_socket x sockets"),
    ],
)
def test_what_if_refuses_what_cannot_be(predictor: CpuPredictor, fields: dict[str, Any], told: str):
    machine = {"server": "aws/m7i.2xlarge", "cores_per_socket": 4, "sockets": 1}
    with pytest.raises(InputError, match=told):
        ask(predictor, "what-if", input=machine, **fields)


def test_spread_of_a_change_is_bounded_by_prior_and_pairs():
    spread = ChangeSpread((0.1, 1.0), (0.5, 1.2))
    assert spread.half(0.01, 0.3) == pytest.approx(0.016449)
    assert spread.half(2.0, 0.3) == pytest.approx(0.36)
    assert ChangeSpread.from_json({}).half(2.0, 0.3) == pytest.approx(0.3 * math.sqrt(2))


@pytest.fixture(scope="module")
def service() -> Any:
    store = StoreSource(ModelStore(use_registry=False))
    store.kinds = lambda: ["cpu"]  # the other kinds' models take seconds to read
    with AppClient(create_app(Settings(), store)) as client:
        yield client


def test_over_rest(service: AppClient):
    asked = {"input": MACHINE, "scale": {"l3_mb": 2}, "targets": ["passmark:SUMM_CPU"]}
    answer = service.post("/v1/what-if/cpu", json=asked)
    assert answer.status_code == 200
    assert answer.json()["changes"][0]["after"]["higher_is_better"] is True
    answer = service.post("/v1/adapt/cpu", json={"input": MACHINE, "known": {"openssl:sha256": 9e9}})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) > 300
    refused = service.post("/v1/advise/cpu", json={})
    assert refused.status_code == 404
    assert {"adapt", "what-if"} <= set(refused.json()["known"])


def test_models_tell_licence_and_source(service: AppClient):
    (model,) = service.get("/v1/models").json()["models"]
    assert model["card"]["licence"] == "CC BY-SA 4.0"
    assert "Spare Cores" in model["card"]["attribution"]


def test_rank_by_a_weighted_mix(service: AppClient):
    inputs = [{"server": f"aws/{name}.2xlarge"} for name in ("c5", "m8a", "r6g")]
    weights = {"passmark:SUMM_CPU": 2, "passmark:ME_LATENCY": 1}
    asked = {"inputs": inputs, "device": "spare-cores", "weights": weights}
    ranking = service.post("/v1/rank/cpu", json=asked).json()["ranking"]
    assert ranking[0]["index"] == 1
    assert ranking[0]["prediction"]["target"] == "mix"
    values = [entry["prediction"]["value"] for entry in ranking]
    assert values == sorted(values, reverse=True)
    assert math.prod(values) == pytest.approx(1.0)
    wrong = service.post("/v1/rank/cpu", json=asked | {"weights": {"passmark:SUMM": 1}})
    assert wrong.status_code == 422
    assert service.post("/v1/predict/cpu", json=asked).status_code == 422
    assert service.post("/v1/rank/cpu", json=asked | {"target": "passmark:SUMM_CPU"}).status_code == 422


def test_by_the_client(service: AppClient):
    def pass_on(request: httpx.Request) -> httpx.Response:
        answer = service.request(request.method, request.url.path, content=request.content, headers=request.headers)
        return httpx.Response(answer.status_code, content=answer.content)

    with Client(transport=httpx.MockTransport(pass_on)) as client:
        answer = client.ask("cpu", "what-if", {"input": MACHINE, "add": {"memory_mts": 1000}})
        assert answer.after == {"memory_mts": 5800.0}
        with pytest.raises(InputError, match="must name at least one field"):
            client.ask("cpu", "what-if", {"input": MACHINE})
        with pytest.raises(UnknownNameError, match="what-if"):
            client.ask("cpu", "advise", {"input": MACHINE})
        neighbours = client.explain("cpu", MACHINE, "spare-cores").neighbours
        assert len(neighbours) == 3


def test_from_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Any):
    described = tmp_path / "host.json"
    if main(["describe-host", "--out", str(described)]) != 0:
        pytest.skip("this machine has no lscpu")
    models = ["--models-dir", str(PRETRAINED)]
    known = "stressng_cpu:cores=all=4000"
    assert main(["adapt", str(described), "--known", known, "--target", "passmark:SUMM_CPU", *models]) == 0
    assert "CPU Mark" in capsys.readouterr().out
    asked = ["what-if", str(described), "--scale", "memory_mts=1.5", "--target", "passmark:SUMM_CPU", *models]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"][0]["target"] == "passmark:SUMM_CPU"
    assert main(["predict", str(described), "--device", "spare-cores", "--target", "passmark:SUMM_CPU", *models]) == 0
    assert main(["adapt", str(described), "--known", "fast", *models]) == 2
    assert "NAME=NUMBER" in capsys.readouterr().err
