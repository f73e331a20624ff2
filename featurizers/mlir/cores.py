"""Cores as llvm-mca-22 runs chains and streams of each kind of scalar instruction: their cycles and units.

Kinds: alu (on registers), immediate, number (into a register), zero, scaled (``lea`` with a factor), shift, shifted
(an operand is), rotate, mul, madd, upper (half of a product), div, compare, test (with a constant), choice, set (a
comparison's result), extend, move, count (of bits), load, store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from featurizers.mlir.cpus import Cpu


class Core(NamedTuple):
    """latencies, units : by kind of instruction; all but moves that are none take one of the units of whole numbers
    as well. back : cycles of a return by itself, filling : until it is done once.
    ahead : cycles that an operand in memory takes, of whole numbers and of floats."""

    latencies: Mapping[str, float]
    units: Mapping[str, Mapping[str, float]]
    back: float
    filling: float
    ahead: tuple[float, float] = (5.0, 5.0)


def _core(back: float, filling: float, latencies: str, ahead: tuple[float, float] = (5.0, 5.0), **units: str) -> Core:
    """From ``kind=cycles`` and, for each unit, ``kind=share``."""
    by_kind: dict[str, dict[str, float]] = {}
    for unit, text in units.items():
        for kind, share in _pairs(text).items():
            by_kind.setdefault(kind, {})[unit] = share
    return Core(_pairs(latencies), by_kind, back, filling, ahead)


def _pairs(text: str) -> dict[str, float]:
    return {kind: float(number) for kind, number in (pair.split("=") for pair in text.split())}


CORES: Mapping[str, Core] = {
    "skylake-avx512": _core(
        1.0, 9.0, "zero=0 mul=3 upper=4 count=3 load=5",
        sixth="shift=.5 choice=.5 set=.5 return=.5", first="scaled=.5 mul=1 upper=1 count=1", div="div=20",
    ),
    "znver4": _core(
        0.5, 7.0, "zero=0 mul=3 upper=4 scaled=2 move=0 load=4", (4.0, 7.0),
        scaled="scaled=.5", shift="shift=.5", choice="choice=.5 set=.75", mul="mul=1 upper=1", div="div=12",
    ),
    "neoverse-v1": _core(
        0.5, 3.0, "zero=0 mul=2 madd=2 upper=3 move=0 load=4",
        mul="mul=.5 madd=1 upper=.5", div="div=5",
    ),
    "apple-m1": _core(
        1.0, 2.0, "alu=2 shifted=2 rotate=2 move=2 mul=4 madd=4 upper=5 compare=2 load=4",
        two="alu=1 shifted=1 rotate=1 move=1 compare=1 shift=.5 extend=.5", mul="mul=1 madd=1 upper=1", div="div=10",
    ),
    "sifive-p670": _core(
        0.5, 3.0, "mul=2 upper=2 count=2 load=4",
        mul="mul=1 upper=1 count=1", div="div=19",
    ),
    "cortex-a55": _core(1.0, 1.0, "mul=3 madd=3 upper=3 shifted=2 rotate=3 compare=3 test=3 load=3"),
}  # fmt: skip
"""As llvm-mca-22 runs chains and streams of each kind; 1 where nothing is said."""


def returning(cpu: Cpu) -> float:
    """Least cycles of a function: those of its return, which is a block of its own where nothing else is left."""
    core = CORES.get(cpu.name)
    return 1.0 if core is None else core.back + core.filling / _MOST_RUNS


_MOST_RUNS = 100
