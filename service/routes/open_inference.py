"""/v2: the Open Inference Protocol for the model of every kind. See `service.open_inference`."""

from __future__ import annotations

from importlib.metadata import version as installed

from fastapi import APIRouter, Request
from starlette.responses import Response

from costmodel.predictor import Predictor
from featurizers.errors import InputError, UnknownNameError
from service import open_inference as oip
from service.body import read_body
from service.dependencies import DeskDep, SourceDep
from service.problems import not_found
from service.responses import content, described, json_response
from service.source import PredictorSource

router = APIRouter(prefix="/v2", tags=["open inference protocol"])
_NO_MODEL = "No model of that name or version."
_QUESTION = {"requestBody": {"required": True, "content": content("InferQuestion")}}


@router.get("", operation_id="serverMetadata", responses=described("ServerMetadata", "The server."))
async def server_metadata() -> Response:
    """What this server is."""
    return json_response(oip.ServerMetadata("costmodel", installed("costmodel")))


@router.get("/health/live", operation_id="serverLive", responses=described("Live", "It lives."))
async def server_live() -> Response:
    """The process lives."""
    return json_response(oip.Live(True))


@router.get(
    "/health/ready",
    operation_id="serverReady",
    responses=described("Ready", "It can answer.") | {503: {"description": "No model.", "content": content("Ready")}},
)
async def server_ready(source: SourceDep) -> Response:
    """Every kind with a model can answer."""
    ready = bool(source.kinds())
    return json_response(oip.Ready(ready), 200 if ready else 503)


@router.get("/models/{name}", operation_id="modelMetadata", responses=described("ModelMetadata", "It.", e404=_NO_MODEL))
@router.get(
    "/models/{name}/versions/{version}",
    operation_id="modelVersionMetadata",
    responses=described("ModelMetadata", "It.", e404=_NO_MODEL),
)
async def model_metadata(name: str, source: SourceDep, version: str | None = None) -> Response:
    """The tensors that a model takes and gives."""
    return json_response(oip.metadata_of(_found(source, name, version)[1]))


@router.get("/models/{name}/ready", operation_id="modelReady", responses=described("Ready", "It can.", e404=_NO_MODEL))
@router.get(
    "/models/{name}/versions/{version}/ready",
    operation_id="modelVersionReady",
    responses=described("Ready", "It can.", e404=_NO_MODEL),
)
async def model_ready(name: str, source: SourceDep, version: str | None = None) -> Response:
    """The model can answer."""
    _found(source, name, version)
    return json_response(oip.Ready(True, name))


_ERRORS = {
    "e400": "The body is not JSON.",
    "e404": _NO_MODEL,
    "e413": "Too many bytes or inputs.",
    "e422": "A tensor or a parameter is wrong.",
    "e503": "Too many requests are waiting.",
}


@router.post(
    "/models/{name}/infer",
    operation_id="infer",
    responses=described("InferAnswer", "The tensors.", **_ERRORS),
    openapi_extra=_QUESTION,
)
@router.post(
    "/models/{name}/versions/{version}/infer",
    operation_id="inferVersion",
    responses=described("InferAnswer", "The tensors.", **_ERRORS),
    openapi_extra=_QUESTION,
)
async def infer(request: Request, name: str, desk: DeskDep, version: str | None = None) -> Response:
    """Predict all inputs, or say which one is wrong."""
    kind, predictor = _found(desk.source, name, version)
    body = await read_body(request.scope, request.receive, desk.settings.body_bytes_max)
    length = _json_length(request.headers.get(oip.HEADER_LENGTH), len(body))
    files = desk.source.binary_fields(kind)
    answer, json_length = await desk.workers.run(
        lambda: oip.infer(predictor, body, length, files, desk.settings.items_max)
    )
    if json_length is None:
        return Response(answer, media_type="application/json")
    return Response(answer, media_type="application/octet-stream", headers={oip.HEADER_LENGTH: str(json_length)})


def _json_length(header: str | None, body: int) -> int | None:
    if header is None:
        return None
    if not (header.isascii() and header.isdigit()) or int(header) > body:
        raise InputError(f"The header '{oip.HEADER_LENGTH}'", "must be the length of the JSON in the body", header)
    return int(header)


def _found(source: PredictorSource, name: str, version: str | None) -> tuple[str, Predictor]:
    models = {source.predictor(kind).name: kind for kind in source.kinds()}
    if name not in models:
        raise not_found(UnknownNameError("model", name, models))
    predictor = source.predictor(models[name])
    if version not in (None, predictor.version):
        raise not_found(UnknownNameError(f"version of {name}", str(version), [predictor.version]))
    return models[name], predictor
