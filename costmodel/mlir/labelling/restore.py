"""A work folder from the committed tables: labelling goes on from there, without the journals that made them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from costmodel.measure.journal import Journal

Row = dict[str, Any]
_JOURNALS = {"gpu_labels.parquet": "gpu.jsonl", "host_labels.parquet": "host.jsonl"}


def restore(data: Path, work: Path) -> int:
    """Write the journals that `assemble` makes these tables of; the number of programs.

    Raises
    ------
    FileExistsError
        The work folder has programs already.
    """
    if (work / "programs.jsonl").exists():
        raise FileExistsError(f"{work} has programs already: label on there, or name an empty folder.")
    labels: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(data / "labels.parquet"):
        labels[row.pop("program_id")].append(row)
    programs = _rows(data / "programs.parquet")
    _write(work / "programs.jsonl", [_planned(row, labels[row["program_id"]]) for row in programs])
    found = [{"program_id": row["program_id"], "labels": labels[row["program_id"]]} for row in programs]
    _write(work / "labels.jsonl", found)
    for table, journal in _JOURNALS.items():
        if (data / table).exists():
            _write(work / journal, _rows(data / table))
    return len(programs)


def _planned(row: Row, labels: list[Row]) -> Row:
    cpus = [label["cpu"] for label in labels]
    return {**{key: row.get(key, "") for key in ("program_id", "family", "group", "variant", "text")}, "round": 0,
            "cpus": cpus}  # fmt: skip


def _rows(path: Path) -> list[Row]:
    return [{k: v for k, v in row.items() if v not in (None, "")} for row in pq.read_table(path).to_pylist()]


def _write(path: Path, rows: list[Row]) -> None:
    journal = Journal(path)
    for row in rows:
        journal.append(row)
    journal.close()
