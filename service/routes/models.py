"""GET /v1/models: what answers, what it learned from, under which licence, and how well it does."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from costmodel.evaluation.importance import importance_of
from costmodel.evaluation.points import read_points
from costmodel.tracking.versions import VersionsError, versions
from costmodel.wire import ModelList, ModelPoints, ModelVersions, model_of
from featurizers.errors import UnknownNameError
from service.dependencies import SettingsDep, SourceDep
from service.paging import CursorQuery, LimitQuery, page_of
from service.problems import RefusedError, not_found
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


@router.get(
    "/v1/models/{name}/importance",
    operation_id="getModelImportance",
    summary="Which groups of columns one model rests on",
    responses=described(
        "Importance", "Groups of columns by falling share.", e404="No such model.", e422="No such device or target."
    ),
)
def get_model_importance(name: str, device: str, target: str, source: SourceDep) -> Response:
    """Of the trees that answer one target on one device: how much their answers move by columns of each group."""
    predictor = source.predictor(_kind_of_model(name, source))
    if device not in predictor.devices:
        raise UnknownNameError("device", device, predictor.devices)
    if target not in predictor.devices[device].targets:
        raise UnknownNameError(f"target of device '{device}'", target, predictor.devices[device].targets)
    return json_response(importance_of(predictor, device, target))


@router.get(
    "/v1/models/{name}/versions",
    operation_id="listModelVersions",
    summary="Registered versions of one model",
    responses=described(
        "ModelVersions", "Newest first.", e404="No such model.", e422="Not a name.", e503="The registry is away."
    ),
)
def list_model_versions(name: str, source: SourceDep, settings: SettingsDep) -> Response:
    """The champion and its rivals in MLflow's registry, with the run and the held-out accuracy of each."""
    _kind_of_model(name, source)
    try:
        return json_response(ModelVersions(versions(name) if settings.use_registry else []))
    except VersionsError as error:
        raise RefusedError(503, str(error), headers={"retry-after": "30"}) from None


def _kind_of_model(name: str, source: PredictorSource) -> str:
    models = {source.predictor(kind).name: kind for kind in source.kinds()}
    if name not in models:
        raise not_found(UnknownNameError("model", name, models))
    return models[name]
