"""Cycles of the blocks before and behind a loop, which llvm-mca runs by themselves, each time that it is entered.

Sources (LLVM 22): `VPlan` computes how many iterations are whole vectors of SVE by a division, which is a mask where
``vscale`` is known to be a power of two in the same block (`DAGCombiner`, one block at a time); `SchedNeoverseV1.td`.
"""

from __future__ import annotations

from math import log2

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.opclass import FMAXIMUM
from featurizers.mlir.remainders import unknown_length
from featurizers.mlir.waits import MAXIMUM_LATENCY

_AROUND, _TESTS, _COPIES = 2.0, 6.0, 2.0
"""Cycles of the blocks before and behind a loop; where its length is not known, of those that choose between the vector
loop, the narrower one and the scalar one, or between the copies of a body and single ones."""
_DIVIDED = 4.0
"""Cycles of the block before a vector loop of SVE that is inside another one, beyond those of others: ``udiv``."""
_COMBINED = {"x86": 0.7, "aarch64": 1.0, "riscv": 0.0, "amdgpu": 0.0}
"""Cycles of each step that halves a vector of partial results; those of others overlap with what is around. (Of x86, by
labels of `train` and `validation`.)"""
_ADDED = {8: 14.0, 16: 12.0, 32: 10.0, 64: 8.0}
_ADDED_FLOATS = {16: 13.0, 32: 11.0, 64: 9.0}
"""Cycles of ``uaddv`` and ``faddv`` of SVE's vectors, by element."""
_TOGETHER = 2.0
"""Of the addition that puts the vectors of an interleaved loop together."""


def entry(loop: Loop, cpu: Cpu, vf: int, folded: bool, rests: bool, unroll: int) -> float:
    """Cycles around a loop. folded : all vectors run under a mask; rests : a vector loop leaves some iterations. In
    order, blocks of a few instructions that wait for each other take twice as long."""
    cycles = _AROUND
    if not loop.exact:
        cycles += _TESTS if rests else _COPIES if unroll > 1 else 0.0
    if vf > 1 and not folded and loop.depth > 1 and unknown_length(loop, cpu, vf):
        cycles += _DIVIDED
    return cycles * (2.0 if cpu.in_order else 1.0)


def combined(loop: Loop, cpu: Cpu, vf: int, interleave: int) -> float:
    """Cycles of putting together the partial results that vectors have carried."""
    each = _COMBINED[cpu.isa] * log2(vf)
    if not unknown_length(loop, cpu, vf):
        return len(loop.chains) * each + _maximum(loop, cpu) * log2(vf * interleave)
    chain = loop.chains[0]
    by_bits = _ADDED_FLOATS if chain.is_float else _ADDED
    added = by_bits.get(chain.bits, by_bits[32])
    return added + _TOGETHER * log2(interleave) + (len(loop.chains) - 1) * each


def _maximum(loop: Loop, cpu: Cpu) -> float:
    """Cycles of each step where maxima propagate NaN, of x86: each waits for the one before."""
    return MAXIMUM_LATENCY if cpu.isa == "x86" and any(c.op_class == FMAXIMUM for c in loop.chains) else 0.0
