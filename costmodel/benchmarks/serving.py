"""`serving`: REST beside a bare echo route of the same application and ``mlflow models serve`` of the same model.

All three run at the same time and are loaded in turns, so that a busy machine is busy for all of them; figures are
medians over the turns. MLflow is given its best configuration: no column signature (checking one costs 5 ms per
request), the fastest of its input forms, one worker as we have. Payload: NAS-Bench-201 cells, none twice in a request.

The service remembers what it answered, and the 2,000 single cells (5,000 in bulk) come again and again: "costmodel" is
the service as it is. "costmodel, nothing remembered" is a second one that computes every answer anew.

Single inputs of every kind go to the second one, beside the echo of the same bodies; `phases` says where their time
goes. What requests of many inputs cost is `capacity`'s, what memory does over ten minutes `soak`'s.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from costmodel.benchmarks.http_load import Load, load, post
from costmodel.benchmarks.phases import phase_row
from costmodel.benchmarks.questions import cells, encodings, onnx_files, questions
from costmodel.benchmarks.servers import Server, mlflow_server, our_server
from costmodel.kinds import load_bundle
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED

_TURNS = 5
_SECONDS = 1.0
_BULK = 1000
_FEW = 100
_CONNECTIONS = (1, 16)
_KIND_CONNECTIONS = (1, 16, 256)
_FRESH = "costmodel, nothing remembered"
NO_MEMORY = {"COSTMODEL_MEMORY_BYTES_MAX": "0"}
"""Settings of a service that remembers no answer."""
_DEVICE = "ort-fp32-b1"
"""The device asked about is the first whose name holds this, else the first."""


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """data : a folder of bundles by kind, in place of the packaged ones."""
    models = data or PRETRAINED
    predictor = Predictor.load(models / "network")
    predictor.warm_up()
    device = next((name for name in predictor.devices if _DEVICE in name), next(iter(predictor.devices)))
    target = predictor.devices[device].targets[0]
    asked = questions()
    with our_server(models):
        pass
    with (
        our_server(models) as ours,
        our_server(models, NO_MEMORY) as fresh,
        mlflow_server(models / "network", device, target) as rival,
    ):
        rows = _compared(ours, fresh, rival, device, target)
        kinds = [row for kind, pair in asked.items() for row in _kind_rows(ours, fresh, kind, *pair)]
        onnx = _onnx_row(ours, device, target)
        summary = (
            _ratios(rows)
            | _kind_ratios(kinds)
            | {
                "onnx_100_nodes_p50_ms": onnx["p50_ms"],
                "ready_second_start_s": ours.ready_s,
                "ready_second_start_cpu_s": ours.ready_cpu_s,
                "resident_memory_mb": ours.resident_mb(),
            }
        )
    cells_per_s = _in_process(predictor, device)
    rows += [*kinds, onnx, {"server": "in process", "request": "10,000 cells", "items_per_s": cells_per_s}]
    rows += [{"server": "in process", "request": "phases"} | row for row in _phases(models, asked)]
    columns = dict.fromkeys(name for row in rows for name in row)
    return {
        "benchmark": "serving",
        "rows": [{**dict.fromkeys(columns, ""), **row} for row in rows],
        "summary": summary | {"nasbench201_cells_per_s_in_process": cells_per_s},
    }


def _compared(ours: Server, fresh: Server, rival: Server, device: str, target: str) -> list[dict[str, Any]]:
    rows = []
    for items, connections in itertools.product((1, _BULK), _CONNECTIONS):
        distinct = 2000 if items == 1 else 5
        asked = cells(distinct, seed=1) if items == 1 else [cells(items, seed) for seed in range(distinct)]
        batches = [batch if isinstance(batch, list) else [batch] for batch in asked]
        bodies = [question(batch, device, target) for batch in batches]
        requests = {
            ("costmodel", ours.port): [post("localhost", "/v1/predict/network", body) for body in bodies],
            (_FRESH, fresh.port): [post("localhost", "/v1/predict/network", body) for body in bodies],
            ("echo", ours.port): [post("localhost", "/v1/echo", body) for body in bodies],
            ("mlflow", rival.port): [post("localhost", "/invocations", _invocation(batch)) for batch in batches],
        }
        turns: dict[str, list[Load]] = {name: [] for name, _ in requests}
        for _ in range(_TURNS):
            for (name, port), sent in requests.items():
                turns[name].append(load(port, sent, connections, _SECONDS))
        rows += [_row(name, items, connections, found) for name, found in turns.items()]
    return rows


def question(batch: list[str], device: str, target: str) -> bytes:
    """The body that asks about cells."""
    inputs = [{"nasbench201": cell} for cell in batch]
    return json.dumps({"device": device, "target": target, "inputs": inputs}, separators=(",", ":")).encode()


def _kind_rows(
    ours: Server, fresh: Server, kind: str, device: str, inputs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Single inputs, none twice, beside the echo of the same bodies, and the first few again and again."""
    bodies = [json.dumps({"device": device, "inputs": [each]}).encode() for each in inputs]
    asked = [post("localhost", f"/v1/predict/{kind}", body) for body in bodies]
    echoed = [post("localhost", "/v1/echo", body) for body in bodies]
    few = asked[:_FEW]
    remembered = 0
    while remembered < len(few):  # on a busy machine a second is not enough for all of them
        remembered += load(ours.port, few[remembered:], 1, _SECONDS).requests
    callers = {_FRESH: (fresh, asked), "echo": (fresh, echoed), "costmodel": (ours, few)}
    rows = []
    for connections in _KIND_CONNECTIONS:
        turns: dict[str, list[Load]] = {name: [] for name in callers}
        cpu_s = dict.fromkeys(turns, 0.0)
        for _ in range(_TURNS):
            for name, (server, sent) in callers.items():
                before_s = server.cpu_s()
                turns[name].append(load(server.port, sent, connections, _SECONDS))
                cpu_s[name] += server.cpu_s() - before_s
        for name, found in turns.items():
            row = _row(name, 1, connections, found)
            cpu_ms = cpu_s[name] / sum(turn.requests for turn in found) * 1e3
            rows.append(row | {"request": f"1 input of kind {kind}", "kind": kind, "cpu_ms": cpu_ms})
    return rows


def _kind_ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """By kind, p50 at one connection, and over the echo's; requests per second at 16 over those at one."""
    found = {(row["kind"], row["server"], row["connections"]): row for row in rows}
    ratios = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        echo, new = found[kind, "echo", 1], found[kind, _FRESH, 1]
        ratios[f"single_p50_over_echo_{kind}"] = new["p50_ms"] / echo["p50_ms"]
        ratios[f"single_p50_over_echo_{kind}_remembered"] = found[kind, "costmodel", 1]["p50_ms"] / echo["p50_ms"]
        ratios[f"single_p50_ms_{kind}"] = new["p50_ms"]
        ratios[f"per_s_16_over_1_{kind}"] = found[kind, _FRESH, 16]["requests_per_s"] / new["requests_per_s"]
    return ratios


def _phases(models: Path, asked: Mapping[str, tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    rows = []
    for kind, (device, inputs) in asked.items():
        predictor = load_bundle(models / kind)
        predictor.warm_up()
        rows += [phase_row(predictor, device, inputs, items) for items in (1, _FEW)]
    device, _ = asked["network"]
    predictor = load_bundle(models / "network")
    for space, inputs in encodings().items():
        rows.append(phase_row(predictor, device, inputs, 1) | {"request": f"phases, {space}"})
    return rows


def _invocation(batch: list[str]) -> bytes:
    # A list under "inputs" reaches the model as it is; "dataframe_split" goes through pandas and is slower.
    return json.dumps({"inputs": [json.dumps({"nasbench201": cell}) for cell in batch]}).encode()


def _row(server: str, items: int, connections: int, turns: list[Load]) -> dict[str, Any]:
    if failed := sum(turn.failed for turn in turns):
        raise RuntimeError(f"{server} answered {failed} requests of {items} items with an error")
    per_s = statistics.median(turn.requests_per_s for turn in turns)
    return {
        "server": server,
        "request": f"{items} cell" + "s" * (items > 1),
        "connections": connections,
        "p50_ms": statistics.median(turn.p50_ms for turn in turns),
        "p99_ms": statistics.median(turn.p99_ms for turn in turns),
        "p999_ms": statistics.median(turn.p999_ms for turn in turns),
        "requests_per_s": per_s,
        "items_per_s": per_s * items,
    }


def _ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Of single requests at one connection, and the worse of 1 and 16 connections against MLflow."""
    found = {(row["server"], row["request"], row["connections"]): row for row in rows}

    def ratio(key: str, request: str, connections: int, other: str, server: str) -> float:
        ours: Mapping[str, float] = found[server, request, connections]
        return ours[key] / float(found[other, request, connections][key])

    bulk = f"{_BULK} cells"
    ratios: dict[str, float] = {}
    for server, ending in (("costmodel", ""), (_FRESH, "_nothing_remembered")):
        single_16 = ratio("p50_ms", "1 cell", 16, "echo", server)
        per_mlflow = [ratio("requests_per_s", "1 cell", c, "mlflow", server) for c in _CONNECTIONS]
        bulk_per_mlflow = [ratio("items_per_s", bulk, c, "mlflow", server) for c in _CONNECTIONS]
        ratios |= {
            f"single_p50_over_echo{ending}": ratio("p50_ms", "1 cell", 1, "echo", server),
            f"single_p50_over_echo_16_connections{ending}": single_16,
            f"requests_over_mlflow{ending}": min(per_mlflow),
            f"bulk_items_over_mlflow{ending}": min(bulk_per_mlflow),
        }
    return ratios


def _onnx_row(ours: Server, device: str, target: str) -> dict[str, Any]:
    """ONNX files, posted as they are."""
    path = f"/v1/predict/network?device={device}&target={target}"
    files = onnx_files()
    sent = [post("localhost", path, content, "application/octet-stream") for content in files]
    row = _row("costmodel", 1, 1, [load(ours.port, sent, 1, _SECONDS) for _ in range(_TURNS)])
    return row | {"request": f"ONNX, 100 nodes, {statistics.median(map(len, files)) / 1e6:.1f} MB"}


def _in_process(predictor: Predictor, device: str) -> float:
    raws = [{"nasbench201": cell} for cell in cells(10_000, seed=2)]
    predictor.predict(raws[:100], [device])
    speeds = []
    for _ in range(3):
        started = perf_counter()
        predictor.predict(raws, [device])
        speeds.append(len(raws) / (perf_counter() - started))
    return statistics.median(speeds)
