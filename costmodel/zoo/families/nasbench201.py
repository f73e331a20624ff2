"""NAS-Bench-201 cells (Dong and Yang 2020) in their macro skeleton."""

from __future__ import annotations

import numpy as np

from costmodel.zoo.families.sampling import Params, between, chance, pick
from costmodel.zoo.graph import GraphBuilder, Tensor
from costmodel.zoo.layers import activation, add, batch_norm, classifier, conv_bn, pool

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
Cell = tuple[tuple[tuple[str, int], ...], ...]
"""For nodes 1, 2 and 3: the (operation, source node) of each incoming edge."""


def parse_cell(arch: str) -> Cell:
    """Read an architecture string such as ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|``.

    Raises
    ------
    ValueError
        If it is not three groups of 1, 2 and 3 edges of known operations from earlier nodes.
    """
    groups = arch.strip().split("+")
    cell = tuple(tuple(_edge(e, arch) for e in group.strip("|").split("|")) for group in groups)
    if [[source for _, source in node] for node in cell] != [[0], [0, 1], [0, 1, 2]]:
        raise ValueError(f"A cell has edges 0 | 0 1 | 0 1 2. Got {arch!r}.")
    return cell


def _edge(text: str, arch: str) -> tuple[str, int]:
    operation, _, source = text.partition("~")
    if operation not in OPERATIONS or not source.isdigit():
        raise ValueError(f"The edge {text!r} is not one of {', '.join(OPERATIONS)} with '~' and a node. In {arch!r}.")
    return operation, int(source)


def format_cell(cell: Cell) -> str:
    """The inverse of `parse_cell`."""
    return "+".join("|" + "|".join(f"{op}~{source}" for op, source in node) + "|" for node in cell)


def sample_nasbench201(rng: np.random.Generator) -> Params:
    """A random cell that is connected, in the published skeleton or in one of another size."""
    while True:
        cell: Cell = tuple(tuple((pick(rng, OPERATIONS), s) for s in range(n)) for n in (1, 2, 3))
        if _live_nodes(cell):
            break
    standard = chance(rng, 0.3)
    return {
        "arch": format_cell(cell),
        "resolution": 32 if standard else pick(rng, (16, 24, 32, 40, 48, 64)),
        "channels": 16 if standard else pick(rng, (4, 8, 16, 16, 24, 32, 48, 64)),
        "cells": 5 if standard else between(rng, 1, 6),
        "classes": pick(rng, (10, 100, 120)),
    }


def _live_nodes(cell: Cell) -> frozenset[int]:
    """Nodes on a path from the cell's input (0) to its output (3) along edges that are not 'none'."""
    edges = [(source, node) for node, incoming in enumerate(cell, 1) for op, source in incoming if op != "none"]
    forward, backward = {0}, {3}
    for _ in range(3):
        forward |= {b for a, b in edges if a in forward}
        backward |= {a for a, b in edges if b in backward}
    return frozenset(forward & backward) if 3 in forward else frozenset()


def build_nasbench201(g: GraphBuilder, p: Params) -> None:
    """Stem, three stages of cells with residual reductions between them, classifier.

    Edges of 'none' and nodes off every path are left out. A cell whose output no path reaches gives zeros:
    what remains of the network is then its classifier on zeros, so such a cell is refused.
    """
    cell = parse_cell(p["arch"])
    if not _live_nodes(cell):
        raise ValueError(f"The output of the cell is not connected to its input: {p['arch']!r}.")
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    x = conv_bn(g, x, p["channels"], 3, "none", name="stem/conv")
    for stage in range(3):
        with g.scope(f"stage{stage + 1}"):
            if stage:
                with g.scope("reduction"):
                    x = _reduction(g, x, p["channels"] * 2**stage)
            for index in range(p["cells"]):
                with g.scope(f"cell{index + 1}"):
                    x = _cell(g, x, cell)
    classifier(g, activation(g, batch_norm(g, x, "head/bn"), "relu"), p["classes"])


def _cell(g: GraphBuilder, x: Tensor, cell: Cell) -> Tensor:
    live = _live_nodes(cell)
    values = {0: x}
    for node, incoming in enumerate(cell, 1):
        if node not in live:
            continue
        total: Tensor | None = None
        for operation, source in incoming:
            if operation == "none" or source not in live:
                continue
            with g.scope(f"edge{source}{node}"):
                y = _operation(g, values[source], operation)
            total = y if total is None else add(g, total, y, f"node{node}/add")
        if total is not None:
            values[node] = total
    return values[3]


def _operation(g: GraphBuilder, x: Tensor, operation: str) -> Tensor:
    if operation == "skip_connect":
        return x
    if operation == "avg_pool_3x3":
        n, c, h, w = x.shape
        return g.op(
            "AveragePool", [x], (n, c, h, w), "pool", kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4,
            count_include_pad=0,
        )  # fmt: skip
    return _relu_conv_bn(g, x, x.shape[1], 1 if operation == "nor_conv_1x1" else 3)


def _relu_conv_bn(g: GraphBuilder, x: Tensor, channels: int, kernel: int, *, stride: int = 1, n: str = "") -> Tensor:
    return conv_bn(g, activation(g, x, "relu"), channels, kernel, "none", stride=stride, name=f"conv{n}")


def _reduction(g: GraphBuilder, x: Tensor, channels: int) -> Tensor:
    y = _relu_conv_bn(g, x, channels, 3, stride=2, n="1")
    y = _relu_conv_bn(g, y, channels, 3, n="2")
    shortcut = pool(g, x, 2, 2, kind="AveragePool")
    return add(g, y, g.conv(shortcut, channels, 1, bias=False, name="shortcut"))
