"""What is read of each operation beside its operands and results."""

from __future__ import annotations

from typing import NamedTuple

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "affine.for": ("lowerBoundMap", "upperBoundMap", "step", "operandSegmentSizes"),
    "affine.if": ("condition",),
    "affine.parallel": ("lowerBoundsMap", "upperBoundsMap", "steps"),
    "affine.load": ("map",),
    "affine.store": ("map",),
    "affine.vector_load": ("map",),
    "affine.vector_store": ("map",),
    "affine.apply": ("map",),
    "affine.min": ("map",),
    "affine.max": ("map",),
    "affine.prefetch": ("map",),
    "arith.constant": ("value",),
    "arith.addf": ("fastmath",),
    "arith.mulf": ("fastmath",),
    "arith.cmpi": ("predicate",),
    "llvm.mlir.constant": ("value",),
    "stablehlo.constant": ("value",),
    "tosa.const": ("values",),
    "tosa.const_shape": ("values",),
    "func.func": ("sym_name", "sym_visibility", "arg_attrs"),
    "llvm.func": ("sym_name",),
    "gpu.func": ("sym_name", "workgroup_attributions", "known_block_size"),
    "gpu.module": ("sym_name",),
    "func.call": ("callee",),
    "llvm.call": ("callee",),
    "gpu.launch": ("operandSegmentSizes",),
    "memref.subview": ("static_offsets", "static_sizes", "static_strides", "operandSegmentSizes"),
    "memref.reinterpret_cast": ("static_offsets", "static_sizes", "static_strides", "operandSegmentSizes"),
    "memref.alloc": ("operandSegmentSizes",),
    "memref.alloca": ("operandSegmentSizes",),
    "memref.get_global": ("name",),
    "tensor.extract_slice": ("static_offsets", "static_sizes", "static_strides", "operandSegmentSizes"),
    "tensor.insert_slice": ("static_offsets", "static_sizes", "static_strides", "operandSegmentSizes"),
    "tensor.pad": ("static_low", "static_high", "operandSegmentSizes"),
    "scf.parallel": ("operandSegmentSizes",),
    "scf.forall": ("staticLowerBound", "staticUpperBound", "staticStep", "operandSegmentSizes"),
    "vector.transfer_read": ("permutation_map", "in_bounds"),
    "vector.transfer_write": ("permutation_map", "in_bounds"),
    "vector.contract": ("indexing_maps", "iterator_types"),
    "vector.reduction": ("kind",),
    "vector.multi_reduction": ("kind", "reduction_dims"),
    "vector.shuffle": ("mask",),
    "linalg.generic": ("indexing_maps", "iterator_types", "operandSegmentSizes"),
    "linalg.reduce": ("dimensions",),
    "linalg.transpose": ("permutation",),
    "linalg.broadcast": ("dimensions",),
    "linalg.map": (),
    "stablehlo.slice": ("start_indices", "strides"),
    "stablehlo.dot_general": ("dot_dimension_numbers",),
    "stablehlo.convolution": ("dimension_numbers", "window_strides", "feature_group_count"),
    "stablehlo.reduce": ("dimensions",),
    "stablehlo.transpose": ("permutation",),
    "stablehlo.broadcast_in_dim": ("broadcast_dimensions",),
    "stablehlo.reduce_window": ("window_dimensions", "window_strides"),
    "stablehlo.compare": ("comparison_direction",),
    "tosa.conv2d": ("stride", "dilation", "pad"),
    "tosa.depthwise_conv2d": ("stride", "dilation", "pad"),
    "tosa.avg_pool2d": ("kernel", "stride", "pad"),
    "tosa.max_pool2d": ("kernel", "stride", "pad"),
    "tosa.reduce_sum": ("axis",),
    "tosa.reduce_max": ("axis",),
    "tosa.transpose": ("perms",),
}
"""By operation, the attributes that are read. Named linalg ops have more (see `wanted`)."""


class Wanted(NamedTuple):
    """By operation name: attributes to read, and whether its place in the source is of interest."""

    attributes: tuple[str, ...]
    placed: bool


_WITHOUT_PLACE = (
    "arith.", "math.", "index.", "affine.load", "affine.store", "affine.apply", "affine.yield", "memref.load",
    "memref.store", "scf.yield", "linalg.yield", "vector.", "llvm.mlir",
)  # fmt: skip
"""Operations that no explanation and no refusal speaks of by themselves: their lines are not asked for."""


def wanted(op: str) -> Wanted:
    """What to read of an operation."""
    return Wanted(_attribute_names(op), not op.startswith(_WITHOUT_PLACE))


def _attribute_names(op: str) -> tuple[str, ...]:
    if op in ATTRIBUTES:
        return ATTRIBUTES[op]
    if op.startswith("linalg."):
        return ("indexing_maps", "strides", "dilations", "operandSegmentSizes")
    if op.startswith(("tosa.reduce", "tosa.argmax")):
        return ("axis",)
    return ()
