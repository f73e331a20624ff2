"""A few worker threads behind a bounded queue, so that one large request does not hold up the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.problems import RefusedError

T = TypeVar("T")


class Workers:
    """Threads for work that is too long for the event loop. Used from one event loop only."""

    def __init__(self, threads: int, queue_max: int, retry_after_s: int):
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answer")
        self._pending_max = threads + queue_max
        self._retry_after_s = retry_after_s
        self._pending = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in a thread. Raises `RefusedError` (503) when too many are waiting already."""
        if self._pending >= self._pending_max:
            raise RefusedError(
                503,
                f"{self._pending} requests are being answered or waiting; try again later.",
                headers={"retry-after": str(self._retry_after_s)},
            )
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Let running work finish and drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
