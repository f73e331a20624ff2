"""NAS architectures as small graphs: one node per choice, edges where data flow, numbers on the nodes."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from featurizers.errors import UnknownNameError
from featurizers.network.nas_base import Unit
from featurizers.network.nas_bottleneck import unit_numbers
from featurizers.network.nas_cells import NASBENCH201_EDGES, NASBENCH201_OPS, nasbench201_reach
from featurizers.network.nas_fbnet import fbnet_units
from featurizers.network.nas_ofa import OFA_SLOTS, ofa_units
from featurizers.network.nas_physics import OpIndices

Float32 = npt.NDArray[np.float32]


def nodes_of(space: str, ops: OpIndices) -> Float32:
    """(n, nodes, features). Blocks carry the logarithms of their physics; edges of a cell their operation, one-hot, and
    whether they are live. A block that executes nothing is all zeros."""
    if space == "nasbench201":
        forward, backward, _ = nasbench201_reach(ops)
        hot = np.eye(len(NASBENCH201_OPS))[ops]
        return np.concatenate([hot, forward[..., None], backward[..., None]], axis=2).astype(np.float32)
    if space == "fbnet":
        units, unit_of = fbnet_units()
        of_blocks: Float32 = _numbers(units)[unit_of[np.arange(ops.shape[1]), ops]]
        return of_blocks
    if space == "ofa":
        units, unit_of = ofa_units(ops)
        numbers = _numbers(units)
        of_slots: Float32 = np.concatenate([numbers, np.zeros_like(numbers[:1])])[unit_of]
        return of_slots
    raise UnknownNameError("NAS space", space, ("nasbench201", "fbnet", "ofa"))


_TYPICAL = np.array([1e6, 1e5, 1e4, 1e5, 1, 1, 1, 1, 1, 1, 1, 100, 1e5, 1e4, 1e5, 1e5])
"""Of the columns of `unit_numbers`."""


def _numbers(units: tuple[Unit, ...]) -> Float32:
    numbers = np.log1p(np.array([unit_numbers(unit) for unit in units]) / _TYPICAL)
    return np.asarray(numbers, dtype=np.float32)


@cache
def adjacency_of(space: str) -> Float32:
    """(nodes, nodes), row i has ones where node i reads from; the same for every architecture of the space."""
    if space == "nasbench201":
        edges = NASBENCH201_EDGES
        return np.array([[float(b == source) for _, b in edges] for source, _ in edges], dtype=np.float32)
    return np.eye({"fbnet": 22, "ofa": OFA_SLOTS}[space], k=-1, dtype=np.float32)
