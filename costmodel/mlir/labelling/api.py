"""`label`: texts in, labels out; batches are halved around a program that a tool refuses."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from costmodel.mlir.labelling.codegen import compile_batch
from costmodel.mlir.labelling.lower import lower_batch
from costmodel.mlir.labelling.mca import BlockCosts
from costmodel.mlir.labelling.rows import Label
from costmodel.mlir.labelling.sums import summarise
from costmodel.mlir.labelling.targets import CPUS, CpuTarget, cpu_target
from costmodel.mlir.labelling.tools import ToolError

BATCH = 33
SECONDS_PER_PROGRAM = 20.0
SECONDS_PER_BATCH = 60.0


def label(texts: Sequence[str], cpus: Sequence[str] = tuple(CPUS), *, batch: int = BATCH) -> list[Label]:
    """Labels of programs by the real tools: for each text in order, one row per CPU in order.

    Parameters
    ----------
    texts
        MLIR modules (or bare functions) in text, static shapes, dialects: affine, arith, linalg, math, memref, scf,
        tensor, tosa, vector and what the standard lowering knows.
    cpus
        Names in `CPUS` (LLVM's). The time is about proportional to their number.
    batch
        Programs that go through the tools together; labels do not depend on it.

    Raises
    ------
    ToolError
        A tool is not installed.
    featurizers.errors.UnknownNameError
        An unknown CPU. A text that cannot be labelled is not an error: its rows say ``failed`` and why.
    """
    targets = [cpu_target(name) for name in cpus]
    rows: list[Label] = []
    for start in range(0, len(texts), batch):
        for labels in label_batch(list(texts[start : start + batch]), targets):
            rows.extend(labels)
    return rows


def label_batch(texts: list[str], cpus: list[CpuTarget]) -> list[list[Label]]:
    """Labels per text and CPU of one batch; halves are tried where the whole does not go through a tool."""
    with tempfile.TemporaryDirectory(prefix="mlir-label-") as name:
        folder = Path(name)
        seconds = _seconds(texts)
        try:
            bitcode = lower_batch(texts, folder, seconds=seconds)
        except ToolError as error:
            if len(texts) == 1:
                return [[_failure(cpu, error) for cpu in cpus]]
            middle = len(texts) // 2
            return [*label_batch(texts[:middle], cpus), *label_batch(texts[middle:], cpus)]
        columns = [_label_cpu(texts, bitcode, cpu, folder, seconds) for cpu in cpus]
    return [list(row) for row in zip(*columns, strict=True)]


def _label_cpu(texts: list[str], bitcode: Path, cpu: CpuTarget, folder: Path, seconds: float) -> list[Label]:
    try:
        code = compile_batch(bitcode, cpu, folder, seconds=seconds)
        return summarise(code, len(texts), cpu, _costs(cpu), folder, seconds)
    except (ToolError, RecursionError) as error:
        if len(texts) == 1:
            return [_failure(cpu, error)]
    middle = len(texts) // 2
    halves = label_batch(texts[:middle], [cpu]) + label_batch(texts[middle:], [cpu])
    return [row[0] for row in halves]


@cache
def _costs(cpu: CpuTarget) -> BlockCosts:
    return BlockCosts(cpu)


def _seconds(texts: list[str]) -> float:
    return SECONDS_PER_PROGRAM if len(texts) == 1 else SECONDS_PER_BATCH


def _failure(cpu: CpuTarget, error: ToolError | RecursionError) -> Label:
    too_deep = "counts of its blocks depend on one another too deeply to be followed"
    return Label(cpu.name, status="failed", reason=str(error) if isinstance(error, ToolError) else too_deep)
