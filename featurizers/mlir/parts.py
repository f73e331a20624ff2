"""Where a program's cost lies: one part per loop and kind of work in it, with the loop's place in the source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from featurizers.core import Column, Parts
from featurizers.mlir import opclass
from featurizers.mlir.codegen import LoopCode
from featurizers.mlir.columns import bounded, codes
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.opclass import CLASSES
from featurizers.mlir.program import Program

CONTROL = "loop control"
WORK = (*CLASSES, CONTROL)
PART_COLUMNS = (
    Column("work", "1", "identity", WORK),
    Column("part_instructions", "1", "estimate"),
    Column("part_cycles", "cycles", "estimate"),
    Column("part_spills", "1", "estimate"),
)
_DEAR = {"fdiv": 4.0, "fsqrt": 5.0, "idiv": 8.0, "libm": 40.0, "call": 20.0, "address": 0.1}
_FEW_CYCLES = 1e-9


def parts_of(programs: Sequence[Program], cpu: Cpu, names: bool) -> Parts:
    """Parts of each program, loops in source order, dearest work first."""
    rows: list[tuple[float, ...]] = []
    owner: list[int] = []
    labels: list[tuple[str, ...]] = []
    for number, program in enumerate(programs):
        for code in codes(program, cpu):
            for row, label in _parts(code):
                rows.append(row)
                owner.append(number)
                labels.append(label)
    matrix = bounded(rows).reshape(-1, len(PART_COLUMNS))
    count = np.ones(len(rows), dtype=np.float32)
    part = np.arange(len(rows), dtype=np.int64)
    return Parts(matrix, np.asarray(owner, dtype=np.int64), part, count, tuple(labels) if names else ())


def _parts(code: LoopCode) -> list[tuple[tuple[float, ...], tuple[str, ...]]]:
    loop, nest = code.loop, code.loop.nest
    weights = {
        name: count * _DEAR.get(name, 1.0) for name, count in zip(CLASSES, loop.counts, strict=True) if count > 0
    }
    weights[CONTROL] = 1.0 / max(code.unroll * code.vf, 1)
    total = sum(weights.values())
    where = f"{nest.label} (line {nest.line}, column {nest.column})" if nest.line else nest.label
    how = _decisions(code)
    found: list[tuple[tuple[float, ...], tuple[str, ...]]] = []
    for name, weight in sorted(weights.items(), key=lambda item: -item[1]):
        share = weight / total
        row = (
            float(WORK.index(name)),
            code.instructions * share,
            max(code.cycles * share, _FEW_CYCLES),
            code.spills * share,
        )
        found.append((row, (where, how) if how else (where,)))
    return found


def _decisions(code: LoopCode) -> str:
    """What the estimate says of the loop, e.g. ``vector of 8, interleaved 4 times``."""
    said = []
    if code.vf > 1:
        said.append(f"vector of {code.vf}")
    if code.interleave > 1:
        said.append(f"interleaved {code.interleave} times")
    if code.full:
        said.append("fully unrolled")
    elif code.unroll > 1:
        said.append(f"unrolled {code.unroll} times")
    if code.checks:
        said.append(f"{code.checks} overlap checks")
    if code.loop.counts[opclass.LIBM]:
        said.append("library calls")
    return ", ".join(said)
