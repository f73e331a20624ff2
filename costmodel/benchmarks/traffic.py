"""Callers of a running service while something is done to it: what they sent, what they got, counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

_GONE = "no answer"
_PAUSE_S = 0.005


@dataclass
class Callers:
    """Threads that ask one question again and again; `said` counts answers by status, or ``no answer``.

    A request without an answer (its connection broke) is sent once more, as every client does: only when that fails
    too it counts as `failed`. changed : answers of 200 that were not the first one's.
    """

    base: str
    path: str
    question: Mapping[str, Any]
    timeout_s: float = 30.0
    said: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    changed: int = 0
    slowest_s: float = 0.0
    answers: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until stopped."""
        with httpx.Client(base_url=self.base, timeout=self.timeout_s) as client:
            while not self._over.is_set():
                self._once(client)
                self._over.wait(_PAUSE_S)

    def _once(self, client: httpx.Client) -> None:
        started = time.monotonic()
        answer = _sent(client, self.path, self.question)
        if answer is None:
            self.said[_GONE] += 1
            answer = _sent(client, self.path, self.question)
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        if answer is not None:
            self.said[str(answer.status_code)] += 1
            if answer.status_code == 200:
                self.answers.add(answer.text)
        self.failed += answer is None or answer.status_code >= 500

    def stop(self) -> None:
        """Let the threads end."""
        self._over.set()


def _sent(client: httpx.Client, path: str, question: Mapping[str, Any]) -> httpx.Response | None:
    try:
        return client.post(path, json=question)
    except httpx.TransportError:
        return None


@contextmanager
def calling(callers: Callers, threads: int = 2) -> Iterator[Callers]:
    """`callers` at work while the block runs."""
    running = [threading.Thread(target=callers.run) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield callers
    finally:
        callers.stop()
        for thread in running:
            thread.join()


class Writers:
    """Write numbered entries, each until it is acknowledged, under an idempotency key: what a careful client does.

    body : of the entry of a number. acknowledged : numbers that were answered with 2xx. said : every answer's status.
    """

    def __init__(self, path: str, body: Callable[[int], Mapping[str, Any]], numbers: Sequence[int]):
        self.path, self._body = path, body
        self._waiting = list(reversed(numbers))
        self._lock = threading.Lock()
        self.acknowledged: set[int] = set()
        self.said: Counter[str] = Counter()
        self.without_retry_after = 0

    def write(self, base: str, threads: int, until: Callable[[], bool] = lambda: False) -> None:
        """Write what waits, until all is written, the service is gone, or `until` says so."""
        running = [threading.Thread(target=self._work, args=(base, until)) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    def _work(self, base: str, until: Callable[[], bool]) -> None:
        with httpx.Client(base_url=base, timeout=30) as client:
            while not until() and (number := self._next()) is not None:
                if not self._written(client, number):
                    return

    def _next(self) -> int | None:
        with self._lock:
            return self._waiting.pop() if self._waiting else None

    def _written(self, client: httpx.Client, number: int) -> bool:
        """False where there was no answer; the entry then waits to be sent again."""
        try:
            answer = client.post(self.path, json=self._body(number), headers={"idempotency-key": f"entry-{number}"})
        except httpx.TransportError:
            answer = None
        with self._lock:
            self.said[_GONE if answer is None else str(answer.status_code)] += 1
            if answer is not None and answer.is_success:
                self.acknowledged.add(number)
                return True
            self._waiting.append(number)
            if answer is not None and answer.status_code == 503 and "retry-after" not in answer.headers:
                self.without_retry_after += 1
        time.sleep(0.05)
        return answer is not None


def told(said: Mapping[str, int], statuses: Iterable[str]) -> int:
    """How many of `said` were one of `statuses`."""
    return sum(said.get(status, 0) for status in statuses)
