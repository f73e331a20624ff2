"""Features of NAS-Bench-201 cells: a few are counted, many are looked up in a table of the whole space.

The space has 15,625 cells, 9,445 of them different once dead edges are gone: for one profile and batch size their
features fit into some 7 MB and take about a second to compute, after which a cell costs a look-up.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from featurizers.core import Features, Parts
from featurizers.network.columns import COLUMNS, FACTS, graph_facts, vectors_of
from featurizers.network.fusion import kernels
from featurizers.network.graph import NetworkGraph
from featurizers.network.kernels import PART_COLUMNS
from featurizers.network.nasbench201 import EDGES, OPERATIONS, build
from featurizers.network.nasbench201_batch import count, countable
from featurizers.network.nasbench201_fast import RULES, Ints, live_edges
from featurizers.network.parts import joined, parts_of_counts, parts_of_kernels

_TABLE_FROM_CELLS = 32
"""A table is computed once that many cells were asked for under a profile and batch size."""
_POWERS = len(OPERATIONS) ** np.arange(len(EDGES))[::-1]
_KERNELS_MAX = 256
_ZEROS, _COUNTING = np.zeros(_KERNELS_MAX, np.int64), np.arange(_KERNELS_MAX)
"""Owner and number of the entries of one cell, which has some 20 different kernels."""
_asked: Counter[tuple[str, int]] = Counter()


def features_of_cells(ops: Ints, profile: str, batch: int) -> Features:
    """Features of cells given by operation codes (n, 6), dead edges allowed."""
    if profile in RULES:
        _asked[profile, batch] += len(ops)
        if _asked[profile, batch] >= _TABLE_FROM_CELLS:
            return table(profile, batch).take(ops)
    return counted(live_edges(ops), profile, batch)


def counted(ops: Ints, profile: str, batch: int) -> Features:
    """Features of live cells without the table."""
    fast = countable(ops) if profile in RULES else np.zeros(len(ops), dtype=bool)
    groups = []
    if fast.any():
        found = count(ops[fast], profile, batch)
        parts = parts_of_counts(found.counts, found.rows)
        vectors = vectors_of(parts, found.facts, len(found.facts))
        groups.append((np.flatnonzero(fast), Features(vectors, COLUMNS, parts, PART_COLUMNS)))
    if not fast.all():
        graphs = [_graph(tuple(int(v) for v in row), batch) for row in ops[~fast]]
        groups.append((np.flatnonzero(~fast), features_of_graphs(graphs, profile)))
    return joined(groups, len(ops))


@lru_cache(maxsize=2048)
def _graph(ops: tuple[int, ...], batch: int) -> NetworkGraph:
    """Graphs of cells that are not counted; each keeps the kernels found for it."""
    return build(ops, batch)


def features_of_graphs(graphs: list[NetworkGraph], profile: str, *, names: bool = False) -> Features:
    """Features of any graphs."""
    found = [kernels(graph, profile) for graph in graphs]
    rows = [graph_facts(graph, run).row() for graph, run in zip(graphs, found, strict=True)]
    facts = np.asarray(rows, dtype=np.float64).reshape(len(graphs), len(FACTS))
    parts = parts_of_kernels(found, names=names)
    return Features(vectors_of(parts, facts, len(graphs)), COLUMNS, parts, PART_COLUMNS)


class Table:
    """Features of every cell of the space under one profile and batch size."""

    def __init__(self, profile: str, batch: int):
        every = np.stack(np.unravel_index(np.arange(len(OPERATIONS) ** len(EDGES)), (len(OPERATIONS),) * len(EDGES)), 1)
        codes, self._row = np.unique(live_edges(every) @ _POWERS, return_inverse=True)
        features = counted(every[codes], profile, batch)
        parts = features.parts or parts_of_kernels((), names=False)
        self._vectors = features.vectors
        self._matrix = parts.matrix
        self._part = parts.part.astype(np.int32)
        self._count = parts.count
        self._start = np.searchsorted(parts.owner, np.arange(len(codes) + 1))

    def take(self, ops: Ints) -> Features:
        """Features of the given cells, dead edges allowed."""
        rows = self._row[ops @ _POWERS]
        if len(rows) == 1:
            return self._take_one(int(rows[0]))
        first, lengths = self._start[rows], self._start[rows + 1] - self._start[rows]
        before = np.cumsum(lengths) - lengths
        entries = np.repeat(first - before, lengths) + np.arange(int(lengths.sum()))
        used = np.zeros(len(self._matrix), dtype=bool)
        used[self._part[entries]] = True
        renamed = np.cumsum(used) - 1
        owner = np.repeat(np.arange(len(rows)), lengths)
        parts = Parts(self._matrix[used], owner, renamed[self._part[entries]], self._count[entries])
        return Features(self._vectors[rows], COLUMNS, parts, PART_COLUMNS)

    def _take_one(self, row: int) -> Features:
        """As `take`; a cell lists each of its kernels once, so that no two entries are to be told apart."""
        here = slice(self._start[row], self._start[row + 1])
        own = self._part[here]
        parts = Parts(self._matrix[own], _ZEROS[: len(own)], _COUNTING[: len(own)], self._count[here])
        return Features(self._vectors[row : row + 1], COLUMNS, parts, PART_COLUMNS)


@lru_cache(maxsize=8)
def table(profile: str, batch: int) -> Table:
    """The table of a profile of `RULES` and a batch size; the eight last used are kept."""
    return Table(profile, batch)
