"""MLPerf Inference: submitted systems and results of each round as ``results.parquet``.

Rounds with a ``summary_results.json`` are read from it; earlier ones from the ``mlperf_log_summary.txt`` of each VALID
performance run whose log is of its folder's scenario, with the round's metric. Systems come from ``systems/*.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.corpus import CorpusError
from costmodel.cpu.mlperf import FILE
from costmodel.cpu.origins.archives import files, write_table

_DIVISIONS = "closed|open|network"
_SYSTEM = rf"(?P<system_of>{_DIVISIONS})/(?P<submitter>[^/]+)/systems/(?P<system>[^/]+)\.json"
_LOG = rf"(?P<location>(?:{_DIVISIONS})/[^/]+/results/[^/]+/[^/]+/[^/]+)/performance/run_1/mlperf_log_summary\.txt"
_SUMMARY = r"(?P<summary>summary_results\.json)"
_ROUND = re.compile(r"inference_results_(v\d+\.\d+)")
_STANDARD = {"resnet50": "resnet"}
_METRICS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "Offline": (("samples_per_s", r"Samples per second\s*: (\S+)", 1.0),),
    "Server": (("scheduled_samples_per_s", r"Scheduled samples per second\s*: (\S+)", 1.0),),
    "SingleStream": (
        ("early_stopping_p90_ms", r"Early stopping 90th percentile estimate\s*: (\d+)", 1e-6),
        ("p90_ms", r"90th percentile latency \(ns\)\s*: (\d+)", 1e-6),
        ("p90_ms", r"90.00 percentile latency \(ns\)\s*: (\d+)", 1e-6),
    ),
    "MultiStream": (("early_stopping_p99_ms", r"Early stopping 99th percentile estimate\s*: (\d+)", 1e-6),),
}
"""By scenario the log's field, how it is written, and its scale to our unit; the first that is there counts."""

_UNITS = {"Offline": "Samples/s", "Server": "Queries/s", "Interactive": "Queries/s"}
_LATENCY = "Latency (ms)"
_TEXTS = {
    "host_cpu": "host_processor_model_name",
    "accelerator": "accelerator_model_name",
    "framework": "framework",
    "software_stack": "other_software_stack",
    "operating_system": "operating_system",
    "system_name": "system_name",
    "host_cpu_frequency": "host_processor_frequency",
    "host_cpu_caches": "host_processor_caches",
    "host_memory": "host_memory_capacity",
    "host_memory_configuration": "host_memory_configuration",
    "host_storage": "host_storage_capacity",
    "host_networking": "host_networking",
    "accelerator_memory": "accelerator_memory_capacity",
    "accelerator_memory_configuration": "accelerator_memory_configuration",
    "accelerator_interconnect": "accelerator_interconnect",
    "accelerator_host_interconnect": "accelerator_host_interconnect",
    "cooling": "cooling",
    "cores_per_host_cpu_raw": "host_processor_core_count",
}
_TYPES: dict[str, type] = {
    **dict.fromkeys(("round", "division", "category", "availability", "submitter", "platform"), str),
    **dict.fromkeys(("benchmark", "benchmark_std", "used_model", "scenario"), str),
    "result": float,
    "units": str,
    "higher_is_better": bool,
    "accuracy": str,
    "inferred": bool,
    "weight_dtype": str,
    **dict.fromkeys(("nodes", "host_cpus_per_node", "cores_per_host_cpu", "host_memory_gb"), float),
    **dict.fromkeys(("accelerators_per_node", "accelerators_total", "accelerator_memory_gb", "power_result"), float),
    **dict.fromkeys(("power_units", "source", "log_field_matched", "location"), str),
    **dict.fromkeys(_TEXTS, str),
}
_TERABYTE = 1024


def parse(archives: Sequence[Path], out: Path) -> list[Path]:
    """results.parquet of all rounds. CorpusError where an archive's name does not tell its round."""
    rows: list[dict[str, Any]] = []
    for archive in archives:
        told = _ROUND.search(archive.name)
        if told is None:
            raise CorpusError(f"{archive.name}: its name does not say which round it is of.")
        rows += _round(archive, told[1])
    return [write_table(out / FILE, rows, _TYPES)]


def _round(archive: Path, name: str) -> Iterator[dict[str, Any]]:
    systems: dict[str, Mapping[str, Any]] = {}
    logs: dict[str, str] = {}
    summary: list[Mapping[str, Any]] | None = None
    for path, text in files(archive, f"{_SYSTEM}|{_LOG}|{_SUMMARY}"):
        if path["summary"]:
            summary = json.loads(text)
        elif path["location"]:
            logs[path["location"]] = text
        else:
            systems[f"{path['system_of']}/{path['submitter']}/{path['system']}"] = _json(text)
    results = _of_logs(logs) if summary is None else _of_summary(summary)
    for result in results:
        division, submitter, _, platform, benchmark, scenario = str(result["location"]).split("/")[:6]
        row: dict[str, Any] = {"round": name, "division": division, "submitter": submitter, "platform": platform}
        row |= {"benchmark": benchmark, "benchmark_std": _STANDARD.get(benchmark, benchmark), "scenario": scenario}
        row |= {"used_model": benchmark} | result
        row["higher_is_better"] = row["units"] != _LATENCY
        yield row | _system(systems.get(f"{division}/{submitter}/{platform}", {}))


def _of_logs(logs: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for location, text in sorted(logs.items()):
        scenario = location.rsplit("/", 1)[1]
        ran = re.search(r"Scenario\s*:\s*(\w+)", text)
        if not re.search(r"Result is\s*:\s*VALID", text) or ran is None or _plain(ran[1]) != _plain(scenario):
            continue  # of another scenario: an inferred result
        for field, pattern, scale in _METRICS.get(scenario, ()):
            found = re.search(pattern, text)
            if found is not None:
                yield {
                    **{"location": location, "result": float(found[1]) * scale, "inferred": False},
                    **{"units": _UNITS.get(scenario, _LATENCY), "source": "mlperf_log_summary.txt"},
                    "log_field_matched": field,
                }
                break


def _of_summary(entries: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        result = _number(entry.get("Performance_Result", entry.get("Result")))
        if not result > 0 or len(str(entry.get("Location", "")).split("/")) < 6:
            continue
        power = _number(entry.get("Power_Result"))
        yield {
            "location": entry["Location"],
            "result": result,
            "units": str(entry.get("Performance_Units", entry.get("Units", ""))),
            "used_model": entry.get("Model"),
            "accuracy": entry.get("Accuracy"),
            "inferred": str(entry.get("inferred", "")).lower() in ("1", "true", "yes"),
            "weight_dtype": entry.get("weight_data_types"),
            "power_result": power if power > 0 else None,
            "power_units": entry.get("Power_Units"),
            "source": "summary_results.json",
        }


def _system(submitted: Mapping[str, Any]) -> dict[str, Any]:
    nodes = _number(submitted.get("number_of_nodes"))
    nodes = nodes if nodes > 0 else 1.0
    each = _number(submitted.get("accelerators_per_node"))
    return {
        **{name: str(submitted.get(field) or "") for name, field in _TEXTS.items()},
        "category": str(submitted.get("system_type") or ""),
        "availability": str(submitted.get("status") or "").split(" ")[0].lower(),
        "nodes": nodes,
        "host_cpus_per_node": _number(submitted.get("host_processors_per_node")),
        "cores_per_host_cpu": _number(submitted.get("host_processor_core_count")),
        "host_memory_gb": _gigabytes(submitted.get("host_memory_capacity")),
        "accelerators_per_node": each,
        "accelerators_total": each * nodes,
        "accelerator_memory_gb": _gigabytes(submitted.get("accelerator_memory_capacity")),
    }


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float:
    text = str(value).replace(",", "").strip()
    return float(text) if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", text) else float("nan")


def _gigabytes(value: object) -> float:
    """``768 GB``, ``1.5TiB`` or a bare number of GB; 1 TB is 1024 GB. NaN for anything else."""
    found = re.match(r"\s*([\d.]+)\s*([TG]?)", str(value or ""))
    return _number(found[1]) * (_TERABYTE if found[2] == "T" else 1) if found else float("nan")


def _plain(scenario: str) -> str:
    return re.sub(r"\W", "", scenario).lower()
