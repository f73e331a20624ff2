"""What strangers do to a connection: heads without end, silence, bodies together too large. Others are answered."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import zstandard

from costmodel.benchmarks.servers import Server, our_server
from featurizers.errors import LimitError
from service.coding import unpack
from service.problems import RefusedError
from tests.served_network import CELLS, DEVICE, network_models

__all__ = ["network_models"]
_SILENCE_S = 1.0
_HEAD = b"POST /v1/predict/network HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
_QUESTION = json.dumps({"device": DEVICE, "inputs": [{"nasbench201": CELLS[0]}]}).encode()


@pytest.fixture(scope="module")
def server(network_models: Path) -> Iterator[Server]:
    settings = {"COSTMODEL_SILENCE_S_MAX": str(_SILENCE_S), "COSTMODEL_BODIES_BYTES_MAX": "30000000"}
    with our_server(network_models, settings) as server:
        yield server


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """What is sent until the connection is closed."""
    found = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return found


def answers(server: Server) -> bool:
    return httpx.post(f"http://127.0.0.1:{server.port}/v1/predict/network", content=_QUESTION, timeout=10, headers={
        "content-type": "application/json"}).status_code == 200  # fmt: skip


@pytest.mark.parametrize("piece", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000])
def test_a_head_without_end_is_a_431(server: Server, connection: socket.socket, piece: bytes) -> None:
    sent = 0
    with suppress(ConnectionError):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: ")
        while sent < 4 << 20:
            connection.sendall(piece)
            sent += len(piece)
    assert sent < 4 << 20 or b" 431 " in everything(connection)
    assert answers(server)


def test_a_431_is_a_problem(connection: socket.socket) -> None:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"y" * (1 << 17))
    head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == 431


def test_a_long_head_that_ends_is_answered(connection: socket.socket) -> None:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: " + b"y" * 50_000 + b"\r\n\r\n")
    assert everything(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "said", [b"", b"GET /hea", _HEAD + b"content-length: 100\r\n\r\n{", _HEAD + b"transfer-encoding: chunked\r\n\r\n"]
)
def test_a_caller_that_says_no_more_is_left(connection: socket.socket, said: bytes) -> None:
    started = time.monotonic()
    connection.sendall(said)
    assert everything(connection) == b""
    assert _SILENCE_S < time.monotonic() - started < 10


def test_a_head_in_drops_is_not_waited_for(connection: socket.socket) -> None:
    started = time.monotonic()
    with suppress(ConnectionError):
        for byte in b"GET /healthz HTTP/1.1\r\nhost: " + b"x" * 100:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)
    assert time.monotonic() - started < 10


def test_a_slow_body_that_goes_on_is_answered(connection: socket.socket) -> None:
    connection.sendall(_HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(_QUESTION))
    pieces = [_QUESTION[i : i + 20] for i in range(0, len(_QUESTION), 20)]
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(3 * _SILENCE_S / len(pieces))
    assert everything(connection).startswith(b"HTTP/1.1 200")


def test_an_answer_that_nobody_takes_is_given_up(server: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", server.port))
        body = json.dumps({"device": DEVICE, "inputs": [{"nasbench201": cell} for cell in CELLS] * 300}).encode()
        connection.sendall(_HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
        time.sleep(6 * _SILENCE_S)
        taken = everything(connection)
    length = int(taken.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert len(taken) < length


def test_bodies_that_are_too_much_together_are_refused_until_there_is_room(server: Server) -> None:
    body = b'{"device": "x", "inputs": []}' + b" " * 20_000_000
    url = f"http://127.0.0.1:{server.port}/v1/predict/network"
    packed = zstandard.compress(body)

    def sent(content: bytes, **headers: str) -> httpx.Response:
        return httpx.post(url, content=content, headers={"content-type": "application/json", **headers}, timeout=30)

    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as held:
        held.sendall(_HEAD + b"content-length: 25000000\r\n\r\n" + b" " * 24_000_000)
        time.sleep(0.3)
        with ThreadPoolExecutor(2) as threads:
            plain, bomb = threads.submit(sent, body), threads.submit(sent, packed, **{"content-encoding": "zstd"})
        for refused in (plain.result(), bomb.result()):
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
        assert answers(server)
    time.sleep(0.3)
    assert sent(body).status_code == 422


def test_callers_that_go_away_are_not_the_services_failures(server: Server) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
            connection.sendall(_HEAD + b"content-length: 100\r\n\r\n{")
    time.sleep(0.3)
    counted = httpx.get(f"http://127.0.0.1:{server.port}/metrics", timeout=10).text
    assert 'status="499"' in counted
    assert 'status="500"' not in counted


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_packed_in_parts_cut_and_followed_by_what_is_none(coding: str, pack) -> None:  # type: ignore[no-untyped-def]
    whole = pack(b"a" * 5000)
    assert unpack(whole + pack(b"b"), coding, 10_000) == b"a" * 5000 + b"b"
    with pytest.raises(LimitError):
        unpack(whole, coding, 4999)
    for wrong in (whole[:-3], whole + b"junk", b""):
        with pytest.raises(RefusedError, match=f"is not {coding}"):
            unpack(wrong, coding, 10_000)
