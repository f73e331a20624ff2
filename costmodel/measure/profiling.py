"""onnxruntime's own time per node, as compact records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from costmodel.measure.reference import Reference
from costmodel.measure.runtimes.ort import OrtRuntime
from costmodel.measure.timing import run_ms, wait_for_quiet

PROFILED = ("ort-fp32-b1", "ort-fp32-noopt-b1", "ort-int8-b1", "ort-fp32-b8")
_WARM_UP_RUNS = 3
_RUNS = 8
_LONG_MS = 10.0


def take_profile(runtime: OrtRuntime, folder: Path, reference: Reference, *, quiet_ms: float, wait_s: float) -> Any:
    """Profile a prepared model: per node its name, operation, shapes and microseconds of each run.

    The runs follow each other without a pause, so that caches are as warm as in any loop; only between long runs is
    the reference taken (``segment``: the reference just before each run).
    """
    runnable = runtime.load_profiled(folder)
    waited = wait_for_quiet(reference, quiet_ms, wait_s)
    references = [reference.compute_ms()]
    took = 0.0
    for _ in range(_WARM_UP_RUNS):
        took = run_ms(runnable)
    segment = []
    for index in range(_RUNS):
        if index and took > _LONG_MS:
            references.append(reference.compute_ms())
        segment.append(len(references) - 1)
        runnable.run()
    references.append(reference.compute_ms())
    events = runnable.end_profile()
    runnable.close()
    nodes = [n for n in _nodes(events).values() if len(n["us"]) == _WARM_UP_RUNS + _RUNS]
    for node in nodes:
        node["us"] = node["us"][_WARM_UP_RUNS:]
    rounded = [round(r, 4) for r in references]
    return {"nodes": nodes, "references": rounded, "segment": segment, "waited_s": round(waited, 2)}


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
