"""Cycles from operands to result, per CPU: the longest chain of a body is kept as its operations, whose latencies
differ between cores.

Source: LLVM 22's scheduling models, as llvm-mca-22 runs chains of each (`tables/cpus.csv`).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.opclass import CLASS, CLASSES, FLOAT_CLASSES, LATENCY


class Step(NamedTuple):
    """The last operation of a chain, `times` times, and what comes before. total : typical cycles of all."""

    total: float
    op_class: int
    times: float
    before: Step | None


Steps = tuple[tuple[int, float], ...]
"""Operations of a chain: class, how many."""


def after(before: Step | None, op_class: int, times: float = 1.0) -> Step:
    """A chain with one more operation."""
    total = before.total if before is not None else 0.0
    return Step(total + LATENCY[op_class] * times, op_class, times, before)


def chain_of(*names: str) -> Step:
    """A chain of operations of these classes."""
    found: Step | None = None
    for name in names:
        found = after(found, CLASS[name])
    assert found is not None
    return found


def steps(last: Step | None) -> Steps:
    """All operations of a chain by class."""
    counts: dict[int, float] = {}
    while last is not None:
        counts[last.op_class] = counts.get(last.op_class, 0.0) + last.times
        last = last.before
    return tuple(counts.items())


_NEGATION, _LIBM = 1.0, 3.0


@cache
def latencies(cpu: Cpu, bits: int, is_float: bool) -> tuple[float, ...]:
    """By class, of code whose widest elements have `bits`."""
    choice = cpu.fchoice_latency if is_float else cpu.choice_latency
    known = {
        "fadd": cpu.fadd_latency, "fmul": cpu.fmul_latency, "fma": cpu.fma_latency,
        "fdiv": cpu.fdiv64_latency if bits > 32 else cpu.fdiv_latency, "fsqrt": cpu.fsqrt_latency,
        "fminmax": cpu.fadd_latency, "fmaximum": cpu.fmaximum_latency, "fconvert": cpu.fconvert_latency,
        "iadd": cpu.int_latency, "logic": cpu.int_latency, "imul": cpu.imul_latency, "idiv": cpu.idiv_latency,
        "iminmax": cpu.choice_latency, "compare": choice / 2, "select": choice / 2, "load": cpu.load_latency,
        "libm": _LIBM, "call": _LIBM, "store": 0.0, "address": 0.0, "branch": 0.0,
        "shuffle": cpu.shuffle_latency,
    }  # fmt: skip
    found = [float(known.get(name, 1.0)) for name in CLASSES]
    if is_float and bits == 16 and not cpu.half:
        for index in FLOAT_CLASSES:
            found[index] += cpu.half_latency
    return tuple(found)


def cycles(chain: Steps, cpu: Cpu, bits: int, is_float: bool) -> float:
    """How long a chain takes."""
    known = latencies(cpu, bits, is_float)
    return sum([known[op_class] * times for op_class, times in chain])
