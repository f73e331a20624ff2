"""Arithmetic on scalars as instruction combining leaves it: divisions and products by constants, values with
themselves, products that are added; and results that SLP packs because they are computed alike.

Sources (LLVM 22): `TargetLowering::BuildUDIV`, `BuildSDIV`, `InstSimplify`, `DAGCombiner::visitMUL`,
`SLPVectorizerPass::vectorizeInsertValueInst`.
"""

from __future__ import annotations

from collections.abc import Sequence

from featurizers.mlir import divisions, fused, opclass, widened
from featurizers.mlir.build import Builder, add_forms, handles, tensor_op, wide
from featurizers.mlir.latency import after
from featurizers.mlir.legal import BY_NUMBER
from featurizers.mlir.module import Block, Op
from featurizers.mlir.nest import CONSTANT, Nest
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.overwritten import overwrite


@handles("arith.addi", "arith.subi", "index.add", "index.sub")
def _add(b: Builder, op: Op, nest: Nest) -> None:
    left, right = (b.forms.get(v) for v in op.operands)
    if left is not None and right is not None:
        b.forms[op.results[0]] = add_forms(left, right, -1 if "sub" in op.name else 1)
        nest.counts[opclass.ADDRESS] += 1
        return
    if not itself(b, op):
        _distance(b, op, nest)
        integer(b, op, nest, opclass.IADD)
        added(b, op, nest)
        if b.widened and op.name == "arith.addi":
            widened.added(b, op, nest)
        if b.shifts:
            fused.added(b, op, nest)


def _distance(b: Builder, op: Op, nest: Nest) -> None:
    """The larger of two less the smaller is an absolute difference: one operation for two (`visitSub`)."""
    larger, smaller = (b.extremes.get(value) for value in op.operands)
    if larger is None or smaller is None or op.name != "arith.subi":
        return
    if set(larger.operands) != set(smaller.operands):
        return
    if (larger.name, smaller.name) == ("arith.maxui", "arith.minui"):
        fused.note(nest, fused.DISTANCE)
    elif (larger.name, smaller.name) == ("arith.maxsi", "arith.minsi"):
        nest.counts[opclass.IMINMAX] -= 1.0


@handles("arith.muli", "index.mul")
def _multiply(b: Builder, op: Op, nest: Nest) -> None:
    left, right = (b.forms.get(v) for v in op.operands)
    if left is not None and right is not None:
        for form, value in ((left, b.number(op.operands[1])), (right, b.number(op.operands[0]))):
            if value is not None:
                b.forms[op.results[0]] = {key: factor * value for key, factor in form.items()}
                nest.counts[opclass.ADDRESS] += 1
                return
    if not product(b, op, nest):
        integer(b, op, nest, opclass.CLASS["imul"])
        widened.multiplied(b, op, nest)
        if op.operands[0] in b.ones:
            b.ones.add(op.results[0])


def integer(b: Builder, op: Op, nest: Nest, op_class: int) -> None:
    """Account for an operation on whole numbers that is no index arithmetic."""
    kind = b.type(op.results[0])
    if kind.kind == "tensor":
        tensor_op(b, op, nest, op_class)
        return
    b.follow(op, nest, op_class)
    if kind.kind == "vector":
        wide(nest, kind, op_class)
        return
    nest.counts[op_class] += 1
    nest.immediates += len(op.operands) > 1 and op.operands[1] in b.forms
    nest.bits = max(nest.bits, kind.bits)
    b.scalar(op, nest, op_class, kind.bits)
    overwrite(b, op, nest)
    if op.operands[0] in b.ranges or op.operands[-1] in b.ranges:
        from featurizers.mlir.ranges import combined

        combined(b, op)


_LOGIC, _IDIV = CLASS["logic"], CLASS["idiv"]
_SIGNED_POWER = 3.0
"""Shifts and sums that make a division by a power of two round towards zero."""


@handles("arith.divui", "arith.remui", "index.divu", "index.remu")
def _unsigned(b: Builder, op: Op, nest: Nest) -> None:
    _divide(b, op, nest, False)


@handles("arith.divsi", "arith.remsi", "index.divs", "index.rems")
def _signed(b: Builder, op: Op, nest: Nest) -> None:
    _divide(b, op, nest, True)


def _divide(b: Builder, op: Op, nest: Nest, signed: bool) -> None:
    """By a constant: a shift for a power of two, else the upper half of a product."""
    kind, divisor = b.type(op.results[0]), b.number(op.operands[1])
    if divisor and kind.kind == "vector":
        b.follow(op, nest, _IDIV)
        wide(nest, kind, _IDIV, BY_NUMBER)
        return
    if kind.shape or not divisor:
        integer(b, op, nest, _IDIV)
        return
    size, rest = abs(divisor), "rem" in op.name
    if size & (size - 1) == 0:
        integer(b, op, nest, _LOGIC)
        nest.counts[_LOGIC] += signed * _SIGNED_POWER
        return
    b.follow(op, nest, opclass.IMUL)
    nest.bits = max(nest.bits, kind.bits)
    divisions.count(b, op, nest, kind.bits, signed, rest)
    b.constants.add((kind.bits, (1 << (kind.bits + 2)) // (3 * size) | 1 << (kind.bits - 1)))
    for result in op.results:
        b.ready[result] = after(b.ready[result], _LOGIC, 1.0 + signed * 1.5 + 2.0 * rest)


@handles("math.rsqrt")
def _inverse_root(b: Builder, op: Op, nest: Nest) -> None:
    """A root and a division."""
    kind = b.type(op.results[0])
    for op_class in (CLASS["fsqrt"], CLASS["fdiv"]):
        if kind.kind == "tensor":
            tensor_op(b, op, nest, op_class)
            continue
        nest.bits = max(nest.bits, kind.bits)
        nest.float_bits = max(nest.float_bits, kind.bits)
        if kind.kind == "vector":
            wide(nest, kind, op_class)
        else:
            nest.counts[op_class] += 1
    b.follow(op, nest, CLASS["fsqrt"])
    for result in op.results:
        b.ready[result] = after(b.ready[result], CLASS["fdiv"])


def itself(b: Builder, op: Op) -> bool:
    """Whether an operation of a value on itself, or on what changes nothing, is no operation."""
    left, right = op.operands[0], op.operands[1]
    result = op.results[0]
    if left == right:
        if op.name in ("arith.xori", "arith.subi"):
            b.forms[result] = {CONSTANT: 0}
            b.zeros.add(result)
            return True
        if op.name in ("arith.andi", "arith.ori"):
            b.ready[result] = b.ready.get(left) or after(None, opclass.ADDRESS)
            return True
    return b.number(right) == 0 and op.name in ("arith.ori", "arith.xori", "arith.shli", "arith.shrui", "arith.shrsi")


def product(b: Builder, op: Op, nest: Nest) -> bool:
    """Whether a product with a constant is a shift, or a shift with a sum in one instruction."""
    if b.type(op.results[0]).shape:
        return False
    for value in op.operands:
        number = b.number(value)
        if number is not None and number > 0 and any((number - near) & (number - near - 1) == 0 for near in (0, 1)):
            integer(b, op, nest, _LOGIC)
            if number & (number - 1):  # the back end's doing: to the vectoriser it is a product still
                b.retype(
                    nest, (_LOGIC, b.type(op.results[0]).bits, 0, False), (_LOGIC, b.type(op.results[0]).bits, 0, True)
                )
            return True
    b.products.add(op.results[0])
    return False


def added(b: Builder, op: Op, nest: Nest) -> None:
    """A product that is added or subtracted: AArch64 does both in one instruction."""
    for value in op.operands:
        if value in b.products:
            b.products.discard(value)
            nest.folds += 1.0
            return


_LEAST_TREE = 4
_MOST_TREE = 4096


def alike(b: Builder, blocks: Sequence[Block]) -> tuple[int, int]:
    """Of results that are computed by the same operations on other values: how many, and operations of each."""
    if len(blocks) != 1 or not blocks[0].ops or len(blocks[0].ops[-1].operands) < 2:
        return 0, 0
    results = blocks[0].ops[-1].operands
    kinds = {b.type(value) for value in results}
    if len(kinds) != 1 or next(iter(kinds)).shape:
        return 0, 0
    made: dict[int, int] = {}
    known: dict[tuple[object, ...], int] = {}
    ops: dict[int, Op] = {}
    for op in blocks[0].ops[:-1]:
        if op.regions:
            return 0, 0
        shape = op.name, *(made.get(value, 0) for value in op.operands)
        if op.name == "arith.constant":
            shape = op.name, op.results[0]
        number = known.setdefault(shape, len(known) + 1)
        for result in op.results:
            made[result] = number
            ops[result] = op
    forms = [made.get(value, 0) for value in results]
    most = max(set(forms), key=forms.count)
    count = forms.count(most)
    if count < 2 or not most:
        return 0, 0
    total = _operations([value for value, form in zip(results, forms, strict=True) if form == most], ops)
    return (count, total // count) if _LEAST_TREE * count <= total <= _MOST_TREE else (0, 0)


def _operations(values: list[int], ops: dict[int, Op]) -> int:
    seen: set[int] = set()
    while values:
        op = ops.get(values.pop())
        if op is not None and op.results[0] not in seen and op.name != "arith.constant":
            seen.add(op.results[0])
            values += op.operands
    return len(seen)
