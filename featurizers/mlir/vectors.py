"""The vector dialect: contractions and reductions as the operations that they become."""

from __future__ import annotations

from math import log2

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder, handles
from featurizers.mlir.module import Op
from featurizers.mlir.nest import Nest

_UNIT_BITS = 512


@handles("vector.contract", "vector.outerproduct", "vector.matrix_multiply", "vector.multi_reduction",
         "vector.reduction", "vector.scan")  # fmt: skip
def _contract(b: Builder, op: Op, nest: Nest) -> None:
    """Work: one multiplication and addition per element of the iteration space, in vectors of 512 bits."""
    kinds = [b.type(v) for v in (*op.operands, *op.results)]
    left = kinds[0]
    work = left.size
    if op.name in ("vector.contract", "vector.matrix_multiply") and len(kinds) > 1:
        shared = max(kinds[1].size, 1)
        result = max(b.type(op.results[0]).size, 1)
        work = round((left.size * shared * result) ** 0.5)  # m*k, k*n, m*n -> m*n*k
    elif op.name == "vector.outerproduct":
        work = b.type(op.results[0]).size
    per_vector = max(_UNIT_BITS // max(left.bits, 8), 1)
    nest.bits = max(nest.bits, left.bits)
    nest.is_float = nest.is_float or left.is_float
    nest.widths = max(nest.widths, min(left.size * max(left.bits, 8), 1 << 16))
    if "reduc" in op.name or op.name == "vector.scan":
        _reduction(b, op, nest, max(work / per_vector, 1.0))
        return
    inner = b.type(op.results[0]).shape[-1] if b.type(op.results[0]).shape else 1
    rows = max(work / max(inner, 1), 1.0)  # of the result, each scaled by one element of the other operand
    parts = max(inner / per_vector, 1.0)
    for name in ("fmul", "fadd") if left.is_float else ("imul", "iadd"):
        nest.counts[opclass.CLASS[name]] += rows * parts
    nest.counts[opclass.SHUFFLE] += rows


_ORDERED = ("add", "mul")


def _reduction(b: Builder, op: Op, nest: Nest, vectors: float) -> None:
    """In order, one lane after the other, if it is a sum or a product of floats; otherwise by halves."""
    left = b.type(op.operands[0])
    kind = str(op.attributes.get("kind", "add"))
    name = "fadd" if left.is_float else "iadd"
    results = max(b.type(op.results[0]).size, 1)
    if left.is_float and any(word in kind for word in _ORDERED):
        nest.counts[opclass.CLASS[name]] += left.size
        nest.counts[opclass.SHUFFLE] += left.size / 2
        nest.path = max(nest.path, left.size / results * opclass.LATENCY[opclass.CLASS[name]])
        return
    halves = log2(max(left.size / results, 1))
    if left.is_float:
        name = "fmaximum"
    nest.counts[opclass.CLASS[name]] += vectors + halves / 2
    nest.counts[opclass.SHUFFLE] += halves
    nest.path = max(nest.path, halves * 2 * opclass.LATENCY[opclass.CLASS[name]])
