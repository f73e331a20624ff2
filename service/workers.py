"""A few worker threads behind a bounded queue, so that one large request does not hold up the others."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.problems import RefusedError

T = TypeVar("T")


_TIDY_AFTER_S = 5.0


def give_memory_back() -> None:
    """What long requests have freed: glibc keeps it, in a heap for each thread, a third of the process after a few."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


class Workers:
    """Threads for work that is too long for the event loop. Used from one event loop only."""

    def __init__(self, threads: int, queue_max: int, retry_after_s: int):
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answer")
        self._pending_max = threads + queue_max
        self._retry_after_s = retry_after_s
        self._pending = 0
        self._tidying = self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in a thread. Raises `RefusedError` (503) when too many are waiting already."""
        if self._pending >= self._pending_max:
            raise RefusedError(
                503,
                f"{self._pending} requests are being answered or waiting; try again later.",
                headers={"retry-after": str(self._retry_after_s)},
            )
        self._pending += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, work)
        finally:
            self._pending -= 1
            if not self._tidying:
                self._tidying = True
                loop.call_later(_TIDY_AFTER_S, self._tidy, loop)

    def _tidy(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give memory back, or look again later where more is being done."""
        if self._closed:
            return
        if self._pending:
            loop.call_later(_TIDY_AFTER_S, self._tidy, loop)
            return
        self._tidying = False
        loop.run_in_executor(self._pool, give_memory_back)

    def close(self) -> None:
        """Let running work finish and drop what waits."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
