"""The one error shape: RFC 9457 problem+json, for every status from 400 to 503."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from costmodel.wire import PROBLEM_MEDIA_TYPE, Problem, problem_of
from featurizers.errors import InputError, UnknownNameError

_OPEN_INFERENCE = "/v2/"
log = logging.getLogger("costmodel.service")


class RefusedError(Exception):
    """A request that is answered with a problem of the given status."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **members: Any):
        self.problem = Problem(
            type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail, **members
        )
        self.headers = headers or {}
        super().__init__(detail)


def not_found(error: UnknownNameError) -> RefusedError:
    """The 404 for a name that stands in the path."""
    return RefusedError(404, str(error), what=error.what, rule=error.rule, value=error.value, known=tuple(error.known))


class BadInputError(Exception):
    """The only input of a request is wrong, so the request is: its problem says that it is the input's."""

    def __init__(self, error: InputError):
        self.error = error
        super().__init__(str(error))


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """The response that carries a problem."""
    if (problem.instance or "").startswith(_OPEN_INFERENCE):
        problem = msgspec.structs.replace(problem, error=problem.detail)
    # A refused body has not been read to its end, so the connection cannot be used again.
    extra = {"connection": "close"} if problem.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else {}
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers={**extra, **(headers or {})},
    )


def response_of(error: RefusedError | BadInputError | InputError, instance: str) -> Response:
    """The response to a request that raised `error`; `instance` is the request's path."""
    if isinstance(error, RefusedError):
        return problem_response(msgspec.structs.replace(error.problem, instance=instance), error.headers)
    if isinstance(error, BadInputError):
        return problem_response(problem_of(error.error, instance, index=0))
    return problem_response(problem_of(error, instance))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError | BadInputError | InputError)
    return response_of(error, request.url.path)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    detail = {
        HTTPStatus.NOT_FOUND: f"There is no resource at {path}.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{path} does not take {request.method}.",
    }.get(HTTPStatus(error.status_code), str(error.detail))
    return response_of(RefusedError(error.status_code, detail, headers=dict(error.headers or {})), path)


async def _invalid_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"])
    return response_of(InputError(f"The parameter {place}", f"is wrong: {first['msg']}"), request.url.path)


async def _internal_error(request: Request, error: Exception) -> Response:
    log.exception("unexpected error in %s %s", request.method, request.url.path, exc_info=error)
    detail = "The service failed while answering; the cause is in its log."
    return response_of(RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, detail), request.url.path)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    for refused in (RefusedError, BadInputError, InputError):
        app.add_exception_handler(refused, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_parameter)
    app.add_exception_handler(Exception, _internal_error)
