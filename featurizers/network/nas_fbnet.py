"""FBNet as physics: Wu et al., CVPR 2019, with the strides and the 32x32 input that HELP and HW-NAS-Bench use for
CIFAR-100."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from featurizers.errors import UnknownNameError
from featurizers.network.nas_base import (
    Composition,
    Launch,
    OpIndices,
    Physics,
    Space,
    Unit,
    count_units,
    index_row,
    sample_choices,
    stack,
)
from featurizers.network.nas_bottleneck import bottleneck, mobile_physics

FBNET_OPS = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")
FBNET_POSITIONS = 22
_FBNET_STAGES = ((16, 1, 1), (24, 4, 1), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
"""Output channels, blocks, stride of the first block."""
_FBNET_CHOICES = ((3, 1, 1), (3, 1, 2), (3, 3, 1), (3, 6, 1), (5, 1, 1), (5, 1, 2), (5, 3, 1), (5, 6, 1))
"""Kernel size, expansion, groups of `FBNET_OPS` but the last."""


@dataclass(frozen=True, slots=True)
class _Table:
    """unit_of : (positions, choices) index into units; stage and name per unit."""

    units: tuple[Unit, ...]
    stages: tuple[int, ...]
    names: tuple[str, ...]
    unit_of: npt.NDArray[np.int64]


@cache
def _fbnet_table() -> _Table:
    units: dict[str, tuple[Unit, int]] = {}
    rows, cin, size = [], 16, 32
    for stage, (cout, blocks, first_stride) in enumerate(_FBNET_STAGES):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            row = []
            for op, name in enumerate(FBNET_OPS):
                key = f"{cin}to{cout}_s{stride}_{name}"
                units.setdefault(key, (_fbnet_unit(op, cin, cout, stride, size), stage))
                row.append(list(units).index(key))
            rows.append(row)
            cin, size = cout, size // stride
    kept = tuple(units.values())
    return _Table(tuple(u for u, _ in kept), tuple(s for _, s in kept), tuple(units), np.array(rows, dtype=np.int64))


def _fbnet_unit(op: int, cin: int, cout: int, stride: int, size: int) -> Unit:
    if op < len(_FBNET_CHOICES):
        kernel, expand, groups = _FBNET_CHOICES[op]
        return bottleneck(cin, cout, stride, size, kernel, expand, groups, se=False)
    if stride == 1 and cin == cout:
        return ()
    outside = (size // stride) ** 2
    return (Launch("project", cin * cout * outside, (cin + cout) * outside, cin * cout, min(cin, cout)),)


def fbnet_units() -> tuple[tuple[Unit, ...], npt.NDArray[np.int64]]:
    """All units of the space, and which one each choice at each position is, (positions, choices)."""
    table = _fbnet_table()
    return table.units, table.unit_of


def _parse_fbnet(encodings: Sequence[object]) -> OpIndices:
    rows = []
    for index, encoding in enumerate(encodings):
        where = f"architecture {index}"
        if isinstance(encoding, str):
            names = encoding.split("|")
            for name in names:
                if name not in FBNET_OPS:
                    raise UnknownNameError("FBNet operation", name, FBNET_OPS, where=where)
            encoding = [FBNET_OPS.index(name) for name in names]
        rows.append(index_row(encoding, FBNET_POSITIONS, len(FBNET_OPS), where))
    return stack(rows, FBNET_POSITIONS)


def _compose_fbnet(ops: OpIndices) -> Composition:
    table = _fbnet_table()
    counts = count_units(table.unit_of[np.arange(FBNET_POSITIONS), ops], len(table.units))
    return Composition(counts, table.units, (np.arange(len(table.units)),), np.ones(len(ops)))


def _physics_fbnet(ops: OpIndices) -> Physics:
    table = _fbnet_table()
    return mobile_physics(_compose_fbnet(ops), table.stages, table.names, np.ones(len(ops)))


FBNET = Space("fbnet", _parse_fbnet, _compose_fbnet, _physics_fbnet, sample_choices(FBNET_POSITIONS, len(FBNET_OPS)))
