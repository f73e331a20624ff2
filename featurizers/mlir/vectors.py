"""The vector dialect: contractions, reductions and rearrangements as the operations that they become.

Sources: MLIR's `VectorContractLowering::Dot` (a product of matrices is a scalar product per element of the result),
`VectorTransposeLowering::EltWise`, `VectorOuterProductOpConversion`; `vector.reduction` of floats is in order.
"""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder, add_wide, handles, rows_of, wide
from featurizers.mlir.legal import HALVES, OF_ANOTHER_LENGTH, ORDERED, SHARED
from featurizers.mlir.module import Op, Type
from featurizers.mlir.nest import Nest
from featurizers.mlir.opclass import CLASS

_SHUFFLE = opclass.SHUFFLE
_IN_ORDER = ("add", "mul")


@handles("vector.contract", "vector.matrix_multiply")
def _contract(b: Builder, op: Op, nest: Nest) -> None:
    """A scalar product, in order, per element of the result; the columns of the second operand are put together
    first."""
    left, right, out = (b.type(value) for value in (op.operands[0], op.operands[1], op.results[0]))
    results = max(out.size, 1)
    length = max(round((left.size * right.size / results) ** 0.5), 1)
    _note(nest, left)
    product, total = ("fmul", "fadd") if left.is_float else ("imul", "iadd")
    add_wide(nest, (CLASS[product], -1, 1, length, left.bits, left.is_float), float(results))
    _sum(nest, CLASS[total], left, results, length, left.is_float)
    if out.shape:
        nest.counts[_SHUFFLE] += results
    if len(right.shape) > 1 and right.shape[-1] > 1:
        nest.counts[_SHUFFLE] += right.size


@handles("vector.outerproduct")
def _outer(b: Builder, op: Op, nest: Nest) -> None:
    """A row of the result per element of the first operand."""
    out = b.type(op.results[0])
    _note(nest, out)
    rows, lanes = rows_of(out)
    names = ("fma",) if out.is_float and len(op.operands) > 2 else ("fmul",) if out.is_float else ("imul", "iadd")
    for name in names:
        add_wide(nest, (CLASS[name], -1, rows, lanes, out.bits, out.is_float), 1.0)
        b.follow(op, nest, CLASS[name])
    of = -1 if b.type(op.operands[0]).size == lanes else OF_ANOTHER_LENGTH
    add_wide(nest, (SHARED, of, 1, lanes, out.bits, out.is_float), float(rows))


@handles("vector.reduction", "vector.multi_reduction", "vector.scan")
def _reduction(b: Builder, op: Op, nest: Nest) -> None:
    """In order, one lane after the other, if it is a sum or a product of floats; otherwise by halves."""
    source = b.type(op.operands[0])
    _note(nest, source)
    kind = str(op.attributes.get("kind", "add"))
    results = max(b.type(op.results[0]).size, 1)
    ordered = source.is_float and any(word in kind for word in _IN_ORDER)
    name = ("fmul" if "mul" in kind else "fadd") if ordered else "fmaximum" if source.is_float else "iadd"
    if not source.is_float and "add" not in kind:
        name = "imul" if "mul" in kind else "logic"
    length = max(source.size // results, 1)
    _sum(nest, CLASS[name], source, results, length, ordered)
    b.follow(op, nest, CLASS[name], float(length if ordered else length.bit_length()))


def _sum(nest: Nest, op_class: int, kind: Type, results: int, length: int, ordered: bool) -> None:
    """Reductions of `length` elements."""
    add_wide(nest, (ORDERED if ordered else HALVES, op_class, 1, length, kind.bits, kind.is_float), float(results))


@handles("vector.broadcast", "vector.splat")
def _broadcast(b: Builder, op: Op, nest: Nest) -> None:
    source, out = b.type(op.operands[0]), b.type(op.results[0])
    if source.kind == "vector" or op.operands[0] in b.literals or op.operands[0] in b.forms:
        return  # rows that are one register; a constant
    _note(nest, out)
    _, lanes = rows_of(out)
    add_wide(nest, (SHARED, -1, 1, lanes, out.bits, out.is_float), 1.0)


@handles("vector.extract", "vector.insert", "vector.extractelement", "vector.insertelement")
def _lane(b: Builder, op: Op, nest: Nest) -> None:
    """A row is a register; a lane is taken out or put in."""
    part = b.type(op.results[0] if "extract" in op.name else op.operands[0])
    if part.kind != "vector":
        nest.counts[_SHUFFLE] += 1.0
        b.follow(op, nest, _SHUFFLE)


@handles("vector.transpose")
def _transpose(b: Builder, op: Op, nest: Nest) -> None:
    """Element by element, which the back end makes shuffles of two vectors of."""
    out = b.type(op.results[0])
    _note(nest, out)
    rows, lanes = rows_of(out)
    if rows > 1 and lanes > 1:
        add_wide(nest, (_SHUFFLE, -1, rows, lanes, out.bits, out.is_float), float(max(lanes.bit_length() - 1, 1)))


@handles("vector.shuffle", "vector.extract_strided_slice", "vector.insert_strided_slice", "vector.interleave",
         "vector.deinterleave")  # fmt: skip
def _shuffle(b: Builder, op: Op, nest: Nest) -> None:
    wide(nest, b.type(op.results[0]), _SHUFFLE)
    b.follow(op, nest, _SHUFFLE)


def _note(nest: Nest, kind: Type) -> None:
    nest.bits = max(nest.bits, kind.bits)
    if kind.is_float:
        nest.float_bits = max(nest.float_bits, kind.bits)
    nest.widths = max(nest.widths, min(kind.size * max(kind.bits, 8), 1 << 16))
