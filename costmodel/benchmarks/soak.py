"""`soak`: many connections for a long time, and two worker processes beside one.

A thousand connections ask at the same time, minute after minute: failed answers are counted, and the memory of the
service is read every few seconds. The load generator shares the machine and takes as much of it as a service that
remembers, so worker processes are compared by requests of a hundred cells that are computed anew as well, where it
takes next to nothing, and by the CPU that the service takes for a request.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costmodel.benchmarks.http_load import Load, load, post
from costmodel.benchmarks.questions import cells
from costmodel.benchmarks.servers import Server, our_server
from costmodel.benchmarks.serving import NO_MEMORY, question
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED

_BATCH = 100
_SETTLED = 0.2
"""The share of the time after which memory should no longer grow."""


def run(
    data: Path | None, mirror: Path | None, connections: int = 1000, minutes: float = 10.0, seconds: float = 10.0
) -> dict[str, Any]:
    """data : a folder of bundles by kind, in place of the packaged ones. seconds : of each count of workers."""
    models = data or PRETRAINED
    predictor = Predictor.load(models / "network")
    device = next(iter(predictor.devices))
    target = predictor.devices[device].targets[0]
    bodies = [question([cell], device, target) for cell in cells(2000, seed=1)]
    requests = [post("localhost", "/v1/predict/network", body) for body in bodies]
    rows = [_soak(models, requests, connections, minutes * 60)]
    rows += [_workers(models, requests, workers, seconds, {}, 1) for workers in (1, 2)]
    batches = [question(cells(_BATCH, seed), device, target) for seed in range(50)]
    hundreds = [post("localhost", "/v1/predict/network", body) for body in batches]
    rows += [_workers(models, hundreds, workers, seconds, NO_MEMORY, _BATCH) for workers in (1, 2)]
    _, one, two, one_batch, two_batch = rows
    return {
        "benchmark": "soak",
        "rows": rows,
        "summary": {
            "requests": float(rows[0]["requests"]),
            "failed": float(sum(row["failed"] for row in rows)),
            "memory_growth": rows[0]["memory_growth"],
            "two_workers_over_one": two_batch["requests_per_s"] / one_batch["requests_per_s"],
            "two_workers_over_one_remembered": two["requests_per_s"] / one["requests_per_s"],
            "cpu_per_request_two_over_one": two["cpu_ms_per_request"] / one["cpu_ms_per_request"],
        },
    }


def _soak(models: Path, requests: list[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """memory_growth : from when it has settled to the end, as a share."""
    with our_server(models) as server:
        memory: list[float] = []
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(server, memory, over))
        watch.start()
        try:
            before = server.cpu_s()
            found = load(server.port, requests, connections, seconds)
            used = server.cpu_s() - before
        finally:
            over.set()
            watch.join()
    settled = memory[int(len(memory) * _SETTLED) :]
    growth = statistics.median(settled[-5:]) / statistics.median(settled[:5]) - 1
    return _row(1, connections, found, used) | {"memory_mb": settled[-1], "memory_growth": growth, "inputs": 1}


def _watch(server: Server, memory: list[float], over: threading.Event) -> None:
    while not over.wait(1.0):
        memory.append(server.resident_mb())


def _workers(
    models: Path, requests: list[bytes], workers: int, seconds: float, settings: Mapping[str, str], items: int
) -> dict[str, Any]:
    with our_server(models, settings, workers=workers) as server:
        time.sleep(3.0)  # all of them have begun
        server.wait_until_at_rest()
        load(server.port, requests, 16, 2.0)
        before = server.cpu_s()
        found = load(server.port, requests, 16, seconds)
        row = _row(workers, 16, found, server.cpu_s() - before)
        return row | {"memory_mb": server.resident_mb(), "inputs": items}


def _row(workers: int, connections: int, found: Load, cpu_s: float) -> dict[str, Any]:
    return {
        "workers": workers, "connections": connections, "requests": found.requests, "failed": found.failed,
        "requests_per_s": found.requests_per_s, "p50_ms": found.p50_ms, "p99_ms": found.p99_ms,
        "cpu_ms_per_request": 1e3 * cpu_s / found.requests,
    }  # fmt: skip
