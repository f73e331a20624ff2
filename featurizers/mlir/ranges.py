"""Ranges of whole numbers: limits that a value never reaches are no operation.

Source (LLVM 22): `CorrelatedValuePropagation.cpp` (`processMinMaxIntrinsic`), with the ranges of `ConstantRange`.
"""

from __future__ import annotations

from featurizers.mlir import fused, opclass, widened
from featurizers.mlir.build import Builder, handles
from featurizers.mlir.module import Op
from featurizers.mlir.nest import CONSTANT, Nest
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.scalars import integer

Range = tuple[int, int]
_EXTEND = CLASS["extend"]
_ON_NOTHING = (opclass.IADD, CLASS["logic"])
_KNOWN_BITS = 32
"""Of loaded elements: no sum of wider ones stays in bounds."""


def bounds(b: Builder, value: int) -> Range | None:
    """Of a value, both inside."""
    found = b.ranges.get(value)
    if found is not None:
        return found
    number = b.number(value)
    return None if number is None else (number, number)


def note(b: Builder, op: Op, found: Range) -> None:
    """Bounds of a result, unless it may wrap around."""
    most = 1 << (b.type(op.results[0]).bits - 1)
    if -most <= found[0] and found[1] < most:
        b.ranges[op.results[0]] = found


@handles("arith.extsi", "arith.extui", "arith.trunci")
def _convert(b: Builder, op: Op, nest: Nest) -> None:
    integer(b, op, nest, _EXTEND)
    kind = b.type(op.operands[0])
    if kind.shape:
        return
    found = b.ranges.get(op.operands[0])
    if op.name == "arith.trunci":
        if found is not None:
            note(b, op, found)
        return
    widened.extended(b, op)
    if found is not None and (found[0] >= 0 or op.name == "arith.extsi"):
        b.ranges[op.results[0]] = found
    elif kind.bits < _KNOWN_BITS:
        half = 1 << (kind.bits - 1)
        b.ranges[op.results[0]] = (-half, half - 1) if op.name == "arith.extsi" else (0, 2 * half - 1)


@handles("arith.shrsi")
def _shift(b: Builder, op: Op, nest: Nest) -> None:
    integer(b, op, nest, CLASS["logic"])
    amount = b.number(op.operands[1])
    if amount is not None:
        b.shifts[op.results[0]] = (op.name, op.operands[0], amount)
        if not b.type(op.results[0]).shape:
            fused.note(nest, fused.SHIFTS)


@handles("math.absi")
def _absolute(b: Builder, op: Op, nest: Nest) -> None:
    integer(b, op, nest, opclass.IMINMAX)
    found = b.ranges.get(op.operands[0])
    if found is not None:
        note(b, op, (0 if found[0] <= 0 <= found[1] else min(map(abs, found)), max(map(abs, found))))


@handles("arith.select")
def _choose(b: Builder, op: Op, nest: Nest) -> None:
    immediates = nest.immediates
    integer(b, op, nest, opclass.SELECT)
    nest.immediates = immediates
    if b.type(op.results[0]).kind == "float":
        nest.float_bits = max(nest.float_bits, b.type(op.results[0]).bits)
        return
    nest.by_masks += by_mask(b, *op.operands[1:])
    one, other = (bounds(b, value) for value in op.operands[1:])
    if one is not None and other is not None:
        b.ranges[op.results[0]] = min(one[0], other[0]), max(one[1], other[1])


def by_mask(b: Builder, one: int, other: int) -> bool:
    """Whether a choice is between a value and nothing, or with and without one more operation, which is on nothing then
    (`foldSelectIntoOp`): a mask does it."""
    if one in b.zeros or other in b.zeros:
        return True
    last, before = b.ready.get(one), b.ready.get(other)
    return any(a is not None and a[1] in _ON_NOTHING and a[3] is c for a, c in ((last, before), (before, last)))


def combined(b: Builder, op: Op) -> None:
    """Bounds of a sum, a product, a shift or a mask."""
    left = bounds(b, op.operands[0])
    right = bounds(b, op.operands[1]) if left is not None and len(op.operands) > 1 else None
    if left is None or right is None:
        return
    name = op.name
    if name == "arith.addi":
        note(b, op, (left[0] + right[0], left[1] + right[1]))
    elif name == "arith.subi":
        note(b, op, (left[0] - right[1], left[1] - right[0]))
    elif name == "arith.muli":
        corners = [one * other for one in left for other in right]
        note(b, op, (min(corners), max(corners)))
    elif name in ("arith.shrsi", "arith.shrui") and right[0] == right[1] and 0 <= right[0] < 64:
        if name == "arith.shrsi" or left[0] >= 0:
            note(b, op, (left[0] >> right[0], left[1] >> right[0]))
    elif name == "arith.andi" and right[0] >= 0 and left[0] >= 0:
        note(b, op, (0, min(left[1], right[1])))


@handles("arith.maxsi", "arith.minsi", "arith.maxui", "arith.minui")
def _extreme(b: Builder, op: Op, nest: Nest) -> None:
    left, right = (bounds(b, value) for value in op.operands)
    signed, larger = op.name[-2] == "s", "max" in op.name
    if left is None or right is None or not (signed or (left[0] >= 0 and right[0] >= 0)):
        integer(b, op, nest, opclass.IMINMAX)
    elif (left[0] >= right[1]) if larger else (left[1] <= right[0]):
        _same(b, op, op.operands[0], left)
    elif (left[1] <= right[0]) if larger else (left[0] >= right[1]):
        _same(b, op, op.operands[1], right)
    else:
        integer(b, op, nest, opclass.IMINMAX)
        pick = max if larger else min
        note(b, op, (pick(left[0], right[0]), pick(left[1], right[1])))
    b.extremes[op.results[0]] = op


def _same(b: Builder, op: Op, value: int, found: Range) -> None:
    """The result is one of the operands."""
    result = op.results[0]
    b.ranges[result] = found
    if value in b.ready:
        b.ready[result] = b.ready[value]
    number = b.number(value)
    if number is not None:
        b.forms[result] = {CONSTANT: number}
        if number == 0:
            b.zeros.add(result)
