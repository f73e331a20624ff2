"""Reading request bodies under a limit that holds while they stream in."""

from __future__ import annotations

from starlette.types import Message, Receive, Scope

from featurizers.errors import LimitError


class DisconnectedError(Exception):
    """The caller went away before its request was complete; nobody is left to answer."""


def header(scope: Scope, name: bytes) -> str:
    """A request header (name in lower case), or the empty string."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def _too_long(limit: int, length: int) -> LimitError:
    return LimitError("The request body", f"must hold at most {limit} bytes", length)


def refuse_declared_length(scope: Scope, limit: int) -> None:
    """Refuse by the declared length, before anything is read. Raises `LimitError`."""
    declared = header(scope, b"content-length")
    if declared.isdigit() and int(declared) > limit:
        raise _too_long(limit, int(declared))


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `LimitError` as soon as it is longer than `limit` bytes, and `DisconnectedError`."""
    refuse_declared_length(scope, limit)
    limited = limited_receive(receive, limit)
    message = await limited()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    chunks = [body]
    while message.get("more_body", False):
        message = await limited()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


def limited_receive(receive: Receive, limit: int) -> Receive:
    """`receive` that counts: raises `LimitError` beyond `limit` bytes, and `DisconnectedError`."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_long(limit, total)
        return message

    return counted
