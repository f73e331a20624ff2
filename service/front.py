"""The front door: every request passes here first, and what is asked most goes straight to its endpoint.

Identity, access, compression, security headers, counters and the log of requests, for all routes alike. A framework's
routing and middleware cost more than a prediction, so the operations are found here by their path; everything else goes
on to the application. Where OpenTelemetry is configured everything does, since the spans are made there.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
from collections.abc import Mapping
from time import perf_counter
from typing import Final

import msgspec
from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from featurizers.errors import InputError
from service.access import Access
from service.body import DisconnectedError, header
from service.coding import PACKED_FROM_BYTES, accepted, packed, unpacked
from service.meters import Meters
from service.problems import RefusedError, response_of
from service.settings import Settings

log = logging.getLogger("costmodel.service")
requests_log = logging.getLogger("costmodel.requests")

Headers = list[tuple[bytes, bytes]]
_SAFE_HEADERS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_SAFE_NAMES: Final = frozenset(name for name, _ in _SAFE_HEADERS)
_NO_DOCUMENT: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_REQUEST_ID: Final = re.compile(r"[\w.:-]{1,80}", re.ASCII)
_PREFIX: Final = "/v1/"


class Front:
    """See the module. endpoints : by operation, those that are reached as ``POST /v1/{operation}[/{kind}]``."""

    def __init__(
        self, app: ASGIApp, endpoints: Mapping[str, ASGIApp], access: Access, meters: Meters, settings: Settings
    ):
        self._app, self._access, self._meters, self._settings = app, access, meters, settings
        traced = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        self._endpoints = {} if traced else endpoints
        self._held = Held(settings.bodies_bytes_max, settings.retry_after_s)
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or refuse it."""
        exchange = Exchange(send)
        token = coding = length = None
        peer = scope.get("client")
        for name, value in scope["headers"]:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                token = value[7:].decode("latin-1").strip()
            elif name == b"accept-encoding":
                exchange.coding = accepted(value.decode("latin-1"))
            elif name == b"content-length":
                length = value
            elif name == b"content-encoding" and value.lower() != b"identity":
                coding = value.decode("latin-1").strip().lower()
            elif name == b"x-request-id" and _REQUEST_ID.fullmatch(given := value.decode("latin-1")):
                exchange.id = given
        exchange.id = exchange.id or f"{self._process}-{next(self._numbers):x}"
        scope["costmodel.request_id"] = exchange.id
        try:
            who = self._access.check(scope["method"], scope["path"], peer[0] if peer else "", token)
            scope["costmodel.caller"] = who
            if length is None or len(length) > 5:
                receive = self._held.counted(receive, exchange)
            if coding is not None:
                receive = await unpacked(scope, receive, coding, self._settings.body_bytes_max)
                self._held.add(exchange, int(header(scope, b"content-length")))
            await (self._endpoint(scope) or self._app)(scope, receive, exchange.send)
        except DisconnectedError:
            exchange.status = 499
        except (RefusedError, InputError) as error:
            scope.setdefault("endpoint", None)
            await response_of(error, scope["path"])(scope, receive, exchange.send)
        except Exception as error:
            await self._failed(scope, receive, exchange, error)
        finally:
            self._held.give_back(exchange)
            self._over(scope, exchange)

    def _endpoint(self, scope: Scope) -> ASGIApp | None:
        path: str = scope["path"]
        if scope["method"] != "POST" or not path.startswith(_PREFIX):
            return None
        operation, _, kind = path[len(_PREFIX) :].partition("/")
        endpoint = self._endpoints.get(operation)
        if endpoint is None or "/" in kind or (not kind) != (operation == "echo"):
            return None
        scope["app"] = self._app  # by which starlette knows to raise an HTTPException for a broken form
        scope["path_params"] = {"kind": kind}
        scope["endpoint"] = endpoint
        return endpoint

    async def _failed(self, scope: Scope, receive: Receive, exchange: Exchange, error: Exception) -> None:
        if exchange.status:
            if not exchange.finished:
                raise error
            return  # The application's own handler has answered and logged it.
        log.exception("unexpected error in %s %s", scope["method"], scope["path"], exc_info=error)
        refused = RefusedError(500, "The service failed while answering; the cause is in its log.")
        await response_of(refused, scope["path"])(scope, receive, exchange.send)

    def _over(self, scope: Scope, exchange: Exchange) -> None:
        endpoint = scope.get("endpoint")
        operation = getattr(endpoint, "operation", None) or getattr(endpoint, "__name__", "unmatched")
        seconds = perf_counter() - exchange.started
        # Nothing was sent to a caller that went away while it was sending.
        count, histogram = self._meters.of_request(operation, exchange.status or 499)
        count.inc()
        histogram.observe(seconds)
        if self._settings.log_requests:
            told = {
                "id": exchange.id,
                "caller": scope.get("costmodel.caller"),
                "method": scope["method"],
                "path": scope["path"],
                "status": exchange.status or 499,
                "ms": round(seconds * 1e3, 3),
            }
            requests_log.info("%s", msgspec.json.encode(told).decode())


class Held:
    """Bytes of long bodies in memory now. Each may be half a gigabyte: what bounds one does not bound a hundred."""

    def __init__(self, bytes_max: int, retry_after_s: int):
        self._bytes_max, self._retry_after_s = bytes_max, retry_after_s
        self._bytes = 0

    def counted(self, receive: Receive, exchange: Exchange) -> Receive:
        """`receive` that raises `RefusedError` (503) where too much is held."""

        async def counting() -> Message:
            message = await receive()
            self.add(exchange, len(message.get("body", b"")))
            return message

        return counting

    def add(self, exchange: Exchange, count: int) -> None:
        """Count bytes of one request. Raises `RefusedError` (503) where too much is held."""
        exchange.held_bytes += count
        self._bytes += count
        if self._bytes > self._bytes_max:
            detail = "The bodies of other requests fill the memory that there is for them; try again later."
            raise RefusedError(503, detail, headers={"retry-after": str(self._retry_after_s)})

    def give_back(self, exchange: Exchange) -> None:
        """The request is over."""
        self._bytes -= exchange.held_bytes
        exchange.held_bytes = 0


class Exchange:
    """The answer on its way out: adds headers, packs a long body, and remembers how it ended."""

    __slots__ = ("_head", "_send", "coding", "finished", "held_bytes", "id", "started", "status")

    def __init__(self, send: Send):
        self._send = send
        self._head: Message | None = None
        self.coding: str | None = None
        self.finished = False
        self.held_bytes = 0
        self.id = ""
        self.started = perf_counter()
        self.status = 0

    async def send(self, message: Message) -> None:
        """One message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._add_headers(message["headers"])
            if self.coding is None:
                return await self._send(message)
            self._head = message
            return
        if self._head is not None:
            head, self._head = self._head, None
            message = await self._packed(head, message)
        self.finished = not message.get("more_body", False)
        await self._send(message)

    def _add_headers(self, headers: Headers) -> None:
        names = {name for name, _ in headers}
        if names.isdisjoint(_SAFE_NAMES):
            headers += _SAFE_HEADERS
        else:
            headers += [pair for pair in _SAFE_HEADERS if pair[0] not in names]
        if _NO_DOCUMENT[0] not in names and not any(
            name == b"content-type" and value.startswith(b"text/html") for name, value in headers
        ):
            headers.append(_NO_DOCUMENT)
        headers.append((b"x-request-id", self.id.encode()))

    async def _packed(self, head: Message, message: Message) -> Message:
        """Send `head`, and give the body's message that follows it."""
        body: bytes = message.get("body", b"")
        whole = not message.get("more_body", False)
        encoded = any(name == b"content-encoding" for name, _ in head["headers"])
        if whole and not encoded and len(body) >= PACKED_FROM_BYTES and self.coding is not None:
            body = await packed(body, self.coding)
            kept = [pair for pair in head["headers"] if pair[0] != b"content-length"]
            added = [
                (b"content-length", b"%d" % len(body)),
                (b"content-encoding", self.coding.encode()),
                (b"vary", b"accept-encoding"),
            ]
            head = {**head, "headers": kept + added}
            message = {**message, "body": body}
        await self._send(head)
        return message
