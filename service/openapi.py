"""The OpenAPI document: FastAPI's own for its routes, completed with what bare ASGI routes cannot tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from costmodel import wire
from costmodel.devices import wire as devices
from costmodel.evaluation import importance
from costmodel.operations import KindOperation
from service import feedback, mlflow_protocol, open_inference
from service.endpoints import FILE, FORM, JSON
from service.responses import content, problem
from service.source import PredictorSource

_WIRE_TYPES: Final = (
    wire.Problem,
    wire.Question,
    wire.PredictAnswer,
    wire.RankAnswer,
    wire.ExplainAnswer,
    wire.DeviceInfo,
    wire.DeviceList,
    wire.ModelInfo,
    wire.ModelList,
    wire.ModelPoints,
    wire.ModelVersions,
    importance.Importance,
    wire.Health,
    devices.NewDevice,
    devices.MoreMeasurements,
    devices.PlanQuestion,
    devices.PlanAnswer,
    devices.AddedDevice,
    devices.Removed,
    open_inference.InferQuestion,
    open_inference.InferAnswer,
    open_inference.ServerMetadata,
    open_inference.ModelMetadata,
    open_inference.Live,
    open_inference.Ready,
    mlflow_protocol.Invocation,
    feedback.NewReports,
    feedback.ReportsAnswer,
    feedback.ModelHealth,
    feedback.ReportList,
    mlflow_protocol.InvocationAnswer,
)
_OPERATIONS: Final[Mapping[str, tuple[str, str, str]]] = {
    "predict": ("PredictAnswer", "Predict", "One result per input, in order: predictions, or that input's error."),
    "rank": ("RankAnswer", "Rank inputs on one device", "Inputs best first, and those that could not be answered."),
    "explain": ("ExplainAnswer", "Explain a prediction", "The predicted total, shared among the input's parts."),
}
_PROBLEMS: Final = {
    "400": "The body is not what its content type says.",
    "404": "An unknown kind of input.",
    "413": "Too many bytes or inputs.",
    "415": "A content type that is not one of the three.",
    "422": "A rule is broken: an unknown device or target, no inputs, or the only input is wrong.",
    "500": "The service failed.",
    "503": "Too many requests are waiting; Retry-After says for how long to wait.",
}


def install(app: FastAPI, source: PredictorSource) -> None:
    """Give `app` its document; built when first asked for, and again when the kinds that can answer have changed."""
    built: dict[tuple[str, ...], dict[str, Any]] = {}

    def document() -> dict[str, Any]:
        known = tuple(source.kinds())
        if known not in built:
            built.clear()
            built[known] = _document(app, {kind: source.predictor(kind).operations for kind in known})
        return built[known]

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, kinds: Mapping[str, Mapping[str, KindOperation]]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    further = [(kind, operation) for kind, offered in kinds.items() for operation in offered.values()]
    types = [*_WIRE_TYPES, *(each for _, operation in further for each in (operation.question, operation.answer))]
    schemas.update(msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")[1])
    _complete(document)
    schemas["Question"]["properties"]["inputs"] |= {"minItems": 1}
    for operation in _OPERATIONS:
        document["paths"][f"/v1/{operation}/{{kind}}"] = {"post": _operation(operation, list(kinds))}
    for kind, each in further:
        document["paths"][f"/v1/{each.name}/{kind}"] = {"post": _kind_operation(kind, each)}
    return document


def _complete(node: Any) -> None:
    """Say what generators of clients need, in place: of what arrays are, and that no part of a path is null."""
    if isinstance(node, dict) and node.get("type") == "array" and "items" not in node and "prefixItems" not in node:
        node["items"] = {}
    if isinstance(node, dict) and node.get("in") == "path" and "anyOf" in node["schema"]:
        node["schema"] = next(each for each in node["schema"]["anyOf"] if each != {"type": "null"})
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _complete(each)


def _kind_operation(kind: str, operation: KindOperation) -> dict[str, Any]:
    return {
        "tags": ["answers of one kind"],
        "operationId": f"{operation.name}-{kind}",
        "summary": operation.summary,
        "requestBody": {"required": True, "content": content(operation.question.__name__, JSON) | _files()},
        "responses": {"200": {"description": operation.summary, "content": content(operation.answer.__name__)}}
        | {status: problem(text) for status, text in _PROBLEMS.items()},
    }


def _operation(name: str, kinds: Sequence[str]) -> dict[str, Any]:
    answer, summary, description = _OPERATIONS[name]
    return {
        "tags": ["answers"],
        "operationId": name,
        "summary": summary,
        "parameters": _parameters(kinds),
        "requestBody": {"required": True, "content": _bodies()},
        "responses": {"200": {"description": description, "content": content(answer)}}
        | {status: problem(text) for status, text in _PROBLEMS.items()},
    }


def _parameters(kinds: Sequence[str]) -> list[dict[str, Any]]:
    text = {"type": "string"}
    many = {"type": "array", "items": text}
    query = (
        ("field", text, "With a bare file: the field that the body is for (default: the kind's first file field)."),
        ("device", many, "With a bare file: the device, may be repeated."),
        ("target", many, "With a bare file: only this target, may be repeated."),
        ("dim", many, "With a bare file: a dynamic dimension's size, as name=size; may be repeated."),
    )
    kind = {"name": "kind", "in": "path", "required": True, "schema": {"type": "string", "enum": list(kinds)}}
    return [kind] + [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": told}
        for name, schema, told in query
    ]


def _bodies() -> dict[str, Any]:
    text = {"type": "array", "items": {"type": "string"}}
    form = {
        "type": "object",
        "description": "Files by field name; further fields belong to the raw input. One given n times makes n inputs.",
        "properties": {"device": text, "target": text, "dim": text},
    }
    return content("Question", JSON) | _files(form)


def _files(form: dict[str, Any] | None = None) -> dict[str, Any]:
    text = "Fields of the question by name; all others belong to its input."
    form = form or {"type": "object", "description": text}
    return {FORM: {"schema": form}, FILE: {"schema": {"type": "string", "format": "binary"}}}
