"""`torch.export.save` archive (.pt2) -> `NetworkGraph`, without torch: a zip whose ``models/<name>.json`` is the graph.

Schema: torch/_export/serde/schema.py of PyTorch 2.8 to 2.13 (schema version 8). Weights in the archive are not opened.
"""

from __future__ import annotations

import ast
import functools
import io
import json
import operator
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.network.aten import Call, Translation, translate
from featurizers.network.graph import (
    MAX_BYTES,
    NetworkGraph,
    Shape,
    Tensor,
    check_node_count,
    check_shape,
    topological,
)

MAX_GRAPH_BYTES = 256 * 1024**2
"""Longest unpacked graph; it stops archives that unpack to far more than they hold."""
SCHEMA_MAJOR = 8
SCALAR_TYPES: Mapping[int, str] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8", 30: "float8",
}  # fmt: skip


def read_pt2(
    data: bytes,
    dims: Mapping[str, int] | None = None,
    *,
    allow_unknown_ops: bool = False,
    max_bytes: int = MAX_BYTES,
) -> NetworkGraph:
    """The network in a .pt2 archive; `dims` are sizes of symbolic dimensions by their symbol (``s0``).

    Raises InputError (broken archive, missing dim), LimitError, UnknownNameError (op, dim).
    """
    if len(data) > max_bytes:
        raise LimitError("The .pt2 file", f"must be at most {max_bytes} bytes", len(data))
    program = _program(data)
    try:
        return _Reader(program["graph_module"], dict(dims or {}), allow_unknown_ops).graph()
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, ArithmeticError, RecursionError) as error:
        rule = "must follow the schema of torch.export"
        raise InputError("The graph in the .pt2 file", rule, f"{type(error).__name__}: {error}") from error


def _program(data: bytes) -> Mapping[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [i for i in archive.infolist() if "models/" in i.filename and i.filename.endswith(".json")]
            if len(infos) != 1:
                raise InputError("The .pt2 file", "must hold exactly one graph, models/<name>.json", len(infos))
            if infos[0].file_size > MAX_GRAPH_BYTES:
                raise LimitError("The graph in the .pt2 file", f"must be at most {MAX_GRAPH_BYTES} bytes")
            with archive.open(infos[0]) as file:
                text = file.read(MAX_GRAPH_BYTES + 1)
        program = json.loads(text)
    except InputError:
        raise
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise InputError("The .pt2 file", "must be an archive written by torch.export.save", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise InputError("The graph in the .pt2 file", "must be JSON", str(error)) from error
    version = program.get("schema_version") if isinstance(program, dict) else None
    if not isinstance(version, dict) or version.get("major") != SCHEMA_MAJOR or "graph_module" not in program:
        raise InputError("The schema version of the .pt2 file", f"must be {SCHEMA_MAJOR}", version)
    return dict(program)


class _Reader:
    def __init__(self, module: Mapping[str, Any], dims: dict[str, int], allow_unknown: bool):
        self._graph = module["graph"]
        self._specs = module["signature"]["input_specs"]
        self._outputs = module["signature"]["output_specs"]
        self._dims = dims
        self._used: set[str] = set()
        self._allow_unknown = allow_unknown

    def graph(self) -> NetworkGraph:
        check_node_count(len(self._graph["nodes"]))
        out = Translation(self._tensors())
        inputs = self._inputs(out)
        unknown = [c.name for c in map(self._call, self._graph["nodes"]) if self._emit(c, out)]
        unused = sorted(set(self._dims) - self._used)
        if unused:
            raise UnknownNameError("dynamic dimension", unused[0], self._used)
        nodes = topological(out.nodes, out.tensors)
        outputs = [s["user_output"]["arg"] for s in self._outputs if "user_output" in s]
        names = tuple(a["as_tensor"]["name"] for a in outputs if "as_tensor" in a)
        for name in (*names, *inputs, *(value for node in nodes for value in (*node.inputs, *node.outputs) if value)):
            if not name or name not in out.tensors:
                raise InputError(f"The name '{name}'", "must be that of a value of the graph")
        for node in nodes:
            if node.inputs and not node.inputs[0]:
                raise InputError(f"The first input of node '{node.label}'", "must be a value of the graph")
        return NetworkGraph(tuple(nodes), out.tensors, inputs, names, out.values, tuple(unknown))

    def _emit(self, call: Call, out: Translation) -> bool:
        """Translate one call; whether it was of an unknown op."""
        if translate(call, out):
            return False
        if not self._allow_unknown:
            raise UnknownNameError("op", call.target, out.known(), where=f"node '{call.name}'")
        out.add(call.op, call, call.tensors(), call.outputs)
        return True

    def _tensors(self) -> dict[str, Tensor]:
        return {name: self._tensor(name, meta) for name, meta in self._graph["tensor_values"].items()}

    def _tensor(self, name: str, meta: Mapping[str, Any]) -> Tensor:
        dtype = SCALAR_TYPES.get(meta["dtype"])
        if dtype is None:
            raise InputError(f"The element type of '{name}'", f"must be one of {sorted(SCALAR_TYPES)}", meta["dtype"])
        shape: Shape = tuple(self._size(name, size) for size in meta["sizes"])
        return Tensor(shape if shape == (0,) else check_shape(shape, f"'{name}'"), dtype)

    def _size(self, name: str, size: Mapping[str, Any]) -> int:
        if "as_int" in size:
            return int(size["as_int"])
        text = size["as_expr"]["expr_str"]
        return _evaluate(text, lambda symbol: self._symbol(symbol, name))

    def _symbol(self, symbol: str, tensor: str) -> int:
        self._used.add(symbol)
        if symbol not in self._dims:
            rule = f"needs a value, for instance `--dim {symbol}=1`"
            raise InputError(f"The dynamic dimension '{symbol}' of '{tensor}'", rule)
        return self._dims[symbol]

    def _inputs(self, out: Translation) -> tuple[str, ...]:
        """Mark weights as constants; the names of the user's tensor inputs."""
        users = []
        for spec in self._specs:
            kind, content = next(iter(spec.items()))
            arg = content.get("arg", {})
            if kind == "user_input":
                if "as_tensor" in arg:
                    users.append(arg["as_tensor"]["name"])
            elif kind in ("parameter", "buffer", "tensor_constant"):
                out.tensors[arg["name"]] = out.tensors[arg["name"]]._replace(constant=True)
        return tuple(users)

    def _call(self, node: Mapping[str, Any]) -> Call:
        args = {}
        for given in node["inputs"]:
            args[given["name"]] = self._argument(given["arg"])
        outputs = tuple(name for output in node["outputs"] for name in _tensor_names(output))
        name = node.get("name") or next(iter(outputs), "")
        return Call(name, node["target"], args, outputs)

    def _argument(self, arg: Mapping[str, Any]) -> Any:
        kind, value = next(iter(arg.items()))
        if kind in ("as_tensor", "as_tensors", "as_optional_tensors"):
            return _tensor_names(arg)
        if kind == "as_sym_int":
            return self._sym_int(value)
        if kind == "as_sym_ints":
            return [self._sym_int(v) for v in value]
        return None if kind == "as_none" else value

    def _sym_int(self, value: Mapping[str, Any]) -> int:
        if "as_int" in value:
            return int(value["as_int"])
        name = value["as_name"]
        return self._size(name, self._graph["sym_int_values"][name])


class Names(list[str]):
    """Names of tensors, told apart from a list of strings."""


def _tensor_names(arg: Mapping[str, Any]) -> Names:
    kind, value = next(iter(arg.items()))
    if kind == "as_tensor":
        return Names([value["name"]])
    if kind == "as_tensors":
        return Names([v["name"] for v in value])
    if kind == "as_optional_tensors":
        return Names([v["as_tensor"]["name"] if "as_tensor" in v else "" for v in value])
    return Names()


_OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
_FUNCTIONS: Mapping[str, Callable[[int, int], int]] = {
    "Integer": max,
    "Add": operator.add,
    "Mul": operator.mul,
    "FloorDiv": operator.floordiv,
    "Max": max,
    "Min": min,
}


def _evaluate(text: str, symbol: Callable[[str], int]) -> int:
    """A size such as ``2*s0 + 1``, or as torch writes it ``Add(Mul(Integer(2), Symbol('s0')), Integer(1))``.

    Sums, products and whole quotients of symbols, nothing else.
    """

    def call(name: str, args: list[ast.expr]) -> int:
        if name == "Symbol" and isinstance(args[0], ast.Constant):
            return symbol(str(args[0].value))
        numbers = [value(arg) for arg in args]
        if name in _FUNCTIONS and numbers:
            return functools.reduce(_FUNCTIONS[name], numbers)
        raise InputError("A size in the .pt2 file", f"must be made of {', '.join(_FUNCTIONS)} and Symbol", name)

    def value(node: ast.AST) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.Name):
            return symbol(node.id)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return call(node.func.id, node.args)
        raise InputError("A size in the .pt2 file", "must be made of sums, products and whole quotients", text)

    try:
        return value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ZeroDivisionError, RecursionError) as error:
        raise InputError("A size in the .pt2 file", "must be an arithmetic expression", text) from error
