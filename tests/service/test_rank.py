"""POST /v1/rank/{kind}."""

from __future__ import annotations


def rank(client, inputs, **members):
    return client.post("/v1/rank/box", json={"device": "oak", "inputs": inputs} | members)


def test_best_first_with_the_probability_that_it_is(client):
    answer = rank(client, [{"sides": [3]}, {"sides": [1]}, {"sides": [2]}]).json()
    assert [(r["index"], r["place"], r["p_better_than_next"]) for r in answer["ranking"]] == [
        (1, 0, 0.75),
        (2, 1, 0.75),
        (0, 2, None),
    ]
    assert answer["ranking"][0]["prediction"]["value"] == 2.0
    assert answer["errors"] == []


def test_wrong_inputs_are_listed_by_their_index(client):
    answer = rank(client, [5, {"sides": [3]}, {"sides": []}, {"sides": [1]}]).json()
    assert [r["index"] for r in answer["ranking"]] == [3, 1]
    assert [(e["index"], e["error"]["what"]) for e in answer["errors"]] == [(0, "An input"), (2, "The 'sides'")]


def test_nothing_answerable_is_no_ranking(client):
    answer = rank(client, [5, 6])
    assert answer.status_code == 200
    assert answer.json()["ranking"] == []
    assert len(answer.json()["errors"]) == 2


def test_the_only_input_being_wrong_makes_the_request_wrong(client, assert_problem):
    assert_problem(rank(client, [{"sides": [0]}]), 422, input=0, what="Side 0")
