"""uvicorn's HTTP/1.1, with what a server that strangers reach needs beside it.

A request's head may only be so long: uvicorn's parser would gather headers until the memory is full. And a connection
is closed whose caller is silent in the middle of a request, or does not take its answer: each holds a descriptor, a
buffer and its place.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from costmodel.wire import PROBLEM_MEDIA_TYPE, Problem

HEAD_BYTES_MAX = 1 << 16
_PROBLEM = msgspec.json.encode(
    Problem(
        type="about:blank",
        title="Request Header Fields Too Large",
        status=431,
        detail=f"The address and headers of a request must hold at most {HEAD_BYTES_MAX} bytes.",
    )
)
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: %s\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s" % (PROBLEM_MEDIA_TYPE.encode(), len(_PROBLEM), _PROBLEM)
)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. in_head : whether a request's address and headers are still being sent."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's."""
        super().connection_made(transport)
        self._in_head, self._head_bytes = True, 0
        self._moved_at = self.loop.time()
        self._unsent = 0

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, or 431."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes == len(data):
                self._moved_at = self.loop.time()  # later pieces of a head gain no time
        else:
            self._moved_at = self.loop.time()
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        """As uvicorn's."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """As uvicorn's."""
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """As uvicorn's."""
        super().on_message_complete()
        self._in_head = True

    def end_if_silent(self, silence_s_max: float) -> None:
        """Close the connection where its caller has been waited for that long; called again and again."""
        now = self.loop.time()
        if not self._waits_for_caller():
            self._moved_at = now
        elif now - self._moved_at > silence_s_max:
            self.transport.abort()

    def _waits_for_caller(self) -> bool:
        unsent: int = self.transport.get_write_buffer_size()
        if unsent:
            stuck, self._unsent = unsent == self._unsent, unsent
            return stuck
        self._unsent = 0
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            return self.timeout_keep_alive_task is None  # else it is closed by that
        return cycle.more_body and not self.flow.read_paused
