"""Where work is done: in this process, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from featurizers.errors import InputError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_WAITING_PER_WORKER = 4
"""Tasks that a worker has before it: enough that it never waits for the next, few enough that memory stays flat."""
_CONNECT_S = 10


class Cluster(Protocol):
    """Runs a function of an importable module on many items. A task whose worker dies is done again by another."""

    @property
    def workers(self) -> int:
        """How many there are now; 1 for this process."""
        ...

    def map(self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        """Results in the order of the items; `items` is read a little ahead. What the function raises is raised."""
        ...


class Here:
    """This process."""

    workers = 1

    def map(self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        return map(function, items)


class DaskCluster:
    """The workers of a Dask scheduler, e.g. ``tcp://10.0.0.1:8786``; `client` is Dask's own."""

    def __init__(self, client: Any):
        self.client = client

    @property
    def workers(self) -> int:
        """Threads of all workers that are there now."""
        return max(sum(map(int, self.client.nthreads().values())), 1)

    def map(self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(self.client.submit(function, item, pure=False))
            if len(waiting) > _WAITING_PER_WORKER * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_HERE = Here()
_ACTIVE: ContextVar[Cluster] = ContextVar("cluster", default=_HERE)


def active() -> Cluster:
    """The cluster of the innermost `connected`, else this process."""
    return _ACTIVE.get()


@contextmanager
def connected(scheduler: str | None) -> Iterator[Cluster]:
    """`active` is the cluster of this scheduler meanwhile; with none given, this process.

    InputError: the extra is not installed, or no scheduler answers there.
    """
    if not scheduler:
        yield active()
        return
    with _client(scheduler) as client:
        token = _ACTIVE.set(DaskCluster(client))
        try:
            yield active()
        finally:
            _ACTIVE.reset(token)


def _client(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise InputError("'--scheduler'", "needs pip install 'costmodel[distributed]'", scheduler) from None
    try:
        return Client(scheduler, timeout=_CONNECT_S)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError("'--scheduler'", f"must be the address of a Dask scheduler ({error})", scheduler) from None
