"""ONNX file -> `NetworkGraph`, by our own reader of the wire format: no weight is copied, no onnx import in serving.

Format: onnx.proto3 and the operator specifications of ONNX 1.23 (operator sets 7-25), and the contrib operators that
onnxruntime writes into an optimised graph (domain com.microsoft). Shapes follow `shapes.py`; an op without a rule
there is asked of the onnx package, if it knows it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.network import fold, shapes, wire
from featurizers.network.graph import (
    MAX_BYTES,
    NetworkGraph,
    Node,
    Shape,
    Tensor,
    check_node_count,
    check_shape,
    topological,
)
from featurizers.network.site import Site

ELEM_TYPES: Mapping[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8", 18: "float8", 19: "float8", 20: "float8", 21: "uint4", 22: "int4", 23: "float4",
}  # fmt: skip
DOMAINS = ("", "ai.onnx", "com.microsoft")
_SUBGRAPH_OPS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_DATA_DEPENDENT = frozenset({"NonZero", "Unique", "NonMaxSuppression", "Compress", "StringSplit"})
_MISFITS = (IndexError, KeyError, ValueError, TypeError, ZeroDivisionError, OverflowError, AttributeError)
"""What a shape rule raises for a node that breaks its specification (InputError, a ValueError, passes untouched)."""
_MAX_VALUE_BYTES = fold.MAX_VALUES * 8


@dataclass(slots=True)
class _File:
    """What a ModelProto holds, before shapes are inferred."""

    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    inputs: list[wire.RawValue] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    hints: dict[str, wire.RawValue] = field(default_factory=dict)
    opsets: dict[str, int] = field(default_factory=dict)


def read_onnx(
    data: bytes,
    dims: Mapping[str, int] | None = None,
    *,
    allow_unknown_ops: bool = False,
    max_bytes: int = MAX_BYTES,
) -> NetworkGraph:
    """The network in an ONNX file.

    Parameters
    ----------
    dims : sizes of symbolic dimensions by name; a nameless one is called ``<input>.<axis>``.
    allow_unknown_ops : keep an op we have no cost for, as one that reads and writes its bytes.

    Raises InputError (broken file, missing dim, shapes that do not fit), LimitError, UnknownNameError (op, dim).
    """
    if len(data) > max_bytes:
        raise LimitError("The ONNX file", f"must be at most {max_bytes} bytes", len(data))
    file = _read_model(data)
    check_node_count(len(file.nodes))
    inputs = _bind_inputs(file, dict(dims or {}))
    return _infer(file, inputs, allow_unknown_ops)


def _read_model(data: bytes) -> _File:
    file = _File()
    graph: wire.Span | None = None
    has_functions = False
    for number, value in wire.fields(data, 0, len(data)):
        if number == 7:
            graph = wire.span_of(value, 0)
        elif number == 8:
            domain, version = _read_opset(data, wire.span_of(value, 0))
            file.opsets[domain] = version
        elif number == 25:
            has_functions = True
    if graph is None:
        raise InputError("The ONNX file", "must hold a graph; this is not an ONNX model, or it is empty", len(data))
    if has_functions:
        return _read_model(_inlined(data))
    _read_graph(data, graph, file)
    return file


def _inlined(data: bytes) -> bytes:
    """The model with its local functions expanded (rare: older torch exporters write them)."""
    import onnx
    import onnx.inliner

    model = onnx.inliner.inline_local_functions(onnx.load_model_from_string(data))
    if len(model.functions):
        raise InputError("The local functions of the ONNX file", "must be free of recursion", len(model.functions))
    return bytes(model.SerializeToString())


def _read_opset(data: bytes, span: wire.Span) -> tuple[str, int]:
    domain, version = "", 1
    for number, value in wire.fields(data, *span):
        if number == 1:
            domain = wire.text(data, wire.span_of(value, 0))
        elif number == 2:
            version = wire.number_of(value, 0)
    return "" if domain == "ai.onnx" else domain, version


def _read_graph(data: bytes, span: wire.Span, file: _File) -> None:
    for number, value in wire.fields(data, *span):
        if number not in (1, 5, 11, 12, 13, 15):
            continue
        part = wire.span_of(value, span[0])
        if number == 1:
            _add_node(data, _read_node(data, part, file), file)
        elif number == 5:
            _add_initializer(data, wire.read_tensor(data, part), file)
        elif number == 11:
            file.inputs.append(wire.read_value_info(data, part))
        elif number == 12:
            file.outputs.append(wire.read_value_info(data, part).name)
        elif number == 13:
            info = wire.read_value_info(data, part)
            file.hints[info.name] = info
        else:
            raise InputError("The ONNX file", "must not hold sparse weights, which have no cost here")


def _read_node(data: bytes, span: wire.Span, file: _File) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    attrs: dict[str, Any] = {}
    name = op = domain = ""
    for number, value in wire.fields(data, *span):
        if number in (1, 2, 3, 4, 7):
            start, end = wire.span_of(value, span[0])
            try:
                content = data[start:end].decode()
            except UnicodeDecodeError:
                raise wire.broken("a name is not UTF-8", start) from None
            if number == 1:
                inputs.append(content)
            elif number == 2:
                outputs.append(content)
            elif number == 3:
                name = content
            elif number == 4:
                op = content
            else:
                domain = "" if content == "ai.onnx" else content
        elif number == 5:
            key, attr = _read_attribute(data, wire.span_of(value, span[0]))
            if attr is not None:
                attrs[key] = attr
    return Node(name, op, tuple(inputs), tuple(outputs), attrs, domain)


def _read_attribute(data: bytes, span: wire.Span) -> tuple[str, Any]:
    """Name and value; None for what no cost depends on (subgraphs are refused by their op)."""
    name = ""
    single: Any = None
    many: list[Any] | None = None
    kind = 0
    for number, value in wire.fields(data, *span):
        if number == 1:
            name = wire.text(data, wire.span_of(value, span[0]))
        elif number == 2 and isinstance(value, bytes):
            single = struct.unpack("<f", value)[0]
        elif number == 3:
            single = wire.signed(wire.number_of(value, span[0]))
        elif number == 4:
            single = wire.text(data, wire.span_of(value, span[0]))
        elif number == 5:
            single = wire.read_tensor(data, wire.span_of(value, span[0]))
        elif number in (7, 8):
            content = wire.floats(data, value) if number == 7 else wire.integers(data, value)
            many = (many or []) + content
        elif number == 20:
            kind = wire.number_of(value, span[0])
    if kind in (6, 7) and many is None:
        many = []
    if single is None and kind in (1, 2):
        single = 0
    return name, single if many is None else many


def _add_node(data: bytes, node: Node, file: _File) -> None:
    if not node.op:
        raise InputError(f"Node '{node.label}'", "must name its op")
    if node.op == "Constant" and node.outputs:
        _add_constant(data, node, file)
        return
    for name, value in node.attrs.items():
        if isinstance(value, wire.RawTensor):
            node.attrs[name] = _numbers(data, value)
    file.nodes.append(node)
    if len(file.nodes) % 4096 == 0:
        check_node_count(len(file.nodes))


def _add_constant(data: bytes, node: Node, file: _File) -> None:
    for key, value in node.attrs.items():
        if isinstance(value, wire.RawTensor):
            value.name = node.outputs[0]
            _add_initializer(data, value, file)
            return
        if key.startswith("value_"):
            array = np.asarray(value, dtype="float32" if "float" in key else "int64")
            file.tensors[node.outputs[0]] = Tensor(array.shape, str(array.dtype), True)
            file.values[node.outputs[0]] = array
            return
    raise InputError(f"Node '{node.label}' (Constant)", "must have a dense numeric value")


def _add_initializer(data: bytes, raw: wire.RawTensor, file: _File) -> None:
    dtype = ELEM_TYPES.get(raw.elem_type)
    if dtype is None:
        known = f"must be one of {list(ELEM_TYPES)}"
        raise InputError(f"The element type of weight '{raw.name}'", known, raw.elem_type)
    if any(d < 0 for d in raw.dims):
        raise InputError(f"Every dimension of weight '{raw.name}'", "must be at least 0", raw.dims)
    tensor = Tensor(tuple(raw.dims), dtype, True)
    file.tensors[raw.name] = tensor
    if tensor.elements <= fold.MAX_VALUES and (dtype not in ("float32", "float16") or tensor.elements <= 16):
        value = _numbers(data, raw)
        if value is not None:
            file.values[raw.name] = value


_TYPED_CODES = {4: "f", 10: "d"}


def _numbers(data: bytes, raw: wire.RawTensor) -> Any | None:
    """Numbers of a small tensor, None when the file does not hold them (external, or dims only)."""
    dtype = ELEM_TYPES.get(raw.elem_type, "string")
    if dtype == "string" or raw.external or dtype in ("uint4", "int4", "float4", "float8"):
        return None
    count = int(np.prod(raw.dims, dtype=np.int64))
    if count == 0:
        return np.zeros(raw.dims, dtype=fold.NUMPY_DTYPES.get(dtype, dtype))
    if raw.raw is not None:
        if raw.raw[1] - raw.raw[0] > _MAX_VALUE_BYTES or dtype == "bfloat16":
            return None
        array = np.frombuffer(data[slice(*raw.raw)], dtype=dtype)
    else:
        numbers: list[Any] = []
        for number, value in raw.typed:
            code = _TYPED_CODES.get(number)
            numbers.extend(wire.floats(data, value, code) if code else wire.integers(data, value))
        if dtype in ("float16", "bfloat16") or not numbers:
            return None
        array = np.asarray(numbers).astype(dtype)
    if array.size != count:
        raise InputError(f"The constant '{raw.name}'", f"must hold {count} numbers for dims {raw.dims}", array.size)
    return array.reshape(raw.dims)


def _bind_inputs(file: _File, dims: dict[str, int]) -> tuple[str, ...]:
    names: set[str] = set()
    real = [i for i in file.inputs if i.name not in file.tensors]
    for info in real:
        if not info.is_tensor or info.elem_type not in ELEM_TYPES:
            raise InputError(f"Input '{info.name}'", "must be a tensor of a known element type", info.elem_type)
        if info.dims is None:
            raise InputError(f"Input '{info.name}'", "must have a shape")
        shape = tuple(_bind(info.name, axis, dim, dims, names) for axis, dim in enumerate(info.dims))
        check_shape(shape, f"input '{info.name}'")
        file.tensors[info.name] = Tensor(shape, ELEM_TYPES[info.elem_type])
    unused = sorted(set(dims) - names)
    if unused:
        raise UnknownNameError("dynamic dimension", unused[0], names)
    return tuple(i.name for i in real)


def _bind(name: str, axis: int, dim: int | str, dims: Mapping[str, int], names: set[str]) -> int:
    """A number for one dimension of an input; symbolic ones are looked up in `dims`, their names kept in `names`."""
    if isinstance(dim, int):
        if dim > 0:
            return dim
        if dim == 0:
            raise InputError(f"Every dimension of input '{name}'", "must be at least 1", 0, where=f"axis {axis}")
        dim = ""
    key = dim or f"{name}.{axis}"
    names.add(key)
    if key not in dims:
        rule = f"needs a value, for instance `--dim {key}=1`"
        raise InputError(f"The dynamic dimension '{key}' (axis {axis}) of input '{name}'", rule)
    return dims[key]


def _infer(file: _File, inputs: tuple[str, ...], allow_unknown: bool) -> NetworkGraph:
    nodes = topological(file.nodes, file.tensors)
    unknown: list[str] = []
    for node in nodes:
        _check_op(node)
        opset = file.opsets.get(node.domain, file.opsets.get("", 18))
        site = Site(node, file.tensors, file.values, opset)
        known = node.op in shapes.RULES and node.domain in DOMAINS
        if not known:
            if not allow_unknown:
                raise UnknownNameError("op", _qualified(node), shapes.RULES, where=f"node '{node.label}'")
            unknown.append(node.label)
        try:
            found = shapes.infer(site) if known else _shapes_of_unknown(site, file)
            _record(site, found, file)
        except InputError:
            raise
        except _MISFITS as error:
            rule = "must have inputs and attributes as its operator specification demands"
            raise site.fail(rule, f"{type(error).__name__}: {error}") from error
    for name in file.outputs:
        if name not in file.tensors:
            raise InputError(f"The output '{name}' of the graph", "must be produced by some node")
    return NetworkGraph(tuple(nodes), file.tensors, inputs, tuple(file.outputs), file.values, tuple(unknown))


def _qualified(node: Node) -> str:
    return f"{node.domain}.{node.op}" if node.domain else node.op


def _check_op(node: Node) -> None:
    if node.op in _SUBGRAPH_OPS:
        rule = "has no single cost: its body runs a number of times, or not at all; export the network without it"
        raise InputError(f"The control flow op {node.op} of node '{node.label}'", rule)
    if node.op in _DATA_DEPENDENT:
        raise InputError(f"The op {node.op} of node '{node.label}'", "has an output size that depends on the data")


def _record(site: Site, found: list[Shape], file: _File) -> None:
    node = site.node
    to = node.attrs.get("to", node.attrs.get("dtype"))
    cast_to = ELEM_TYPES.get(to) if isinstance(to, int) and node.op != "LSTM" else None
    if node.op == "ConstantOfShape" and "value" in node.attrs:
        cast_to = str(np.asarray(node.attrs["value"]).dtype)
    dtypes = shapes.output_dtypes(site, cast_to) if node.op in shapes.RULES else ["float32"] * len(found)
    constant = all(file.tensors[i].constant for i in node.inputs if i) or node.op in ("Shape", "Size")
    for name, shape, dtype in zip(node.outputs, found, dtypes, strict=False):
        if name:
            file.tensors[name] = Tensor(tuple(shape), dtype, constant)
    values = fold.evaluate(site)
    if values is not None:
        for name, value in zip(node.outputs, values, strict=False):
            file.values[name] = value
            file.tensors[name] = file.tensors[name]._replace(constant=True)
    for name in filter(None, node.outputs):
        if name not in file.tensors:
            raise InputError(f"The output '{name}' of node '{node.label}' ({node.op})", "must have a shape")
        if not file.tensors[name].constant:
            check_shape(file.tensors[name].shape, f"'{name}'", where=f"node '{node.label}' ({node.op})")


def _shapes_of_unknown(site: Site, file: _File) -> list[Shape]:
    """Shapes of an op without a rule: as the file states them, else as its first input."""
    found: list[Shape] = []
    for name in site.node.outputs:
        hint = file.hints.get(name)
        if hint is not None and hint.dims and all(isinstance(d, int) and d > 0 for d in hint.dims):
            found.append(tuple(int(d) for d in hint.dims))
        elif site.has(0):
            found.append(site.shape(0))
        else:
            raise InputError(f"The unknown op {site.node.op} of node '{site.node.label}'", "must have a stated shape")
    return found
