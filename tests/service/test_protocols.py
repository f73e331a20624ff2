"""Clients that were written for other servers: the Open Inference Protocol and MLflow's scoring protocol."""

from __future__ import annotations

import base64
import json
import struct

import httpx
import numpy as np
import pytest

from tests.served_box import box_models, box_url

__all__ = ["box_models", "box_url"]

MODEL = "/v2/models/costmodel-box"
PARAMETERS = {"device": "oak", "target": "weight_kg"}


def tensor(name, values, datatype="BYTES", **more):
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values} | more


def infer(client, *tensors, path=MODEL, **members):
    return client.post(f"{path}/infer", json={"inputs": list(tensors), "parameters": PARAMETERS} | members)


def test_metadata_says_what_a_model_takes_and_gives(client):
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    metadata = client.get(MODEL).json()
    assert metadata == client.get(f"{MODEL}/versions/1").json()
    assert {"name": "weight_kg", "datatype": "FP64", "shape": [-1]} in metadata["outputs"]
    assert metadata["versions"] == ["1"]
    for path in (MODEL, f"{MODEL}/versions/1"):
        assert client.get(f"{path}/ready").json() == {"ready": True, "name": "costmodel-box"}


def test_tensors_hold_what_rest_answers(client):
    raws = [{"sides": [2]}, {"sides": [2000]}]
    answer = infer(client, tensor("input", [json.dumps(raw) for raw in raws]), id="7").json()
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("7", "costmodel-box", "1")
    rest = client.post("/v1/predict/box", json={"device": "oak", "target": "weight_kg", "inputs": raws}).json()[
        "results"
    ]
    for name, member in (("weight_kg", "value"), ("weight_kg_low", "low"), ("weight_kg_in_domain", "in_domain")):
        assert outputs[name]["data"] == [result["predictions"][0][member] for result in rest]
    assert outputs["weight_kg"]["parameters"] == {"unit": "kg", "device": "oak", "coverage": 0.9}


def test_fields_and_files_may_be_tensors_of_their_own(client):
    blob = base64.b64encode(b"12345").decode()
    by_field = infer(client, tensor("blob", [blob]), outputs=[{"name": "weight_kg"}]).json()
    assert by_field["outputs"][0]["data"] == [10.0]
    in_document = infer(client, tensor("input", [json.dumps({"blob": blob})]), outputs=[{"name": "weight_kg"}]).json()
    assert in_document == by_field


def test_binary_tensors_both_ways(client):
    strings = b"".join(struct.pack("<I", len(text)) + text for text in (b"12345", b"123"))
    question = {
        "inputs": [
            {"name": "blob", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(strings)}},
        ],
        "parameters": PARAMETERS | {"binary_data_output": True},
        "outputs": [{"name": "weight_kg", "parameters": {"binary_data": True}}, {"name": "weight_kg_in_domain"}],
    }
    head = json.dumps(question).encode()
    headers = {"inference-header-content-length": str(len(head))}
    answer = client.post(f"{MODEL}/infer", content=head + strings, headers=headers)
    length = int(answer.headers["inference-header-content-length"])
    first, second = json.loads(answer.content[:length])["outputs"]
    assert first["parameters"]["binary_data_size"] == 16
    assert np.frombuffer(answer.content[length : length + 16]).tolist() == [10.0, 6.0]
    assert second["parameters"]["binary_data_size"] == 2
    assert answer.content[length + 16 :] == b"\1\1"


@pytest.mark.parametrize(
    ("tensors", "members", "what"),
    [
        ([tensor("input", ["{"])], {}, "The tensor 'input'"),
        ([tensor("input", ["[]"])], {}, "The tensor 'input'"),
        ([tensor("input", [json.dumps({"sides": []})])], {}, "Input 0"),
        ([tensor("input", ["{}"], shape=[2])], {}, "The tensor 'input'"),
        ([tensor("input", ["{}"], datatype="FP99")], {}, "The datatype"),
        ([], {}, "The list of inputs"),
        ([tensor("input", ["{}"]), tensor("note", ["a", "b"])], {}, "The tensor 'note'"),
        ([tensor("blob", ["?"])], {}, "The tensor 'blob'"),
        ([tensor("input", ["{}"])], {"parameters": {"device": 3}}, "The parameter 'device'"),
        ([tensor("input", ["{}"])], {"parameters": {"device": "fir"}}, "The device"),
        ([tensor("input", [json.dumps({"sides": [1]})])], {"outputs": [{"name": "x"}]}, "The output"),
        ([tensor("input", [], parameters={"binary_data_size": 9})], {}, "The tensor 'input'"),
    ],
)
def test_a_wrong_tensor_is_named_in_a_problem_that_their_clients_read(client, tensors, members, what):
    refused = infer(client, *tensors, **members)
    assert refused.status_code == 422, refused.text
    problem = refused.json()
    assert refused.headers["content-type"] == "application/problem+json"
    assert problem["what"].startswith(what)
    assert problem["error"] == problem["detail"]


@pytest.mark.parametrize("path", ["/v2/models/other", f"{MODEL}/versions/9", f"{MODEL}/versions/9/ready"])
def test_an_unknown_model_or_version_is_a_404(client, path):
    assert client.get(path).status_code == 404
    assert client.get(path).json()["error"]
    if not path.endswith("ready"):
        assert infer(client, path=path).status_code == 404


def test_nvidias_client_gets_the_same(box_url, box_kind):
    http = pytest.importorskip("tritonclient.http", reason="needs tritonclient[http], which is not in the lock")
    rest = httpx.get(f"{box_url}/v1/models").json()["models"][0]
    device, target = rest["devices"][0], rest["targets"][0]["name"]
    raw = {"sides": [1, 2, 3]}
    question = {"device": device, "target": target, "inputs": [raw]}
    [result] = httpx.post(f"{box_url}/v1/predict/{box_kind}", json=question).json()["results"]
    client = http.InferenceServerClient(box_url.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(rest["name"])
    assert target in [output["name"] for output in client.get_model_metadata(rest["name"])["outputs"]]
    for binary in (True, False):
        given = http.InferInput("input", [1], "BYTES")
        given.set_data_from_numpy(np.array([json.dumps(raw).encode()], dtype=object), binary_data=binary)
        wanted = [http.InferRequestedOutput(target, binary_data=binary)]
        answer = client.infer(rest["name"], [given], outputs=wanted, parameters={"device": device, "target": target})
        assert answer.as_numpy(target).tolist() == [result["predictions"][0]["value"]]
    given.set_data_from_numpy(np.array([b"{"], dtype=object), binary_data=True)
    with pytest.raises(Exception, match="must hold JSON text"):
        client.infer(rest["name"], [given], parameters={"device": device})


RAWS = [{"sides": [2]}, {"sides": []}]
TEXTS = [json.dumps(raw) for raw in RAWS]


@pytest.mark.parametrize(
    "form",
    [
        {"dataframe_split": {"columns": ["input"], "data": [[text] for text in TEXTS]}},
        {"dataframe_records": [{"input": text} for text in TEXTS]},
        {"instances": TEXTS},
        {"instances": [{"input": text} for text in TEXTS]},
        {"inputs": TEXTS},
        {"inputs": {"input": TEXTS}},
        {"dataframe_split": {"columns": ["sides"], "data": [[raw["sides"]] for raw in RAWS], "index": [0, 1]}},
        {"dataframe_records": RAWS},
        {"inputs": {"sides": [[2], []]}},
    ],
    ids=lambda form: next(iter(form)),
)
def test_mlflows_forms_say_the_same(client, box_kind, form):
    params = {"kind": "box", "device": "oak", "targets": "weight_kg"}
    first, second = client.post("/invocations", json=form | {"params": params}).json()["predictions"]
    assert (first["index"], first["value"], first["unit"], first["error"]) == (0, 4.0, "kg", None)
    assert second["index"] == 1
    assert "sides" in second["error"]


def test_a_csv_table(client, box_kind):
    rows = "input\n" + "\n".join('"' + text.replace('"', '""') + '"' for text in TEXTS)
    headers = {"content-type": "text/csv"}
    answer = client.post("/invocations?kind=box&device=oak&targets=weight_kg", content=rows, headers=headers)
    assert [record.get("value") for record in answer.json()["predictions"]] == [4.0, None]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"{}", 422),
        (b'{"inputs": [], "instances": []}', 422),
        (b'{"inputs": []}', 422),
        (b'{"inputs": ["{"]}', 422),
        (b'{"inputs": [3]}', 422),
        (b'{"inputs": ["{}"], "params": {"kind": "cone"}}', 422),
        (b'{"dataframe_split": {"columns": ["input"], "data": [[1, 2]]}}', 422),
        (b'{"inputs": {"a": [1], "b": []}}', 422),
    ],
)
def test_a_wrong_table_is_a_problem(client, box_kind, assert_problem, body, status):
    headers = {"content-type": "application/json"}
    assert_problem(client.post("/invocations", content=body, headers=headers), status)
    assert_problem(client.post("/invocations", content=body, headers={"content-type": "text/plain"}), 415)


def test_ping_and_version(client, source):
    assert client.get("/ping").status_code == 200
    assert client.get("/version").text.count(".") == 2
    source.predictors.clear()
    assert client.get("/ping").status_code == 503
