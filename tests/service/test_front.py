"""What every answer has: an identity, headers that keep a browser from guessing, a packed body where asked for."""

from __future__ import annotations

import gzip
import json
import logging

import pytest
import zstandard

from service import Settings, create_app

QUESTION = {"device": "oak", "inputs": [{"sides": [i + 1]} for i in range(40)]}
PLAIN = {"accept-encoding": "identity"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/predict/box", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/nowhere/at/all", 404),
        ("GET", "/docs", 200),
    ],
)
def test_headers_of_every_answer(client, method, path, status):
    answer = client.request(method, path, json=QUESTION if method == "POST" else None)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-request-id"]
    if path != "/docs":
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_request_keeps_the_name_that_its_caller_gave_it(client):
    assert client.get("/healthz", headers={"x-request-id": "abc-1.2"}).headers["x-request-id"] == "abc-1.2"
    forged = client.get("/healthz", headers={"x-request-id": "a\tb"}).headers["x-request-id"]
    assert forged != "a\tb"
    assert len({client.get("/healthz").headers["x-request-id"] for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)], ids=["gzip", "zstd"]
)
def test_packed_bodies_both_ways(client, coding, pack):
    plain = client.post("/v1/predict/box", json=QUESTION, headers=PLAIN)
    assert "content-encoding" not in plain.headers
    headers = {"content-type": "application/json", "content-encoding": coding, "accept-encoding": coding}
    body = pack(json.dumps(QUESTION).encode())
    answer = client.post("/v1/predict/box", content=body, headers=headers)
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert int(answer.headers["content-length"]) < len(plain.content)
    assert answer.json() == plain.json()


def test_short_answers_are_not_packed(client):
    assert "content-encoding" not in client.get("/healthz", headers={"accept-encoding": "gzip"}).headers


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(client, assert_problem, coding):
    bomb = {"gzip": gzip.compress, "zstd": zstandard.compress}[coding](b" " * 50_000_000)
    assert len(bomb) < 100_000
    headers = {"content-type": "application/json", "content-encoding": coding}
    assert_problem(client.post("/v1/predict/box", content=bomb, headers=headers), 413)


@pytest.mark.parametrize(
    "body", [b"", b"hello", gzip.compress(b"{}" * 500, mtime=0)[:-10]], ids=["empty", "text", "cut short"]
)
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_is_not_packed_so_is_a_400(client, assert_problem, body, coding):
    headers = {"content-type": "application/json", "content-encoding": coding}
    assert_problem(client.post("/v1/predict/box", content=body, headers=headers), 400)


def test_an_unknown_coding_is_a_415_that_names_the_known(client, assert_problem):
    refused = client.post("/v1/predict/box", content=b"", headers={"content-encoding": "br"})
    assert_problem(refused, 415, known=["zstd", "gzip"])


def test_an_unexpected_error_is_told_without_its_cause(client, source, assert_problem):
    source.predictors["box"].predict = lambda *_: 1 / 0
    problem = assert_problem(client.post("/v1/predict/box", json=QUESTION), 500)
    assert "division" not in json.dumps(problem)


def test_requests_are_logged_as_json_where_it_is_asked_for(source, client_of, caplog):
    client = client_of(create_app(Settings(log_requests=True), source))
    with caplog.at_level(logging.INFO, "costmodel.requests"):
        client.post("/v1/predict/box", json=QUESTION, headers={"x-request-id": "mine"})
        client.get("/nowhere/at/all")
    first, second = (
        json.loads(record.getMessage()) for record in caplog.records if record.name == "costmodel.requests"
    )
    assert (first["id"], first["path"], first["status"]) == ("mine", "/v1/predict/box", 200)
    assert second["status"] == 404
    assert first["ms"] > 0
