"""Compressed bodies, gzip and zstd: requests are read under the same limit as plain ones, long answers are packed."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any, Final

import zstandard
from starlette.types import Message, Receive, Scope

from featurizers.errors import LimitError
from service.body import read_body
from service.problems import RefusedError

PACKED_FROM_BYTES: Final = 1024
_AWAY_FROM_BYTES: Final = 1 << 16
"""Longer bodies are packed and unpacked in a thread."""
_PACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": lambda body: zstandard.compress(body, 3),
    "gzip": lambda body: gzip.compress(body, 5, mtime=0),
}
_UNPACK: Final[dict[str, Callable[[], Any]]] = {
    "zstd": lambda: zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(),
    "gzip": lambda: zlib.decompressobj(wbits=31),
}
CODINGS: Final = tuple(_PACK)
_PIECE_BYTES: Final = 4096
_AT_ONCE_BYTES: Final = 1 << 20
"""So much is unpacked in the event loop; what turns out to be more is unpacked in a thread."""


def unpack(body: bytes, coding: str, limit: int) -> bytes:
    """The body that was packed. Raises `LimitError` above `limit` bytes and `RefusedError` (400) for what is none."""
    try:
        return _members(body, limit, _UNPACK[coding])
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise RefusedError(400, f"The body is not {coding}: {error}") from None


def _members(body: bytes, limit: int, start: Callable[[], Any]) -> bytes:
    """What was packed, in one part or in several; in pieces, since four bytes may stand for 128 kB."""
    found: list[bytes] = []
    length, unpacker = 0, start()
    for begin in range(0, len(body), _PIECE_BYTES):
        piece = body[begin : begin + _PIECE_BYTES]
        while piece:
            unpacker = start() if unpacker.eof else unpacker
            found.append(unpacker.decompress(piece))
            length += len(found[-1])
            _refuse_above(limit, length)
            piece = unpacker.unused_data if unpacker.eof else b""
    if not unpacker.eof:
        raise EOFError("it ends too early")
    return b"".join(found)


def _refuse_above(limit: int, length: int) -> None:
    if length > limit:
        raise LimitError("The unpacked request body", f"must hold at most {limit} bytes")


async def unpacked(scope: Scope, receive: Receive, coding: str, limit: int) -> Receive:
    """`receive` of a plain body in place of a packed one; the headers of `scope` are made to fit."""
    if coding not in CODINGS:
        detail = f"The content encoding must be one of {', '.join(CODINGS)}. Got {coding!r}."
        raise RefusedError(415, detail, headers={"accept-encoding": ", ".join(CODINGS)}, known=CODINGS)
    body = await _unpacked(await read_body(scope, receive, limit), coding, limit)
    kept = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
    scope["headers"] = [*kept, (b"content-length", b"%d" % len(body))]
    sent = False

    async def plain() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return plain


async def _unpacked(body: bytes, coding: str, limit: int) -> bytes:
    if len(body) <= _AWAY_FROM_BYTES:
        try:
            return unpack(body, coding, min(limit, _AT_ONCE_BYTES))
        except LimitError:
            if limit <= _AT_ONCE_BYTES:
                raise
    return await asyncio.to_thread(unpack, body, coding, limit)


def accepted(header: str) -> str | None:
    """The coding for an answer by the request's ``Accept-Encoding``: the first of `CODINGS` that it does not refuse."""
    offers: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            offers[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            offers[name.strip()] = 0.0
    every = offers.get("*", 0.0)
    return next((coding for coding in CODINGS if offers.get(coding, every) > 0), None)


async def packed(body: bytes, coding: str) -> bytes:
    """`body` under a coding of `CODINGS`."""
    return await asyncio.to_thread(_PACK[coding], body) if len(body) > _AWAY_FROM_BYTES else _PACK[coding](body)
