"""Compressed bodies, gzip and zstd: requests are read under the same limit as plain ones, long answers are packed."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Final

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
CODINGS: Final = tuple(_PACK)


def unpack(body: bytes, coding: str, limit: int) -> bytes:
    """The body that was packed. Raises `LimitError` above `limit` bytes and `RefusedError` (400) for what is none."""
    try:
        return _gunzip(body, limit) if coding == "gzip" else _unzstd(body, limit)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise RefusedError(400, f"The body is not {coding}: {error}") from None


def _gunzip(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    found = unpacker.decompress(body, limit + 1)
    _refuse_above(limit, len(found))
    if not unpacker.eof:
        raise EOFError("it ends too early")
    return found


def _unzstd(body: bytes, limit: int) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(body) as reader:
        found = reader.read(limit + 1)
    _refuse_above(limit, len(found))
    return bytes(found)


def _refuse_above(limit: int, length: int) -> None:
    if length > limit:
        raise LimitError("The unpacked request body", f"must hold at most {limit} bytes")


async def unpacked(scope: Scope, receive: Receive, coding: str, limit: int) -> Receive:
    """`receive` of a plain body in place of a packed one; the headers of `scope` are made to fit."""
    if coding not in CODINGS:
        detail = f"The content encoding must be one of {', '.join(CODINGS)}. Got {coding!r}."
        raise RefusedError(415, detail, headers={"accept-encoding": ", ".join(CODINGS)}, known=CODINGS)
    packed = await read_body(scope, receive, limit)
    if len(packed) > _AWAY_FROM_BYTES:
        body = await asyncio.to_thread(unpack, packed, coding, limit)
    else:
        body = unpack(packed, coding, limit)
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
