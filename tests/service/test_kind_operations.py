"""What one kind alone answers, over REST: JSON, forms and files; everything else is refused by name."""

from __future__ import annotations

import base64

import pytest


def test_json(client):
    answer = client.post("/v1/saw/box", json={"input": {"sides": [2, 3]}, "cuts": [0, 1, 2]})
    assert answer.status_code == 200
    assert answer.json() == {"litres": [6.0, 3.0, 2.0]}


def test_a_file_in_json_is_base64(client, assert_problem):
    blob = base64.b64encode(b"abcd").decode()
    assert client.post("/v1/saw/box", json={"input": {"blob": blob}, "cuts": [1]}).json() == {"litres": [2.0]}
    answer = client.post("/v1/saw/box", json={"input": {"blob": "not base64"}, "cuts": [1]})
    assert_problem(answer, 422, what="The field 'blob'", where="blob")


def test_form_fields_are_the_questions_or_the_inputs(client, assert_problem):
    answer = client.post("/v1/saw/box", data={"cuts": "3", "wasteful": "true"}, files={"blob": ("b", b"abcde")})
    assert answer.json() == {"litres": [1.0]}
    twice = client.post("/v1/saw/box", data={"cuts": ["0", "1"]}, files={"blob": ("b", b"abcd")})
    assert twice.json() == {"litres": [4.0, 2.0]}
    many = [("blob", ("b", b"ab")), ("blob", ("c", b"cd"))]
    assert_problem(client.post("/v1/saw/box", files=many), 422, what="The field 'blob'")


def test_a_bare_file(client):
    headers = {"content-type": "application/octet-stream"}
    answer = client.post("/v1/saw/box?cuts=1", content=b"abcd", headers=headers)
    assert answer.json() == {"litres": [2.0]}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"cuts": [1]}, None),
        ({"input": [1]}, "$.input"),
        ({"input": {"sides": [1]}, "cuts": "1"}, "$.cuts"),
        ({"input": {"sides": [1]}, "cats": [1]}, None),
        ({"input": {"sides": [1]}, "cuts": [-1]}, "$.cuts"),
        ({"input": {"sides": []}, "cuts": [1]}, None),
        ([1], None),
    ],
)
def test_wrong_questions_name_the_field(client, assert_problem, body, where):
    assert_problem(client.post("/v1/saw/box", json=body), 422, where=where)


def test_malformed_bodies(client, assert_problem):
    headers = {"content-type": "application/json"}
    assert_problem(client.post("/v1/saw/box", content=b"{", headers=headers), 400)
    assert_problem(client.post("/v1/saw/box", content=b"a", headers={"content-type": "text/plain"}), 415)
    assert_problem(client.post("/v1/saw/box", json={"input": {"note": "x" * 200_000}}), 413)


def test_an_operation_that_the_kind_does_not_offer_names_those_that_it_does(client, assert_problem, source):
    problem = assert_problem(client.post("/v1/glue/box", json={}), 404, value="'glue'")
    assert problem["known"] == ["explain", "predict", "rank", "saw"]
    problem = assert_problem(client.post("/v1/saw/nothing", json={}), 404, what="The kind 'nothing'")
    assert problem["known"] == ["box"]


def test_other_paths_and_methods(client, assert_problem):
    assert_problem(client.post("/v1/glue/nothing", json={}), 404, known=None)
    response = client.get("/v1/saw/box")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST"
    assert_problem(client.get("/v1/glue/other"), 404)


def test_it_is_metered_by_its_own_name(client):
    client.post("/v1/saw/box", json={"input": {"sides": [2, 3]}})
    assert 'costmodel_answer_seconds_count{kind="box",operation="saw"} 1.0' in client.get("/metrics").text
