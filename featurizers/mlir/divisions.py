"""Divisions by constants that are no powers of two: products and shifts in the code, but divisions to LLVM's decisions.
Those by values, of 64 bits, which x86 does in 32 bits where both values are short.

Sources (LLVM 22): `TargetLowering::BuildUDIV`, `BuildSDIV`, `DivRemPairs.cpp`, `BypassSlowDivision.cpp`; costs are
those of ``opt-22 -passes='print<cost-model>'`` on scalars and on vectors of each width, per CPU
(`getArithmeticInstrCost`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.module import Op
from featurizers.mlir.nest import Divided, Nest
from featurizers.mlir.opclass import CLASS

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

_LOGIC, _IDIV = CLASS["logic"], CLASS["idiv"]
_SIGNED_SHIFTS = 3.0
"""Shifts and sums that make it round towards zero."""
_SIZE = 4.0
"""To code sizes (`TCC_Expensive`)."""
_LONG = 64


def count(b: Builder, op: Op, nest: Nest, bits: int, signed: bool, rest: bool) -> Divided:
    """Account for one: what a value's quotient by the same number has found already is not done again."""
    key = signed, op.operands[0], b.number(op.operands[1]) or 0
    shared = key in b.quotients
    b.quotients.add(key)
    found = bits, signed, rest, shared
    nest.divided[found] = nest.divided.get(found, 0.0) + 1.0
    for op_class, instructions in instructions_of(found).items():
        nest.counts[op_class] += instructions
        own = op_class, bits, 0, False
        nest.typed[own] = nest.typed.get(own, 0.0) + instructions
    return found


def instructions_of(divided: Divided) -> dict[int, float]:
    """By class: the upper half of a product, shifts, and the product that a remainder is what is left of."""
    _, signed, rest, shared = divided
    found = {} if shared else {opclass.IMUL: 1.0, _LOGIC: 1.0 + signed * _SIGNED_SHIFTS}
    if rest:
        found[opclass.IMUL] = found.get(opclass.IMUL, 0.0) + 1.0
        found[opclass.IADD] = 1.0
    return found


def instructions(loop: Loop) -> dict[int, float]:
    """By class, of all of a body."""
    found: dict[int, float] = {}
    for key, times in loop.divided.items():
        for op_class, each in instructions_of(key).items():
            found[op_class] = found.get(op_class, 0.0) + each * times
    return found


def size(loop: Loop) -> float:
    """LLVM's size of those of a body, beyond that of their instructions."""
    return sum([times * (_SIZE - sum(instructions_of(key).values())) for key, times in loop.divided.items()])


def alone(loop: Loop, cpu: Cpu) -> float:
    """Cost to the vectoriser, as scalars."""
    return sum([times * _scalar(cpu.isa, *key[:3]) for key, times in loop.divided.items()])


def _scalar(isa: str, bits: int, signed: bool, rest: bool) -> float:
    if isa == "x86":
        return {8: 5.0, 16: 4.0}.get(bits, 3.0) if rest else 1.0
    if isa == "aarch64":
        return 4.0 if signed else 5.0 + 2.0 * rest - (bits == _LONG)
    return 1.0


def together(loop: Loop, cpu: Cpu, vf: int, register_bits: int) -> float:
    """Cost to the vectoriser, of a vector iteration."""
    found = 0.0
    for (bits, signed, rest, _), times in loop.divided.items():
        registers = max(vf * max(bits, 8) / register_bits, 1.0)
        found += times * _vector(cpu, max(bits, 8), signed, rest, vf, registers)
    return found


_X86 = {8: 14.0, 16: 6.0, 32: 5.0}
_X86_LANE, _NEON_LANE = 20.0, 16.0
"""Quotients of 64 bits are found lane by lane; remainders are three times that."""


def _vector(cpu: Cpu, bits: int, signed: bool, rest: bool, vf: int, registers: float) -> float:
    if cpu.isa == "x86":
        if bits == _LONG:
            return _X86_LANE * vf * (3.0 if rest else 1.0)
        return (_X86[bits] + (signed and bits > 16) + 2.0 * rest) * registers
    if cpu.isa == "aarch64":
        if signed:
            return (8.0 if bits == _LONG else 6.0) * registers
        if bits == _LONG and not cpu.scalable:
            return _NEON_LANE * vf * (1.5 if rest else 1.0)
        return (8.0 if rest else 6.0) * registers
    return registers


def spread(loop: Loop, cpu: Cpu, vf: int, register_bits: int) -> float:
    """Instructions that they take in a vector beyond those of one scalar, in proportion to their costs."""
    if not loop.divided:
        return 0.0
    dearer = together(loop, cpu, vf, register_bits) / alone(loop, cpu) - 1.0
    return max(dearer, 0.0) * sum(instructions(loop).values())


_HALVES = {"x86": 4.0, "aarch64": 2.0, "riscv": 0.0, "amdgpu": 0.0}
"""Instructions for the upper halves of products of 32 bits beyond one: of even and odd lanes, put together."""


def halves(loop: Loop, cpu: Cpu) -> float:
    """Instructions of a vector iteration, in one register, that its scalars have none for."""
    return _HALVES[cpu.isa] * sum([times for (bits, _, _, shared), times in loop.divided.items() if not shared])


_BYPASS = 7.0
"""Instructions of a way around a division of 64 bits: whether an upper half has bits (``or``, ``shr``, a branch), the
division of 32 bits with its copies, and a jump behind it."""
_EITHER = {"znver4": 17.0}
"""Cycles of both ways, each taken half of the time, and of the block before them (llvm-mca-22: 12 and 18, and 2)."""


def bypassed(loop: Loop, cpu: Cpu) -> float:
    """Divisions of scalars of 64 bits by values: x86's cores have them slow (`TuningSlowDivide64`)."""
    if cpu.isa != "x86" or not loop.counts[_IDIV]:
        return 0.0
    return sum([times for (op_class, bits, *_), times in loop.typed.items() if op_class == _IDIV and bits == _LONG])


def bypasses(loop: Loop, cpu: Cpu) -> float:
    """Instructions of the ways around them."""
    return _BYPASS * bypassed(loop, cpu)


def by_either_way(loop: Loop, cpu: Cpu) -> float:
    """Least cycles of a body of those."""
    return _EITHER.get(cpu.name, 0.0) * bypassed(loop, cpu)
