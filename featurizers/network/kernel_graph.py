"""The kernels of a network as a graph of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from featurizers.core import Graph
from featurizers.network.kernels import PART_INDEX, Kernel
from featurizers.network.parts import matrix

_TYPE = PART_INDEX["op_type"]


def graph_of_kernels(run: Sequence[Kernel]) -> Graph:
    """Nodes in execution order with the part columns, op types, and an edge per pair of maker and reader."""
    maker = {name: i for i, kernel in enumerate(run) for name in kernel.outputs if name}
    pairs = {(maker[name], i): None for i, kernel in enumerate(run) for name in kernel.inputs if name in maker}
    edges = np.array(list(pairs), dtype=np.int64).reshape(-1, 2).T
    nodes = matrix([kernel.row for kernel in run])
    return Graph(nodes, nodes[:, _TYPE].astype(np.int64), edges)
