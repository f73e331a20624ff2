"""How the service runs: in this process, or in several that are forked from it and share one socket.

Python starts slowly: a process that imports all of this for itself answers after seconds. A worker that is forked has
the code and the models in memory from its first moment, shares that memory with its siblings, and one that was killed
is followed by another within tenths of a second. What cannot be forked is made in the worker: threads, connections to
the database, the processes that read files.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from multiprocessing.context import ForkProcess
from typing import Any

import uvicorn

from costmodel.predictor import Predictor
from costmodel.regressors.native_lightgbm import read_waiting
from service.protocol import GuardedProtocol
from service.settings import Settings

log = logging.getLogger("uvicorn.error")

STARTUP_FAILURE = 3
"""Exit status of a server that could not start, as uvicorn's."""
_APP = "service.app:from_environment"
_WARMED_BY_PROCESSES = ("mlir",)
"""Kinds that start a process to be warm, and have no tables: the supervisor has nobody to read for."""
_LOOK_EVERY_S = 0.5
_STARTING_S, _HUNG_S = 120.0, 30.0
"""How long a worker may take to start, and how long its event loop may stand still, before it is replaced."""
_AGAIN_AFTER_S = 1.0
"""A worker that ended at once would end at once again."""
_GRACE_S = 25
"""For requests that are being answered when the service is told to end: shorter than the 30 s that others then wait."""


def run(host: str, port: int, workers: int, log_level: str) -> int:
    """Serve until told to end; settings from the environment. The exit status."""
    gc.disable()  # until all is read: what is made now stays
    options: dict[str, Any] = {
        "factory": True,
        "host": host,
        "port": port,
        "log_level": log_level,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": _GRACE_S,
        "http": GuardedProtocol,
        "ws": "none",
    }
    _take_all_descriptors()
    if workers == 1:
        server = _Server(uvicorn.Config(_APP, **options))
        server.run()
        return 0 if server.started else STARTUP_FAILURE
    if not hasattr(os, "fork"):
        uvicorn.run(_APP, workers=workers, **options)
        return 0
    # Threads do not survive a fork, and LightGBM's library would wait for its own; each answer takes one thread anyway.
    os.environ["OMP_NUM_THREADS"] = "1"
    from service.app import from_environment, packaged

    loaded = packaged()

    config = uvicorn.Config(lambda: from_environment(loaded), **options)
    return Supervisor(config, workers, _warming(loaded)).run()


def _warming(loaded: Mapping[str, Predictor]) -> Iterator[Callable[[], object]]:
    """What warms the models up, in steps of tenths of a second."""
    for kind, predictor in loaded.items():
        if kind in _WARMED_BY_PROCESSES:
            continue
        for profile in sorted({device.profile for device in predictor.devices.values()}):
            yield partial(predictor.featurizer.warm, [profile])
        yield predictor.warm_up
    yield read_waiting


def _take_all_descriptors() -> None:
    """As many connections as the machine lets one process have: what a shell gives it is often 1,024."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Server(uvicorn.Server):
    """Collects garbage among what requests leave behind, and not among models and code, again and again; and closes
    connections whose callers are silent."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        self._silence_s_max = Settings.from_environment().silence_s_max
        await super().startup(sockets)
        gc.freeze()
        gc.enable()

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's, ten times a second."""
        if counter % max(round(self._silence_s_max), 1) == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, GuardedProtocol):
                    connection.end_if_silent(self._silence_s_max)
        return await super().on_tick(counter)


class _Worker(_Server):
    """A server that shows that its event loop turns, and ends when its supervisor is gone."""

    def __init__(self, config: uvicorn.Config, show: Callable[[], None]):
        super().__init__(config)
        self._show = show
        self._supervisor = os.getppid()

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's, ten times a second."""
        self._show()
        return await super().on_tick(counter) or os.getppid() != self._supervisor


class _Place:
    """A worker's place: its process, and when it was last seen alive (shared memory, monotonic seconds)."""

    def __init__(self) -> None:
        self.seen = multiprocessing.get_context("fork").RawValue("d", 0.0)
        self.process: ForkProcess | None = None
        self.started_at = 0.0

    @property
    def serves(self) -> bool:
        """Whether its event loop has turned."""
        return bool(self.seen.value > self.started_at)

    def silent_s(self) -> float:
        """How much longer than it may nothing has been seen of it."""
        now = time.monotonic()
        return now - self.seen.value - _HUNG_S if self.serves else now - self.started_at - _STARTING_S


class Supervisor:
    """Keeps `workers` processes of one application alive.

    warming : what is done for later workers once the first ones are on their way, step by step.
    """

    def __init__(self, config: uvicorn.Config, workers: int, warming: Iterable[Callable[[], object]] = ()):
        self._config, self._warming = config, iter(warming)
        self._places = [_Place() for _ in range(workers)]
        self._signals: set[int] = set()
        self._failed = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until no worker can start. The exit status."""
        self._socket = self._config.bind_socket()
        woken = self._listen()
        for place in self._places:
            self._start(place)
        while not self._failed and not self._signals & {signal.SIGTERM, signal.SIGINT}:
            step = next(self._warming, None)
            if step is None:
                select.select([woken], [], [], _LOOK_EVERY_S)
            else:
                step()
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
            if signal.SIGHUP in self._signals:
                self._signals.clear()
                self._replace_all()
            for place in self._places:
                self._look_after(place)
        self._end()
        return STARTUP_FAILURE if self._failed else 0

    def _listen(self) -> int:
        """Note signals, a worker's end among them. The descriptor that can be read when there was one."""
        woken, wake = os.pipe()
        for end in (woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda number, _: self._signals.add(number))
        return woken

    def _start(self, place: _Place) -> None:
        place.started_at = time.monotonic()
        place.process = multiprocessing.get_context("fork").Process(target=self._work, args=(place,))
        gc.freeze()  # a collection in the worker would otherwise touch, and so copy, every page that it shares
        place.process.start()

    def _work(self, place: _Place) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)

        def show() -> None:
            place.seen.value = time.monotonic()

        worker = _Worker(self._config, show)
        worker.run([self._socket])
        sys.exit(0 if worker.started else STARTUP_FAILURE)

    def _look_after(self, place: _Place) -> None:
        process = place.process
        assert process is not None
        if process.exitcode is None and place.silent_s() > 0:
            log.error("worker %s stands still and is ended", process.pid)
            process.kill()
            process.join()
        if process.exitcode is None:
            return
        if process.exitcode == STARTUP_FAILURE and not any(each.serves for each in self._places):
            log.error("worker %s could not start", process.pid)
            self._failed = True
        elif place.serves or time.monotonic() - place.started_at > _AGAIN_AFTER_S:
            log.warning("worker %s ended with %s and is replaced", process.pid, process.exitcode)
            self._start(place)

    def _replace_all(self) -> None:
        """One after the other, each when its successor serves: for settings of the environment that changed outside."""
        for index, old in enumerate(self._places):
            new = _Place()
            self._start(new)
            while not new.serves:
                time.sleep(0.02)
                if new.silent_s() > 0 or new.process is None or new.process.exitcode is not None:
                    log.error("no successor of worker %s could start; it goes on", old.process and old.process.pid)
                    return
            self._places[index] = new
            self._stop([old])

    def _end(self) -> None:
        self._stop(self._places)
        self._socket.close()

    def _stop(self, places: Sequence[_Place]) -> None:
        processes = [place.process for place in places if place.process is not None]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + _GRACE_S + 3
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0.0))
            if process.exitcode is None:
                process.kill()
                process.join()
