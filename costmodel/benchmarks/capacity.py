"""`capacity`: what a request of each kind costs the service, and how many cores so many users need.

One worker process that remembers no answer, loaded in turns with 1, 16 and 256 connections, and with 1, 100 and 10,000
inputs in a request (MLIR programs at most 100), none twice in a request. `cpu_ms` is processor time of the service and
its helpers per request: it does not grow when others use the machine, so the sizing rests on it and not on latencies.

Sizing: users x requests a day, `peak` times as many in the busiest hour, spread evenly over the kinds, on cores
that are kept `busy` to that share. Answers that are remembered cost less; nothing is assumed about them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from costmodel.benchmarks.http_load import load, post
from costmodel.benchmarks.questions import onnx_files, questions
from costmodel.benchmarks.servers import Server, our_server
from costmodel.benchmarks.serving import NO_MEMORY
from costmodel.registry import PRETRAINED

_SECONDS = 2.0
_CONNECTIONS = (1, 16, 256)
_BULK = ((100, 1), (100, 16), (10_000, 1))
"""Inputs of a request, and connections."""
_MOST_PROGRAMS = 100
_DAY_S = 86_400


def run(
    data: Path | None,
    mirror: Path | None,
    users: int = 1_000_000,
    requests_per_day: float = 20.0,
    peak: float = 4.0,
    busy: float = 0.6,
) -> dict[str, Any]:
    """data : a folder of bundles by kind, in place of the packaged ones."""
    rows: list[dict[str, Any]] = []
    with our_server(data or PRETRAINED, NO_MEMORY) as server:
        before_mb = server.resident_mb()
        for kind, asked in questions().items():
            for items, connections in [*((1, connections) for connections in _CONNECTIONS), *_BULK]:
                if kind == "mlir" and items > _MOST_PROGRAMS:
                    continue
                rows.append({"kind": kind, **_loaded(server, kind, asked, items, connections)})
        rows.append({"kind": "onnx", **_files(server)})
        after_mb = server.resident_mb()
    cpu_ms = {row["kind"]: row["cpu_ms"] for row in rows if row["inputs"] == 1 and row["connections"] == 16}
    per_s = users * requests_per_day / _DAY_S * peak
    mean_ms = sum(cpu_ms.values()) / len(cpu_ms)
    return {
        "benchmark": "capacity",
        "rows": rows,
        "summary": {
            **{f"cpu_ms_{kind}": found for kind, found in cpu_ms.items()},
            **{f"requests_per_core_s_{kind}": 1e3 / found for kind, found in cpu_ms.items()},
            "failed": sum(row["failed"] for row in rows),
            "resident_mb_before": before_mb,
            "resident_mb_after": after_mb,
            "peak_requests_per_s": per_s,
            "cores": per_s * mean_ms / 1e3 / busy,
        },
    }


def _loaded(
    server: Server, kind: str, asked: tuple[str, list[dict[str, Any]]], items: int, connections: int
) -> dict[str, Any]:
    device, inputs = asked
    batches = [inputs[start : start + items] for start in range(0, len(inputs), items)]
    bodies = [json.dumps({"device": device, "inputs": batch}).encode() for batch in batches]
    return _measured(server, [post("localhost", f"/v1/predict/{kind}", body) for body in bodies], items, connections)


def _files(server: Server) -> dict[str, Any]:
    """ONNX files, posted as they are."""
    path = "/v1/predict/network?device=xeon-emr-ort-fp32-b1"
    files = [post("localhost", path, each, "application/octet-stream") for each in onnx_files()]
    return _measured(server, files, 1, 16)


def _measured(server: Server, requests: Sequence[bytes], items: int, connections: int) -> dict[str, Any]:
    before_s = server.cpu_s()
    found = load(server.port, requests, connections, _SECONDS)
    cpu_s = server.cpu_s() - before_s
    return {
        "inputs": items,
        "connections": connections,
        "requests": found.requests,
        "failed": found.failed,
        "p50_ms": found.p50_ms,
        "p99_ms": found.p99_ms,
        "p999_ms": found.p999_ms,
        "cpu_ms": cpu_s / found.requests * 1e3,
        "inputs_per_core_s": found.requests * items / cpu_s,
    }
