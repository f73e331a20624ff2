"""A `NetworkGraph` as bytes and back, for the way between two of our own processes. Nothing in it is ever executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from featurizers.network.graph import NetworkGraph, Node, Tensor


class _Graph(msgspec.Struct, array_like=True):
    nodes: list[tuple[str, str, tuple[str, ...], tuple[str, ...], list[Any], str]]
    tensors: dict[str, tuple[tuple[int, ...], str, bool]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: list[Any]
    unknown_ops: tuple[str, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Graph).decode
_INT64 = 2**63


def encode(graph: NetworkGraph) -> bytes:
    """The graph without what was computed from it."""
    nodes = [(n.name, n.op, tuple(n.inputs), tuple(n.outputs), _marked(n.attrs), n.domain) for n in graph.nodes]
    tensors = {name: (tuple(t.shape), t.dtype, t.constant) for name, t in graph.tensors.items()}
    return _encode(
        _Graph(nodes, tensors, tuple(graph.inputs), tuple(graph.outputs), _marked(graph.values), graph.unknown_ops)
    )


def decode(content: bytes) -> NetworkGraph:
    """What `encode` wrote."""
    found = _decode(content)
    nodes = tuple(Node(n[0], n[1], n[2], n[3], _unmarked(n[4]), n[5]) for n in found.nodes)
    tensors = {name: Tensor(*entry) for name, entry in found.tensors.items()}
    values = _unmarked(found.values)
    return NetworkGraph(nodes, tensors, found.inputs, found.outputs, values, found.unknown_ops)


def _marked(value: Any) -> list[Any]:
    """A value with the name of its type, since MessagePack knows no tuples, arrays or long integers."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        return ["o", list(value.shape), [_marked(each) for each in value.reshape(-1).tolist()]]
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return ["a" if isinstance(value, np.ndarray) else "g", array.dtype.str, list(array.shape), array.tobytes()]
    if isinstance(value, tuple):
        return ["t", [_marked(each) for each in value]]
    if isinstance(value, list):
        return ["l", [_marked(each) for each in value]]
    if isinstance(value, Mapping):
        return ["d", [[key, _marked(each)] for key, each in value.items()]]
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return ["i", str(value)]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return ["v", value]
    raise TypeError(f"{type(value).__name__} has no form between processes")


def _array(parts: list[Any]) -> np.ndarray[Any, Any]:
    # A copy, since an array over received bytes could not be written to.
    return np.frombuffer(parts[2], dtype=parts[0]).reshape(parts[1]).copy()


def _objects(parts: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(parts[1]), dtype=object)
    array[:] = [_unmarked(each) for each in parts[1]]
    return array.reshape(parts[0])


_READ: Mapping[str, Callable[[list[Any]], Any]] = {
    "v": lambda parts: parts[0],
    "i": lambda parts: int(parts[0]),
    "a": _array,
    "g": lambda parts: _array(parts)[()],
    "o": _objects,
    "t": lambda parts: tuple(_unmarked(each) for each in parts[0]),
    "l": lambda parts: [_unmarked(each) for each in parts[0]],
    "d": lambda parts: {key: _unmarked(each) for key, each in parts[0]},
}


def _unmarked(marked: list[Any]) -> Any:
    return _READ[marked[0]](marked[1:])
