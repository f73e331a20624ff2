"""The vector dialect: contractions and reductions as the operations that they become."""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder, handles
from featurizers.mlir.module import Op
from featurizers.mlir.nest import Nest

_UNIT_BITS = 512


@handles("vector.contract", "vector.outerproduct", "vector.matrix_multiply", "vector.multi_reduction",
         "vector.reduction", "vector.scan")  # fmt: skip
def _contract(b: Builder, op: Op, nest: Nest) -> None:
    """Work: one fused operation per element of the largest operand's iteration space, in vectors of 512 bits."""
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
    name = "fma" if left.is_float else "imul"
    if "reduc" in op.name or op.name == "vector.scan":
        name = "fadd" if left.is_float else "iadd"
        nest.counts[opclass.SHUFFLE] += max(left.size / per_vector, 1.0)
        if left.is_float:  # in order, one after the other, unless it may be reassociated
            nest.counts[opclass.CLASS[name]] += left.size
            nest.counts[opclass.SHUFFLE] += left.size / 2
            lanes = left.size / max(b.type(op.results[0]).size, 1)
            nest.path = max(nest.path, lanes * opclass.LATENCY[opclass.CLASS[name]])
    nest.counts[opclass.CLASS[name]] += max(work / per_vector, 1.0)
    nest.bits = max(nest.bits, left.bits)
    nest.is_float = nest.is_float or left.is_float
    nest.widths = max(nest.widths, min(left.size * max(left.bits, 8), 1 << 16))
