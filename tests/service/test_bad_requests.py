"""What a caller can get wrong: always a 4xx problem that names the thing, and the process lives."""

from __future__ import annotations

import asyncio
import json

import pytest

from service import Settings, create_app

ASKED = {"device": "oak", "inputs": [{"sides": [1]}]}
OPERATIONS = ("predict", "rank", "explain")


def post_text(client, text, content_type="application/json", path="/v1/predict/box"):
    return client.post(path, content=text, headers={"content-type": content_type})


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "text", ["", "{", '{"inputs": [1,', '{"inputs": [-Infinity]}', "\xff", '{"inputs": ' + "[" * 90_000]
)
def test_malformed_json_is_a_400(client, assert_problem, operation, text):
    answer = post_text(client, text.encode("latin-1"), path=f"/v1/{operation}/box")
    assert_problem(answer, 400, title="Bad Request")


def test_nan_among_the_inputs_is_refused(client, assert_problem):
    assert_problem(post_text(client, '{"device": "oak", "inputs": [{"sides": [NaN]}]}'), 400)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("content_type", ["text/plain", "", "application/xml", "application/x-www-form-urlencoded"])
def test_another_content_type_is_a_415(client, assert_problem, operation, content_type):
    answer = post_text(client, "{}", content_type, f"/v1/{operation}/box")
    problem = assert_problem(answer, 415)
    assert problem["known"] == ["application/json", "multipart/form-data", "application/octet-stream"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("change", "what", "where"),
    [
        ({"inputs": []}, "The list of inputs", None),
        ({"inputs": {}}, "The JSON body", "$.inputs"),
        ({"devicez": "oak"}, "The JSON body", None),
        ({"device": 3}, "The JSON body", "$.device"),
        ({"device": None}, "The request", None),
        ({"devices": ["oak"]}, "The field 'device'", None),
        ({"target": "mass"}, "The target of device 'oak' 'mass'", None),
    ],
)
def test_a_broken_rule_is_a_422(client, assert_problem, operation, change, what, where):
    answer = client.post(f"/v1/{operation}/box", json=ASKED | change)
    assert_problem(answer, 422, what=what, where=where)


@pytest.mark.parametrize("operation", ["rank", "explain"])
def test_one_device_only(client, assert_problem, operation):
    question = {"devices": ["oak", "pine"], "inputs": [{"sides": [1]}]}
    assert_problem(client.post(f"/v1/{operation}/box", json=question), 422, what="The list of devices")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_unknown_device_is_named_with_the_known_ones(client, assert_problem, operation):
    problem = assert_problem(client.post(f"/v1/{operation}/box", json=ASKED | {"device": "oka"}), 422)
    assert problem["known"] == ["oak", "pine"]
    assert problem["value"] == "'oka'"
    assert "Nearest: oak" in problem["detail"]
    assert "input" not in problem


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_unknown_kind_is_a_404_with_the_known_ones(client, assert_problem, operation):
    assert_problem(client.post(f"/v1/{operation}/bxo", json=ASKED), 404, known=["box"], value="'bxo'")


def test_one_input_too_many_is_a_413(client, assert_problem, settings):
    inputs = [{"sides": [1]}] * settings.items_max
    assert client.post("/v1/predict/box", json={"device": "oak", "inputs": inputs}).status_code == 200
    question = {"device": "oak", "inputs": [*inputs, {"sides": [1]}]}
    assert_problem(client.post("/v1/predict/box", json=question), 413, what="The list of inputs", value="1001")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/octet-stream", "multipart/form-data; boundary=x"]
)
def test_a_declared_length_beyond_the_limit_is_refused_unread(client, assert_problem, content_type):
    headers = {"content-type": content_type, "content-length": str(3 * 1024**3)}
    answer = client.post("/v1/predict/box?device=oak", content=b"1", headers=headers)
    assert_problem(answer, 413, what="The request body", value=str(3 * 1024**3))
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/octet-stream", "multipart/form-data; boundary=x"]
)
def test_a_body_without_a_length_is_refused_while_it_streams(app, content_type):
    messages = [
        {
            "type": "http.request",
            "body": b"--x\r\nContent-Disposition: form-data; name=blob\r\n\r\n" + b" " * 30_000,
            "more_body": True,
        }
    ] * 10
    sent = []
    taken = []

    async def receive():
        taken.append(1)
        return messages[len(taken) - 1]

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/predict/box",
        "raw_path": b"/v1/predict/box",
        "query_string": b"",
        "headers": [(b"content-type", content_type.encode())],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["what"] == "The request body"
    assert len(taken) == 4


def test_too_many_values_in_json_are_not_decoded(assert_problem, client_of, source):
    client = client_of(create_app(Settings(json_values_max=1000), source))
    text = '{"device": "oak", "inputs": [' + ",".join(["0"] * 600_000) + "]}"
    assert_problem(post_text(client, text), 413, what="The JSON body")


@pytest.mark.parametrize("dim", ["n", "n=-1", "=3", "n=x"])
def test_a_dimension_that_is_no_dimension_is_shown(client, assert_problem, dim):
    answer = client.post("/v1/predict/box", data={"device": "oak", "dim": dim}, files={"blob": b"1"})
    assert_problem(answer, 422, what="The field 'dim'", value=repr(dim))


def test_a_form_without_inputs_is_a_422(client, assert_problem):
    answer = client.post("/v1/predict/box", files={"device": (None, "oak")})
    assert_problem(answer, 422, what="The list of inputs")


def test_fields_given_unequal_times_cannot_be_dealt(client, assert_problem):
    files = [("blob", b"1"), ("blob", b"2")]
    answer = client.post("/v1/predict/box", data={"device": "oak", "note": ["a", "b", "c"]}, files=files)
    assert_problem(answer, 422, what="The field 'blob'", value="2")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\nfoo", b"--y\r\n\r\n--y--"])
def test_a_broken_form_is_a_4xx(client, assert_problem, body):
    answer = post_text(client, body, "multipart/form-data; boundary=x")
    assert_problem(answer, 400 if answer.status_code == 400 else 422)


def test_a_form_without_boundary_is_a_400(client, assert_problem):
    assert_problem(post_text(client, b"--x", "multipart/form-data"), 400)


def test_binary_text_field_must_be_utf8(client, assert_problem):
    answer = client.post("/v1/predict/box", data={"device": "oak"}, files={"note": ("n", b"\xff\xfe")})
    assert_problem(answer, 422, what="The field 'note'")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere/at/all", 404),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/predict", 404),
        ("POST", "/v1/predict/box/x", 404),
        ("POST", "/v1/echo", 404),
        ("GET", "/v1/predict/box", 405),
        ("DELETE", "/v1/devices", 405),
        ("GET", "/v1/models/none", 404),
    ],
)
def test_http_errors_have_the_same_shape(client, assert_problem, method, path, status):
    assert_problem(client.request(method, path), status)


def test_a_bug_shows_no_internals(client, assert_problem, source):
    def explode(*_):
        raise RuntimeError("secret path /root")

    source.predictors["box"].predict = explode
    problem = assert_problem(client.post("/v1/predict/box", json=ASKED), 500)
    assert "secret" not in str(problem)
    assert client.get("/healthz").status_code == 200
