"""What a client raises beside the `InputError` family, which it shares with the library.

ServiceError          the service did not answer the question; `problem` holds what it said, if anything
|-- RefusedError      the request itself is not acceptable (4xx): an unknown kind or model, a malformed body
|-- UnavailableError  nobody answers, or not now (connection, 5xx); `retry_after_s` if the service named a time
"""

from __future__ import annotations

from costmodel.wire import Problem


class ServiceError(Exception):
    """The service did not answer the question."""

    def __init__(self, message: str, problem: Problem | None = None):
        super().__init__(message)
        self.problem = problem


class RefusedError(ServiceError):
    """The request is not acceptable; asking again does not help."""


class UnavailableError(ServiceError):
    """Nobody answers, or not now; asking again later may help."""

    def __init__(self, message: str, problem: Problem | None = None, retry_after_s: float | None = None):
        super().__init__(message, problem)
        self.retry_after_s = retry_after_s
