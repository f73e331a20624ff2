"""POST /v1/explain/{kind}."""

from __future__ import annotations


def explain(client, inputs):
    return client.post("/v1/explain/box", json={"device": "oak", "target": "weight_kg", "inputs": inputs})


def test_shares_add_up_to_the_prediction(client):
    [result] = explain(client, [{"sides": [2, 3]}]).json()["results"]
    explanation = result["explanation"]
    assert explanation["prediction"]["value"] == 12.0
    assert explanation["shares"] == [{"names": ["lid"], "op": "Plank", "value": 12.0, "fraction": 1.0}]


def test_wrong_inputs_do_not_cost_the_others_their_answer(client):
    results = explain(client, [{"sides": [2]}, {"sides": "x"}, 7]).json()["results"]
    assert [sorted(result) for result in results] == [["explanation"], ["error"], ["error"]]


def test_the_only_input_being_wrong_makes_the_request_wrong(client, assert_problem):
    assert_problem(explain(client, [7]), 422, input=0, what="An input")
