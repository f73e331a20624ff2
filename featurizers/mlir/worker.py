"""The parser in a process of its own: hostile input may kill that process, and costs only its own answer.

Messages both ways are a 4-byte length and MessagePack. ``python -m featurizers.mlir.worker`` is the other end.
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
from typing import Any, BinaryIO

import msgspec

from featurizers.errors import InputError, LimitError
from featurizers.mlir.limits import Limits
from featurizers.mlir.module import Module

_LENGTH = struct.Struct("<I")
_START_SECONDS = 60.0


class Request(msgspec.Struct, array_like=True):
    """One source to parse."""

    source: bytes
    bytecode: bool
    allow_unregistered: bool


class Answer(msgspec.Struct, array_like=True):
    """A module, or why there is none: what, rule, where."""

    module: Module | None
    error: tuple[str, str, str | None] | None = None


class WorkerDied(Exception):  # noqa: N818
    """The process ended, or had to be ended, while it parsed."""


class Worker:
    """One parser process. Not thread-safe; see `Pool`."""

    def __init__(self, limits: Limits):
        self._limits = limits
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        command = [sys.executable, "-m", "featurizers.mlir.worker", str(limits.memory_bytes)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Answer)
        self._first = True

    def ask(self, request: Request) -> Answer:
        """Raises WorkerDied when there is no answer in time, or ever; the worker is then gone."""
        seconds = self._limits.seconds + (_START_SECONDS if self._first else 0.0)
        self._first = False
        try:
            assert self._process.stdin is not None
            write(self._process.stdin, self._encoder.encode(request))
            return self._decoder.decode(self._read(time.monotonic() + seconds))
        except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
            self.close()
            raise WorkerDied(type(error).__name__) from error

    def _read(self, deadline: float) -> bytes:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
        return self._exactly(length, deadline)

    def _exactly(self, count: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
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
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class Pool:
    """As many workers as threads ask at once, at most `size`; a worker that dies is replaced when next needed."""

    def __init__(self, limits: Limits, size: int | None = None):
        self.limits = limits
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(size or max(os.cpu_count() or 1, 1))
        self.deaths = 0

    def parse(self, source: bytes, bytecode: bool, allow_unregistered: bool) -> Module:
        """Raises InputError: refused by the parser (with its place), or the parser broke on it."""
        with self._slots:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            worker = worker or Worker(self.limits)
            try:
                answer = worker.ask(Request(source, bytecode, allow_unregistered))
            except WorkerDied as death:
                self.deaths += 1
                raise _broken(death, self.limits) from None
            with self._lock:
                self._idle.append(worker)
        if answer.error is not None:
            what, rule, where = answer.error
            raise InputError(what, rule, where=where)
        assert answer.module is not None
        return answer.module

    def warm(self) -> None:
        """Start one worker now, so that no request waits for it."""
        self.parse(b"module {}", False, False)

    def close(self) -> None:
        """End all idle workers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()


def _broken(death: WorkerDied, limits: Limits) -> InputError:
    if str(death) == "TimeoutError":
        return LimitError("The module", f"must be parsed within {limits.seconds:g} s", where="line 1, column 1")
    rule = "broke the MLIR parser (it crashed, or needed more memory than it may have), and was not read further"
    return InputError("The module", rule, where="line 1, column 1")


def write(stream: BinaryIO | Any, message: bytes) -> None:
    """One message."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    from featurizers.mlir.bindings import Parser

    parser = Parser()
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Request)
    while head := stdin.read(_LENGTH.size):
        request = decoder.decode(stdin.read(_LENGTH.unpack(head)[0]))
        try:
            source = request.source if request.bytecode else request.source.decode()
            answer = Answer(parser.parse(source, request.allow_unregistered))
        except InputError as error:
            answer = Answer(None, (error.what, error.rule, error.where))
        except RecursionError:
            answer = Answer(None, ("The module", "is nested too deeply", "line 1, column 1"))
        write(stdout, encoder.encode(answer))


def main() -> None:
    """Serve requests on standard input until it ends."""
    import resource

    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the parser may print must not get between the messages
    _serve(sys.stdin.buffer, output)


if __name__ == "__main__":
    main()
