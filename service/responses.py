"""Responses encoded by msgspec, and how routes describe them in the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from costmodel.wire import PROBLEM_MEDIA_TYPE

Described = dict[int | str, dict[str, Any]]


def json_response(body: msgspec.Struct, status: int = 200) -> Response:
    """`body` as JSON."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def content(schema: str, media_type: str = "application/json") -> dict[str, Any]:
    """A response's or a request's content of one media type, by the name of its schema."""
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def problem(description: str) -> dict[str, Any]:
    """A response that is a problem."""
    return {"description": description, "content": content("Problem", PROBLEM_MEDIA_TYPE)}


def described(schema: str, description: str, **problems: str) -> Described:
    """The responses of a route: a 200 of the given schema, and problems as ``e404="..."``."""
    errors: Described = {int(status[1:]): problem(text) for status, text in problems.items()}
    return {200: {"description": description, "content": content(schema)}} | errors
