"""Spare Cores: raw outputs (``data/VENDOR/SERVER/PROGRAM/FILE``) and catalogue (``data/server/*.json``) as two tables.

As the card's tables were made: entries of one configuration averaged, zero scores dropped, the keys that lscpu prints
taken from it. The stressor suite (``stressng_stressor``) is not read: see `sparecores_scores.READERS`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.corpus import CorpusError
from costmodel.cpu.origins.archives import files, write_table
from costmodel.cpu.origins.sparecores_scores import READERS
from costmodel.cpu.sparecores import SCORES, SERVERS
from featurizers.cpu.units import kib
from featurizers.errors import InputError

_OUTPUT = r"data/(?P<vendor>[^/]+)/(?P<server>[^/]+)/(?P<program>[^/]+)/(?:[^/]+/)?(?P<file>stdout|[a-z]+\.json)"
_CATALOGUE = r"data/server/(?!_schema).+\.json"
_TEXTS = {
    "architecture": "Architecture",
    "cpu_vendor_id": "Vendor ID",
    "cpu_model_name": "Model name",
    "cpu_family_id": "CPU family",
    "cpu_model_id": "Model",
    "stepping": "Stepping",
    "hypervisor": "Hypervisor vendor",
    "virtualization_type": "Virtualization type",
    "flags": "Flags",
}
_COUNTS = {
    "logical_cpus": "CPU(s)",
    "threads_per_core": "Thread(s) per core",
    "cores_per_socket": "Core(s) per socket",
    "sockets": "Socket(s)",
    "numa_nodes": "NUMA node(s)",
    "max_mhz": "CPU max MHz",
    "min_mhz": "CPU min MHz",
    "bogomips": "BogoMIPS",
}
_CACHES = {"l1d": "L1d cache", "l1i": "L1i cache", "l2": "L2 cache", "l3": "L3 cache"}
_FROM_CATALOGUE: dict[str, tuple[str, type]] = {
    "instance_family": ("family", str),
    "cat_vcpus": ("vcpus", float),
    "cat_cpu_allocation": ("cpu_allocation", str),
    "cat_cpu_cores": ("cpu_cores", float),
    "cat_cpu_speed_ghz": ("cpu_speed", float),
    "cat_cpu_manufacturer": ("cpu_manufacturer", str),
    "cat_cpu_family": ("cpu_family", str),
    "cat_cpu_model": ("cpu_model", str),
    "cat_memory_mb": ("memory_amount", float),
    "cat_memory_generation": ("memory_generation", str),
    "cat_memory_speed_mts": ("memory_speed", float),
    "gpu_count": ("gpu_count", float),
    "gpu_model": ("gpu_model", str),
    "gpu_memory_total_mb": ("gpu_memory_total", float),
    "network_gbps": ("network_speed", float),
    "storage_gb": ("storage_size", float),
    "storage_type": ("storage_type", str),
    "cat_status": ("status", str),
}
_SERVER_TYPES: dict[str, type] = {
    **dict.fromkeys(("server_key", "vendor", "server", *_TEXTS), str),
    **dict.fromkeys(_COUNTS, float),
    "logical_cpus": int,
    **{f"{name}_kb_total": float for name in _CACHES},
    **{name: kind for name, (_, kind) in _FROM_CATALOGUE.items()},
    "in_catalogue": bool,
    "memory_mb": float,
    "passmark_date": str,
}
_SCORE_TYPES: dict[str, type] = {
    **dict.fromkeys(("server_key", "benchmark", "config"), str),
    "score": float,
    "unit": str,
    "higher_is_better": bool,
}


def parse(archives: Sequence[Path], out: Path) -> list[Path]:
    """sparecores_servers.parquet and sparecores_scores.parquet. Raises CorpusError."""
    servers: dict[str, dict[str, Any]] = defaultdict(dict)
    catalogue: dict[str, Mapping[str, Any]] = {}
    scores: dict[tuple[str, str, str, str, bool], list[float]] = defaultdict(list)
    for archive in archives:
        for path, text in files(archive, f"{_CATALOGUE}|{_OUTPUT}"):
            if path["program"] is None:
                _catalogued(text, catalogue)
                continue
            key = f"{path['vendor']}/{path['server']}"
            try:
                servers[key].update(_facts(path["program"], path["file"], text))
                for benchmark, config, score, unit, higher in _scores(path["program"], path["file"], text):
                    scores[key, benchmark, config, unit, higher].append(score)
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, InputError):
                continue  # a program that failed on that machine printed something else
    rows = [_server(key, seen, catalogue.get(key)) for key, seen in sorted(servers.items()) if "logical_cpus" in seen]
    known = {row["server_key"] for row in rows}
    measured = [
        dict(zip(_SCORE_TYPES, (key[0], key[1], key[2], sum(found) / len(found), key[3], key[4]), strict=True))
        for key, found in sorted(scores.items())
        if key[0] in known
    ]
    if rows and not measured:
        raise CorpusError(f"{SCORES}: the archives hold machines, but no program's output that could be read.")
    return [write_table(out / SERVERS, rows, _SERVER_TYPES), write_table(out / SCORES, measured, _SCORE_TYPES)]


def _scores(program: str, file: str, text: str) -> Iterator[tuple[str, str, float, str, bool]]:
    reader = READERS.get((program, file))
    found = [] if reader is None else list(reader(text))
    return (score for score in found if score[2] > 0)


def _facts(program: str, file: str, text: str) -> dict[str, Any]:
    if (program, file) == ("lscpu", "stdout"):
        return _lscpu(json.loads(text)["lscpu"])
    if (program, file) == ("passmark", "stdout"):
        return _passmark_system(text)
    return {}


def _lscpu(entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    found = {entry["field"].rstrip(":"): entry["data"] for entry in entries}
    facts: dict[str, Any] = {name: found.get(field) for name, field in _TEXTS.items()}
    facts |= {name: float(found[field]) for name, field in _COUNTS.items() if _is_number(found.get(field))}
    caches = {name: found.get(field) for name, field in _CACHES.items()}
    return facts | {f"{name}_kb_total": kib(size) for name, size in caches.items() if size}


def _is_number(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _passmark_system(text: str) -> dict[str, Any]:
    """Memory in MiB and the day (YYYYMMDD) from PassMark's report of the system."""
    import yaml

    report = yaml.safe_load(text)
    system = report.get("SystemInformation") or {}
    facts: dict[str, Any] = {"memory_mb": float(system["Memory"])} if _is_number(str(system.get("Memory"))) else {}
    day = re.search(r"\d{8}", str(report.get("BaselineInfo") or {}).replace("-", ""))
    return facts | ({"passmark_date": day[0]} if day else {})


def _catalogued(text: str, catalogue: dict[str, Mapping[str, Any]]) -> None:
    content = json.loads(text)
    for entry in content if isinstance(content, list) else [content]:
        catalogue[f"{entry['vendor_id']}/{entry.get('api_reference') or entry['server_id']}"] = entry


def _server(key: str, seen: Mapping[str, Any], entry: Mapping[str, Any] | None) -> dict[str, Any]:
    vendor, _, server = key.partition("/")
    row = {"server_key": key, "vendor": vendor, "server": server, **seen, "in_catalogue": entry is not None}
    return row | {name: (entry or {}).get(field) for name, (field, _) in _FROM_CATALOGUE.items()}
