"""POST /v1/{operation}/{kind} as bare ASGI: a framework's request handling costs more than a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from time import perf_counter
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from costmodel.devices import DeviceBook
from costmodel.predictor import Predictor
from featurizers.errors import InputError, UnknownNameError
from featurizers.supervised import Supervised
from service import asked as ask
from service.answers import Operation, Predict
from service.asked import Asked, Limits
from service.body import DisconnectedError, header, limited_receive, read_body, refuse_declared_length
from service.meters import KindMeter, Meters
from service.problems import BadInputError, RefusedError, not_found, response_of
from service.settings import Settings
from service.source import PredictorSource
from service.together import Together
from service.workers import Workers

JSON = "application/json"
FORM = "multipart/form-data"
FILE = "application/octet-stream"
_FIELD_PARAMETER = "field"


async def send_json(send: Send, body: bytes) -> None:
    """Send a 200 with a JSON body."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints of one application share."""

    settings: Settings
    source: PredictorSource
    workers: Workers
    meters: Meters
    book: DeviceBook | None = None
    readers: Supervised = field(default_factory=Supervised)


def predictor_of(source: PredictorSource, kind: str) -> Predictor:
    """The predictor of a kind in the path. Raises `RefusedError`: 404 for an unknown kind, 503 without a model."""
    try:
        return source.predictor(kind)
    except UnknownNameError as error:
        raise not_found(error) from None
    except LookupError as error:
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None


class OperationEndpoint:
    """One operation for every kind that the source knows, now or later."""

    def __init__(self, operation: str, answer: Operation, desk: Desk):
        self.operation = operation
        self._answer = answer
        self._desk = desk
        self._limits: dict[str, Limits] = {}
        self._together = Together(answer) if isinstance(answer, Predict) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: small JSON at once; files, long requests and what another process reads in a thread."""
        try:
            body = await self._body(scope, receive)
        except DisconnectedError:
            return
        except (RefusedError, BadInputError, InputError) as error:
            return await response_of(error, scope["path"])(scope, receive, send)
        await send_json(send, body)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        kind: str = scope["path_params"]["kind"]
        predictor = predictor_of(self._desk.source, kind)
        settings = self._desk.settings
        limits = self._limits.get(kind)
        if limits is None:
            binary = self._desk.source.binary_fields(kind)
            limits = self._limits[kind] = Limits(settings.items_max, settings.json_values_max, binary)
        media_type = header(scope, b"content-type").partition(";")[0].strip().lower()
        meter = self._desk.meters.of_kind(self.operation, kind)
        if media_type == JSON:
            body = await read_body(scope, receive, settings.body_bytes_max)
            if len(body) > settings.inline_bytes_max:
                return await self._in_worker(predictor, meter, lambda: ask.from_json(body, limits))
            started = perf_counter()
            asked = ask.from_json(body, limits)
            if not asked.has_files and len(asked) <= settings.inline_items_max:
                return await self._answer_small(predictor, meter, asked, started)
            return await self._in_worker(predictor, meter, lambda: asked)
        fields = await read_fields(media_type, scope, receive, settings, limits)
        return await self._in_worker(predictor, meter, lambda: ask.from_fields(fields, limits))

    async def _in_worker(self, predictor: Predictor, meter: KindMeter, read: Callable[[], Asked]) -> bytes:
        def work() -> bytes:
            started = perf_counter()
            return self._timed(predictor, meter, read(), started)

        return await self._desk.workers.run(work)

    async def _answer_small(self, predictor: Predictor, meter: KindMeter, asked: Asked, started: float) -> bytes:
        """Together with what waits at the same time where the operation knows how, else on the event loop; in a thread
        where another process reads."""
        apart = self._desk.source.reads_apart(predictor.kind)
        if self._together is None:
            if apart:
                return await self._in_worker(predictor, meter, lambda: asked)
            return self._timed(predictor, meter, asked, started)
        try:
            return await self._together(predictor, asked, meter.observe, apart)
        finally:
            meter.answer_s.observe(perf_counter() - started)

    def _timed(self, predictor: Predictor, meter: KindMeter, asked: Asked, started: float) -> bytes:
        try:
            return self._answer(predictor, asked, meter.observe)
        finally:
            meter.answer_s.observe(perf_counter() - started)


async def read_fields(
    media_type: str, scope: Scope, receive: Receive, settings: Settings, limits: Limits
) -> list[tuple[str, str | bytes]]:
    """What a form or a file gives. Raises `RefusedError` for another media type (415) or no such body (400)."""
    read = {FORM: read_form, FILE: read_file}.get(media_type)
    if read is None:
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The content type must be {JSON}, {FORM} or {FILE}. Got {media_type!r}.",
            known=(JSON, FORM, FILE),
        )
    return await read(scope, receive, settings, limits)


async def read_form(
    scope: Scope, receive: Receive, settings: Settings, limits: Limits
) -> list[tuple[str, str | bytes]]:
    """Fields and files of a form, in their order. Raises `RefusedError` (400) and `LimitError`."""
    refuse_declared_length(scope, settings.body_bytes_max)
    request = Request(scope, limited_receive(receive, settings.body_bytes_max))
    try:
        async with request.form(max_files=settings.items_max, max_fields=settings.items_max) as form:
            return [
                (name, await value.read() if isinstance(value, UploadFile) else value)
                for name, value in form.multi_items()
            ]
    except HTTPException as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"The form cannot be read: {error.detail}") from None


async def read_file(
    scope: Scope, receive: Receive, settings: Settings, limits: Limits
) -> list[tuple[str, str | bytes]]:
    """Query parameters, and the body as a field. Raises `RefusedError` (400), `InputError` and `LimitError`."""
    try:
        query = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, strict_parsing=False)
    except ValueError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"The query cannot be read: {error}") from None
    names = [value for name, value in query if name == _FIELD_PARAMETER]
    field = names[-1] if names else next(iter(limits.binary_fields), None)
    if field is None:
        raise InputError(f"The parameter '{_FIELD_PARAMETER}'", "must name the field that the body is for")
    body = await read_body(scope, receive, settings.body_bytes_max)
    return [(name, value) for name, value in query if name != _FIELD_PARAMETER] + [(field, body)]


class EchoEndpoint:
    """Sends the body back: the least that a request can cost here, the yardstick of the serving benchmark."""

    operation = "echo"

    def __init__(self, settings: Settings):
        self._read = partial(read_body, limit=settings.body_bytes_max)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the request's own body."""
        try:
            await send_json(send, await self._read(scope, receive))
        except DisconnectedError:
            return
        except InputError as error:
            await response_of(error, scope["path"])(scope, receive, send)
