"""`NetworkGraph`: what every reader of networks produces and everything else here works on.

Ops carry ONNX names, whatever the input was. Weights are known by their dims only; their numbers are never kept.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from featurizers.errors import InputError, LimitError

Shape = tuple[int, ...]


def words(text: str) -> tuple[str, ...]:
    """The names in a table written as running text."""
    return tuple(text.split())


MAX_BYTES = 2 * 1024**3
"""Longest file that is read."""
MAX_NODES = 20_000
MAX_DIM = 2**31
MAX_ELEMENTS = 2**40
"""A tensor larger than this (4 TiB of float32) is a mistake in some dimension."""

DTYPE_BYTES: Mapping[str, float] = {
    "float32": 4, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "int32": 4, "int64": 8, "string": 8, "bool": 1,
    "float16": 2, "float64": 8, "uint32": 4, "uint64": 8, "complex64": 8, "complex128": 16, "bfloat16": 2,
    "float8": 1, "uint4": 0.5, "int4": 0.5, "float4": 0.5,
}  # fmt: skip
FLOATS = frozenset({"float32", "float16", "float64", "bfloat16", "float8", "float4"})
QUANTISED = frozenset({"uint8", "int8", "uint4", "int4"})


_READS_SETTINGS = frozenset({"Resize", "Upsample", "Clip", "Pad", "Range"})
"""Ops whose constants are settings and not weights."""


class Tensor(NamedTuple):
    """Shape and type of a value. `constant`: known before the first run (a weight, or computed from weights only)."""

    shape: Shape
    dtype: str = "float32"
    constant: bool = False

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> float:
        return math.prod(self.shape) * DTYPE_BYTES[self.dtype]


@dataclass(slots=True)
class Node:
    """One operation. An absent optional input or output has the name ``""``."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    domain: str = ""

    def ints(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        value = self.attrs.get(name)
        return tuple(default) if value is None else tuple(int(v) for v in value)

    def int(self, name: str, default: int) -> int:
        return int(self.attrs.get(name, default))

    @property
    def label(self) -> str:
        """How messages and explanations call it: its name, or its first output where it has none."""
        return self.name or next((o for o in self.outputs if o), self.op)


@dataclass(slots=True, eq=False)
class NetworkGraph:
    """A network with every shape known.

    Attributes
    ----------
    nodes : in an order in which they can run.
    tensors : every value by name, weights included.
    inputs, outputs : of the network, without weights.
    values : numbers of small constants (shapes, axes, scalars), as far as a cost depends on them.
    unknown_ops : labels of the nodes whose op has no cost of its own (allowed by the caller).
    """

    nodes: tuple[Node, ...]
    tensors: dict[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: dict[str, Any] = field(default_factory=dict)
    unknown_ops: tuple[str, ...] = ()
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)
    """Results computed from the graph, kept as long as it lives."""

    @property
    def parameters(self) -> int:
        """Elements of all weights that a node reads: floating point or quantised, and more than a single number."""
        produced = {o for n in self.nodes for o in n.outputs}
        read = {i for n in self.nodes if n.op not in _READS_SETTINGS for i in n.inputs}
        found = [self.tensors[i] for i in read - produced if i in self.tensors]
        return sum([tensor.elements for tensor in found if is_weight(tensor) and tensor.shape])


def is_weight(tensor: Tensor) -> bool:
    """A constant with numbers that a kernel must read, as opposed to a shape or an axis."""
    return tensor.constant and (tensor.dtype in FLOATS or tensor.dtype in QUANTISED)


def check_shape(shape: Iterable[int], name: str, where: str | None = None) -> Shape:
    """`shape` as a tuple; zero-sized, negative and absurd dimensions are refused."""
    checked = tuple(shape)
    for dim in checked:
        if dim < 1:
            raise InputError(f"Every dimension of {name}", "must be at least 1", list(checked), where=where)
        if dim > MAX_DIM:
            raise LimitError(f"Every dimension of {name}", f"must be at most {MAX_DIM}", list(checked), where=where)
    if math.prod(checked) > MAX_ELEMENTS:
        raise LimitError(f"The size of {name}", f"must be at most {MAX_ELEMENTS} elements", list(checked), where=where)
    return checked


def check_node_count(count: int) -> None:
    if count > MAX_NODES:
        raise LimitError("The number of nodes", f"must be at most {MAX_NODES}", count)
    if count == 0:
        raise InputError("The graph", "must have at least one node", 0)


def topological(nodes: Sequence[Node], available: Iterable[str]) -> list[Node]:
    """`nodes` in an order in which they can run, as near to the given one as possible.

    Raises InputError when a value is produced twice, never produced, or needed for its own computation.
    """
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for output in filter(None, node.outputs):
            if output in producer:
                raise InputError(f"The value '{output}'", "must be produced by one node only", node.label)
            producer[output] = index
    known = set(available)
    if _is_ordered(nodes, known, producer):
        return list(nodes)
    return _kahn(nodes, known, producer)


def _is_ordered(nodes: Sequence[Node], known: set[str], producer: Mapping[str, int]) -> bool:
    for index, node in enumerate(nodes):
        for name in node.inputs:
            if name and producer.get(name, -1 if name in known else index) >= index:
                return False
    return True


def _kahn(nodes: Sequence[Node], known: set[str], producer: Mapping[str, int]) -> list[Node]:
    waiting = [0] * len(nodes)
    followers: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for name in {i for i in node.inputs if i}:
            if name in producer:
                followers[producer[name]].append(index)
                waiting[index] += 1
            elif name not in known:
                raise InputError(f"The input '{name}' of node '{node.label}'", "must be produced by some node")
    ready = [i for i, count in enumerate(waiting) if count == 0]
    order: list[Node] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(nodes[index])
        for follower in followers[index]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                heapq.heappush(ready, follower)
    if len(order) < len(nodes):
        stuck = [nodes[i].label for i, count in enumerate(waiting) if count > 0]
        raise InputError("The graph", "must not have a cycle; these nodes wait for each other", stuck[:10])
    return order
