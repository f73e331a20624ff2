"""GET /v1/models: what answers, what it learned from, under which licence, and how well it does."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from costmodel.wire import ModelList, model_of
from featurizers.errors import UnknownNameError
from service.dependencies import SourceDep
from service.problems import not_found
from service.responses import described, json_response

router = APIRouter(tags=["catalogue"])


@router.get(
    "/v1/models",
    operation_id="listModels",
    summary="Models that answer now",
    responses=described("ModelList", "The model of each kind."),
)
async def list_models(source: SourceDep) -> Response:
    """The model of each kind, with its card."""
    return json_response(ModelList([model_of(source.predictor(kind), source.origin(kind)) for kind in source.kinds()]))


@router.get(
    "/v1/models/{name}",
    operation_id="getModel",
    summary="One model",
    responses=described("ModelInfo", "The model.", e404="No model of that name.", e422="A name that cannot be one."),
)
async def get_model(name: str, source: SourceDep) -> Response:
    """The model of the given name, with its card."""
    models = {source.predictor(kind).name: kind for kind in source.kinds()}
    if name not in models:
        raise not_found(UnknownNameError("model", name, models))
    kind = models[name]
    return json_response(model_of(source.predictor(kind), source.origin(kind)))
