"""onnxruntime's own time per node, as compact records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from costmodel.measure.reference import Reference
from costmodel.measure.runtimes.ort import OrtRuntime
from costmodel.measure.timing import wait_for_quiet

PROFILED = ("ort-fp32-b1", "ort-fp32-noopt-b1", "ort-int8-b1", "ort-fp32-b8")
_WARM_UP_RUNS = 2
_RUNS = 6


def take_profile(runtime: OrtRuntime, folder: Path, reference: Reference, *, quiet_ms: float, wait_s: float) -> Any:
    """Profile a prepared model: per node its name, operation, shapes and microseconds of each run."""
    runnable = runtime.load_profiled(folder)
    for _ in range(_WARM_UP_RUNS):
        runnable.run()
    waited = wait_for_quiet(reference, quiet_ms, wait_s)
    references = [reference.compute_ms()]
    for _ in range(_RUNS):
        runnable.run()
        references.append(reference.compute_ms())
    events = runnable.end_profile()
    runnable.close()
    nodes = [n for n in _nodes(events).values() if len(n["us"]) == _WARM_UP_RUNS + _RUNS]
    for node in nodes:
        node["us"] = node["us"][_WARM_UP_RUNS:]
    return {"nodes": nodes, "references": [round(r, 4) for r in references], "waited_s": round(waited, 2)}


def _nodes(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    nodes: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        arguments = event["args"]
        name = event["name"].removesuffix("_kernel_time")
        node = nodes.setdefault(
            f"{arguments.get('node_index')}/{name}",
            {
                "name": name,
                "op": arguments["op_name"],
                "in": _shapes(arguments.get("input_type_shape", [])),
                "out": _shapes(arguments.get("output_type_shape", [])),
                "us": [],
            },
        )
        node["us"].append(int(event["dur"]))
    return nodes


def _shapes(entries: list[dict[str, list[int]]]) -> list[str]:
    """Each tensor as ``float:1x64x28x28``."""
    return [f"{kind}:{'x'.join(map(str, shape))}" for entry in entries for kind, shape in entry.items()]
