"""Types and attributes of MLIR's bindings as plain values."""

from __future__ import annotations

from typing import Any

from featurizers.mlir.module import DYNAMIC, Type

_MAX_TEXT = 200
_MAX_LIST = 64
_DYNAMIC_CODE = -(2**63)


def read_type(found: Any) -> Type:
    name = type(found).__name__
    if name in _SHAPED:
        element = read_type(found.element_type)
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
        inner = read_type(found.element_type)
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


def read_attribute(found: Any) -> Any:
    name = type(found).__name__
    if name in ("IntegerAttr", "BoolAttr", "StringAttr", "FlatSymbolRefAttr"):
        return found.value
    if name == "FloatAttr":
        return float(found.value)
    if name == "AffineMapAttr":
        return _read_map(found.value)
    if name == "IntegerSetAttr":
        return _read_set(found)
    if name == "ArrayAttr":
        return [read_attribute(item) for item in list(found)[:_MAX_LIST]]
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
    """[dims, symbols, results, trees]; a result is [constant, coefficients of dims then symbols], None if not linear.
    A tree is the expression of one that is not, or not exactly, else None: see `_tree`."""
    dims, symbols = found.n_dims, found.n_symbols
    results = list(found.results)
    linear = [_linear(expr, dims, dims + symbols) for expr in results]
    return [dims, symbols, linear, [_tree(expr, dims) if _rounds(expr) else None for expr in results]]


def _read_set(found: Any) -> list[Any]:
    """Like a map, of the expressions of an integer set, and which of them are to be zero instead of at least zero. The
    bindings have no way from the attribute to its set but its text."""
    from iree.compiler.ir import Attribute

    inputs, _, constraints = str(found).removeprefix("affine_set<").removesuffix(">").partition(" : ")
    parts = constraints[1:-1].split(", ")
    wanted = ", ".join([part.rpartition(" >= " if " >= " in part else " == ")[0] for part in parts])
    read = Attribute.parse(f"affine_map<{inputs} -> ({wanted})>", found.context)
    return [*_read_map(read.value), [" == " in part for part in parts]]


_DIVISIONS = {"AffineModExpr": "mod", "AffineFloorDivExpr": "floordiv", "AffineCeilDivExpr": "ceildiv"}
_BINARY = {**_DIVISIONS, "AffineAddExpr": "add", "AffineMulExpr": "mul"}


def _rounds(expr: Any) -> bool:
    name = type(expr).__name__
    return name in _DIVISIONS or (name in _BINARY and (_rounds(expr.lhs) or _rounds(expr.rhs)))


def _tree(expr: Any, dims: int) -> Any:
    """An expression: a number, (position of an operand,), or (operation, left, right)."""
    name = type(expr).__name__
    if name == "AffineConstantExpr":
        return expr.value
    if name in ("AffineDimExpr", "AffineSymbolExpr"):
        return (expr.position + (dims if name == "AffineSymbolExpr" else 0),)
    return (_BINARY[name], _tree(expr.lhs, dims), _tree(expr.rhs, dims))


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
    if name == "AffineMulExpr" and type(expr.lhs).__name__ == "AffineFloorDivExpr":
        return _rounded(expr, dims)
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


def _rounded(expr: Any, dims: int) -> dict[int, int] | None:
    """``(x floordiv k) * k``, the bound of an unrolled loop, on average: half a step below x."""
    divided, factor = expr.lhs, expr.rhs
    step = getattr(divided.rhs, "value", 0)
    terms = _terms(divided.lhs, dims)
    if terms is None or step < 1 or getattr(factor, "value", 0) != step:
        return None
    return {**terms, -1: terms.get(-1, 0) - (step - 1) // 2}
