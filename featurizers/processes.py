"""Processes that read hostile input: one that crashes, hangs or eats memory is replaced, and costs its own answer.

Messages both ways are a 4-byte length and bytes. `serve` is the other end.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

_LENGTH = struct.Struct("<I")
_START_SECONDS = 60.0
_START = """
import os, runpy, sys
sys.path[:] = sys.argv.pop(1).split(os.pathsep)
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


class ProcessDied(Exception):  # noqa: N818
    """The process ended, or had to be ended, while it read. The text is the name of what was raised here."""


class Process:
    """One process that runs a module with arguments, found where this process finds it. Not thread-safe."""

    def __init__(self, module: str, arguments: Sequence[str], seconds: float):
        self.seconds = seconds
        # The path of this process, but once Python itself has started: beside a caller's script may lie a types.py.
        path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
        command = [sys.executable, "-P", "-c", _START, path, module, *arguments]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._first = True

    def ask(self, message: bytes) -> bytes:
        """The answer. Raises ProcessDied when there is none in time, or ever; the process is then gone."""
        seconds = self.seconds + (_START_SECONDS if self._first else 0.0)
        self._first = False
        try:
            assert self.popen.stdin is not None
            write(self.popen.stdin, message)
            return self._read(time.monotonic() + seconds)
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise ProcessDied(type(error).__name__) from error

    def _read(self, deadline: float) -> bytes:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
        return self._exactly(length, deadline)

    def _exactly(self, count: int, deadline: float) -> bytes:
        assert self.popen.stdout is not None
        descriptor = self.popen.stdout.fileno()
        chunks, missing = [], count
        while missing:
            ready, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0.0))
            if not ready:
                raise TimeoutError
            chunk = os.read(descriptor, min(missing, 1 << 20))
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            missing -= len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def close(self) -> None:
        """End the process and wait for it."""
        self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class Processes:
    """As many processes as threads ask at once, at most `size`; one that dies is replaced when next needed.

    deaths : how many have ended while they read.
    """

    def __init__(self, make: Callable[[], Process], size: int | None = None):
        self._make = make
        self._idle: list[Process] = []
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(size or max(os.cpu_count() or 1, 1))
        self._closed = False
        self.deaths = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[Process]:
        """A process for the block. It is not used again where the block raises: what it has said is then unknown."""
        with self._slots:
            process = self._take()
            try:
                yield process
            except BaseException as error:
                self.deaths += isinstance(error, ProcessDied)
                process.close()
                raise
            self._put_back(process)

    def _take(self) -> Process:
        with self._lock:
            if self._owner != os.getpid():
                # Forked: the processes talk to the one that started them, which may be asking them right now.
                self._owner, self._idle = os.getpid(), []
            if self._idle:
                return self._idle.pop()
        return self._make()

    def _put_back(self, process: Process) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(process)
                return
        process.close()

    def close(self) -> None:
        """End all processes: the idle ones now, those at work when they have answered."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()


def write(stream: BinaryIO | Any, message: bytes) -> None:
    """One message."""
    stream.write(_LENGTH.pack(len(message)))
    stream.write(message)
    stream.flush()


def serve(answer: Callable[[bytes], bytes], memory_bytes: int) -> None:
    """Answer messages on standard input until it ends, in at most so much memory."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print must not get between the messages
    stdin = sys.stdin.buffer
    while head := stdin.read(_LENGTH.size):
        write(output, answer(stdin.read(_LENGTH.unpack(head)[0])))
