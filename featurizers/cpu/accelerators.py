"""Accelerators of MLPerf systems: a submitted name -> a chip of our table, and a system -> its numbers.

Peaks are dense (no structured sparsity); `best_tops` is the highest dense rate of any format (int8, fp8 or fp4).
"""

from __future__ import annotations

import csv
import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from featurizers.core import Column, FloatArray
from featurizers.cpu.tables import find_microarchitecture, find_processor, microarchitectures
from featurizers.cpu.units import number

NAN = math.nan
_MIG = re.compile(r"\((\d)x(\d)g")
_NONE = ("", "-", "N/A", "NA", "NONE")
_FACTS = ("fp16_tflops", "int8_tops", "best_tops", "memory_gb", "bandwidth_gbs", "tdp_w", "year", "link_gbs")


@dataclass(frozen=True, slots=True)
class Chip:
    """What computes: an accelerator, a slice of one, or the host's processor. `known`: it is in our tables."""

    name: str
    vendor: str
    facts: Mapping[str, float]
    known: bool


@functools.cache
def _table() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    text = (resources.files("featurizers.cpu") / "tables" / "accelerators.csv").read_text(encoding="utf-8")
    return tuple((re.compile(row["pattern"]), row) for row in csv.DictReader(text.splitlines()))


@functools.cache
def accelerator_chip(submitted: str) -> Chip | None:
    """The chip behind a submitted accelerator name, a MIG slice by its share; None where the field names none.

    >>> accelerator_chip("NVIDIA A100-PCIe-80GB (1x1g.10gb MIG)").name
    'a100-pcie-80gb/1g'
    """
    text = submitted.strip().upper()
    if text in _NONE:
        return None
    for pattern, row in _table():
        if pattern.search(text):
            facts = {name: float(row[name]) for name in _FACTS}
            slices = _MIG.search(submitted)
            if slices is None:
                return Chip(row["name"], row["vendor"], facts, True)
            return _slice(row, facts, int(slices.group(1)), int(slices.group(2)))
    # Some submitters name the processor that does the work as the accelerator.
    chip = processor_chip(submitted, NAN)
    return chip if chip.known else Chip(" ".join(text.lower().split()), "", dict.fromkeys(_FACTS, NAN), False)


def _slice(row: Mapping[str, str], facts: dict[str, float], count: int, sevenths: int) -> Chip:
    share = min(1.0, count * sevenths / 7)
    scaled = {name: value if name in ("year", "link_gbs") else value * share for name, value in facts.items()}
    suffix = f"{count}x{sevenths}g" if count > 1 else f"{sevenths}g"
    return Chip(f"{row['name']}/{suffix}", row["vendor"], scaled, True)


_WITH_TILES = ("sapphire-rapids", "emerald-rapids", "granite-rapids", "diamond-rapids")


@functools.cache
def processor_chip(host_cpu: str, cores: float) -> Chip:
    """A host processor that does the work itself: peaks from its micro-architecture's vectors (and AMX tiles)."""
    architecture = find_microarchitecture("", "", "", "", host_cpu)
    row = microarchitectures().get(architecture)
    part = find_processor(host_cpu, architecture, "", None)
    if row is None:
        return Chip(" ".join(host_cpu.lower().split()), "", dict.fromkeys(_FACTS, NAN), False)
    facts = dict(row.facts) | (dict(part.facts) if part else {})
    n = cores if cores > 0 else facts.get("cores", NAN)
    fp32 = 2 * facts["fp64_per_cycle"] * facts["allcore_ghz"] * n / 1000
    # AMX: 2,048 int8 operations per cycle, against 256 of two AVX-512 units; bf16 reaches half of its peak.
    tiles = 8.0 if architecture in _WITH_TILES else 1.0
    bandwidth = facts["channels"] * facts["memory_mts"] * 8e-3
    values = (
        fp32 * tiles,
        fp32 * 4 * tiles,
        fp32 * 4 * tiles,
        NAN,
        bandwidth,
        facts.get("tdp_w", NAN),
        facts["year"],
        NAN,
    )
    name = part.designator.lower() if part else architecture
    return Chip(f"cpu:{name}", row.vendor, dict(zip(_FACTS, values, strict=True)), part is not None)


@dataclass(frozen=True, slots=True)
class AcceleratorSystem:
    """One submitted system: `count` chips in all, on `nodes` hosts."""

    chip: Chip
    count: float
    nodes: float
    host_cores: float
    host_memory_gb: float


def system_from_mlperf(row: Mapping[str, Any]) -> AcceleratorSystem:
    """A row of ``mlperf_inference/results.parquet``."""
    sockets, cores = number(row.get("host_cpus_per_node")), number(row.get("cores_per_host_cpu"))
    nodes = number(row.get("nodes"))
    nodes = nodes if nodes > 0 else 1.0
    chip = accelerator_chip(str(row.get("accelerator") or ""))
    count = number(row.get("accelerators_total"))
    if chip is None:
        chip = processor_chip(str(row.get("host_cpu") or ""), cores)
        count = (sockets if sockets > 0 else 1.0) * nodes
    return AcceleratorSystem(
        chip, count if count > 0 else nodes, nodes, cores * sockets, number(row.get("host_memory_gb"))
    )


SYSTEM_COLUMNS: tuple[Column, ...] = (
    Column("log_fp16_tflops", "ln TFLOP/s", "accelerator"),
    Column("log_int8_tops", "ln TOP/s", "accelerator"),
    Column("log_best_tops", "ln TOP/s", "accelerator"),
    Column("log_memory_gb", "ln GB", "accelerator"),
    Column("log_bandwidth_gbs", "ln GB/s", "accelerator"),
    Column("log_tdp_w", "ln W", "accelerator"),
    Column("year", "1", "accelerator"),
    Column("log_link_gbs", "ln GB/s", "accelerator"),
    Column("nvidia", "1", "accelerator"),
    Column("is_cpu", "1", "accelerator"),
    Column("log_count", "ln", "system"),
    Column("log_nodes", "ln", "system"),
    Column("log_host_cores", "ln", "system"),
)


def system_vectors(systems: Sequence[AcceleratorSystem]) -> FloatArray:
    """float32 (n, columns), NaN where a fact is not known."""
    return np.array([_vector(system) for system in systems], dtype=np.float32).reshape(-1, len(SYSTEM_COLUMNS))


def _vector(system: AcceleratorSystem) -> list[float]:
    facts = system.chip.facts
    logs = [_log(facts[name]) for name in _FACTS if name != "year"]
    return [
        *logs[:6],
        facts["year"],
        logs[6],
        float(system.chip.vendor == "nvidia"),
        float(system.chip.name.startswith("cpu:")),
        _log(system.count),
        _log(system.nodes),
        _log(system.host_cores),
    ]


def _log(value: float) -> float:
    return math.log(value) if value > 0 else NAN
