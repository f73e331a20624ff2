"""A whole network in numbers: totals by class of kernel, and what no sum over kernels shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurizers.core import Column, FloatArray, Parts
from featurizers.network import ops
from featurizers.network.graph import NetworkGraph, Shape
from featurizers.network.kernels import PART_INDEX, Kernel
from featurizers.network.site import Site

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("conv", ("conv", "grouped", "conv_transpose")),
    ("pointwise", ("pointwise",)),
    ("depthwise", ("depthwise",)),
    ("gemm", ("gemm",)),
    ("matmul", ("matmul", "attention")),
    ("recurrent", ("recurrent",)),
    ("norm", ("norm", "softmax")),
    ("pool", ("pool", "reduce")),
    ("elementwise", ("activation", "binary")),
    ("movement", ("movement", "resize", "reorder", "quantise", "gather")),
    ("view", ("view",)),
    ("other", ("other", "unknown")),
)
"""Groups of the classes in `ops.CLASSES`; every class is in one."""

_TOTALS = (
    ("flops", "FLOP"), ("macs", "MAC"), ("bytes_in", "B"), ("bytes_weights", "B"), ("bytes_out", "B"),
    ("kernels", "1"), ("log_flops", "log2 FLOP"), ("log_bytes", "log2 B"), ("intensity", "FLOP/B"),
    ("largest_kernel_share", "1"), ("quantised_share", "1"), ("max_channels", "1"),
)  # fmt: skip
FACTS = (
    ("parameters", "1"), ("peak_activation_bytes", "B"), ("depth", "1"), ("nodes", "1"), ("batch", "1"),
    ("resolution", "px"), ("input_bytes", "B"), ("output_bytes", "B"), ("unknown_ops", "1"),
)  # fmt: skip

COLUMNS: tuple[Column, ...] = (
    *(Column(n, u, "total") for n, u in _TOTALS),
    *(Column(n, u, "graph") for n, u in FACTS),
    *(
        Column(f"{name}_{what}", unit, name)
        for name, _ in GROUPS
        for what, unit in (("kernels", "1"), ("flops", "FLOP"), ("bytes", "B"))
    ),
)

_GROUP_OF_CLASS = np.asarray([next(i for i, (_, cs) in enumerate(GROUPS) if c in cs) for c in ops.CLASSES])


def group_of_class(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Index in `GROUPS` of classes by their index in `ops.CLASSES`, any shape."""
    return np.asarray(_GROUP_OF_CLASS[ids])


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """The columns that depend on the graph's structure, in the order of `FACTS`."""

    parameters: float
    peak_activation_bytes: float
    depth: float
    nodes: float
    batch: float
    resolution: float
    input_bytes: float
    output_bytes: float
    unknown_ops: float

    def row(self) -> list[float]:
        return [getattr(self, name) for name, _ in FACTS]


def graph_facts(graph: NetworkGraph, kernels: Sequence[Kernel]) -> GraphFacts:
    first = graph.tensors[graph.inputs[0]] if graph.inputs else None
    shape = first.shape if first is not None else ()
    facts = graph.memo.get("facts")
    if facts is None:
        ends = [sum(graph.tensors[n].bytes for n in names) for names in (graph.inputs, graph.outputs)]
        facts = (graph.parameters, peak_activation_bytes(graph), *ends)
        graph.memo["facts"] = facts
    return GraphFacts(
        parameters=facts[0],
        peak_activation_bytes=facts[1],
        depth=depth(kernels),
        nodes=len(graph.nodes),
        batch=_batch(graph, shape),
        resolution=shape[-1] if len(shape) >= 3 else 0,
        input_bytes=facts[2],
        output_bytes=facts[3],
        unknown_ops=len(graph.unknown_ops),
    )


def _batch(graph: NetworkGraph, shape: Shape) -> int:
    """Leading dimension of the first input; a recurrent network's own batch, as its input may lead with time."""
    for node in graph.nodes:
        if node.op in ("LSTM", "GRU", "RNN"):
            return ops.recurrent_dims(Site(node, graph.tensors, graph.values))[1]
    return shape[0] if shape else 1


def depth(kernels: Sequence[Kernel]) -> int:
    """Kernels on the longest path from an input to an output; views count nothing."""
    level: dict[str, int] = {}
    longest = 0
    for kernel in kernels:
        own = 0 if kernel.op in ops.VIEWS else 1
        at = own + max((level.get(i, 0) for i in kernel.inputs), default=0)
        longest = max(longest, at)
        for output in kernel.outputs:
            level[output] = at
    return longest


def peak_activation_bytes(graph: NetworkGraph) -> float:
    """Most bytes of activations that are alive at once when the nodes run in the graph's order.

    A value lives from the node that makes it to the last that reads it; a view shares its input's memory; network
    inputs and outputs live throughout their use; weights are not counted.
    """
    size = {name: tensor.bytes for name, tensor in graph.tensors.items() if not tensor.constant}
    owner: dict[str, str] = {}
    for node in graph.nodes:
        if node.op in ops.VIEWS and node.inputs and node.outputs:
            owner[node.outputs[0]] = owner.get(node.inputs[0], node.inputs[0])
    last_use: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        for name in node.inputs:
            last_use[owner.get(name, name)] = index
    for name in graph.outputs:
        last_use[owner.get(name, name)] = len(graph.nodes)
    freed = [0.0] * (len(graph.nodes) + 1)
    for name, index in last_use.items():
        freed[index] += size.get(name, 0.0)
    alive = sum(graph.tensors[i].bytes for i in graph.inputs)
    peak = alive
    for index, node in enumerate(graph.nodes):
        for name in node.outputs:
            if name in size and name not in owner:
                alive += size[name]
                if name not in last_use:
                    freed[index] += size[name]
        peak = max(peak, alive)
        alive -= freed[index]
    return peak


def vectors_of(parts: Parts, facts: np.ndarray, subjects: int) -> FloatArray:
    """All `COLUMNS` of many subjects, float32 (subjects, columns), from their parts and `FACTS` (subjects, facts)."""
    rows, count, owner = parts.matrix.astype(np.float64), parts.count.astype(np.float64), parts.owner

    def total(per_part: np.ndarray) -> np.ndarray:
        return np.bincount(owner, weights=per_part[parts.part] * count, minlength=subjects)

    def column(name: str) -> np.ndarray:
        return rows[:, PART_INDEX[name]]

    flops = column("flops")
    moved = column("bytes_in") + column("bytes_weights") + column("bytes_out")
    totals = {n: total(column(n)) for n in ("flops", "macs", "bytes_in", "bytes_weights", "bytes_out")}
    totals["kernels"] = np.bincount(owner, weights=count, minlength=subjects)
    bytes_all = total(moved)
    totals["log_flops"], totals["log_bytes"] = np.log2(1 + totals["flops"]), np.log2(1 + bytes_all)
    totals["intensity"] = totals["flops"] / np.maximum(bytes_all, 1)
    totals["largest_kernel_share"] = _largest(flops, parts, subjects) / np.maximum(totals["flops"], 1)
    totals["quantised_share"] = total(flops * column("quantised")) / np.maximum(totals["flops"], 1)
    totals["max_channels"] = _largest(np.maximum(column("channels_in"), column("channels_out")), parts, subjects)
    group = _GROUP_OF_CLASS[column("op_class").astype(np.int64)]
    cell = owner * len(GROUPS) + group[parts.part]
    by_group = [
        np.bincount(cell, weights=per_part[parts.part] * count, minlength=subjects * len(GROUPS))
        for per_part in (np.ones(len(rows)), flops, moved)
    ]
    grouped = np.stack([g.reshape(subjects, len(GROUPS)) for g in by_group], axis=2).reshape(subjects, 3 * len(GROUPS))
    stacked = np.stack([totals[name] for name, _ in _TOTALS], axis=1)
    return np.concatenate([stacked, facts, grouped], axis=1).astype(np.float32)


def _largest(per_part: np.ndarray, parts: Parts, subjects: int) -> np.ndarray:
    result = np.zeros(subjects)
    np.maximum.at(result, parts.owner, per_part[parts.part])
    return result
