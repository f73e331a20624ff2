"""Half precision on x86 without instructions for it: to single precision, one operation, and back, each time.

Sources (LLVM 22): `X86TargetLowering` (F16C: ``vcvtph2ps``, ``vcvtps2ph``; a scalar is put into a register and taken
out by ``vpinsrw`` and ``vpextrw``); units as llvm-mca-22 has them.
"""

from __future__ import annotations

from math import ceil

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.extremes import beyond
from featurizers.mlir.loop import Loop
from featurizers.mlir.minmax import AWAY, ROUNDED

_BITS = 16
_PRODUCTS = tuple(opclass.CLASS[name] for name in ("fmul", "fma"))
_WIDENED = 32
_INSERTED = 1.5
"""Cycles of Zen 4's units for loads and stores of floats, of an element that is put into a register."""


def _conversions(loop: Loop, counts: list[float]) -> tuple[float, float]:
    """To single precision, of what is loaded and of each result that is no more than stored; and back."""
    ops = sum([counts[index] for index in opclass.FLOAT_CLASSES])
    return max(counts[opclass.LOAD] + ops - counts[opclass.STORE], ops * (len(loop.chains) > 0)), ops


def scalar(loop: Loop, counts: list[float], cpu: Cpu) -> float:
    """Cycles of an iteration of scalars by the units that convert: Skylake's permutes, too, and Zen 4's adds up."""
    widened, rounded = _conversions(loop, counts)
    more = beyond(loop, counts, cpu)
    if not cpu.fp_split:
        return widened + rounded + counts[opclass.LOAD] + counts[opclass.STORE] + more / 2
    sums = rounded - sum([counts[index] for index in _PRODUCTS])
    moved = _INSERTED * counts[opclass.LOAD] + counts[opclass.STORE]
    return max((widened + 2.0 * rounded + sums + more / 2) / 2, moved)


def vector(loop: Loop, counts: list[float], cpu: Cpu, vf: int) -> float:
    """Cycles of a vector iteration by Zen 4's units that convert and add up: a register of 512 bits is filled in twice
    the time. Skylake issues no more than it converts."""
    if not cpu.fp_split:
        return 0.0
    widened, rounded = _conversions(loop, counts)
    filled = min(vf * _WIDENED / cpu.prefer_bits, 1.0)
    sums = rounded - sum([counts[index] for index in _PRODUCTS])
    each = 2.0 * filled * widened + rounded + filled * (sums + beyond(loop, counts, cpu, True) / 2)
    return ceil(vf * _WIDENED / cpu.prefer_bits) * each


_ROOT, _LANE = opclass.CLASS["fsqrt"], 5.0
_CONVERTED = {0: 3.65, 1: 2.15}
"""Instructions for an operation on a lane that is taken out, widened, narrowed and put back; and their cycles, by
`Cpu.fp_split`, as llvm-mca-22 runs them."""


def expanded(loop: Loop, cpu: Cpu) -> float:
    """Operations that x86 makes lane by lane of vectors of halves: roots, and what rounds to a whole number
    (`X86TargetLowering` expands them; all others are widened). SLP leaves them alone."""
    if cpu.isa != "x86" or cpu.half or loop.float_bits != _BITS:
        return 0.0
    return loop.counts[_ROOT] + _rounded(loop)


def _rounded(loop: Loop) -> float:
    return loop.extremes.get(ROUNDED, 0.0) + loop.extremes.get(AWAY, 0.0)


def lane_by_lane(loop: Loop, cpu: Cpu, vf: int) -> tuple[float, float]:
    """Instructions and cycles of these operations in a vector."""
    converted = _CONVERTED[bool(cpu.fp_split)]
    cycles = loop.counts[_ROOT] * max(cpu.fsqrt32_cycles, converted) + _rounded(loop) * converted
    return _LANE * expanded(loop, cpu) * vf, cycles * vf * (expanded(loop, cpu) > 0)
