"""One walk over a module of the bindings. Types and attributes are read once per context, by identity.

Calls into C++ are what a walk costs (0.2-0.5 us each), so only what something downstream reads is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from featurizers.mlir.module import DYNAMIC, Block, Module, Op, Type

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "affine.for": ("lowerBoundMap", "upperBoundMap", "step", "operandSegmentSizes"),
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
"""By operation, the attributes that are read. Named linalg ops have more (see `_attribute_names`)."""

_MAX_TEXT = 200
_MAX_LIST = 64
_DYNAMIC_CODE = -(2**63)


class Walker:
    """Reads modules of one context, and remembers its types and attributes.

    They are unique in their context and live as long as it does, so they are known by their hash (that of their
    address, 61 bits): comparing them costs as much as reading them.
    """

    def __init__(self) -> None:
        self._types: dict[int, Type] = {}
        self._attributes: dict[int, Any] = {}
        self._names: dict[str, Wanted] = {}

    def module(self, operation: Any) -> Module:
        """The module (or any operation with regions), with ids given to values in order of appearance."""
        return _Walk(self).run(operation)

    def type(self, found: Any, key: int) -> Type:
        """A type of the bindings as plain values. key : its hash."""
        known = self._types.get(key)
        if known is None:
            known = self._types[key] = _read_type(found)
        return known

    def attribute(self, found: Any) -> Any:
        """An attribute of the bindings as plain values."""
        key = hash(found)
        known = self._attributes.get(key, _MISSING)
        if known is _MISSING:
            known = self._attributes[key] = _read_attribute(found)
        return known

    def wanted(self, op: str) -> Wanted:
        """What to read of an operation."""
        known = self._names[op] = Wanted(
            _attribute_names(op), not op.startswith(_WITHOUT_PLACE), not op.startswith(_WITHOUT_REGIONS)
        )
        return known


class Wanted(NamedTuple):
    """By operation name: attributes to read, whether its place in the source is of interest, whether it may have
    regions."""

    attributes: tuple[str, ...]
    placed: bool
    regions: bool


_MISSING = object()
_WITHOUT_REGIONS = (
    "arith.", "math.", "index.", "affine.load", "affine.store", "affine.apply", "affine.yield", "memref.load",
    "memref.store", "scf.yield", "linalg.yield",
)  # fmt: skip
_WITHOUT_PLACE = (*_WITHOUT_REGIONS, "vector.", "llvm.mlir")
"""Operations that no explanation and no refusal speaks of by themselves: their lines are not asked for."""


def _place(operation: Any) -> tuple[int, int]:
    location = operation.location
    try:
        return int(location.start_line), int(location.start_col)
    except AttributeError:  # not a place in a file
        return 0, 0


def _attribute_names(op: str) -> tuple[str, ...]:
    if op in ATTRIBUTES:
        return ATTRIBUTES[op]
    if op.startswith("linalg."):
        return ("indexing_maps", "strides", "dilations", "operandSegmentSizes")
    if op.startswith(("tosa.reduce", "tosa.argmax")):
        return ("axis",)
    return ()


def _flat(operation: Any) -> Iterator[Any]:
    """All operations inside, each before those in its regions. A walk of the bindings makes no view class of each
    operation, which iterating over a block does (2 us)."""
    from iree.compiler.ir import WalkOrder, WalkResult

    found: list[Any] = []
    append, advance = found.append, WalkResult.ADVANCE

    def note(op: Any) -> Any:
        append(op)
        return advance

    operation.operation.walk(note, WalkOrder.PRE_ORDER)
    return islice(found, 1, None)


class _Walk:
    def __init__(self, walker: Walker):
        self.walker = walker
        self.ids: dict[int, int] = {}
        self.types: list[Type] = []
        self.type_ids: dict[int, int] = {}
        self.value_types: list[int] = []
        self.size = 0
        self.coming: Iterator[Any] = iter(())

    def run(self, operation: Any) -> Module:
        self.coming = _flat(operation)
        ops = [op for region in operation.regions for block in region.blocks for op in self.ops(block)]
        return Module(self.types, self.value_types, ops, self.size)

    def new(self, value: Any, key: int) -> int:
        number = self.ids[key] = len(self.value_types)
        found = value.type
        type_key = hash(found)
        index = self.type_ids.get(type_key)
        if index is None:
            index = self.type_ids[type_key] = len(self.types)
            self.types.append(self.walker.type(found, type_key))
        self.value_types.append(index)
        return number

    def numbers(self, values: Any) -> list[int]:
        """Ids of values; one may be used before the block that makes it is reached (graph regions, back edges)."""
        ids, numbers = self.ids, []
        for value in values:
            key = hash(value)
            number = ids.get(key)
            numbers.append(self.new(value, key) if number is None else number)
        return numbers

    def ops(self, block: Any) -> list[Op]:
        """The operations of a block, which are the next that come."""
        count = len(block.operations)
        self.size += count
        return [self.op(operation) for operation in islice(self.coming, count)]

    def op(self, operation: Any) -> Op:
        name = operation.name
        walker = self.walker
        wanted = walker._names.get(name) or walker.wanted(name)
        operands = self.numbers(list(operation.operands))
        results = self.numbers(list(operation.results))
        attributes = self.attributes(wanted.attributes, operation) if wanted.attributes else {}
        successors = _successors(operation) if name in _WITH_SUCCESSORS else []
        held = operation.regions if wanted.regions else ()
        regions = [[self.block(block) for block in list(region.blocks)] for region in held] if len(held) else []
        line, column = _place(operation) if wanted.placed else (0, 0)
        return Op(name, operands, results, attributes, regions, successors, line, column)

    def block(self, block: Any) -> Block:
        return Block(self.numbers(list(block.arguments)), self.ops(block))

    def attributes(self, wanted: tuple[str, ...], operation: Any) -> dict[str, Any]:
        held = operation.attributes
        read = self.walker.attribute
        found = {}
        for key in wanted:
            value = held.get(key)
            if value is not None:
                found[key] = read(value)
        return found


_WITH_SUCCESSORS = frozenset({"cf.br", "cf.cond_br", "cf.switch", "llvm.br", "llvm.cond_br", "llvm.switch"})


def _successors(operation: Any) -> list[int]:
    blocks = list(operation.block.region.blocks)
    return [blocks.index(block) for block in operation.successors]


def _read_type(found: Any) -> Type:
    name = type(found).__name__
    if name in _SHAPED:
        element = _read_type(found.element_type)
        ranked = bool(getattr(found, "has_rank", True))
        shape = tuple(DYNAMIC if d < 0 else int(d) for d in found.shape) if ranked else (DYNAMIC,)
        strides: tuple[int, ...] = ()
        space = 0
        if name == "MemRefType":
            strides, space = _strides(found), _space(found)
        return Type(_SHAPED[name], element.element, element.bits, shape, strides, space)
    text = str(found)
    if name == "IntegerType":
        return Type("int", f"i{found.width}", int(found.width))
    if name == "IndexType":
        return Type("index", "index", 64)
    if name == "ComplexType":
        inner = _read_type(found.element_type)
        return Type("complex", "complex", 2 * inner.bits)
    if hasattr(found, "width"):
        return Type("float", text, int(found.width))
    return Type("function" if name == "FunctionType" else "other", "!" + text[:_MAX_TEXT], 0)


_SHAPED = {
    "MemRefType": "memref",
    "UnrankedMemRefType": "memref",
    "RankedTensorType": "tensor",
    "UnrankedTensorType": "tensor",
    "VectorType": "vector",
}


def _strides(found: Any) -> tuple[int, ...]:
    try:
        strides, _ = found.get_strides_and_offset()
    except RuntimeError:
        return ()
    return tuple(DYNAMIC if s == _DYNAMIC_CODE else int(s) for s in strides)


def _space(found: Any) -> int:
    space = found.memory_space
    if space is None:
        return 0
    text = str(space)
    if "workgroup" in text or text.startswith("3"):
        return 3
    return 5 if "private" in text or text.startswith("5") else 1


def _read_attribute(found: Any) -> Any:
    name = type(found).__name__
    if name in ("IntegerAttr", "BoolAttr", "StringAttr", "FlatSymbolRefAttr"):
        return found.value
    if name == "FloatAttr":
        return float(found.value)
    if name == "AffineMapAttr":
        return _read_map(found.value)
    if name == "ArrayAttr":
        return [_read_attribute(item) for item in list(found)[:_MAX_LIST]]
    if name in ("DenseI32ArrayAttr", "DenseI64ArrayAttr", "DenseBoolArrayAttr"):
        return [DYNAMIC if item == _DYNAMIC_CODE else item for item in found]
    if name in ("DenseIntElementsAttr", "DenseFPElementsAttr"):
        return _read_elements(found)
    if name == "DenseResourceElementsAttr":
        return None
    return str(found)[:_MAX_TEXT]


def _read_elements(found: Any) -> Any:
    if found.is_splat:
        return found.get_splat_value().value
    return list(found) if len(found) <= _MAX_LIST else None


def _read_map(found: Any) -> list[Any]:
    """[dims, symbols, results]; a result is [constant, coefficients of dims then symbols], or None if not linear."""
    dims, symbols = found.n_dims, found.n_symbols
    return [dims, symbols, [_linear(expr, dims, dims + symbols) for expr in found.results]]


def _linear(expr: Any, dims: int, width: int) -> list[int] | None:
    terms = _terms(expr, dims)
    if terms is None:
        return None
    flat = [0] * (width + 1)
    for position, factor in terms.items():
        flat[position + 1] += factor
    return flat


def _terms(expr: Any, dims: int) -> dict[int, int] | None:
    """Coefficient by position (-1: the constant)."""
    name = type(expr).__name__
    if name == "AffineConstantExpr":
        return {-1: expr.value}
    if name == "AffineDimExpr":
        return {expr.position: 1}
    if name == "AffineSymbolExpr":
        return {dims + expr.position: 1}
    if name not in ("AffineAddExpr", "AffineMulExpr"):
        return None
    left, right = _terms(expr.lhs, dims), _terms(expr.rhs, dims)
    if left is None or right is None:
        return None
    if name == "AffineAddExpr":
        return {k: left.get(k, 0) + right.get(k, 0) for k in left.keys() | right.keys()}
    if set(right) - {-1}:
        left, right = right, left
    if set(right) - {-1}:
        return None
    return {k: v * right.get(-1, 0) for k, v in left.items()}
