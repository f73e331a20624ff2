"""Bit arithmetic that the back end has an instruction for: rotations, shifts inside logic, counting ones; constants.

Sources (LLVM 22): `DAGCombiner::MatchRotate`, `AggressiveInstCombine::tryToRecognizePopCount`, AArch64's
shifted operands.
"""

from __future__ import annotations

from math import frexp

from featurizers.mlir import fused, opclass
from featurizers.mlir.build import Builder, handles
from featurizers.mlir.counting import BITS, KINDS, ONES
from featurizers.mlir.module import Op
from featurizers.mlir.nest import Nest
from featurizers.mlir.scalars import integer, itself

_LOGIC = opclass.CLASS["logic"]
_BYTE, _WORD, _LONG = 8, 32, 64
_TURNING = {"arith.shli", "arith.shrui"}
_NIBBLES = 0x0F0F_0F0F_0F0F_0F0F
_COUNTED = {"logic": 7.0, "iadd": 3.0, "imul": 1.0}
_FUSED = {fused.SHIFTED: 2.0, fused.ADDED: 1.0, fused.SHIFTS: 3.0}
"""Operations of the usual way of counting ones, up to the shift of their sum, and which of them are parts of others."""


@handles("arith.shli", "arith.shrui")
def _shift(b: Builder, op: Op, nest: Nest) -> None:
    integer(b, op, nest, _LOGIC)
    amount = b.number(op.operands[1])
    if amount is not None:
        b.shifts[op.results[0]] = (op.name, op.operands[0], amount)
        bits = b.type(op.results[0]).bits
        if b.type(op.results[0]).shape:
            return
        if op.operands[0] in b.ones and amount == bits - 8:  # the sum of all eight bits is what the product has on top
            for name, count in _COUNTED.items():
                index = opclass.CLASS[name]
                nest.counts[index] = max(nest.counts[index] - count, 0.0)
            for kind, count in _FUSED.items():
                fused.note(nest, kind, -min(count, nest.fused.get(kind, 0.0)))
            fused.note(nest, ONES + bits)
            return
        fused.note(nest, fused.SHIFTS)
        if bits == _BYTE:
            fused.note(nest, fused.BYTES)
        if op.operands[0] in b.logic:
            fused.shifted(b, op, nest, amount)


@handles("arith.mului_extended", "arith.mulsi_extended")
def _upper(b: Builder, op: Op, nest: Nest) -> None:
    """Both halves of a product, or the upper one alone."""
    integer(b, op, nest, opclass.IMUL)
    kind = b.type(op.results[0])
    if not kind.shape and len(op.results) == 1 and kind.bits == _WORD:
        fused.note(nest, fused.UPPER)


@handles(*KINDS)
def _count(b: Builder, op: Op, nest: Nest) -> None:
    integer(b, op, nest, _LOGIC)
    kind = b.type(op.results[0])
    if not kind.shape and kind.bits in BITS:
        fused.note(nest, KINDS[op.name] + kind.bits)


@handles("arith.ori", "arith.xori", "arith.andi")
def _logic(b: Builder, op: Op, nest: Nest) -> None:
    if itself(b, op):
        return
    integer(b, op, nest, _LOGIC)
    known = [b.shifts[value] for value in op.operands if value in b.shifts]
    scalar = not b.type(op.results[0]).shape
    if len(known) == 2 and rotates(known[0], known[1], b.type(op.results[0]).bits):
        nest.counts[_LOGIC] -= 2.0
        if scalar:
            fused.note(nest, fused.TURNED)
            fused.note(nest, fused.COPIED, -1.0)
            bits, last = b.type(op.results[0]).bits, b.ready.get(known[0][1])
            if bits < _WORD:
                fused.note(nest, fused.NARROW)
                fused.note(nest, fused.BYTES, -2.0 * (bits == _BYTE))
            elif last is not None and last[1] == opclass.LOAD and fused.uses(b, known[0][1]) == len(known):
                fused.note(nest, fused.OF_NUMBERS, -1.0)  # an operand in memory, which one rotation uses
            if b.type(op.results[0]).bits == _LONG:
                fused.note(nest, fused.TURNED_LONG)
        return
    if known and scalar:
        fused.note(nest, fused.SHIFTED)
        if b.type(op.results[0]).bits == _BYTE:
            fused.note(nest, fused.BYTES, -float(len(known)))
    elif not known and op.name == "arith.andi":
        _ones(b, op, nest)
    if scalar:
        fused.logic(b, op, nest)


def rotates(one: tuple[str, int, int], other: tuple[str, int, int], bits: int) -> bool:
    return {one[0], other[0]} == _TURNING and one[1] == other[1] and one[2] + other[2] == bits


def _ones(b: Builder, op: Op, nest: Nest) -> None:
    mask, bits = b.number(op.operands[1]), b.type(op.results[0]).bits
    last = b.ready.get(op.operands[0])
    if last is None or last[1] != opclass.IADD:
        return
    if mask and bits >= 32 and mask & ((1 << bits) - 1) == _NIBBLES & ((1 << bits) - 1):
        b.ones.add(op.results[0])


def cost(isa: str, constants: frozenset[tuple[int, int]]) -> float:
    """Instructions that put a function's constants into registers, once each."""
    total = 0.0
    for bits, value in constants:
        if isa == "x86":
            total += float(bits > 32 and value >> 31 not in (0, (1 << (bits - 31)) - 1))
        elif isa == "aarch64":
            parts = sum((value >> at) & 0xFFFF > 0 for at in range(0, bits, 16))
            total += 0.0 if _repeats(value, bits) else float(parts)
        else:
            total += 2.0 if bits <= 32 else 4.0
    return total


def literals(isa: str, floats: frozenset[tuple[int, float]]) -> float:
    """Instructions that put a function's constants of floating point into registers: x86 has them as operands."""
    if isa == "x86":
        return 0.0
    if isa == "riscv":
        return 2.0 * len(floats)
    return float(sum([1.0 if short(value) else 2.0 for _, value in floats]))


def short(value: float) -> bool:
    """Whether AArch64 has it as an operand of ``fmov``: four bits after the point, an exponent of three bits."""
    mantissa, exponent = frexp(abs(value))
    return -2 <= exponent <= 5 and (mantissa * 32).is_integer()


def _repeats(value: int, bits: int) -> bool:
    """Whether AArch64 has it as an operand of logic: a run of ones, repeated."""
    for width in (2, 4, 8, 16, 32, 64):
        if width > bits:
            return False
        part = value & ((1 << width) - 1)
        if value == sum(part << at for at in range(0, bits, width)) and part and part != (1 << width) - 1:
            turned = (part >> 1) | ((part & 1) << (width - 1))
            return bin(part ^ turned).count("1") == 2
    return False
