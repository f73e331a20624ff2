"""Worker processes: what one leaves behind, another takes over; and all of them end with their supervisor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from costmodel.benchmarks.servers import Server, our_server
from featurizers.processes import Process, Processes
from tests.served_network import CELLS, DEVICE, network_models

__all__ = ["network_models"]
_LIMIT_S = 20.0


@pytest.fixture
def server(network_models: Path) -> Iterator[Server]:
    with our_server(network_models, {}, workers=2) as server:
        yield server


def workers_of(pid: int) -> list[int]:
    """Forked ones: their command line is the supervisor's."""
    with suppress(FileNotFoundError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sorted(int(child) for child in children if command_of(int(child)) == command_of(pid))
    return []


def command_of(pid: int) -> str:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def until(holds: Callable[[], bool], what: str) -> float:
    """Seconds until it holds."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < _LIMIT_S, what
        time.sleep(0.02)
    return time.monotonic() - started


def answers(port: int) -> bool:
    question = {"device": DEVICE, "inputs": [{"nasbench201": CELLS[0]}]}
    with suppress(httpx.TransportError):
        return httpx.post(f"http://127.0.0.1:{port}/v1/predict/network", json=question, timeout=5).status_code == 200
    return False


def test_all_workers_killed_are_followed_by_others(server: Server) -> None:
    first = workers_of(server.pid)
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    until(lambda: answers(server.port), "nobody answers")
    until(lambda: len(workers_of(server.pid)) == 2, "two workers again")
    assert not set(first) & set(workers_of(server.pid))


def test_workers_end_with_a_supervisor_that_is_killed(server: Server) -> None:
    workers = workers_of(server.pid)
    assert len(workers) == 2
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not any(map(command_of, workers)), "the workers end")


def test_a_hangup_replaces_the_workers_one_after_another(server: Server) -> None:
    first = workers_of(server.pid)
    os.kill(server.pid, signal.SIGHUP)
    until(lambda: len(now := workers_of(server.pid)) == 2 and not set(first) & set(now), "two new workers")
    assert answers(server.port)


_SCRIPT = """
import asyncio, os, sys, uvicorn
from service import processes

processes._HUNG_S = processes._STARTING_S = 1.0

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        if "broken" in sys.argv:
            raise RuntimeError("cannot start")
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["path"] == "/hang":
        import time; time.sleep(60)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})

config = uvicorn.Config(app, port=int(sys.argv[1]), lifespan="on")
sys.exit(processes.Supervisor(config, 1).run())
"""


@pytest.fixture
def port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


def test_a_worker_that_stands_still_is_replaced_and_a_signal_ends_all(port: int) -> None:
    with subprocess.Popen([sys.executable, "-c", _SCRIPT, str(port)], stderr=subprocess.DEVNULL) as process:
        found: list[str] = []

        def told() -> bool:
            with suppress(httpx.TransportError):
                found.append(httpx.get(f"http://127.0.0.1:{port}/", timeout=5).text)
                return True
            return False

        until(told, "it starts")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/hang", timeout=15)
        until(told, "another answers")
        process.terminate()
        assert process.wait(_LIMIT_S) == 0
    assert found[0] != found[-1]


def test_what_cannot_start_is_not_tried_for_ever(port: int) -> None:
    command = [sys.executable, "-c", _SCRIPT, str(port), "broken"]
    assert subprocess.run(command, stderr=subprocess.DEVNULL, timeout=_LIMIT_S, check=False).returncode == 3


def test_a_forked_process_asks_no_process_of_its_parent() -> None:
    pool = Processes(lambda: Process("featurizers.supervised", [str(4 << 30)], seconds=20.0), size=1)
    with pool.one() as before:
        own = before.popen.pid
    read, write = os.pipe()
    child = os.fork()
    if not child:
        with pool.one() as mine:
            os.write(write, b"%d" % mine.popen.pid)
            mine.popen.kill()
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 100)) != own
    with pool.one() as after:
        assert after.popen.pid == own
    pool.close()
