"""How HELP's networks see an architecture: numbers per position, or a small graph with the operations on its nodes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featurizers.errors import UnknownNameError
from featurizers.network.nas_physics import (
    NASBENCH201_EDGES,
    NASBENCH201_OPS,
    OFA_SLOTS,
    OpIndices,
)

Float32 = npt.NDArray[np.float32]

_FBNET_CODES = np.array([
    # kernel 3, kernel 5, expansion 1, 3, 6, grouped; a skip is all zeros
    [1, 0, 1, 0, 0, 0], [1, 0, 1, 0, 0, 1], [1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1, 0],
    [0, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 1], [0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0],
], dtype=np.float32)  # fmt: skip
_INPUT, _OUTPUT, _GLOBAL = 5, 6, 7
GRAPH_NODES, GRAPH_FEATURES = 9, 8
"""Input, six operations, output and the global node that is read out; one-hot over five operations and those three."""


def encode(space: str, ops: OpIndices) -> tuple[Float32, Float32 | None]:
    """Features and adjacency: (n, k) and None, or (n, 9, 8) and one (9, 9) where the space is one of cells."""
    if space == "nasbench201":
        return _cell_nodes(ops), _cell_edges()
    if space == "fbnet":
        return _FBNET_CODES[ops].reshape(len(ops), -1), None
    if space == "ofa":
        return _ofa_code(ops), None
    raise UnknownNameError("NAS space", space, ("nasbench201", "fbnet", "ofa"))


def _cell_nodes(ops: OpIndices) -> Float32:
    kinds = np.column_stack([
        np.full(len(ops), _INPUT), ops, np.full(len(ops), _OUTPUT), np.full(len(ops), _GLOBAL)
    ])  # fmt: skip
    assert len(NASBENCH201_OPS) == _INPUT
    return np.asarray(np.eye(GRAPH_FEATURES)[kinds], dtype=np.float32)


def _cell_edges() -> Float32:
    """Row i has ones for what node i reads, itself included; the same for every cell."""
    reads = np.eye(GRAPH_NODES, dtype=np.float32)
    for i, (source, target) in enumerate(NASBENCH201_EDGES):
        if source == 0:
            reads[1 + i, 0] = 1
        if target == 3:
            reads[7, 1 + i] = 1
        for j, (before, after) in enumerate(NASBENCH201_EDGES):
            if after == source and before != source:
                reads[1 + i, 1 + j] = 1
    reads[8] = 1
    return reads


def _ofa_code(ops: OpIndices) -> Float32:
    """One-hot kernel size and expansion of the slots that the depth uses, and the resolution."""
    kernels, expansions = ops[:, :OFA_SLOTS], ops[:, OFA_SLOTS : 2 * OFA_SLOTS]
    used = (np.arange(OFA_SLOTS) % 4)[None] < np.repeat(ops[:, 2 * OFA_SLOTS : -1], 4, axis=1)
    hot = [(kernels == k) & used for k in (3, 5, 7)] + [(expansions == e) & used for e in (3, 4, 6)]
    return np.column_stack([*hot, (ops[:, -1] - 128) / 96]).astype(np.float32)
