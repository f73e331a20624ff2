"""PerfCastDB's public sample: ``data/raw/SPR/{train,test}_data.csv`` as our two tables.

The origin's column names as its documentation gives them (``characteristic_description.md``). The part table (an
Excel sheet) is not read: columns that came from it are missing, and the reader of rows does without them.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.corpus import CorpusError
from costmodel.cpu.origins.archives import files, write_table
from costmodel.cpu.perfcastdb import FILES
from featurizers.cpu.units import ghz, number
from featurizers.errors import InputError

_FILE = r"data/raw/SPR/(?P<split>train|test)_data\.csv"
_TEXTS = {
    "benchmark": "RESULT.WorkloadName",
    "benchmark_version": "RESULT.WorkloadVersion",
    "preset": "RESULT.WorkloadPreset",
    "test_name": "RESULT.TestName",
    "cluster": "RESULT.cluster-name",
    "qdf": "META.metadata.cscope.qdf0",
    "cpu_stepping_name": "META.metadata.cscope.stepping",
    "cpu_model": "SVR.CPU.CPU Model",
    "microarchitecture": "SVR.CPU.Microarchitecture",
    "microcode": "SVR.System.Microcode",
    "isa": "SVR.ISA",
    "accelerators": "SVR.Accelerators",
    "auto_numa_balancing": "SVR.Memory.Automatic NUMA Balancing",
    "os": "SVR.System.OS",
    "dimm_population": "Measure.DIMM.Population",
    "dimm_part_no": "Measure.DIMM.PartNo",
}
_NUMBERS = {
    "tdp_w": "SVR.Power.TDP",
    "power_frequency_mhz": "SVR.Power.Frequency (MHz)",
    "threads_per_core": "SVR.CPU.Thread(s) per Core",
    "cores_per_socket": "SVR.CPU.Core(s) per Socket",
    "sockets": "SVR.CPU.Socket(s)",
    "logical_cpus": "SVR.CPU.CPU(s)",
    "numa_nodes": "SVR.CPU.NUMA Node(s)",
    "cpu_stepping": "SVR.CPU.Stepping",
    "cpu_family": "SVR.CPU.Family",
    "dimm_num": "Measure.DIMM.Num",
    "dimm_total_gb": "Measure.DIMM.Total",
    "dimm_freq_mts": "Measure.DIMM.Freq",
}
_CLOCKS = {
    "base_freq_ghz": "SVR.CPU.Base Frequency",
    "max_freq_ghz": "SVR.CPU.Maximum Frequency",
    "allcore_max_freq_ghz": "SVR.CPU.All-core Maximum Frequency",
}
_CACHES = {
    "l1d_kb_per_core": "SVR.CPU.L1d Cache",
    "l1i_kb_per_core": "SVR.CPU.L1i Cache",
    "l2_kb_per_core": "SVR.CPU.L2 Cache",
    "l3_kb_per_socket": "SVR.CPU.L3 Cache",
}
_UNITS = {
    "SPECrate2017_fp_base": "SPECrate ratio",
    "SPECrate2017_int_base": "SPECrate ratio",
    "Memory Latency Checker Bandwidth": "MB/s",
    "Memory Latency Checker latency": "ns",
    "Stream": "MB/s",
    "HPCG": "GFLOP/s",
}
_TYPES: dict[str, type] = {
    **dict.fromkeys(("row_id", "split", "run_id", *_TEXTS), str),
    **dict.fromkeys((*_NUMBERS, *_CLOCKS, *_CACHES, "value"), float),
    "unit": str,
    "higher_is_better": bool,
    "is_copied_run": bool,
}
_SMALLEST_L1D_KB = 16


def parse(archives: Sequence[Path], out: Path) -> list[Path]:
    """perfcastdb_train.parquet and perfcastdb_test.parquet. CorpusError where a file or a column is not there."""
    sides: dict[str, list[dict[str, Any]]] = {}
    for archive in archives:
        for path, text in files(archive, _FILE):
            sides[path["split"]] = _marked(_rows(path["split"], text))
    return [
        write_table(out / name, sides.get(side, []), _TYPES)
        for name, side in zip(FILES, ("train", "test"), strict=True)
    ]


def _rows(split: str, text: str) -> list[dict[str, Any]]:
    table = csv.DictReader(io.StringIO(text))
    for column in ("RESULT.Value", "RESULT.WorkloadName", "RESULT.TestName", _NUMBERS["sockets"]):
        if column not in (table.fieldnames or ()):
            raise CorpusError(f"{split}_data.csv: has no column '{column}'.")
    # Who ran what: everything that neither describes the machine nor is the result of one iteration.
    told = {*_TEXTS.values(), "RESULT.Value", "RESULT.TestName"}
    naming = [name for name in table.fieldnames or () if name.startswith(("META.", "RESULT.")) and name not in told]
    return [_row(split, index, row, naming) for index, row in enumerate(table) if number(row["RESULT.Value"]) > 0]


def _row(split: str, index: int, row: Mapping[str, str], naming: Sequence[str]) -> dict[str, Any]:
    machine = [row.get(name, "") for name in (*_NUMBERS.values(), *_TEXTS.values()) if name != "RESULT.TestName"]
    run = hashlib.sha256("\n".join([*machine, *(row[name] for name in naming)]).encode()).hexdigest()[:12]
    suite = row["RESULT.WorkloadName"]
    cores = number(row.get(_NUMBERS["cores_per_socket"])) * number(row[_NUMBERS["sockets"]])
    return {
        **{"row_id": f"{split}-{index}", "split": split, "run_id": run, "value": number(row["RESULT.Value"])},
        **{name: row.get(column) or None for name, column in _TEXTS.items()},
        **{name: number(row.get(column)) for name, column in _NUMBERS.items()},
        **{name: _clock(row.get(column)) for name, column in _CLOCKS.items()},
        **_caches(row, cores, number(row[_NUMBERS["sockets"]])),
        "unit": _UNITS.get(suite, "1"),
        "higher_is_better": _UNITS.get(suite) != "ns",
    }


def _caches(row: Mapping[str, str], cores: float, sockets: float) -> dict[str, float]:
    """KB of one core (L3: of one socket). Some machines give MB of the whole system: their L1 is then tiny."""
    raw = {name: number(row.get(column)) for name, column in _CACHES.items()}
    if not raw["l1d_kb_per_core"] < _SMALLEST_L1D_KB:
        return raw
    return {name: size * 1024 / (sockets if name.startswith("l3") else cores) for name, size in raw.items()}


def _clock(text: str | None) -> float:
    try:
        return ghz(text, default="ghz") if text else float("nan")
    except InputError:
        return float("nan")


def _marked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`is_copied_run`: another run before it gave the same values in the same order."""
    runs: dict[str, list[tuple[str, str, float]]] = {}
    for row in rows:
        runs.setdefault(row["run_id"], []).append((row["benchmark"], row["test_name"], row["value"]))
    first: dict[tuple[tuple[str, str, float], ...], str] = {}
    for run, values in runs.items():
        first.setdefault(tuple(values), run)
    originals = set(first.values())
    return [row | {"is_copied_run": row["run_id"] not in originals} for row in rows]
