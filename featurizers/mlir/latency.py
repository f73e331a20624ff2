"""Cycles from operands to result, per CPU: the longest chain of a body is kept as its operations, whose latencies
differ between cores.

Source: LLVM 22's scheduling models, as llvm-mca-22 runs chains of each (`tables/cpus.csv`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from featurizers.mlir.cores import CORES
from featurizers.mlir.cpus import Cpu, cpus
from featurizers.mlir.opclass import CLASS, CLASSES, FLOAT_CLASSES, LATENCY, STEPS

Step = tuple[float, int, float, "Step | None"]
"""The last operation of a chain: typical cycles of the whole chain, its class, how many times it is done, and what
comes before. (Plain tuples: one is made for every operation that is read.)"""

Steps = tuple[tuple[int, float], ...]
"""Operations of a chain: class, how many."""


def after(before: Step | None, op_class: int, times: float = 1.0) -> Step:
    """A chain with one more operation."""
    return (before[0] if before is not None else 0.0) + LATENCY[op_class] * times, op_class, times, before


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
        _, op_class, times, last = last
        counts[op_class] = counts.get(op_class, 0.0) + times
    return tuple(counts.items())


_LIBM = 3.0
_SINGLE = 32


_IN_VECTORS = {
    "cortex-a55": {"iadd": 2.0, "imul": 4.0, "extend": 2.0},
    "neoverse-v1": {"iadd": 2.0, "logic": 2.0, "imul": 4.0, "iminmax": 2.0},
    "apple-m1": {"fmul": 2.0, "fdiv": 2.0, "fsqrt": 2.0, "logic": 2.0},
    "sifive-p670": {"fadd": 6.0, "fmul": 6.0, "fma": 6.0, "imul": 6.0, "iadd": 2.0, "logic": 2.0},
}
"""Of vectors, where those of a core take another time than scalars do: M1 divides them as fast as it multiplies."""
_DOUBLE = {"apple-m1": {"fadd": 5.0, "fmul": 5.0, "fma": 5.0}}
"""Of double precision, scalars and vectors."""
_LONG = {"apple-m1": {"imul": 5.0}}
"""Of scalars of 64 bits."""
_HALF = {
    "apple-m1": {"fadd": 2.0, "fminmax": 2.0, "fmaximum": 2.0},
    "cortex-a55": {"fdiv": 8.0},
}
_HALVES = {"apple-m1": {"fmul": 2.0, "fma": 2.0}}
"""Of half precision where there is arithmetic of it: scalars and vectors, and vectors."""


def latencies(cpu: Cpu, bits: int, is_float: bool, vectors: bool = False) -> tuple[float, ...]:
    """By class, of code whose widest elements have `bits`."""
    return _latencies(cpu.name, bits, is_float, vectors)


@cache
def _latencies(name: str, bits: int, is_float: bool, vectors: bool) -> tuple[float, ...]:
    cpu = cpus()[name]
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
    if vectors:
        known.update(_IN_VECTORS.get(name, {}))
    if is_float and bits > _SINGLE:
        known.update(_DOUBLE.get(name, {}))
    if bits > _SINGLE and not is_float and not vectors:
        known.update(_LONG.get(name, {}))
    if is_float and bits < _SINGLE:
        known.update(_HALF.get(name, {}))
        known.update(_HALVES.get(name, {}) if vectors else {})
    found = [float(known.get(name, 1.0)) for name in CLASSES]
    if is_float and bits == 16 and not cpu.half:
        for index in FLOAT_CLASSES:
            found[index] += cpu.half_latency
    return (*found, *_steps_of_integers(cpu, found))


def _steps_of_integers(cpu: Cpu, known: list[float]) -> list[float]:
    """Of the steps that are no classes, of scalars."""
    plain = known[CLASS["logic"]]
    own = dict.fromkeys(STEPS, plain) | _OF_MEMORY | _BY_ISA.get(cpu.isa, {}) | _OF_STEPS.get(cpu.name, {})
    if cpu.load_folding and cpu.name in CORES:
        ahead = CORES[cpu.name].ahead[0]
        own["of memory"], own["of memory behind a product"] = ahead - plain, max(ahead - cpu.imul_latency, 0.0)
    return [own[step] for step in STEPS]


_OF_MEMORY = {"of memory": 0.0, "of memory behind a product": 0.0}
_BY_ISA: Mapping[str, dict[str, float]] = {
    "aarch64": {"part": 0.0, "scaled": 0.0, "subtracted": 0.0},
    "riscv": {"multiplied out": 0.0},
    "x86": {"scaled": 0.0, "multiplied out": 0.0},
}
_OF_STEPS: Mapping[str, dict[str, float]] = {
    "znver4": {"scaled": 1.0},
    "apple-m1": {"numbered": 1.0, "masking": 1.0, "part of a sum": 0.0, "multiplied out": 0.0},
    "cortex-a55": {"part": 1.0, "scaled": 1.0, "turned": 3.0},
}
"""Where they take other cycles than logic does."""


def cycles(chain: Steps, cpu: Cpu, bits: int, is_float: bool, vectors: bool = False) -> float:
    """How long a chain takes."""
    known = latencies(cpu, bits, is_float, vectors)
    return sum([known[op_class] * times for op_class, times in chain])
