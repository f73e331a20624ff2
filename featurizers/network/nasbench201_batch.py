"""Parts and facts of many NAS-Bench-201 cells: counts from `nasbench201_fast`, numbers from the graph path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from featurizers.network.columns import FACTS, graph_facts
from featurizers.network.fusion import kernels
from featurizers.network.graph import DTYPE_BYTES
from featurizers.network.kernels import ACTIVATIONS, PART_INDEX, Kernel, Key, Row
from featurizers.network.nasbench201 import (
    CELLS,
    CHANNELS,
    CONV1,
    CONV3,
    EDGES,
    NONE,
    POOL,
    RESOLUTION,
    SKIP,
    Ops,
    build,
)
from featurizers.network.nasbench201_fast import RULES, Counts, Ints, Kind, additions

Floats = npt.NDArray[np.float64]
_IDENTITY: Ops = (NONE, NONE, NONE, SKIP, NONE, NONE)
_STAGES = range(1, len(CHANNELS) + 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Counts (n, kernels) of the distinct kernels, whose keys and rows are given, and `FACTS` (n, facts)."""

    keys: tuple[Key, ...]
    rows: tuple[Row, ...]
    counts: Ints
    facts: Floats


def countable(ops: Ints) -> npt.NDArray[np.bool_]:
    """Which cells can be counted: connected, and more than a chain of skips."""
    chain = (ops[:, 3] == SKIP) & (np.delete(ops, 3, axis=1) == NONE).all(axis=1)
    alone = (ops != NONE).sum(axis=1)
    skips = (ops == SKIP).sum(axis=1)
    through = (alone == skips) & (additions(ops) == 0)
    connected = (ops[:, 3:] != NONE).any(axis=1)
    return np.asarray(connected & ~chain & ~through)


def count(ops: Ints, profile: str, batch: int) -> Batch:
    """Kernels and facts of countable live cells (n, 6) under a profile of `RULES`."""
    counts = RULES[profile](ops)
    known = _templates(profile, batch)
    keys: dict[Key, int] = {}
    columns: list[Ints] = []
    rows: list[Row] = []

    def add(kernel_key: Key, row: Row, number: Ints) -> None:
        at = keys.setdefault(kernel_key, len(rows))
        if at == len(rows):
            rows.append(row)
            columns.append(np.zeros(len(ops), np.int64))
        columns[at] = columns[at] + number

    for kind, number in counts.kinds.items():
        for stage in _STAGES:
            here = number + _head_change(ops, counts, kind) if stage == _STAGES[-1] else number
            if here.any():
                key, row = known.kernel(stage, kind, _ops_of(ops, int(np.argmax(here > 0))))
                add(key, row, here)
    for joined, head in ((False, False), (False, True), (True, False), (True, True)):
        which = (counts.input_joined == joined) & ((counts.head_joined > 0) == head)
        if which.any():
            for key, (row, times) in known.fixed(_ops_of(ops, int(np.argmax(which))), (joined, head)).items():
                add(key, row, np.where(which, times, 0))
    stacked = np.stack(columns, axis=1) if columns else np.zeros((len(ops), 0), np.int64)
    return Batch(tuple(keys), tuple(rows), stacked, _facts(ops, counts, known))


def _head_change(ops: Ints, counts: Counts, kind: Kind) -> Ints:
    """The last convolution of the last stage takes in the head's ReLU where it takes in the head's normalisation."""
    op, size, residual, active = kind
    if op != "Conv" or residual:
        return np.zeros(len(ops), np.int64)
    return np.where(counts.head_joined == size, 1 if active else -1, 0)


def _ops_of(ops: Ints, index: int) -> Ops:
    return tuple(int(v) for v in ops[index])


@dataclass(slots=True)
class _Templates:
    """Kernels of the space under one profile and batch size, filled from the graph path when first needed."""

    profile: str
    batch: int
    cells: dict[tuple[int, Kind], tuple[Key, Row]] = field(default_factory=dict)
    others: dict[tuple[bool, bool], dict[Key, tuple[Row, int]]] = field(default_factory=dict)
    base: Floats | None = None
    least_peak: float = 0.0

    def kernel(self, stage: int, kind: Kind, example: Ops) -> tuple[Key, Row]:
        """The kernel of a kind in a stage; `example` is a cell that has one."""
        if (stage, kind) not in self.cells:
            for kernel in self._run(example):
                at = _stage_of(kernel)
                if at:
                    self.cells[at, _kind_of(kernel)] = (kernel.key, kernel.row)
        return self.cells[stage, kind]

    def fixed(self, example: Ops, joined: tuple[bool, bool]) -> dict[Key, tuple[Row, int]]:
        """Kernels outside the cells and how often, by whether stage inputs and head are `joined` to other kernels."""
        if joined not in self.others:
            found: dict[Key, tuple[Row, int]] = {}
            for kernel in self._run(example):
                if not _stage_of(kernel):
                    found[kernel.key] = (kernel.row, found.get(kernel.key, (kernel.row, 0))[1] + 1)
            self.others[joined] = found
        return self.others[joined]

    def constants(self, example: Ops, cell_depth: int) -> Floats:
        """`FACTS` of a network less what its cells contribute."""
        if self.base is None:
            graph = build(example, self.batch)
            row = np.asarray(graph_facts(graph, kernels(graph, self.profile)).row(), dtype=np.float64)
            ops = np.asarray([example])
            names = [name for name, _ in FACTS]
            row[names.index("parameters")] -= _parameters(ops)[0]
            row[names.index("nodes")] -= _nodes(ops)[0]
            if self.profile != "sim":
                row[names.index("depth")] -= cell_depth
            empty = build(_IDENTITY, self.batch)
            self.least_peak = graph_facts(empty, ()).peak_activation_bytes
            self.base = row
        return self.base

    def _run(self, ops: Ops) -> Sequence[Kernel]:
        return kernels(build(ops, self.batch), self.profile)


@lru_cache(maxsize=64)
def _templates(profile: str, batch: int) -> _Templates:
    return _Templates(profile, batch)


def _stage_of(kernel: Kernel) -> int:
    """The stage of a kernel that belongs to a cell, 0 for any other."""
    first = kernel.names[0] if kernel.names else ""
    return int(first[5]) if first.startswith("stage") and first[7:11] == "cell" else 0


def _kind_of(kernel: Kernel) -> Kind:
    row = kernel.row
    size = int(row[PART_INDEX["kernel_h"]]) if kernel.op == "Conv" else 0
    active = row[PART_INDEX["activation"]] == ACTIVATIONS.index("Relu")
    return kernel.op, size, kernel.op == "Conv" and bool(row[PART_INDEX["residual"]]), bool(active)


def _parameters(ops: Ints) -> Ints:
    """Weights of all cells: convolutions and the four vectors of their normalisation."""
    ones, threes = (ops == CONV1).sum(axis=1), (ops == CONV3).sum(axis=1)
    squares, sums = sum(c * c for c in CHANNELS), sum(CHANNELS)
    return np.asarray(CELLS * (squares * (ones + 9 * threes) + 4 * sums * (ones + threes)))


def _nodes(ops: Ints) -> Ints:
    convs = ((ops == CONV1) | (ops == CONV3)).sum(axis=1)
    return np.asarray(CELLS * len(CHANNELS) * (3 * convs + (ops == POOL).sum(axis=1) + additions(ops)))


def _facts(ops: Ints, counts: Counts, known: _Templates) -> Floats:
    depth = len(CHANNELS) * counts.depth - counts.head_depth * (counts.head_joined > 0)
    base = known.constants(_ops_of(ops, 0), int(depth[0]))
    facts = np.repeat(base[None, :], len(ops), axis=0)
    names = [name for name, _ in FACTS]
    facts[:, names.index("parameters")] += _parameters(ops)
    facts[:, names.index("nodes")] += _nodes(ops)
    if known.profile != "sim":
        facts[:, names.index("depth")] += depth
    value = CHANNELS[0] * RESOLUTION**2 * DTYPE_BYTES["float32"] * known.batch
    facts[:, names.index("peak_activation_bytes")] = np.maximum(peak_values(ops) * value, known.least_peak)
    return facts


def peak_values(ops: Ints) -> Ints:
    """Most values of one cell's size that are alive at once while the cell runs as written, its input among them."""
    n = len(ops)
    events = list(_events(ops))
    last = np.full((n, 22), -1, np.int64)
    everyone = np.arange(n)
    for time, (active, reads, _) in enumerate(events):
        for read in reads:
            last[everyone[active], read[active]] = time
    alive = np.ones(n, np.int64)
    peak = alive.copy()
    for time, (active, reads, _) in enumerate(events):
        alive += active
        peak = np.maximum(peak, alive)
        ended = np.zeros(n, np.int64)
        for index, read in enumerate(reads):
            repeated = np.logical_or.reduce([read == r for r in reads[:index]]) if index else np.zeros(n, bool)
            ended += active & (last[everyone, read] == time) & ~repeated
        alive -= ended
    return peak


def _events(ops: Ints) -> list[tuple[npt.NDArray[np.bool_], list[Ints], int]]:
    """Steps of a cell in order: (cells that take it, numbers of the values it reads, number of the one it makes)."""
    n = len(ops)
    value = [np.zeros(n, np.int64)] + [np.full(n, -1, np.int64) for _ in range(3)]
    events: list[tuple[npt.NDArray[np.bool_], list[Ints], int]] = []
    for edge, (source, target) in enumerate(EDGES):
        conv, pool = (ops[:, edge] == CONV1) | (ops[:, edge] == CONV3), ops[:, edge] == POOL
        first = 1 + 3 * edge
        events.append((conv, [value[source]], first))
        events.append((conv, [np.full(n, first)], first + 1))
        read = np.where(conv, first + 1, value[source])
        events.append((conv | pool, [read], first + 2))
        term = np.where(conv | pool, first + 2, value[source])
        on = ops[:, edge] != NONE
        adds = on & (value[target] >= 0)
        made = 19 + (0 if target == 2 else edge - 3)
        events.append((adds, [value[target], term], made))
        value[target] = np.where(adds, made, np.where(on, term, value[target]))
    return events
