"""The tables of ``datasets/mlir_programs`` from a campaign's journals, and their description."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from costmodel.measure.journal import read_journal
from costmodel.mlir.generators import TEST_UNSEEN

SPLITS = ("train", "validation", "test_seen", "test_unseen")
_SHARES = ((0.70, "train"), (0.85, "validation"), (1.0, "test_seen"))
_NAME, _ONE = pa.string(), "1"

PROGRAMS: dict[str, tuple[pa.DataType, str, str]] = {
    "program_id": (_NAME, _ONE, "hash of the text without white space and function names"),
    "family": (_NAME, _ONE, "the generator"),
    "group": (_NAME, _ONE, "one function; its variants are what a compiler would choose between"),
    "variant": (_NAME, _ONE, "JSON of the transformation, empty for the function as written"),
    "text": (_NAME, _ONE, "MLIR as mlir-opt (StableHLO: IREE) prints it, before the lowering that the labels are of"),
    "split": (_NAME, _ONE, ", ".join(SPLITS)),
}
LABELS: dict[str, tuple[pa.DataType, str, str]] = {
    "program_id": (_NAME, _ONE, ""),
    "cpu": (_NAME, _ONE, "LLVM's name"),
    "instructions": (pa.int32(), _ONE, "static, after opt -O3 and llc -O3"),
    "register_spills": (pa.int32(), _ONE, "instructions that the register allocator put in"),
    "register_reloads": (pa.int32(), _ONE, "the same"),
    "folded_spills": (pa.int32(), _ONE, "folded into memory operands, not part of register_spills"),
    "folded_reloads": (pa.int32(), _ONE, "folded into memory operands, not part of register_reloads"),
    "stack_bytes": (pa.int32(), "B", "frame size"),
    "code_bytes": (pa.int32(), "B", "size of the functions' symbols in the object"),
    "cycles": (pa.float64(), "cycles", "llvm-mca per block, times the block's executions in one call"),
    "executed_instructions": (pa.float64(), _ONE, "instructions times executions in one call, calls not entered"),
    "ipc": (pa.float32(), _ONE, "executed_instructions / cycles"),
    "bottleneck": (_NAME, _ONE, "scheduler resource with the highest weighted pressure, or dependencies"),
    "trips": (_NAME, _ONE, "exact, averaged or guessed: how the executions of blocks were found"),
    "status": (_NAME, _ONE, "ok or failed"),
    "reason": (_NAME, _ONE, "what the tool said"),
}
GPU_LABELS: dict[str, tuple[pa.DataType, str, str]] = {
    "program_id": (_NAME, _ONE, ""),
    "gpu": (_NAME, _ONE, "gfx942 or gfx1100"),
    "kernels": (pa.int32(), _ONE, "kernels of the program; the counts below are of the largest of each"),
    "vgprs": (pa.int32(), _ONE, "vector registers"),
    "sgprs": (pa.int32(), _ONE, "scalar registers"),
    "vgpr_spills": (pa.int32(), _ONE, ""),
    "sgpr_spills": (pa.int32(), _ONE, ""),
    "occupancy_waves": (pa.int32(), "waves per SIMD", "as llc computes it, the least of the kernels"),
    "status": (_NAME, _ONE, "ok or failed"),
    "reason": (_NAME, _ONE, "what the tool said"),
}
HOST_LABELS: dict[str, tuple[pa.DataType, str, str]] = {
    "program_id": (_NAME, _ONE, ""),
    "host": (_NAME, _ONE, "CPU model"),
    "compiler": (_NAME, _ONE, "llvm-22 or iree-llvm-cpu-3.13"),
    "executed_instructions": (pa.float64(), _ONE, "counted, one call; of IREE the generated code alone"),
    "time_us": (pa.float64(), "us", "one call, data in cache where it fits"),
    "noise": (pa.float32(), _ONE, "relative spread of the repeats"),
    "status": (_NAME, _ONE, "ok or failed"),
    "reason": (_NAME, _ONE, ""),
}
TABLES = {
    "programs.parquet": ("one row per program", PROGRAMS),
    "labels.parquet": ("one row per program and CPU that was labelled", LABELS),
    "gpu_labels.parquet": ("one row per program and GPU, for programs that map to kernels", GPU_LABELS),
    "host_labels.parquet": ("one row per program, host and compiler, for a sample of the programs", HOST_LABELS),
}

Row = dict[str, Any]


def assemble(work: Path, data: Path, description: Path) -> dict[str, int]:
    """Write every table that there is something for, and describe them; rows by table.

    Programs that no label was made of yet are left out.
    """
    rows = {
        "labels.parquet": _labels(work),
        "gpu_labels.parquet": list(read_journal(work / "gpu.jsonl")),
        "host_labels.parquet": list(read_journal(work / "host.jsonl")),
    }
    labelled = {row["program_id"] for row in rows["labels.parquet"]}
    programs = [row for row in read_journal(work / "programs.jsonl") if row["program_id"] in labelled]
    splits = group_splits({(row["family"], row["group"]) for row in programs})
    rows["programs.parquet"] = [{**row, "split": splits[row["group"]]} for row in programs]
    place = {row["program_id"]: n for n, row in enumerate(sorted(programs, key=_order))}
    data.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, (about, columns) in TABLES.items():
        table = [row for row in rows[name] if row["program_id"] in place]
        table.sort(
            key=lambda row: (place[row["program_id"]], *(str(row.get(k, "")) for k in ("cpu", "gpu", "compiler")))
        )
        if table:
            _write(data / name, table, columns)
            files[name] = _described(data / name, about, columns, len(table))
    _describe(description, files, len(programs))
    return {name: file["rows"] for name, file in files.items()}


def group_splits(groups: set[tuple[str, str]]) -> dict[str, str]:
    """Group to split: whole families to ``test_unseen``, groups of the others 70 / 15 / 15 by their hash."""
    splits = {}
    for family, group in groups:
        if family in TEST_UNSEEN:
            splits[group] = "test_unseen"
        else:
            draw = random.Random(f"split:{group}").random()
            splits[group] = next(name for share, name in _SHARES if draw < share)
    return splits


def _labels(work: Path) -> list[Row]:
    rows = []
    for record in read_journal(work / "labels.jsonl"):
        for label in record["labels"]:
            rows.append({"program_id": record["program_id"], **label})
    return rows


def _order(row: Row) -> tuple[str, str, str]:
    return row["family"], row["group"], row["variant"]


def _write(path: Path, rows: list[Row], columns: dict[str, tuple[pa.DataType, str, str]]) -> None:
    text = {name for name, (kind, _, _) in columns.items() if kind == _NAME}
    arrays = [
        pa.array([row.get(name, "" if name in text else None) for row in rows], type=kind)
        for name, (kind, _, _) in columns.items()
    ]
    table = pa.table(dict(zip(columns, arrays, strict=True)))
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=12,
        row_group_size=1 << 20,
        data_page_size=16 << 20,
        use_dictionary=[name for name in text if name not in ("text", "program_id")],
    )


def _described(path: Path, about: str, columns: dict[str, tuple[pa.DataType, str, str]], rows: int) -> Row:
    named = {
        name: {"dtype": str(kind), "unit": unit, **({"about": note} if note else {})}
        for name, (kind, unit, note) in columns.items()
    }
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"about": about, "columns": named, "sha256": digest, "bytes": path.stat().st_size, "rows": rows}


def _describe(path: Path, files: dict[str, Row], programs: int) -> None:
    text = {
        "name": "mlir_programs",
        "version": 1,
        "title": "Generated MLIR programs with what LLVM 22 made of them",
        "kind": "mlir",
        "licence": "Apache-2.0",
        "made_by": "datasets/mlir_programs/build.py",
        "generator": {"seed": 20261125, "programs": programs},
        "split_rule": f"whole families ({', '.join(TEST_UNSEEN)}) are test_unseen; every other family is divided "
        "70 / 15 / 15 by group into train, validation and test_seen",
        "splits": list(SPLITS),
        "files": files,
    }
    path.write_text(yaml.safe_dump(text, sort_keys=False, width=120, allow_unicode=True))


def summary(work: Path) -> str:
    """Programs and labels by family, as a Markdown table."""
    label_rows: dict[str, list[Row]] = defaultdict(list)
    for row in _labels(work):
        label_rows[row["program_id"]].append(row)
    families: dict[str, list[Row]] = defaultdict(list)
    for row in read_journal(work / "programs.jsonl"):
        if row["program_id"] in label_rows:
            families[row["family"]].append(row)
    lines = [
        "| family | programs | groups | labels | with spills | instructions (median) | exact trips | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for family in sorted(families):
        lines.append(_summary_line(family, families[family], label_rows))
    return "\n".join(lines)


def _summary_line(family: str, programs: list[Row], label_rows: dict[str, list[Row]]) -> str:
    labels = [row for program in programs for row in label_rows[program["program_id"]]]
    good = [row for row in labels if row["status"] == "ok"]
    spills = sum(row["register_spills"] > 0 for row in good) / max(len(good), 1)
    exact = sum(row["trips"] == "exact" for row in good) / max(len(good), 1)
    middle = sorted(row["instructions"] for row in good)[len(good) // 2] if good else 0
    groups = len({program["group"] for program in programs})
    failed = len(labels) - len(good)
    return (
        f"| {family} | {len(programs)} | {groups} | {len(labels)} | {spills:.0%} | {middle} | {exact:.0%} | {failed} |"
    )
