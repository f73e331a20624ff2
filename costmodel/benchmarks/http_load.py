"""A load generator for one machine: keep-alive connections in one process, little work of its own per request.

Run as ``python -m costmodel.benchmarks.http_load`` with a job as JSON on standard input; prints the result as JSON.
An ordinary HTTP client costs more per request than the service that it is to measure.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """requests_per_s over the whole run; p50_ms, p99_ms, p999_ms of single requests; failed: answers other than 200."""

    requests: int
    failed: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    answer_bytes: int


def post(host: str, path: str, body: bytes, content_type: str = "application/json") -> bytes:
    """The bytes of a POST request."""
    lines = (f"POST {path} HTTP/1.1", f"host: {host}", f"content-type: {content_type}", f"content-length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


def load(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send `requests` in turn over so many connections, from a process of its own, for so long."""
    job = {
        "port": port,
        "connections": connections,
        "seconds": seconds,
        "requests": [b64encode(request).decode() for request in requests],
    }
    command = [sys.executable, "-m", "costmodel.benchmarks.http_load"]
    done = subprocess.run(command, input=json.dumps(job).encode(), stdout=subprocess.PIPE, check=True)
    return Load(**json.loads(done.stdout))


class _Connection:
    """One connection: sends a request, waits for the whole answer, and so on."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._expected = -1
        self.started = 0.0

    def send(self, request: bytes) -> None:
        self._received, self._expected = b"", -1
        self.started = perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer once it is there."""
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the server closed a connection that was in use")
        self._received = self._received + data if self._received else data
        if self._expected < 0:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = self._received[:end].lower()
            length = head.index(b"content-length:") + len(b"content-length:")
            self._expected = end + 4 + int(head[length:].split(b"\r\n", 1)[0])
        return self._received if len(self._received) >= self._expected else None


def _run(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    selector = selectors.DefaultSelector()
    times: list[float] = []
    sent = failed = size = 0
    started = perf_counter()
    until = started + seconds
    for _ in range(connections):
        connection = _Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(requests[sent % len(requests)])
        sent += 1
    while len(times) < sent:
        for key, _ in selector.select():
            connection = key.data
            answer = connection.receive()
            if answer is None:
                continue
            now = perf_counter()
            times.append(now - connection.started)
            failed += not answer.startswith(b"HTTP/1.1 200")
            size = len(answer)
            if now < until:
                connection.send(requests[sent % len(requests)])
                sent += 1
            else:
                # Done with: a server closes what stays idle while the others are still being answered.
                selector.unregister(connection.socket)
                connection.socket.close()
    elapsed = perf_counter() - started
    times.sort()
    p50, p99, p999 = (times[int(len(times) * share)] * 1e3 for share in (0.5, 0.99, 0.999))
    return Load(len(times), failed, len(times) / elapsed, p50, p99, p999, size)


def _main() -> None:
    job = json.load(sys.stdin)
    requests = [b64decode(text) for text in job["requests"]]
    found = _run(job["port"], requests, job["connections"], job["seconds"])
    print(json.dumps({name: getattr(found, name) for name in Load.__slots__}))


if __name__ == "__main__":
    _main()
