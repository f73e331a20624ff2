"""NAS-Bench-201 (Dong and Yang, ICLR 2020): cell strings -> graph, in the benchmark's CIFAR skeleton.

Stem 3x3 (16 channels), three stages of five cells at 16, 32 and 64 channels on 32, 16 and 8 pixels, residual
reduction blocks between them, BN-ReLU-pool-linear head. Edges and nodes that no path from a cell's input to its output
uses are removed: a runtime does not execute them. A cell without any such path multiplies its input by zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

from featurizers.errors import InputError, UnknownNameError
from featurizers.network.builder import Builder
from featurizers.network.graph import NetworkGraph

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3, POOL = range(5)
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of the six edges in the order in which a string names them."""
CHANNELS = (16, 32, 64)
CELLS = 5
RESOLUTION = 32
CLASSES = 10

Ops = tuple[int, ...]
_SEEN: dict[str, int] = {f"{name}~{source}": code for source in range(3) for code, name in enumerate(OPERATIONS)}


def _node_strings(node: int) -> dict[str, Ops]:
    """Every way to write one node, as the benchmark itself writes it -> its operation codes."""
    edges = [[f"{name}~{source}" for name in OPERATIONS] for source in range(node)]
    codes = product(range(len(OPERATIONS)), repeat=node)
    return {f"|{'|'.join(names)}|": ops for names, ops in zip(product(*edges), codes, strict=True)}


_NODES = tuple(_node_strings(node) for node in (1, 2, 3))


_known: dict[str, Ops] = {}
"""Cells met so far as the benchmark writes them: there are 15,625."""


def parse_cell(text: object) -> Ops:
    """The six operation codes of ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
    if isinstance(text, str):
        known = _known.get(text)
        if known is not None:
            return known
        parts = text.split("+")
        if len(parts) == 3:
            a, b, c = (node.get(part) for node, part in zip(_NODES, parts, strict=True))
            if a and b and c:
                _known[text] = a + b + c
                return _known[text]
    return _parse_leniently(text)


def _parse_leniently(text: object) -> Ops:
    """Blanks and missing outer bars are forgiven; anything else is refused by its place."""
    if not isinstance(text, str):
        raise InputError("The field 'nasbench201'", "must be a string such as '|nor_conv_3x3~0|+|...'", text)
    groups = text.strip().split("+")
    ops = []
    if len(groups) != 3:
        raise InputError("A NAS-Bench-201 cell", "must have three nodes joined by '+'", text)
    for node, group in enumerate(groups, 1):
        edges = group.strip().strip("|").split("|")
        if len(edges) != node:
            raise InputError(f"Node {node} of a NAS-Bench-201 cell", f"must have {node} edges", group)
        for source, edge in enumerate(edges):
            code = _SEEN.get(edge)
            if code is None or not edge.endswith(str(source)):
                _refuse(edge, node, source)
            ops.append(code)
    return tuple(code for code in ops if code is not None)


def _refuse(edge: str, node: int, source: int) -> None:
    name, _, given = edge.partition("~")
    where = f"node {node}, edge {source}"
    if name not in OPERATIONS:
        raise UnknownNameError("NAS-Bench-201 operation", name, OPERATIONS, where=where)
    raise InputError("An edge of a NAS-Bench-201 cell", f"must come from node {source} here", given, where=where)


def live_edges(ops: Ops) -> Ops:
    """`ops` with every edge set to 'none' that is on no path from node 0 to node 3."""
    forward, backward = {0}, {3}
    for (source, target), op in zip(EDGES, ops, strict=True):
        if op != NONE and source in forward:
            forward.add(target)
    for (source, target), op in zip(EDGES[::-1], ops[::-1], strict=True):
        if op != NONE and target in backward:
            backward.add(source)
    return tuple(
        op if source in forward and target in backward else NONE
        for (source, target), op in zip(EDGES, ops, strict=True)
    )


@dataclass(eq=False)
class Cell:
    """A parsed NAS-Bench-201 network; its graph is written only when something needs it.

    ops : the six operation codes as given, dead edges included.
    """

    ops: Ops
    batch: int = 1

    @cached_property
    def graph(self) -> NetworkGraph:
        return build(live_edges(self.ops), self.batch)


def build(ops: Ops, batch: int = 1) -> NetworkGraph:
    """The whole network of a cell, from its live edges."""
    b = Builder()
    x = b.conv_bn("stem", b.input("input", (batch, 3, RESOLUTION, RESOLUTION)), CHANNELS[0], 3)
    for stage, channels in enumerate(CHANNELS, 1):
        if stage > 1:
            x = _reduction(b, f"stage{stage}/reduction", x, channels)
        for index in range(1, CELLS + 1):
            x = _cell(b, f"stage{stage}/cell{index}", x, ops)
    x = b.op("Relu", "head/relu", b.batch_norm("head/bn", x))
    return b.graph(b.classifier(x, CLASSES))


def _cell(b: Builder, scope: str, x: str, ops: Ops) -> str:
    values: dict[int, str] = {0: x}
    for (source, target), op in zip(EDGES, ops, strict=True):
        if op == NONE:
            continue
        term = _edge(b, f"{scope}/edge{source}{target}", values[source], op)
        before = values.get(target)
        values[target] = term if before is None else b.op("Add", f"{scope}/add{source}{target}", before, term)
    return values[3] if 3 in values else b.op("Mul", f"{scope}/zero", x, b.weight(f"{scope}/zero.factor", 1))


def _edge(b: Builder, scope: str, x: str, op: int) -> str:
    if op == SKIP:
        return x
    if op == POOL:
        return b.op("AveragePool", f"{scope}/pool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
    return _relu_conv_bn(b, scope, x, b.channels(x), 1 if op == CONV1 else 3)


def _relu_conv_bn(b: Builder, scope: str, x: str, channels: int, kernel: int, stride: int = 1) -> str:
    return b.conv_bn(scope, b.op("Relu", f"{scope}/relu", x), channels, kernel, stride)


def _reduction(b: Builder, scope: str, x: str, channels: int) -> str:
    y = _relu_conv_bn(b, f"{scope}/a", x, channels, 3, 2)
    y = _relu_conv_bn(b, f"{scope}/b", y, channels, 3)
    pooled = b.op("AveragePool", f"{scope}/pool", x, kernel_shape=[2, 2], strides=[2, 2])
    return b.op("Add", f"{scope}/add", y, b.conv(f"{scope}/shortcut", pooled, channels))
