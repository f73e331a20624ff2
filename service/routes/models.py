"""GET /v1/models: what answers, what it learned from, under which licence, and how well it does."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from costmodel.evaluation.points import read_points
from costmodel.wire import ModelList, ModelPoints, model_of
from featurizers.errors import UnknownNameError
from service.dependencies import SourceDep
from service.paging import CursorQuery, LimitQuery, page_of
from service.problems import not_found
from service.responses import described, json_response
from service.source import PredictorSource

router = APIRouter(tags=["catalogue"])


@router.get(
    "/v1/models",
    operation_id="listModels",
    summary="Models that answer now",
    responses=described("ModelList", "The model of each kind.", e422="A limit or cursor that is none."),
)
async def list_models(source: SourceDep, limit: LimitQuery = None, cursor: CursorQuery = None) -> Response:
    """The model of each kind, with its card."""
    models = [model_of(source.predictor(kind), source.origin(kind)) for kind in source.kinds()]
    return json_response(ModelList(*page_of(models, lambda model: model.kind, limit, cursor)))


@router.get(
    "/v1/models/{name}",
    operation_id="getModel",
    summary="One model",
    responses=described("ModelInfo", "The model.", e404="No model of that name.", e422="A name that cannot be one."),
)
async def get_model(name: str, source: SourceDep) -> Response:
    """The model of the given name, with its card."""
    kind = _kind_of_model(name, source)
    return json_response(model_of(source.predictor(kind), source.origin(kind)))


@router.get(
    "/v1/models/{name}/points",
    operation_id="getModelPoints",
    summary="Predictions of one model beside measurements",
    responses=described(
        "ModelPoints", "Held-out subjects, by device and target.", e404="No such model.", e422="Not a name."
    ),
)
def get_model_points(name: str, source: SourceDep) -> Response:
    """What the model predicts of subjects that it was not trained on, and what was measured of them."""
    folder = source.predictor(_kind_of_model(name, source)).folder
    return json_response(ModelPoints([] if folder is None else read_points(folder)))


def _kind_of_model(name: str, source: PredictorSource) -> str:
    models = {source.predictor(kind).name: kind for kind in source.kinds()}
    if name not in models:
        raise not_found(UnknownNameError("model", name, models))
    return models[name]
