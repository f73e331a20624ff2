"""Which nodes of the original graph a node of onnxruntime's optimised graph stands for.

The optimiser keeps the names of the tensors it does not fuse away, and derives the others from original names
(``x_nchwc``, ``x_QuantizeLinear_Output``, ``x_scale``, ``node_token_7``). An optimised node's original tensor is the
first of these that exists; its original nodes are those found by walking back from there to the original tensors of
other optimised nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

_SUFFIXES = re.compile(
    r"(_nchwc|_bn|_QuantizeLinear_Output|_DequantizeLinear_Output|_QuantizeLinear|_token_\d+|_new_reshape|/\w+Fusion/?)$"
)
_MOVES = ("ReorderInput", "ReorderOutput", "QuantizeLinear", "DequantizeLinear")
"""Operations that onnxruntime adds and that compute nothing of the original graph."""


@dataclass(frozen=True, slots=True)
class NodeOrigin:
    """`outputs` in the optimised graph; `originals`: names of original nodes in graph order, empty when unknown."""

    outputs: tuple[str, ...]
    originals: tuple[str, ...]


def node_origins(original: onnx.ModelProto, optimised: onnx.ModelProto) -> dict[str, NodeOrigin]:
    """The origin of each named node of the optimised graph."""
    producer = {o: n for n in original.graph.node for o in n.output}
    by_name = {n.name: n for n in original.graph.node}
    order = {n.name: i for i, n in enumerate(original.graph.node)}
    anchors = {n.name: _anchor(n, producer, by_name) for n in optimised.graph.node}
    ends = {a for a in anchors.values() if a is not None}
    result = {}
    for node in optimised.graph.node:
        anchor = anchors[node.name]
        names = _walk_back(anchor, producer, ends) if anchor is not None else set()
        result[node.name] = NodeOrigin(tuple(node.output), tuple(sorted(names, key=order.__getitem__)))
    return result


def _candidates(node: onnx.NodeProto) -> Iterator[str]:
    for name in (*node.output, node.name):
        yield name
        while (shorter := _SUFFIXES.sub("", name)) != name:
            name = shorter
            yield name
    if node.op_type.startswith("Q"):
        for scale in reversed(node.input):
            if scale.endswith("_scale"):
                yield scale.removesuffix("_scale")


def _anchor(
    node: onnx.NodeProto, producer: dict[str, onnx.NodeProto], by_name: dict[str, onnx.NodeProto]
) -> str | None:
    if node.op_type in _MOVES:
        return None
    if node.op_type.startswith("QLinear"):
        scales = [i.removesuffix("_scale") for i in node.input if i.endswith("_scale")]
        own = [s for s in scales if s in producer and _same_operation(node, producer, s)]
        if own:
            return str(own[-1])
    for name in _candidates(node):
        if name in producer:
            return name
        if name in by_name:
            return str(by_name[name].output[0])
    return None


def _same_operation(node: onnx.NodeProto, producer: dict[str, onnx.NodeProto], tensor: str) -> bool:
    """Whether `tensor` can be the output of a quantised node: its own name must be of the chain that makes it."""
    base = _SUFFIXES.sub("", node.name)
    current = producer[tensor]
    for _ in range(4):
        if current.name == base:
            return True
        if not current.input or current.input[0] not in producer:
            return False
        current = producer[current.input[0]]
    return False


def _walk_back(anchor: str, producer: dict[str, onnx.NodeProto], ends: set[str]) -> set[str]:
    names: set[str] = set()
    pending = [anchor]
    while pending:
        tensor = pending.pop()
        node = producer.get(tensor)
        if node is None or node.name in names or (tensor != anchor and tensor in ends):
            continue
        names.add(node.name)
        pending += list(node.input)
    return names
