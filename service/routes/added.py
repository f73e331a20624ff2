"""Devices that users add: planned, added, measured further, shown, removed. Every write survives the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from costmodel.devices import DeviceBook, NameTakenError, UnknownDeviceError
from costmodel.devices.errors import told
from costmodel.devices.wire import MoreMeasurements, NewDevice, PlanQuestion
from costmodel.state import Remembered, StateUnavailableError
from costmodel.state.idempotency import Idempotency
from featurizers.errors import InputError
from service.asked import Limits, typed_json, with_bytes
from service.body import header, read_body
from service.dependencies import DeskDep
from service.endpoints import JSON, Desk
from service.problems import RefusedError
from service.responses import content, described, json_response, problem

router = APIRouter(tags=["devices"])
T = TypeVar("T")
_NEW = msgspec.json.Decoder(NewDevice)
_MORE = msgspec.json.Decoder(MoreMeasurements)
_PLAN = msgspec.json.Decoder(PlanQuestion)
KeyHeader = Annotated[str | None, Header(alias="Idempotency-Key", description="Sent again, the write happens once.")]
_BODY = {
    "e400": "The body is not JSON.",
    "e413": "Too many bytes or measurements.",
    "e415": "The content type is not JSON.",
    "e503": "The database does not answer now; Retry-After says for how long to wait.",
}
_WRONG = "A rule is broken: units, repeats, batch sizes, encodings, too few measurements."
_NO_DEVICE = "No added device of that name or id."


def _body_of(schema: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content(schema, JSON)}}


@router.post(
    "/v1/devices",
    operation_id="addDevice",
    summary="Add a device from a few measurements",
    status_code=201,
    openapi_extra=_body_of("NewDevice"),
    responses={
        **{k: v for k, v in described("AddedDevice", "", **_BODY, e422=_WRONG).items() if k != 200},
        201: {"description": "The device; ask for it by name.", "content": content("AddedDevice")},
        409: problem("The name is taken."),
    },
)
async def add_device(request: Request, desk: DeskDep, idempotency_key: KeyHeader = None) -> Response:
    """Learns the device (closed form, milliseconds), writes it, and answers when it is on the disk."""
    body, key = await _write(request, desk, "POST /v1/devices", idempotency_key)

    def work(book: DeviceBook) -> Remembered:
        new = typed_json(_NEW, body, _limits(desk))
        _decode_files(desk, new.kind, (entry.input for entry in new.measurements))
        return book.add(new, key)

    return _as_response(await _do(desk, work))


@router.post(
    "/v1/devices/plan",
    operation_id="planDevice",
    summary="Which inputs to measure on a device",
    openapi_extra=_body_of("PlanQuestion"),
    responses=described(
        "PlanAnswer", "Inputs to measure, the most telling first.", **_BODY, e404=_NO_DEVICE, e422=_WRONG
    ),
)
async def plan_device(request: Request, desk: DeskDep) -> Response:
    """Of a new device by its space; of an added one the next best, given its measurements."""
    body = await _body(request, desk)

    def work(book: DeviceBook) -> msgspec.Struct:
        question = typed_json(_PLAN, body, _limits(desk))
        _decode_files(desk, question.kind, [*question.measured, *(question.candidates or [])])
        return book.plan(question)

    return json_response(await _do(desk, work))


@router.post(
    "/v1/devices/{device}/measurements",
    operation_id="measureDevice",
    summary="More measurements of an added device",
    openapi_extra=_body_of("MoreMeasurements"),
    responses=described(
        "AddedDevice", "The device's new version, with outliers and drift.", **_BODY, e404=_NO_DEVICE, e422=_WRONG
    ),
)
async def measure_device(device: str, request: Request, desk: DeskDep, idempotency_key: KeyHeader = None) -> Response:
    """Each is checked against its prediction first; then all measurements together make a new version."""
    body, key = await _write(request, desk, f"POST /v1/devices/{device}/measurements"[:200], idempotency_key)

    def work(book: DeviceBook) -> Remembered:
        more = typed_json(_MORE, body, _limits(desk))
        _decode_files(desk, book.kind_of(device), (entry.input for entry in more.measurements))
        return book.measure(device, more, key)

    return _as_response(await _do(desk, work))


@router.get(
    "/v1/devices/{device}",
    operation_id="getDevice",
    summary="An added device",
    responses=described(
        "AddedDevice", "The device, its fit and its versions.", e404=_NO_DEVICE, e422="A name that cannot be one.",
        e503=_BODY["e503"],
    ),
)  # fmt: skip
async def get_device(device: str, desk: DeskDep) -> Response:
    """By name or id: which learner answers, every measurement beside its prediction, every version."""
    return json_response(await _do(desk, lambda book: book.show(device)))


@router.delete(
    "/v1/devices/{device}",
    operation_id="removeDevice",
    summary="Remove an added device",
    responses=described(
        "Removed", "It answers no longer; its name is free.", e404=_NO_DEVICE, e422="A name that cannot be one.",
        e503=_BODY["e503"],
    ),
)  # fmt: skip
async def remove_device(device: str, desk: DeskDep) -> Response:
    """By name or id. Its measurements stay in the database."""
    return json_response(await _do(desk, lambda book: book.remove(device)))


async def _body(request: Request, desk: Desk) -> bytes:
    media_type = header(request.scope, b"content-type").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise RefusedError(415, f"The content type must be {JSON}. Got {media_type!r}.", known=(JSON,))
    return await read_body(request.scope, request.receive, desk.settings.body_bytes_max)


async def _write(request: Request, desk: Desk, scope: str, key: str | None) -> tuple[bytes, Idempotency | None]:
    """A write's body, and under which key it happens once."""
    body = await _body(request, desk)
    return body, None if key is None else Idempotency(scope, key, body)


def _limits(desk: Desk) -> Limits:
    return Limits(desk.settings.items_max, desk.settings.json_values_max, ())


def _decode_files(desk: Desk, kind: str, inputs: Iterable[dict[str, Any]]) -> None:
    fields = desk.source.binary_fields(kind) if kind in desk.source.kinds() else ()
    for index, raw in enumerate(inputs):
        found = with_bytes(raw, [name for name in fields if name in raw])
        if isinstance(found, InputError):
            found.where = f"input {index}, {found.where}"
            raise found


async def _do(desk: Desk, work: Callable[[DeviceBook], T]) -> T:
    """The work in a worker thread; its errors as this service tells them."""
    book = desk.book
    assert book is not None
    try:
        return await desk.workers.run(lambda: work(book))
    except (NameTakenError, UnknownDeviceError, StateUnavailableError) as error:
        status, detail = told(error)
        headers = {"retry-after": str(desk.settings.retry_after_s)} if status == 503 else {}
        raise RefusedError(status, detail, headers=headers) from None


def _as_response(done: Remembered) -> Response:
    return Response(done.answer, status_code=done.status, media_type="application/json")
