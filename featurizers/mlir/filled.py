"""Cycles beyond its steady state of a block that llvm-mca repeats: the last repetition has to end, too.

Source: `costmodel.mlir.labelling.mca` (cycles of all repetitions, divided by how many they are), and llvm-mca-22.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.steady import repetitions
from featurizers.mlir.waits import own_path

if TYPE_CHECKING:
    from featurizers.mlir.codegen import LoopCode

_ENDS = 2.0
"""Cycles from an instruction's result until it has left the core, and those before the first one begins."""


def filling(own: LoopCode, below: Sequence[LoopCode], cpu: Cpu) -> float:
    """Of all executions of a loop's body, which is one block with the loops inside that are unrolled completely."""
    loop = own.loop
    if cpu.in_order or own.full or loop.nest.uncounted or loop.ways or loop.counts[opclass.BRANCH]:
        return 0.0
    runs = loop.entries * loop.trip / (own.vf * own.interleave * own.unroll) if loop.nest.depth else loop.entries
    block = [own, *(code for code in below if code.full)]
    length = sum([code.executed for code in block]) / max(runs, 1.0)
    busy = sum([code.cycles for code in block]) / max(runs, 1.0)
    left = max([_left(code, cpu, busy) for code in block])
    return runs * (left + _ENDS) / repetitions(max(int(length), 1))


def _left(code: LoopCode, cpu: Cpu, busy: float) -> float:
    """What is left of the longest path when all of a block has begun, which the last of its parts goes through: each
    copy of a body, and all that leads to a store, if no load is of what was stored before."""
    loop = code.loop
    stores = loop.counts[opclass.STORE] if loop.forwarded <= 0 and loop.nest.stepwise is None else 1.0
    parts = code.unroll * code.interleave * max(stores, loop.copies, 1.0)
    return max(own_path(loop, cpu, code.vf > 1 or code.packed.mostly) - busy / parts, 0.0)
