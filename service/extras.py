"""POST /v1/{operation}/{kind} for what one kind alone answers; see `costmodel.operations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from costmodel.operations import BASIC, KindOperation, KindQuestion, operation_of
from costmodel.predictor import Predictor
from featurizers.errors import InputError, UnknownNameError
from service import asked as ask
from service.asked import Limits
from service.body import DisconnectedError, header, read_body
from service.endpoints import JSON, Desk, predictor_of, read_fields, send_json
from service.problems import RefusedError, not_found, response_of


def offered(desk: Desk, kind: str) -> Mapping[str, KindOperation]:
    """The further operations of a kind that can answer now."""
    return desk.source.predictor(kind).operations


class KindOperationEndpoint:
    """Every further operation of every kind that the source knows, now or later. Always answered in a worker thread."""

    operation = "kind-operation"

    def __init__(self, desk: Desk):
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body = await self._body(scope, receive)
        except DisconnectedError:
            return
        except (RefusedError, InputError) as error:
            return await response_of(error, scope["path"])(scope, receive, send)
        await send_json(send, body)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        name, kind = scope["path_params"]["operation"], scope["path_params"]["kind"]
        predictor, operation = self._found(name, kind, scope["path"], scope["method"])
        desk = self._desk
        limits = Limits(desk.settings.items_max, desk.settings.json_values_max, desk.source.binary_fields(kind))
        read = await self._reader(scope, receive, operation, limits)
        meter = desk.meters.of_kind(name, kind)

        def work() -> bytes:
            started = perf_counter()
            try:
                return msgspec.json.encode(operation.run(predictor, read()))
            finally:
                meter.answer_s.observe(perf_counter() - started)

        return await desk.workers.run(work)

    def _found(self, name: str, kind: str, path: str, method: str) -> tuple[Predictor, KindOperation]:
        known = self._desk.source.kinds()
        if kind not in known and not any(name in offered(self._desk, each) for each in known):
            raise RefusedError(HTTPStatus.NOT_FOUND, f"There is no resource at {path}.")
        predictor = predictor_of(self._desk.source, kind)
        if method != "POST" and name in {*BASIC, *predictor.operations}:
            detail = f"{path} does not take {method}."
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"allow": "POST"})
        try:
            return predictor, operation_of(kind, predictor.operations, name)
        except UnknownNameError as error:
            raise not_found(error) from None

    async def _reader(
        self, scope: Scope, receive: Receive, operation: KindOperation, limits: Limits
    ) -> Callable[[], KindQuestion]:
        settings = self._desk.settings
        media_type = header(scope, b"content-type").partition(";")[0].strip().lower()
        if media_type == JSON:
            body = await read_body(scope, receive, settings.body_bytes_max)
            return lambda: _from_json(body, operation, limits)
        fields = await read_fields(media_type, scope, receive, settings, limits)
        return lambda: operation.read_values(ask.values_of(fields, limits))


def _from_json(body: bytes, operation: KindOperation, limits: Limits) -> KindQuestion:
    fields: Any = ask.plain_json(body, limits)
    if not isinstance(fields, dict):
        raise InputError("The JSON body", "must be an object", fields)
    question = operation.read(fields)
    raw = ask.with_bytes(question.input, [name for name in limits.binary_fields if name in question.input])
    if isinstance(raw, InputError):
        raise raw
    return question
