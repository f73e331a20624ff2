"""POST /v1/measurements and GET /v1/models/{name}/health: predictions against what was measured afterwards."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from costmodel.state import Remembered, StateUnavailableError
from costmodel.state.idempotency import Idempotency
from featurizers.errors import InputError, LimitError, UnknownNameError
from service.asked import Limits, typed_json, with_bytes
from service.body import header, read_body
from service.dependencies import DeskDep, SourceDep
from service.endpoints import JSON, Desk
from service.feedback import Feedback, NewReports
from service.paging import CursorQuery, LimitQuery, key_of
from service.problems import RefusedError, not_found
from service.responses import content, described, json_response

router = APIRouter(tags=["feedback"])
_NEW = msgspec.json.Decoder(NewReports)


def _feedback(request: Request) -> Feedback:
    feedback: Feedback = request.app.state.feedback
    return feedback


FeedbackDep = Annotated[Feedback, Depends(_feedback)]


@router.post(
    "/v1/measurements",
    operation_id="reportMeasurements",
    summary="Measured values of what can be predicted",
    openapi_extra={"requestBody": {"required": True, "content": content("NewReports", JSON)}},
    responses=described(
        "ReportsAnswer",
        "Each beside its prediction; all are on the disk.",
        e400="The body is not JSON.",
        e413="Too many bytes or measurements.",
        e415="The content type is not JSON.",
        e422="A name, a value or an input is wrong; nothing was kept.",
        e503="The database does not answer now; Retry-After says for how long to wait.",
    ),
)
async def report_measurements(
    request: Request,
    desk: DeskDep,
    feedback: FeedbackDep,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> Response:
    """Compares each with the prediction of now and keeps both; `/v1/models/{name}/health` tells the standing."""
    media_type = header(request.scope, b"content-type").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise RefusedError(415, f"The content type must be {JSON}. Got {media_type!r}.", known=(JSON,))
    body = await read_body(request.scope, request.receive, desk.settings.body_bytes_max)
    key = None if idempotency_key is None else Idempotency("POST /v1/measurements", idempotency_key, body)
    try:
        done = await desk.workers.run(lambda: _add(desk, feedback, body, key))
    except StateUnavailableError as error:
        retry = {"retry-after": str(desk.settings.retry_after_s)}
        raise RefusedError(503, str(error), headers=retry) from None
    return Response(done.answer, status_code=done.status, media_type=JSON)


@router.get(
    "/v1/measurements",
    operation_id="listMeasurements",
    summary="What was reported, the newest first",
    responses=described(
        "ReportList", "Each beside its prediction of then; files are left out.", e422="A limit or cursor that is none.",
        e503="The database does not answer now; Retry-After says for how long to wait.",
    ),
)  # fmt: skip
async def list_measurements(
    desk: DeskDep,
    feedback: FeedbackDep,
    kind: Annotated[str | None, Query(description="Only of this kind of input.")] = None,
    device: Annotated[str | None, Query(description="Only of this device.")] = None,
    limit: LimitQuery = None,
    cursor: CursorQuery = None,
) -> Response:
    """A page of at most 100 where no limit is given."""
    key = None if cursor is None else key_of(cursor)
    if key is not None and not (key.isascii() and key.isdecimal() and len(key) < 19):
        raise InputError("The parameter 'cursor'", "must be the next_cursor of a page of this list", cursor)
    before = None if key is None else int(key)
    try:
        rows = await desk.workers.run(lambda: feedback.page(kind, device, before, limit or 100))
    except StateUnavailableError as error:
        raise RefusedError(503, str(error), headers={"retry-after": str(desk.settings.retry_after_s)}) from None
    return json_response(rows)


def _add(desk: Desk, feedback: Feedback, body: bytes, key: Idempotency | None) -> Remembered:
    settings = desk.settings
    asked = typed_json(_NEW, body, Limits(settings.items_max, settings.json_values_max, ()))
    if len(asked.measurements) > settings.items_max:
        rule = f"must hold at most {settings.items_max} measurements"
        raise LimitError("The list of measurements", rule, len(asked.measurements))
    fields = desk.source.binary_fields(asked.kind) if asked.kind in desk.source.kinds() else ()
    raws = []
    for measured in asked.measurements:
        raw = with_bytes(measured.input, [name for name in fields if name in measured.input])
        if isinstance(raw, InputError):
            raise raw
        raws.append(raw)
    try:
        predictor = desk.source.predictor(asked.kind)
    except UnknownNameError:
        raise
    except LookupError as error:
        raise RefusedError(503, str(error)) from None
    return feedback.add(predictor, asked, raws, key)


@router.get(
    "/v1/models/{name}/health",
    operation_id="modelHealth",
    summary="Do a model's intervals hold?",
    responses=described(
        "ModelHealth", "By device and target.", e404="No model of that name.", e422="A name that cannot be one."
    ),
)
async def model_health(name: str, source: SourceDep, feedback: FeedbackDep) -> Response:
    """Coverage and error over the last reports; says so when coverage has left its band."""
    models = {source.predictor(kind).name: kind for kind in source.kinds()}
    if name not in models:
        raise not_found(UnknownNameError("model", name, models))
    return json_response(feedback.health(source.predictor(models[name])))
