"""Ones, leading and trailing zeros of whole numbers, counted, bits in reverse, and sums that stay within bounds: what
each takes and costs.

Source: ``llc-22`` and ``opt-22 -passes='print<cost-model>' -cost-kind=throughput`` on scalars and on vectors of each
width, per CPU. Skylake counts ones of vectors by tables of four bits (``vpshufb``) and sums (``vpsadbw``); NEON counts
those of bytes and adds up neighbours, and has neither leading zeros of 64 bits nor trailing ones; Zen 4 turns bits of
bytes around by ``vgf2p8affineqb``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from featurizers.mlir import saturating
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop

ONES, LEADING, TRAILING, REVERSED, TURNED, _SATURATED = 1000, 2000, 3000, 4000, 5000, 6000
"""Kinds of `fused`, to which the bits of an element are added."""
KINDS = {"math.ctpop": ONES, "math.ctlz": LEADING, "math.cttz": TRAILING, "llvm.intr.bitreverse": REVERSED,
         "llvm.intr.fshl": TURNED}  # fmt: skip
KINDS |= {
    name: _SATURATED + 1000 * position
    for position, name in enumerate((*saturating.NAMES.values(), *saturating.AVERAGES.values()))
}
BITS = (8, 16, 32, 64)

Row = tuple[float, float, float, float]
"""Of elements of 8, 16, 32 and 64 bits."""
_ONE: Row = (1.0, 1.0, 1.0, 1.0)
_REVERSED: Row = (13.0, 16.0, 16.0, 19.0)
Rows = tuple[Row, ...]
_AVERAGED_ALONE: Rows = ((3.0,) * 4, (2.0,) * 4, (3.0,) * 4, (2.0,) * 4)
"""Instructions of scalars, with halves rounded up and down, of unsigned and of signed numbers: sums and a shift."""
_AVERAGED: Mapping[str, Rows] = {
    "x86": (_ONE, (5.0, 4.0, 4.0, 4.0), (4.0,) * 4, (6.0, 4.0, 4.0, 4.0)),
    "sve": ((4.0,) * 4,) * 4,
    "neon": (_ONE,) * 4,
}
_AVERAGED_COST: Mapping[str, Rows] = {
    "x86": ((7.0,) * 4, (6.0,) * 4, (7.0,) * 4, (6.0,) * 4),
    "aarch64": ((7.0,) * 4, (5.0,) * 4, (7.0,) * 4, (5.0,) * 4),
    "riscv": ((11.0,) * 4, (9.0,) * 4, (11.0,) * 4, (9.0,) * 4),
}
_AVERAGED_SIZE: Mapping[str, Rows] = {
    "x86": ((6.0,) * 4, (5.0,) * 4, (6.0,) * 4, (5.0,) * 4),
    "aarch64": ((4.0,) * 4, (3.0,) * 4, (4.0,) * 4, (3.0,) * 4),
    "riscv": ((6.0,) * 4, (5.0,) * 4, (6.0,) * 4, (5.0,) * 4),
}
"""To LLVM: extensions, sums and a shift of twice the width, and a truncation."""
_SATURATED_ALONE: Mapping[str, Rows] = {
    "x86": ((7.0, 6.0, 5.0, 6.0), (7.0, 6.0, 6.0, 7.0), (4.0, 3.0, 3.0, 3.0), (4.0, 3.0, 3.0, 3.0)),
    "aarch64": ((8.0, 8.0, 4.0, 4.0), (8.0, 8.0, 4.0, 4.0), (5.0, 5.0, 2.0, 2.0), (3.0, 3.0, 2.0, 2.0)),
    "riscv": ((7.0, 8.0, 7.0, 7.0), (7.0, 8.0, 7.0, 7.0), (5.0, 6.0, 5.0, 3.0), (4.0, 4.0, 4.0, 2.0)),
}
"""Instructions of scalars: sums and differences within the bounds of signed numbers, and of unsigned ones."""
_SATURATED_ALONE_COST: Mapping[str, Rows] = {
    "x86": ((4.0, 4.0, 3.0, 4.0), (4.0,) * 4, (3.0, 2.0, 2.0, 2.0), (3.0, 2.0, 2.0, 2.0)),
    "aarch64": ((6.0, 6.0, 4.0, 4.0), (6.0, 6.0, 4.0, 4.0), (4.0, 4.0, 2.0, 2.0), (4.0, 4.0, 2.0, 2.0)),
    "riscv": ((7.0,) * 4, (7.0,) * 4, (3.0,) * 4, (3.0,) * 4),
}
_SATURATED_ALONE_SIZE: Mapping[str, Rows] = {
    "x86": ((8.0, 7.0, 6.0, 7.0), (8.0, 7.0, 7.0, 8.0), (5.0, 4.0, 4.0, 4.0), (5.0, 4.0, 4.0, 4.0)),
    "aarch64": _SATURATED_ALONE_COST["aarch64"],
    "riscv": _SATURATED_ALONE_COST["riscv"],
}
_SATURATED_X86: Rows = ((1.0, 1.0, 7.0, 7.0), (1.0, 1.0, 8.0, 8.0), (1.0, 1.0, 4.0, 4.0), (1.0, 1.0, 2.0, 2.0))
"""Instructions of a vector of one register, and LLVM's size, where the others have one."""
_SATURATED_COST_X86: Rows = ((1.0, 1.0, 2.0, 2.0), (1.0, 1.0, 2.0, 2.0), _ONE, _ONE)
_SATURATED_ONE: Rows = (_ONE,) * 4
_SATURATED_TWO: Rows = ((2.0,) * 4,) * 4
_ALONE: Mapping[str, Rows] = {
    "x86": (
        (2.0, 2.0, 1.0, 1.0),
        (3.0, 1.0, 1.0, 1.0),
        (2.0, 2.0, 1.0, 1.0),
        _REVERSED,
        _ONE,
        *_SATURATED_ALONE["x86"],
        *_AVERAGED_ALONE,
    ),
    "znver4": (
        (2.0, 2.0, 1.0, 1.0),
        (3.0, 1.0, 1.0, 1.0),
        (2.0, 2.0, 1.0, 1.0),
        (3.0,) * 4,
        _ONE,
        *_SATURATED_ALONE["x86"],
        *_AVERAGED_ALONE,
    ),
    "aarch64": (
        (4.0, 4.0, 4.0, 4.0),
        (2.0, 2.0, 1.0, 1.0),
        (3.0, 3.0, 2.0, 2.0),
        (2.0, 2.0, 1.0, 1.0),
        (6.0, 6.0, 2.0, 2.0),
        *_SATURATED_ALONE["aarch64"],
        *_AVERAGED_ALONE,
    ),
    "riscv": (
        _ONE,
        (2.0, 2.0, 1.0, 1.0),
        (2.0, 2.0, 1.0, 1.0),
        (12.0, 20.0, 24.0, 26.0),
        (6.0, 6.0, 1.0, 1.0),
        *_SATURATED_ALONE["riscv"],
        *_AVERAGED_ALONE,
    ),
}
"""Instructions of scalars: of ones, leading zeros, trailing zeros, bits in reverse, rotations by what is
no number; of a CPU or of all others."""
_ALONE_COST: Mapping[str, Rows] = {
    "x86": (
        _ONE,
        (2.0, 2.0, 1.0, 1.0),
        (2.0, 2.0, 1.0, 1.0),
        (7.0, 9.0, 9.0, 10.0),
        (2.0,) * 4,
        *_SATURATED_ALONE_COST["x86"],
        *_AVERAGED_ALONE,
    ),
    "znver4": (
        _ONE,
        (2.0, 2.0, 1.0, 1.0),
        (2.0, 2.0, 1.0, 1.0),
        (3.0,) * 4,
        (2.0,) * 4,
        *_SATURATED_ALONE_COST["x86"],
        *_AVERAGED_ALONE,
    ),
    "aarch64": (
        (5.0, 5.0, 5.0, 4.0),
        _ONE,
        _ONE,
        (2.0, 2.0, 1.0, 1.0),
        (5.0, 5.0, 2.0, 2.0),
        *_SATURATED_ALONE_COST["aarch64"],
        *_AVERAGED_ALONE,
    ),
    "riscv": (_ONE, _ONE, _ONE, (10.0,) * 4, (5.0, 5.0, 1.0, 1.0), *_SATURATED_ALONE_COST["riscv"], *_AVERAGED_ALONE),
}
_WIDE: Mapping[str, Rows] = {
    "skylake-avx512": (
        (6.0, 9.0, 11.0, 7.0),
        (7.0, 6.0, 1.0, 1.0),
        (8.0, 11.0, 4.0, 4.0),
        (7.0, 8.0, 8.0, 8.0),
        (11.0, 6.0, 1.0, 1.0),
        *_SATURATED_X86,
        *_AVERAGED["x86"],
    ),
    "znver4": (
        _ONE,
        (5.0, 7.0, 1.0, 1.0),
        (3.0, 3.0, 3.0, 3.0),
        (1.0, 2.0, 2.0, 2.0),
        (11.0, 1.0, 1.0, 1.0),
        *_SATURATED_X86,
        *_AVERAGED["x86"],
    ),
    "sve": (_ONE, _ONE, (2.0, 2.0, 2.0, 2.0), _ONE, (6.0,) * 4, *_SATURATED_ONE, *_AVERAGED["sve"]),
    "neon": (
        (1.0, 2.0, 3.0, 4.0),
        (1.0, 1.0, 1.0, 15.0),
        (4.0, 6.0, 6.0, 6.0),
        (1.0, 2.0, 2.0, 2.0),
        (6.0,) * 4,
        *_SATURATED_ONE,
        *_AVERAGED["neon"],
    ),
}
"""Instructions of a vector of one register."""
_WIDE_COST: Mapping[str, Rows] = {
    "skylake-avx512": (
        (2.0, 2.0, 7.0, 3.0),
        (2.0, 8.0, 1.0, 1.0),
        (2.0, 3.0, 1.0, 1.0),
        (2.0, 3.0, 3.0, 3.0),
        (5.0, 2.0, 1.0, 1.0),
        *_SATURATED_COST_X86,
        *_AVERAGED_COST["x86"],
    ),
    "znver4": (
        _ONE,
        (3.0, 18.0, 1.0, 1.0),
        (3.0, 3.0, 2.0, 2.0),
        _ONE,
        (5.0, 1.0, 1.0, 1.0),
        *_SATURATED_COST_X86,
        *_AVERAGED_COST["x86"],
    ),
    "sve": ((2.0,) * 4, (2.0,) * 4, (2.0,) * 4, (2.0,) * 4, (5.0,) * 4, *_SATURATED_ONE, *_AVERAGED_COST["aarch64"]),
    "neon": (
        (1.0, 2.0, 3.0, 4.0),
        (1.0, 1.0, 1.0, 10.0),
        (80.0, 40.0, 20.0, 10.0),
        (1.0, 2.0, 2.0, 2.0),
        (5.0,) * 4,
        *_SATURATED_ONE,
        *_AVERAGED_COST["aarch64"],
    ),
    "riscv": (_ONE, _ONE, _ONE, (8.5, 12.0, 16.5, 26.0), (5.0,) * 4, *_SATURATED_TWO, *_AVERAGED_COST["riscv"]),
}


_ALONE_SIZE: Mapping[str, Rows] = {
    "x86": (
        (2.0, 2.0, 1.0, 1.0),
        _ONE,
        _ONE,
        (13.0, 17.0, 17.0, 20.0),
        _ONE,
        *_SATURATED_ALONE_SIZE["x86"],
        *_AVERAGED_ALONE,
    ),
    "aarch64": (
        (5.0, 5.0, 5.0, 4.0),
        _ONE,
        _ONE,
        (2.0, 2.0, 1.0, 1.0),
        (5.0, 5.0, 2.0, 2.0),
        *_SATURATED_ALONE_SIZE["aarch64"],
        *_AVERAGED_ALONE,
    ),
    "riscv": (*(_ONE,) * 5, *_SATURATED_ALONE_SIZE["riscv"], *_AVERAGED_ALONE),
}
_WIDE_SIZE: Mapping[str, Rows] = {
    "skylake-avx512": (
        (8.0, 11.0, 14.0, 10.0),
        (9.0, 11.0, 1.0, 1.0),
        (11.0, 14.0, 6.0, 6.0),
        (9.0, 10.0, 10.0, 10.0),
        (7.0, 6.0, 1.0, 1.0),
        *_SATURATED_X86,
        *_AVERAGED_SIZE["x86"],
    ),
    "znver4": (
        _ONE,
        (9.0, 23.0, 1.0, 1.0),
        (11.0, 14.0, 6.0, 6.0),
        (1.0, 2.0, 2.0, 2.0),
        (11.0, 1.0, 1.0, 1.0),
        *_SATURATED_X86,
        *_AVERAGED_SIZE["x86"],
    ),
    "sve": ((2.0,) * 4, (2.0,) * 4, (2.0,) * 4, (2.0,) * 4, (5.0,) * 4, *_SATURATED_ONE, *_AVERAGED_SIZE["aarch64"]),
    "neon": (
        (1.0, 2.0, 3.0, 4.0),
        (1.0, 1.0, 1.0, 6.0),
        (48.0, 24.0, 12.0, 6.0),
        (1.0, 2.0, 2.0, 2.0),
        (5.0,) * 4,
        *_SATURATED_ONE,
        *_AVERAGED_SIZE["aarch64"],
    ),
    "riscv": (_ONE, _ONE, _ONE, (17.0, 24.0, 33.0, 52.0), (5.0,) * 4, *_SATURATED_ONE, *_AVERAGED_SIZE["riscv"]),
}
"""The same for code size, by which loops are unrolled."""


def _counted(loop: Loop, table: Rows | None) -> Iterator[tuple[int, float]]:
    """Bits of those of a body, with what they are in a table beyond one for each."""
    if table is not None:
        for key, times in loop.fused.items():
            if key > ONES:
                kind, bits = divmod(key, ONES)
                yield bits, times * (table[kind - 1][BITS.index(bits)] - 1.0)


def _of(cpu: Cpu, near: bool) -> str:
    if cpu.isa == "aarch64":
        return "neon" if near else "sve"
    return cpu.name if cpu.isa == "x86" else cpu.isa


def beyond(loop: Loop, cpu: Cpu, vector: bool, near: bool) -> float:
    """Instructions of those of a body beyond one for each. near : in vectors of fixed length."""
    table = _WIDE.get(_of(cpu, near)) if vector else _ALONE.get(cpu.name, _ALONE.get(cpu.isa))
    return sum([more for _, more in _counted(loop, table)])


def alone(loop: Loop, cpu: Cpu) -> float:
    """Cost to the vectoriser, as scalars, beyond one for each."""
    return (
        sum([more for _, more in _counted(loop, _ALONE_COST.get(cpu.name, _ALONE_COST.get(cpu.isa)))])
        if loop.fused
        else 0.0
    )


def together(loop: Loop, cpu: Cpu, vf: int, near: bool, register_bits: int) -> float:
    """Cost to the vectoriser, of a vector iteration, beyond one for each register."""
    if not loop.fused:
        return 0.0
    found = _counted(loop, _WIDE_COST.get(_of(cpu, near)))
    return sum([more * max(vf * bits / register_bits, 1.0) for bits, more in found])


def size(loop: Loop) -> float:
    """LLVM's size of those of a body beyond one for each."""
    return sum([more for _, more in _counted(loop, _ALONE_SIZE.get(loop.isa))])


def wide_size(loop: Loop, cpu: Cpu, vf: int, near: bool, register_bits: int) -> float:
    """LLVM's size of those of a vector iteration beyond one for each register."""
    found = _counted(loop, _WIDE_SIZE.get(_of(cpu, near)))
    return sum([more * max(vf * bits / register_bits, 1.0) for bits, more in found])
