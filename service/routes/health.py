"""GET /healthz and /readyz: does the process live, and can it answer."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from costmodel.wire import Health
from service.dependencies import SourceDep
from service.responses import content, described, json_response

router = APIRouter(tags=["operation"])


@router.get(
    "/healthz",
    operation_id="isAlive",
    summary="The process lives",
    responses=described("Health", "It lives."),
)
async def is_alive() -> Response:
    """Always ``ok`` while the process can answer at all."""
    return json_response(Health("ok"))


@router.get(
    "/readyz",
    operation_id="isReady",
    summary="The service can answer",
    responses=described("Health", "It can; status `degraded` says that it does so from memory only.")
    | {503: {"description": "There is no model to answer with.", "content": content("Health")}},
)
async def is_ready(source: SourceDep) -> Response:
    """``ok``, ``degraded`` (the registry is gone, models in memory answer) or ``unavailable`` with 503."""
    models = {kind: f"{source.predictor(kind).name} {source.predictor(kind).version}" for kind in source.kinds()}
    if not models:
        return json_response(Health("unavailable", models, source.problem or "There is no model."), 503)
    return json_response(Health("degraded" if source.problem else "ok", models, source.problem))
