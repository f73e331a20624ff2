"""Partial results of vector loops: what begins them before the loop, and what puts them together behind it.

Sources: LLVM 22's code for each operation and type (`expandReductions`, ``ISD::VECREDUCE_*``): x86 halves a vector
until one lane is left; AArch64 and RISC-V have instructions across lanes, but for products, and NEON for neither bits
nor extremes of 64 bits.
"""

from __future__ import annotations

from math import log2

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Chain
from featurizers.mlir.opclass import CLASS, FMAXIMUM, IMINMAX, IMUL
from featurizers.mlir.reductions import halved, last_at_once
from featurizers.mlir.vectorise import ordered_only

_FADD, _FMUL, _LOGIC = (CLASS[name] for name in ("fadd", "fmul", "logic"))
_REGISTER = 128
_MAXIMUM, _OF_SCALARS = 6.0, 10.0
"""Instructions of x86 for `arith.maximumf`: of vectors, and of single lanes, whose signs go through a register."""
_WIDEST = 64


def partial_results(loop: Loop, cpu: Cpu, vf: int, interleave: int) -> float:
    """Instructions around a vector loop for the values that it carries; sums in order are scalars all the time."""
    if ordered_only(loop):
        return float(len(loop.chains))
    found = 0.0
    for chain in loop.chains:
        each = _operation(chain, cpu)
        found += interleave + (interleave - 1) * each + _across(chain, cpu, vf, each)
    if cpu.isa == "riscv" and any(chain.op_class != FMAXIMUM for chain in loop.chains):
        found += _BEGUN
    return found


def _operation(chain: Chain, cpu: Cpu) -> float:
    """Instructions for two vectors: AArch64 has no extremes of 64 bits, and compares and chooses."""
    if cpu.isa == "x86" and chain.op_class == FMAXIMUM:
        return _MAXIMUM
    return 2.0 if cpu.isa == "aarch64" and chain.op_class == IMINMAX and chain.bits == _WIDEST else 1.0


def _across(chain: Chain, cpu: Cpu, vf: int, each: float) -> float:
    """Instructions that make one value of the lanes of a vector."""
    kind, bits = chain.op_class, max(chain.bits, 8)
    if cpu.isa == "x86":
        return _halved(chain, vf * bits, each)
    if kind in (IMUL, _FMUL):
        return 2.0 * log2(vf) - (kind == _FMUL)
    if cpu.isa == "riscv":
        return _RISCV.get(kind, 4.0)
    if kind == _FADD and not cpu.scalable:
        return max(log2(vf), 1.0)
    if kind in (_LOGIC, IMINMAX) and not cpu.scalable and (kind == _LOGIC or bits == _WIDEST):
        return 2.0 * log2(vf)
    return 1.0 if chain.is_float else 2.0


_RISCV = {FMAXIMUM: 9.0, IMINMAX: 2.0}
"""The first operand is a vector with the neutral element in its first lane, but for extremes; NaN is looked for."""
_BEGUN = 4.0
"""RISC-V: the first value in a lane of neutral elements, and how vectors are to be taken (``vsetvli``) there, in the
loop and behind it."""


def _halved(chain: Chain, size: int, each: float) -> float:
    """x86: a shuffle and an operation for each halving; the last lanes of small numbers at once."""
    bits, kind = max(chain.bits, 8), chain.op_class
    if kind == FMAXIMUM:
        halvings = log2(max(size / _REGISTER, 1.0))
        return (1.0 + each) * halvings + (1.0 + _OF_SCALARS) * (_REGISTER / bits - 1.0)
    at_once = last_at_once(kind, bits, size)
    return halved(size, bits) if at_once is None else at_once
