"""The parser's process: killed, hung or out of memory, it costs one answer."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from featurizers.errors import InputError, LimitError
from featurizers.mlir.limits import Limits
from featurizers.mlir.worker import Pool, Request, Worker, WorkerDied
from tests.featurizers.mlir.samples import SUM


def test_a_killed_worker_is_replaced() -> None:
    pool = Pool(Limits(), size=1)
    try:
        pool.warm()
        os.kill(pool._idle[0].popen.pid, signal.SIGKILL)
        with pytest.raises(InputError, match="broke the MLIR parser"):
            pool.parse(SUM.encode(), False, False)
        assert pool.deaths == 1
        assert pool.parse(SUM.encode(), False, False).size == 7
    finally:
        pool.close()


def test_a_stack_overflow_in_the_parser_is_an_answer() -> None:
    """Types nested by commas and keywords pass the check of brackets when that is lifted; the parser recurses."""
    pool = Pool(Limits(nesting=10**9), size=1)
    source = "func.func @f() {" + "scf.execute_region {" * 200_000
    try:
        with pytest.raises(InputError):
            pool.parse(source.encode(), False, False)
        assert pool.parse(SUM.encode(), False, False).size == 7
    finally:
        pool.close()


def test_time_and_memory_are_limited() -> None:
    worker = Worker(Limits(seconds=20))
    worker.ask(Request(b"module {}", False, False))
    worker.process.seconds = 0.0
    with pytest.raises(WorkerDied, match="TimeoutError"):
        worker.ask(Request(SUM.encode(), False, False))
    assert worker.process.popen.returncode is not None
    pool = Pool(Limits(memory_bytes=256 * 1024**2), size=1)
    with pytest.raises(InputError, match="broke the MLIR parser"):
        pool.parse(SUM.encode(), False, False)
    pool.close()


def test_threads_get_their_own_answers() -> None:
    pool = Pool(Limits(), size=2)
    found: dict[int, int] = {}

    def ask(count: int) -> None:
        text = "".join(f"func.func @f{n}() {{ return }}\n" for n in range(count))
        found[count] = pool.parse(text.encode(), False, False).size

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert found == {n: 2 * n for n in range(1, 9)}


def test_the_message_of_a_timeout_is_a_limit() -> None:
    from featurizers.mlir.worker import _broken

    assert isinstance(_broken(WorkerDied("TimeoutError"), Limits()), LimitError)
