"""/invocations, /ping and /version, as `mlflow models serve` has them. See `service.mlflow_protocol`."""

from __future__ import annotations

from importlib.metadata import version as installed

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from service import mlflow_protocol as protocol
from service.body import header, read_body
from service.dependencies import DeskDep, SourceDep
from service.problems import RefusedError
from service.responses import Described, content, described

router = APIRouter(tags=["mlflow"])
_TEXT: Described = {200: {"description": "It.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
_JSON, _CSV = "application/json", "text/csv"
_ERRORS = {
    "e400": "The body is not JSON.",
    "e413": "Too many bytes or inputs.",
    "e415": "Neither JSON nor CSV.",
    "e422": "A form, a parameter or a name is wrong.",
    "e503": "Too many requests are waiting, or the kind has no model.",
}


@router.get("/ping", operation_id="ping", response_class=PlainTextResponse, responses=_TEXT | {503: _TEXT[200]})
async def ping(source: SourceDep) -> Response:
    """The service can answer."""
    return PlainTextResponse("\n", 200 if source.kinds() else 503)


@router.get("/version", operation_id="mlflowVersion", response_class=PlainTextResponse, responses=_TEXT)
async def mlflow_version() -> Response:
    """The version of MLflow whose protocol this is."""
    return PlainTextResponse(installed("mlflow-skinny"))


@router.post(
    "/invocations",
    operation_id="invoke",
    responses=described("InvocationAnswer", "One record per prediction.", **_ERRORS),
    openapi_extra={
        "requestBody": {"required": True, "content": content("Invocation") | {_CSV: {"schema": {"type": "string"}}}}
    },
)
async def invoke(request: Request, desk: DeskDep) -> Response:
    """Predict a table of inputs."""
    body = await read_body(request.scope, request.receive, desk.settings.body_bytes_max)
    media_type = header(request.scope, b"content-type").partition(";")[0].strip().lower()
    if media_type not in (_JSON, _CSV):
        detail = f"The content type must be {_JSON} or {_CSV}. Got {media_type!r}."
        raise RefusedError(415, detail, known=(_JSON, _CSV))

    def work() -> bytes:
        raws, params = protocol.from_json(body) if media_type == _JSON else (protocol.from_csv(body), {})
        try:
            return protocol.answer(desk.source, raws, {**request.query_params, **params}, desk.settings.items_max)
        except LookupError as error:
            raise RefusedError(503, str(error)) from None

    return Response(await desk.workers.run(work), media_type=_JSON)
