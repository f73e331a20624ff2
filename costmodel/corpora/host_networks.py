"""datasets/host_networks: generated networks, measured on this project's hosts, and on simulated accelerators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.corpora.schema import Rule, checksum, read_checked
from costmodel.corpus import SPLITS, Corpus, CorpusError, Labels, PartLabels, RawSequence
from costmodel.prediction import Target
from costmodel.predictor import Device
from featurizers.core import Raw

LATENCY = Target("latency_ms", "ms")
_SIMULATED_TARGETS = {"latency_ms": LATENCY, "energy_uj": Target("energy_uj", "uJ")}
_MAX_LATENCY_MS = 1e5
_PROFILER_RESOLUTION_MS = 0.004
"""What onnxruntime's profiler adds to a node varies by about this much after its mean has been taken off."""
_PROFILES = {
    "ort-fp32-noopt": "onnxruntime-noopt",
    "ort-fp32": "onnxruntime",
    "ort-int8": "onnxruntime-int8",
    "openvino": "openvino",
    "ncnn": "openvino",
    "torch-eager": "torch-eager",
    "sim-": "sim",
}
"""A device's runtime, as it stands in its name -> the rules by which that runtime fuses operators. First match."""

_NETWORKS = (
    Rule("network_id", "text"),
    Rule("family", "text"),
    Rule("params", "text"),
    Rule("seed", "integer"),
    Rule("flops", "integer", low=1),
    Rule("split", "text", among=SPLITS),
)
_LATENCY = (
    Rule("network_id", "text"),
    Rule("device", "text"),
    Rule("batch", "integer", low=1),
    Rule("latency_ms", "number", missing=True, low=1e-6, high=_MAX_LATENCY_MS),
    Rule("spread", "number", missing=True, low=0),
    Rule("rounds", "integer", missing=True, low=0),
)
_NODES = (
    Rule("network_id", "text"),
    Rule("device", "text"),
    Rule("node", "text"),
    Rule("op_type", "text"),
    Rule("input_shapes", "text"),
    Rule("output_shapes", "text"),
    Rule("latency_ms", "number", low=0, high=_MAX_LATENCY_MS),
)
_SIMULATED = (
    Rule("network_id", "text"),
    Rule("device", "text"),
    Rule("target", "text", among=tuple(_SIMULATED_TARGETS)),
    Rule("value", "number", low=1e-12),
)


class GeneratedModels(RawSequence):
    """Raw inputs of (specification, batch) pairs; each ONNX graph is written when it is asked for."""

    def __init__(self, specs: Sequence[Any], batches: Sequence[int]):
        self._specs, self._batches = specs, batches

    def __len__(self) -> int:
        return len(self._specs)

    def made(self, index: int) -> Raw:
        from costmodel.zoo import build

        return {"onnx": build(self._specs[index], batch=self._batches[index], weights=False).SerializeToString()}


def load_corpus(folder: Path) -> Corpus:
    """Read and check the tables. CorpusError names file, column and row of the first fault."""
    from costmodel.zoo import NetworkSpec

    data = folder / "data"
    networks = read_checked(data / "networks.parquet", _NETWORKS).to_pylist()
    place = {row["network_id"]: i for i, row in enumerate(networks)}
    if len(place) != len(networks):
        raise CorpusError("networks.parquet, column 'network_id': every network must be there once.")
    measured = _measured(data, place)
    simulated = _simulated(data, place)
    pairs = sorted({(i, batch) for i, batch, *_ in [*measured, *simulated]})
    subject = {pair: row for row, pair in enumerate(pairs)}
    rows = [networks[i] for i, _ in pairs]
    specs = [NetworkSpec(r["network_id"], r["family"], json.loads(r["params"]), r["seed"]) for r in rows]
    parts = _part_labels(data, place, subject)
    quiet_ms = _quiet_reference_ms(data)
    labels = [
        *_labels(list(measured), subject, parts, {"simulated": False} | quiet_ms),
        *_labels(list(simulated), subject, {}, {"simulated": True}),
    ]
    return Corpus(
        name="host_networks",
        kind="network",
        raws=GeneratedModels(specs, [batch for _, batch in pairs]),
        ids=tuple(row["network_id"] for row in rows),
        family=np.array([row["family"] for row in rows]),
        split=np.array([row["split"] for row in rows]),
        labels=tuple(labels),
        checksum=checksum(sorted(data.glob("*.parquet"))),
        licence="Apache-2.0",
    )


Entry = tuple[int, int, str, str, float, float]
"""network row, batch, device, target, value, noise"""


def _measured(data: Path, place: dict[str, int]) -> list[Entry]:
    entries = []
    for row in read_checked(data / "latency.parquet", _LATENCY).to_pylist():
        if row["latency_ms"] is None or not row["rounds"]:
            continue
        index = _row_of(row, place, "latency.parquet")
        noise = row["spread"] if row["spread"] is not None else 1.0
        entries.append((index, row["batch"], row["device"], "latency_ms", row["latency_ms"], noise))
    return entries


def _simulated(data: Path, place: dict[str, int]) -> list[Entry]:
    path = data / "latency_sim.parquet"
    if not path.is_file():
        return []
    rows = read_checked(path, _SIMULATED).to_pylist()
    return [(_row_of(row, place, path.name), 1, row["device"], row["target"], row["value"], 0.0) for row in rows]


def _row_of(row: dict[str, Any], place: dict[str, int], file: str) -> int:
    if row["network_id"] not in place:
        raise CorpusError(f"{file}, column 'network_id': '{row['network_id']}' is not in networks.parquet.")
    return place[row["network_id"]]


def _labels(
    entries: list[Entry], subject: dict[tuple[int, int], int], parts: dict[str, PartLabels], conditions: dict[str, Any]
) -> list[Labels]:
    grouped: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        grouped.setdefault((entry[2], entry[3]), []).append(entry)
    targets_of: dict[str, list[str]] = {}
    for device, target in sorted(grouped):
        targets_of.setdefault(device, []).append(target)
    labels = []
    for (device, target), own in sorted(grouped.items()):
        own.sort(key=lambda entry: subject[entry[0], entry[1]])
        descriptor = {**conditions, "batch": own[0][1], "threads": 1, "networks": len(own)}
        labels.append(
            Labels(
                Device(device, profile_of(device), tuple(targets_of[device]), descriptor),
                _SIMULATED_TARGETS[target],
                np.array([subject[entry[0], entry[1]] for entry in own], dtype=np.int64),
                np.array([entry[4] for entry in own]),
                np.array([entry[5] for entry in own]),
                parts.get(device),
            )
        )
    return labels


def _quiet_reference_ms(data: Path) -> dict[str, float]:
    """The reference workload's time when the measuring host was quiet: what later measurements are carried over to."""
    path = data / "machine.json"
    return {"quiet_reference_ms": json.loads(path.read_text())["quiet_reference_ms"]} if path.is_file() else {}


def profile_of(device: str) -> str:
    """The fusion profile of a device by the runtime in its name; CorpusError for a runtime without one."""
    for runtime, profile in _PROFILES.items():
        if runtime in device:
            return profile
    raise CorpusError(f"The device '{device}' names none of the runtimes {', '.join(_PROFILES)}.")


def _part_labels(data: Path, place: dict[str, int], subject: dict[tuple[int, int], int]) -> dict[str, PartLabels]:
    path = data / "nodes.parquet"
    if not path.is_file():
        return {}
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in read_checked(path, _NODES).to_pylist():
        grouped.setdefault(row["device"], []).append(row)
    return {device: _parts_of(rows, place, subject, _batch_of(device)) for device, rows in grouped.items()}


def _batch_of(device: str) -> int:
    return int(device.rsplit("-b", 1)[1])


def _parts_of(
    rows: list[dict[str, Any]], place: dict[str, int], subject: dict[tuple[int, int], int], batch: int
) -> PartLabels:
    kept = [row for row in rows if (place.get(row["network_id"], -1), batch) in subject]
    value = np.array([row["latency_ms"] for row in kept])
    return PartLabels(
        np.array([subject[place[row["network_id"]], batch] for row in kept], dtype=np.int64),
        tuple(kept),
        value,
        _PROFILER_RESOLUTION_MS / np.maximum(value, 1e-6),
    )
