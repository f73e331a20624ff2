"""Tables of a campaign's measurements: latency, rounds, nodes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pyarrow as pa

from costmodel.measure.artefacts import folder_of, status_of
from costmodel.measure.campaign import PROFILES
from costmodel.measure.devices import DEVICES, device_name
from costmodel.measure.journal import read_journal
from costmodel.measure.labels import Label, QuietState, Round, estimate_gammas, make_label
from costmodel.measure.node_names import NodeOrigin, node_origins
from costmodel.measure.node_times import ProfiledNetwork, estimate_overhead_ms, merge_profiles
from costmodel.measure.runtimes.base import write_atomically
from costmodel.zoo import NetworkSpec, build

Measured = dict[str, dict[str, dict[str, Round]]]
"""device key -> network -> stage -> round."""


def read_rounds(journal: Path) -> tuple[Measured, dict[tuple[str, str], str]]:
    """The rounds of a campaign's journal, and for each (device key, network) that failed the last reason."""
    measured: Measured = defaultdict(lambda: defaultdict(dict))
    failures: dict[tuple[str, str], str] = {}
    for record in read_journal(journal):
        pair = record["device"], record["network"]
        if record.get("crash"):
            failures.setdefault(pair, "the process died while measuring it, or was killed")
        elif "error" in record:
            failures[pair] = record["error"]
        elif record["stage"] not in PROFILES:
            measured[pair[0]][pair[1]][record["stage"]] = Round.of(record)
    return measured, failures


def make_labels(measured: Measured) -> tuple[QuietState, dict[str, dict[str, Label]], dict[str, float]]:
    """The quiet state, a label per device key and network, and the exponent per device key."""
    quiet = QuietState.of(r for nets in measured.values() for rounds in nets.values() for r in rounds.values())
    labels: dict[str, dict[str, Label]] = {}
    exponents: dict[str, float] = {}
    for key, networks in measured.items():
        rounds = [list(r.values()) for r in networks.values()]
        exponents[key], gammas = estimate_gammas(rounds, quiet)
        made = [make_label(r, g, quiet) for r, g in zip(rounds, gammas, strict=True)]
        labels[key] = dict(zip(networks, made, strict=True))
    return quiet, labels, exponents


def latency_table(
    specs: Sequence[NetworkSpec],
    artefacts: Path,
    labels: Mapping[str, Mapping[str, Label]],
    failures: Mapping[tuple[str, str], str],
) -> pa.Table:
    """One row per network and device, also for what failed (status 'failed' and the reason; values are null)."""
    rows: list[dict[str, Any]] = []
    for spec in specs:
        prepared = status_of(artefacts, spec.network_id)
        for key, device in DEVICES.items():
            row: dict[str, Any] = {"network_id": spec.network_id, "device": device_name(key), "batch": device.batch}
            label = labels.get(key, {}).get(spec.network_id)
            if label is not None:
                rows.append({**row, **asdict(label), "status": "ok", "reason": ""})
                continue
            reason = (prepared or {}).get(key) or failures.get((key, spec.network_id), "not measured")
            status = "skipped" if reason.startswith("not measured") else "failed"
            rows.append({**row, "rounds": 0, "quiet_rounds": 0, "status": status, "reason": reason})
    return pa.Table.from_pylist(rows, schema=LATENCY_SCHEMA)


LATENCY_SCHEMA = pa.schema(
    [
        ("network_id", pa.string()),
        ("device", pa.string()),
        ("batch", pa.int32()),
        ("latency_ms", pa.float64()),
        ("raw_latency_ms", pa.float64()),
        ("spread", pa.float32()),
        ("rounds", pa.int32()),
        ("quiet_rounds", pa.int32()),
        ("reference_ms", pa.float32()),
        ("gamma", pa.float32()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)


def rounds_table(measured: Measured, labels: Mapping[str, Mapping[str, Label]], quiet: QuietState) -> pa.Table:
    """One row per network, device and round."""
    rows = [
        {
            "network_id": network,
            "device": device_name(key),
            "round": int(stage[1:]),
            "median_ms": r.median_ms,
            "corrected_ms": r.corrected_ms(labels[key][network].gamma, quiet),
            "fastest_ms": float(r.times.min()),
            "reference_ms": r.reference_ms,
            "memory_reference_ms": r.memory_ms,
            "measured_at": r.at,
            "load_average": r.load,
        }
        for key, networks in measured.items()
        for network, stages in networks.items()
        for stage, r in stages.items()
    ]
    table = pa.Table.from_pylist(rows)
    for name in ("median_ms", "corrected_ms", "fastest_ms", "reference_ms", "memory_reference_ms", "load_average"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.float32()))
    table = table.set_column(table.column_names.index("round"), "round", table["round"].cast(pa.int8()))
    return table.sort_by([("network_id", "ascending"), ("device", "ascending"), ("round", "ascending")])


def cached_origins(work: Path, spec: NetworkSpec, key: str) -> dict[str, NodeOrigin]:
    """The original nodes of each node of a prepared model; computed once and kept beside the artefacts."""
    path = folder_of(work / "artefacts", spec.network_id, key) / "origins.json"
    if path.exists():
        data = json.loads(path.read_text())
        return {name: NodeOrigin(tuple(o), tuple(n)) for name, (o, n) in data.items()}
    optimised = onnx.load(path.with_name("model.onnx"))
    origins = node_origins(build(spec, DEVICES[key].batch, weights=False), optimised)
    write_atomically(path, json.dumps({k: [v.outputs, v.originals] for k, v in origins.items()}).encode())
    return origins


def profiled_networks(
    work: Path, labels: Mapping[str, Mapping[str, Label]], quiet: QuietState
) -> dict[str, list[ProfiledNetwork]]:
    """The profiled networks that have a label, per device key."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for profile in read_journal(work / "profiles.jsonl"):
        if profile["network"] in labels.get(profile["device"], {}):
            grouped[profile["device"], profile["network"]].append(profile)
    result: dict[str, list[ProfiledNetwork]] = defaultdict(list)
    for (key, network), profiles in sorted(grouped.items()):
        label = labels[key][network]
        reported = merge_profiles(profiles, label, quiet)
        result[key].append(ProfiledNetwork(network, key, profiles[0]["nodes"], reported, label.latency_ms))
    return result


def nodes_table(
    work: Path, specs: Iterable[NetworkSpec], labels: Mapping[str, Mapping[str, Label]], quiet: QuietState
) -> pa.Table:
    """One row per executed node of each profiled network, in the order of execution."""
    by_id = {s.network_id: s for s in specs}
    columns: dict[str, list[Any]] = defaultdict(list)
    for key, networks in profiled_networks(work, labels, quiet).items():
        overhead = estimate_overhead_ms(networks)
        for profiled in networks:
            if profiled.network in by_id:
                origins = cached_origins(work, by_id[profiled.network], key)
                _add_nodes(columns, profiled, profiled.contributions_ms(overhead).tolist(), origins)
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in NODES_SCHEMA})


def _add_nodes(
    columns: dict[str, list[Any]],
    profiled: ProfiledNetwork,
    contributions: Sequence[float],
    origins: Mapping[str, NodeOrigin],
) -> None:
    for node, share, reported in zip(profiled.nodes, contributions, profiled.reported_ms.tolist(), strict=True):
        origin = origins.get(node["name"], NodeOrigin((), ()))
        columns["network_id"].append(profiled.network)
        columns["device"].append(device_name(profiled.device))
        columns["node"].append(node["name"])
        columns["op_type"].append(node["op"])
        columns["input_shapes"].append(" ".join(node["in"]))
        columns["output_shapes"].append(" ".join(node["out"]))
        columns["latency_ms"].append(_rounded(share))
        columns["reported_ms"].append(_rounded(reported))
        columns["outputs"].append(origin.outputs)
        columns["originals"].append(origin.originals)


def _rounded(value: float) -> float:
    """Four significant digits: more is noise, and costs most of the file's size."""
    return float(f"{value:.4g}")


NODES_SCHEMA = pa.schema(
    [
        ("network_id", pa.string()),
        ("device", pa.string()),
        ("node", pa.string()),
        ("op_type", pa.string()),
        ("input_shapes", pa.string()),
        ("output_shapes", pa.string()),
        ("latency_ms", pa.float32()),
        ("reported_ms", pa.float32()),
        ("outputs", pa.list_(pa.string())),
        ("originals", pa.list_(pa.string())),
    ]
)
