"""NAS-Bench-201 as physics: Dong and Yang, ICLR 2020; a cell of six edges, 5 cells at each of 16, 32, 64 channels,
CIFAR-10 at 32x32."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from featurizers.core import Column
from featurizers.errors import InputError, UnknownNameError
from featurizers.network.nas_base import (
    Array,
    Composition,
    Launch,
    OpIndices,
    Physics,
    Space,
    Unit,
    index_row,
    sample_choices,
    stack,
)

NASBENCH201_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NASBENCH201_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_CELLS_PER_STAGE = 5
_NB_STAGES = ((16, 32), (32, 16), (64, 8))
_NB_EDGE = re.compile(r"([a-z_0-9]+)~(\d)")
_NB_SHAPE = re.compile(r"\|[^|]+\|\+\|[^|]+\|[^|]+\|\+\|[^|]+\|[^|]+\|[^|]+\|")


def _parse_nasbench201(encodings: Sequence[object]) -> OpIndices:
    return stack([_nasbench201_row(text, index) for index, text in enumerate(encodings)], len(NASBENCH201_EDGES))


def _nasbench201_row(encoding: object, index: int) -> list[int]:
    where = f"architecture {index}"
    if not isinstance(encoding, str):
        return index_row(encoding, len(NASBENCH201_EDGES), len(NASBENCH201_OPS), where)
    found = _NB_EDGE.findall(encoding)
    if not _NB_SHAPE.fullmatch(encoding) or len(found) != len(NASBENCH201_EDGES):
        raise InputError(
            "A NAS-Bench-201 architecture", "reads |op~0|+|op~0|op~1|+|op~0|op~1|op~2|", encoding, where=where
        )
    for (op, source), (expected, _) in zip(found, NASBENCH201_EDGES, strict=True):
        if op not in NASBENCH201_OPS:
            raise UnknownNameError("NAS-Bench-201 operation", op, NASBENCH201_OPS, where=where)
        if int(source) != expected:
            raise InputError(
                "The sources of a NAS-Bench-201 cell", "are 0, then 0 1, then 0 1 2", encoding, where=where
            )
    return [NASBENCH201_OPS.index(op) for op, _ in found]


def nasbench201_reach(ops: OpIndices) -> tuple[Array, Array, Array]:
    """Does the input reach an edge's source, does its target reach the output, (n, 6) each; input to output, (n,)."""
    passes = ops != NASBENCH201_OPS.index("none")
    forward = np.zeros((len(ops), 4), dtype=bool)
    backward = np.zeros((len(ops), 4), dtype=bool)
    forward[:, 0] = backward[:, 3] = True
    for edge, (source, target) in enumerate(NASBENCH201_EDGES):
        forward[:, target] |= forward[:, source] & passes[:, edge]
    for edge, (source, target) in reversed(list(enumerate(NASBENCH201_EDGES))):
        backward[:, source] |= backward[:, target] & passes[:, edge]
    sources, targets = np.array(NASBENCH201_EDGES).T
    as_float = [forward[:, sources], backward[:, targets], forward[:, 3]]
    return as_float[0].astype(float), as_float[1].astype(float), as_float[2].astype(float)


@cache
def _nasbench201_units() -> tuple[Unit, ...]:
    def over_stages(kind: str, macs_per_element: Callable[[int], float], traffic: float, weighted: bool) -> Unit:
        launches = []
        for channels, size in _NB_STAGES:
            elements = channels * size * size
            macs = macs_per_element(channels) * elements
            weights = macs / (size * size) if weighted else 0.0
            launches.append(Launch(kind, macs, traffic * elements, weights, channels))
        return tuple(launches) * _CELLS_PER_STAGE

    zero = over_stages("zero", lambda _: 0.0, 2.0, False)
    skip = over_stages("skip", lambda _: 0.0, 0.5, False)
    conv1 = over_stages("conv1", float, 2.0, True)
    conv3 = over_stages("conv3", lambda c: 9.0 * c, 2.0, True)
    pool = over_stages("pool", lambda _: 0.0, 2.0, False)
    return zero, skip, conv1, conv3, pool


def _one_hot(ops: OpIndices, size: int) -> Array:
    return np.asarray((ops[:, :, None] == np.arange(size)).astype(np.float64))


def _compose_nasbench201(ops: OpIndices) -> Composition:
    forward, backward, kept = nasbench201_reach(ops)
    hot, k = _one_hot(ops, len(NASBENCH201_OPS)), len(NASBENCH201_OPS)
    live = hot * backward[:, :, None]
    counts = np.concatenate([hot.sum(1), live.sum(1), (live * forward[:, :, None]).sum(1)], axis=1)
    variants = tuple(np.arange(k) + k * variant for variant in range(3))
    return Composition(counts, _nasbench201_units() * 3, variants, kept)


def _critical_path(ops: OpIndices) -> Array:
    """Longest path of the cell in convolutions (a pooling counts half), (n,); zero where nothing reaches the output."""
    weight = np.array([-np.inf, 0.0, 1.0, 1.0, 0.5])
    longest = np.full((len(ops), 4), -np.inf)
    longest[:, 0] = 0.0
    for edge, (source, target) in enumerate(NASBENCH201_EDGES):
        longest[:, target] = np.maximum(longest[:, target], longest[:, source] + weight[ops[:, edge]])
    return np.asarray(np.maximum(longest[:, 3], 0.0))


def _physics_nasbench201(ops: OpIndices) -> Physics:
    composition = _compose_nasbench201(ops)
    _, backward, kept = nasbench201_reach(ops)
    hot = _one_hot(ops, len(NASBENCH201_OPS))
    k = len(NASBENCH201_OPS)
    live = (hot * backward[:, :, None])[:, :, 1:]
    counts = composition.counts[:, :k]
    macs = counts @ np.array([sum(x.macs for x in unit) for unit in _nasbench201_units()])
    matrix = np.column_stack(
        [counts, macs, live.sum(1), kept, _critical_path(ops), hot.reshape(len(ops), -1), live.reshape(len(ops), -1)]
    )
    edges = [f"{a}to{b}" for a, b in NASBENCH201_EDGES]
    columns = [Column(f"count_{op}", "1", "network") for op in NASBENCH201_OPS] + [Column("macs", "MAC", "total")]
    columns += [Column(f"live_{op}", "1", "stage") for op in NASBENCH201_OPS[1:]]
    columns += [Column("output_depends_on_input", "1", "stage"), Column("critical_path", "1", "stage")]
    columns += [Column(f"edge_{edge}_{op}", "1", "block") for edge in edges for op in NASBENCH201_OPS]
    columns += [Column(f"live_edge_{edge}_{op}", "1", "block") for edge in edges for op in NASBENCH201_OPS[1:]]
    return Physics(matrix, tuple(columns))


NASBENCH201 = Space(
    "nasbench201", _parse_nasbench201, _compose_nasbench201, _physics_nasbench201,
    sample_choices(len(NASBENCH201_EDGES), len(NASBENCH201_OPS)),
)  # fmt: skip
