"""Minima and maxima of floats, of which x86 makes several instructions, and what is counted with them but is one.

Sources (LLVM 22): `X86TargetLowering::LowerFMINIMUM_FMAXIMUM` (of two variables, signs are looked at so that zeros are
told apart; scalars take their way through ``kmov``), cycles as llvm-mca-22 runs them.
"""

from __future__ import annotations

from featurizers.mlir import minmax, opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop

_SEVERAL = (minmax.WITH_ZERO, minmax.NUMBER, minmax.AWAY)
_MAXIMUM = {"x86": 10.0, "aarch64": 1.0, "riscv": 7.0, "amdgpu": 1.0}
"""`arith.maximumf` and its like propagate NaN, and tell zeros apart: x86 looks at signs and blends; less where one is a
constant."""
LESS_IN_VECTORS = {"x86": 4.0, "aarch64": 0.0, "riscv": 2.0, "amdgpu": 0.0}
"""A maximum that propagates NaN is so much shorter in vectors, which need no detour through other registers."""

_SPLIT = {False: (4.0, 6.0), True: (2.0, 3.0)}
"""Of Zen 4's units for products, whether in vectors: of a minimum, of a maximum of two variables."""
_PERMUTED = {False: (2.0, 5.0), True: (1.0, 1.0)}
"""Of Skylake's unit that permutes."""
_COMPUTED = {False: (1.0, 2.0), True: (1.0, 3.0)}
"""Of Skylake's units of floats."""


def minima(loop: Loop, counts: list[float], cpu: Cpu) -> float:
    """Those that take more than one instruction."""
    count = counts[opclass.FMINMAX]
    if not count or cpu.isa != "x86":
        return count
    return count * minmax.share(loop.extremes, _SEVERAL)


def several(loop: Loop, counts: list[float], cpu: Cpu) -> float:
    """Instructions of minima beyond one for each."""
    count = counts[opclass.FMINMAX]
    return count * (minmax.mean(loop.extremes, minmax.INSTRUCTIONS, cpu.isa) - 1.0) if count else 0.0


def beyond(loop: Loop, counts: list[float], cpu: Cpu, vector: bool = False) -> float:
    """Instructions of all beyond one for each."""
    less = LESS_IN_VECTORS[cpu.isa] if vector else 0.0
    maxima = counts[opclass.FMAXIMUM] * (_MAXIMUM[cpu.isa] - less - 1.0)
    return several(loop, counts, cpu) + maxima


def busiest(loop: Loop, counts: list[float], cpu: Cpu, vector: bool, products: float, others: float) -> float:
    """Operations of the busiest floating-point unit of x86, times units. products, others : one each beside these."""
    fewer, more = minima(loop, counts, cpu), counts[opclass.FMAXIMUM]
    every = fewer + more + beyond(loop, counts, cpu, vector)
    if cpu.fp_split:
        least, most = _SPLIT[vector]
        return max(products + fewer * least + more * most, others)
    (one, two), (first, second) = _PERMUTED[vector], _COMPUTED[vector]
    return max(
        products + others + fewer * first + more * second,
        (fewer * one + more * two) * cpu.fp_ports,
        (products + others + every) * cpu.fp_ports / (cpu.fp_ports + 1),
    )
