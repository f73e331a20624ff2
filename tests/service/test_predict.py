"""POST /v1/predict/{kind}: three forms of body, many inputs, an error per input."""

from __future__ import annotations

import base64

BOX = {"sides": [2, 3, 4]}


def test_one_input_has_a_prediction_per_device_and_target(client):
    answer = client.post("/v1/predict/box", json={"devices": ["oak", "pine"], "inputs": [BOX]})
    assert answer.status_code == 200
    [result] = answer.json()["results"]
    assert [(p["device"], p["target"], p["value"]) for p in result["predictions"]] == [
        ("oak", "weight_kg", 48.0),
        ("oak", "price_eur", 48.0),
        ("pine", "weight_kg", 24.0),
        ("pine", "price_eur", 24.0),
    ]
    assert result["predictions"][0] == {
        "target": "weight_kg",
        "value": 48.0,
        "unit": "kg",
        "low": 32.0,
        "high": 72.0,
        "coverage": 0.9,
        "in_domain": True,
        "reasons": [],
        "device": "oak",
        "model": "costmodel-box",
        "model_version": "1",
        "higher_is_better": False,
    }


def test_target_limits_the_answer(client):
    answer = client.post("/v1/predict/box", json={"device": "oak", "target": "price_eur", "inputs": [BOX]})
    assert [p["target"] for p in answer.json()["results"][0]["predictions"]] == ["price_eur"]


def test_wrong_inputs_do_not_cost_the_others_their_answer(client):
    inputs = [BOX, {"sides": []}, "not an object", {"blob": "*"}, {"sides": [1, -1]}, BOX]
    answer = client.post("/v1/predict/box", json={"device": "pine", "target": "weight_kg", "inputs": inputs})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [i for i, result in enumerate(results) if "predictions" in result] == [0, 5]
    assert [result["error"]["what"] for result in results[1:5]] == [
        "The 'sides'",
        "An input",
        "The field 'blob'",
        "Side 1",
    ]
    assert results[4]["error"]["where"] == "sides[1]"


def test_the_only_input_being_wrong_makes_the_request_wrong(client, assert_problem):
    answer = client.post("/v1/predict/box", json={"device": "pine", "inputs": [{"sides": [1, -1]}]})
    assert_problem(answer, 422, what="Side 1", rule="must lie between 0 and 1e6", value="-1", where="sides[1]", input=0)


def test_many_inputs_keep_their_order(client):
    inputs = [{"sides": [i]} if i % 7 else {"sides": None} for i in range(1, 1001)]
    results = client.post("/v1/predict/box", json={"device": "pine", "target": "weight_kg", "inputs": inputs}).json()
    values = [r["predictions"][0]["value"] if "predictions" in r else None for r in results["results"]]
    assert values == [float(i) if i % 7 else None for i in range(1, 1001)]


def test_a_file_in_json_is_base64(client):
    blob = base64.b64encode(b"12345").decode()
    question = {"device": "pine", "target": "weight_kg", "inputs": [{"blob": blob, "dims": {"n": 2}}]}
    answer = client.post("/v1/predict/box", json=question)
    assert answer.json()["results"][0]["predictions"][0]["value"] == 10.0


def test_a_form_of_several_files_shares_its_fields(client):
    answer = client.post(
        "/v1/predict/box",
        data={"device": ["pine", "oak"], "target": "weight_kg", "dim": ["n=2", "m=3"]},
        files=[("blob", ("a", b"1")), ("blob", ("b", b"bad")), ("blob", ("c", b"123"))],
    )
    results = answer.json()["results"]
    assert [p["value"] for p in results[0]["predictions"]] == [6.0, 12.0]
    assert results[1]["error"]["where"] == "byte 0"
    assert [p["value"] for p in results[2]["predictions"]] == [18.0, 36.0]


def test_a_bare_file_takes_its_options_from_the_query(client):
    answer = client.post(
        "/v1/predict/box?device=oak&dim=n=5&target=price_eur",
        content=b"12",
        headers={"content-type": "application/octet-stream"},
    )
    assert answer.json()["results"][0]["predictions"][0]["value"] == 20.0


def test_a_kind_added_to_the_source_is_answered_at_once(client, source):
    source.add("crate")
    assert client.post("/v1/predict/crate", json={"device": "oak", "inputs": [BOX]}).status_code == 200
    assert {device["kind"] for device in client.get("/v1/devices").json()["devices"]} == {"box", "crate"}
