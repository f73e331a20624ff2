"""datasets/mlir_programs: generated MLIR programs, labelled by LLVM's own tools per target CPU and GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from costmodel.corpora.schema import Rule, checksum, read_checked
from costmodel.corpus import SPLITS, Corpus, CorpusError, Labels
from costmodel.prediction import Target
from costmodel.predictor import Device
from featurizers.mlir.cpus import cpus

_PROGRAMS = (
    Rule("program_id", "text"),
    Rule("family", "text"),
    Rule("group", "text"),
    Rule("text", "text"),
    Rule("split", "text", among=SPLITS),
)
TARGETS = (
    Target("instructions", "instructions"),
    Target("cycles", "cycles"),
    Target("code_bytes", "B"),
    Target("register_spills", "spills", positive=False, count=True),
    Target("register_reloads", "reloads", positive=False, count=True),
    Target("stack_bytes", "B", positive=False, count=True),
)
GPU_TARGETS = (
    Target("vgprs", "registers", of_pieces="max"),
    Target("sgprs", "registers", of_pieces="max"),
    Target("vgpr_spills", "spills", positive=False, count=True, of_pieces="max"),
    Target("sgpr_spills", "spills", positive=False, count=True, of_pieces="max"),
    Target("occupancy_waves", "waves", higher_is_better=True, of_pieces="min"),
)
HOST_TARGETS = (Target("executed_instructions", "instructions"), Target("time_us", "us"))
HOST_PROFILE = "skylake-avx512"
"""The descriptor that stands for a measured host: the nearest that the table has."""

_TABLES = (("labels.parquet", "cpu", TARGETS), ("gpu_labels.parquet", "gpu", GPU_TARGETS))
_MIN_LABELS = 40


def load_corpus(folder: Path) -> Corpus:
    """Read and check the tables in `folder` (or its ``data``). CorpusError names what breaks the schema."""
    where = folder if (folder / "programs.parquet").is_file() else folder / "data"
    programs = read_checked(where / "programs.parquet", _PROGRAMS).to_pydict()
    position = {name: index for index, name in enumerate(programs["program_id"])}
    labels: list[Labels] = []
    files = [where / "programs.parquet"]
    for file, column, targets in _TABLES:
        if file == "labels.parquet" or (where / file).is_file():
            rules = (Rule("program_id", "text"), Rule(column, "text"))
            rows = read_checked(where / file, rules).to_pydict()
            labels += _labels(rows, rows[column], targets, position, file)
            files.append(where / file)
    if (where / "host_labels.parquet").is_file():
        rows = read_checked(
            where / "host_labels.parquet", (Rule("program_id", "text"), Rule("host", "text"))
        ).to_pydict()
        names = [f"{_slug(host)}-{compiler}" for host, compiler in zip(rows["host"], rows["compiler"], strict=True)]
        labels += _labels(rows, names, HOST_TARGETS, position, "host_labels.parquet")
        files.append(where / "host_labels.parquet")
    return Corpus(
        name="mlir_programs",
        kind="mlir",
        raws=[{"mlir": text} for text in programs["text"]],
        ids=tuple(programs["group"]),
        family=np.asarray(programs["family"]),
        split=np.asarray(programs["split"]),
        labels=tuple(labels),
        checksum=checksum(files),
        licence="Apache-2.0",
        notes={"labels": "LLVM 22: mlir-opt, opt -O3, llc -O3, llvm-mca; hosts: measured, LLVM 22 and IREE 3.13"},
    )


def _slug(host: str) -> str:
    """A host's name as devices are named: ``AMD EPYC`` is ``amd-epyc``."""
    return "-".join(host.lower().split())


def _labels(
    rows: dict[str, list[Any]], devices: list[str], targets: tuple[Target, ...], position: dict[str, int], file: str
) -> list[Labels]:
    found = []
    subject = np.asarray([position.get(name, -1) for name in rows["program_id"]], dtype=np.int64)
    if (subject < 0).any():
        row = int(np.flatnonzero(subject < 0)[0])
        raise CorpusError(f"{file}, row {row}: the program '{rows['program_id'][row]}' is not in programs.parquet.")
    device = np.asarray(devices)
    noise = np.asarray(rows.get("noise") or [0.0] * len(subject), dtype=np.float64)
    for name in sorted(set(devices)):
        profile = name if name in cpus() else HOST_PROFILE
        held = [target for target in targets if target.name in rows]
        described = Device(name, profile, tuple(t.name for t in held), {"profile": profile})
        for target in held:
            value = np.asarray([np.nan if v is None else v for v in rows[target.name]], dtype=np.float64)
            usable = np.flatnonzero((device == name) & np.isfinite(value) & (value > 0 if target.positive else True))
            if len(usable) >= _MIN_LABELS:
                clean = np.nan_to_num(noise[usable])
                found.append(Labels(described, target, subject[usable], value[usable], clean))
    return found
