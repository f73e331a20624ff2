"""Many NAS-Bench-201 cells at once, in numpy: the same kernels and columns as the graph path gives, ~1000 times sooner.

A network of the space is a stem, five equal cells in each of three stages, two reductions and a head, so that its
kernels are counts of few distinct ones. This module counts them from the (n, 6) operations; what a kernel looks like in
numbers is taken from the graph path (`fusion.kernels`) the first time it occurs. Counting follows the passes of
`fusion_ort` and `fusion_other` for the ops of this space: duplicates merged, batch normalisation folded, an addition
joins a convolution that nothing else reads, a ReLU joins what produces its only operand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from featurizers.network.nasbench201 import CELLS, CONV1, CONV3, EDGES, NONE, POOL

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Kind = tuple[str, int, bool, bool]
"""What distinguishes kernels of one stage: (op, kernel size, residual, activation)."""

_BEFORE_LAST = CELLS - 1


def live_edges(ops: Ints) -> Ints:
    """Operations (n, 6) with every edge set to 'none' that is on no path from node 0 to node 3."""
    on = ops != NONE
    e01, e02, e12, e03, e13, e23 = (on[:, i] for i in range(6))
    forward = [np.ones(len(ops), bool), e01, e02 | (e01 & e12)]
    backward2 = e23
    backward1 = e13 | (e12 & backward2)
    live = np.stack(
        [e01 & backward1, e02 & backward2, e12 & forward[1] & backward2, e03, e13 & forward[1], e23 & forward[2]],
        axis=1,
    )
    return np.where(live, ops, NONE)


@dataclass(slots=True)
class Counts:
    """Kernels of one stage's five cells: how many of each kind.

    input_joined : whether the ReLU on a stage's input is done by the stem or reduction that produces it.
    head_joined : size of the last cell's convolution that does the head's normalisation and ReLU as well, else 0.
    depth : kernels on the longest path through the five cells.
    head_depth : kernels of the head that `head_joined` saves.
    """

    kinds: dict[Kind, Ints]
    input_joined: Flags
    head_joined: Ints
    depth: Ints
    head_depth: int = 0


def written(ops: Ints) -> Counts:
    """Every node its own kernel: ReLU, convolution, normalisation, pool, addition."""
    convs = {k: CELLS * (ops == c).sum(axis=1) for k, c in ((1, CONV1), (3, CONV3))}
    both = convs[1] + convs[3]
    kinds: dict[Kind, Ints] = {
        ("Relu", 0, False, False): both,
        ("BatchNormalization", 0, False, False): both,
        ("Add", 0, False, False): CELLS * additions(ops),
        ("AveragePool", 0, False, False): CELLS * (ops == POOL).sum(axis=1),
    }
    kinds.update({("Conv", k, False, False): n for k, n in convs.items()})
    never = np.zeros(len(ops), bool)
    return Counts(kinds, never, np.zeros(len(ops), np.int64), CELLS * _written_depth(ops))


def additions(ops: Ints) -> Ints:
    """Additions of one cell: one fewer than the live edges into a node."""
    on = ops != NONE
    return np.asarray((on[:, 1] & on[:, 2]) + np.maximum(on[:, 3:].sum(axis=1) - 1, 0))


def _written_depth(ops: Ints) -> Ints:
    step = np.asarray([0, 0, 3, 3, 1])
    level = [np.zeros(len(ops), np.int64)]
    for node in (1, 2, 3):
        total, found = np.zeros(len(ops), np.int64), np.zeros(len(ops), bool)
        for edge, (source, target) in enumerate(EDGES):
            if target != node:
                continue
            on = ops[:, edge] != NONE
            term = level[source] + step[ops[:, edge]]
            total = np.where(on, np.where(found, np.maximum(total, term) + 1, term), total)
            found |= on
        level.append(total)
    return level[3]


def products(ops: Ints) -> Counts:
    """Convolutions only, as a simulated array executes them."""
    kinds: dict[Kind, Ints] = {
        ("Conv", k, False, False): CELLS * (ops == c).sum(axis=1) for k, c in ((1, CONV1), (3, CONV3))
    }
    never = np.zeros(len(ops), bool)
    return Counts(kinds, never, np.zeros(len(ops), np.int64), np.zeros(len(ops), np.int64))


class _Fused:
    """Value numbering of cells: equal numbers are equal values, computed once.

    0 is the cell's input, 1 to 6 the convolution on an edge, v + 8 the pool of v, 100 + 32 a + b the sum of a and b,
    2000 more the pool of a sum, 5000 the sum of three, from 20000 on sums with a sum.
    """

    def __init__(self, ops: Ints, *, post_ops: bool):
        self.ops = ops
        self.earliest_takes = post_ops
        self.add_takes_relu = post_ops
        self.n = len(ops)
        self.on = ops != NONE
        self.conv = (ops == CONV1) | (ops == CONV3)
        self.pool = ops == POOL
        self.value: list[Ints] = [self.all(0)]
        self.term: list[Ints] = [self.all(-1)] * 6
        self.adds: list[tuple[Ints, Ints, Ints]] = []
        self._number()
        self._join()

    def all(self, value: int) -> Ints:
        return np.full(self.n, value, np.int64)

    def _number(self) -> None:
        for edges in ((0,), (1, 2), (3, 4, 5)):
            total = self.all(-1)
            for edge in edges:
                v = self.value[EDGES[edge][0]]
                pooled = np.where(v >= 100, v + 2000, v + 8)
                term = np.where(self.conv[:, edge], edge + 1, np.where(self.pool[:, edge], pooled, v))
                self.term[edge] = np.where(self.on[:, edge], term, -1)
                total = self._sum(total, self.term[edge]) if edge not in (0, 1, 3) else self.term[edge]
            self.value.append(total)

    def _sum(self, total: Ints, term: Ints) -> Ints:
        adds = (total >= 0) & (term >= 0)
        pair = 100 + 32 * total + term + np.where(term >= 100, 20000, 0)
        made = np.where(adds, np.where(total >= 100, 5000, pair), -1)
        known = np.zeros(self.n, bool)
        for _, _, earlier in self.adds:
            known |= adds & (earlier == made)
        self.adds.append((np.where(adds & ~known, total, -1), np.where(adds & ~known, term, -1), made))
        return np.where(adds, made, np.where(term >= 0, term, total))

    def reads(self, v: Ints) -> Ints:
        """Operands of the cell's kernels that are `v` (the network's other cells not counted)."""
        reads = self.relu_of(v).astype(np.int64) + self._read_by(self.pool, v)
        for left, right, _ in self.adds:
            reads += (left == v) & (left >= 0)
            reads += (right == v) & (right >= 0)
        return reads

    def _read_by(self, kind: Flags, v: Ints) -> Flags:
        found = np.zeros(self.n, bool)
        for edge, (source, _) in enumerate(EDGES):
            found |= kind[:, edge] & (self.value[source] == v)
        return found

    def relu_of(self, v: Ints) -> Flags:
        return self._read_by(self.conv, v)

    def _join(self) -> None:
        """Which convolution takes in which addition."""
        self.taken_by: list[Ints] = []
        self.residual = np.zeros((self.n, 6), bool)
        for left, right, _ in self.adds:
            taker = self.all(0)
            for operand in (left, right):
                single = (operand >= 1) & (operand <= 6) & (self.reads(operand) == 1) & (operand != self.value[3])
                better = (taker == 0) | (self.earliest_takes & (operand < taker))
                taker = np.where(better & single & (left >= 0), operand, taker)
            for edge in range(6):
                self.residual[:, edge] |= taker == edge + 1
            self.taken_by.append(taker)

    def made_by(self, v: Ints) -> tuple[Ints, Flags]:
        """Number of the convolution (0: none) that writes `v`, and whether a plain addition does."""
        conv = np.where((v >= 1) & (v <= 6), v, 0)
        plain = np.zeros(self.n, bool)
        for (left, _, made), taker in zip(self.adds, self.taken_by, strict=True):
            here = (made == v) & (left >= 0)
            conv = np.where(here, taker, conv)
            plain |= here & (taker == 0)
        return conv, plain

    def takes_relu(self, v: Ints) -> Flags:
        """Whether the kernel that writes `v` can apply a ReLU."""
        conv, plain = self.made_by(v)
        return (conv > 0) | (plain & self.add_takes_relu)


def fused(ops: Ints, *, post_ops: bool) -> Counts:
    """Kernels after fusion; see `_Fused` for the values. Not for a cell whose output is its input.

    post_ops : of two convolutions that could take in an addition the earlier one does, and an addition of its own
        takes in a ReLU (OpenVINO); otherwise its first operand does, and it does not (onnxruntime).
    """
    cell = _Fused(ops, post_ops=post_ops)
    zero = cell.all(0)
    relu_first = cell.relu_of(zero)
    only_relu = relu_first & (cell.reads(zero) == 1)
    joined_later = only_relu & cell.takes_relu(cell.value[3])
    relus = _Relus(cell)
    kinds: dict[Kind, Ints] = {}
    _count_convs(cell, relus, joined_later, kinds)
    _count_adds(cell, relus, joined_later, kinds)
    kinds["AveragePool", 0, False, False] = CELLS * _distinct_pools(cell)
    of_input = (relu_first & ~only_relu) + _BEFORE_LAST * (relu_first & ~joined_later).astype(np.int64)
    kinds["Relu", 0, False, False] = CELLS * relus.left + of_input
    depth = _fused_depth(cell, relus, only_relu) + _BEFORE_LAST * _fused_depth(cell, relus, joined_later)
    output = cell.value[3]
    code = cell.ops[np.arange(cell.n), np.clip(output - 1, 0, 5)]
    head_joined = np.where((output >= 1) & (output <= 6), np.where(code == CONV1, 1, 3), 0)
    return Counts(kinds, only_relu, head_joined, depth, 2 if post_ops else 1)


class _Relus:
    """Of the values made inside a cell: ReLUs left as kernels, and what takes the others in."""

    def __init__(self, cell: _Fused):
        self.left = cell.all(0)
        self.of_conv = np.zeros((cell.n, 6), bool)
        self.of_add = [np.zeros(cell.n, bool) for _ in cell.adds]
        self.joined = [np.zeros(cell.n, bool) for _ in range(3)]
        for node in (1, 2):
            v = cell.value[node]
            fresh = (v > 0) & (v != cell.value[1]) if node == 2 else v > 0
            wanted = fresh & cell.relu_of(v)
            joined = wanted & (cell.reads(v) == 1) & cell.takes_relu(v) & (v != cell.value[3])
            self.left += wanted & ~joined
            self.joined[node] = joined
            conv = cell.made_by(v)[0]
            for edge in range(6):
                self.of_conv[:, edge] |= joined & (conv == edge + 1)
            for flags, (operand, _, made), taker in zip(self.of_add, cell.adds, cell.taken_by, strict=True):
                flags |= joined & (made == v) & (operand >= 0) & (taker == 0)


def _count_convs(cell: _Fused, relus: _Relus, joined: Flags, kinds: dict[Kind, Ints]) -> None:
    last = cell.made_by(cell.value[3])[0]
    for size, code in ((1, CONV1), (3, CONV3)):
        for residual in (False, True):
            plain, active = cell.all(0), cell.all(0)
            for edge in range(6):
                here = (cell.ops[:, edge] == code) & (cell.residual[:, edge] == residual)
                inside = relus.of_conv[:, edge]
                outside = (last == edge + 1) & joined & ~inside
                times = np.where(inside, CELLS, np.where(outside, _BEFORE_LAST, 0))
                active += np.where(here, times, 0)
                plain += np.where(here, CELLS - times, 0)
            kinds["Conv", size, residual, False] = plain
            kinds["Conv", size, residual, True] = active


def _count_adds(cell: _Fused, relus: _Relus, joined: Flags, kinds: dict[Kind, Ints]) -> None:
    plain, active = cell.all(0), cell.all(0)
    for (left, _, made), taker, inside in zip(cell.adds, cell.taken_by, relus.of_add, strict=True):
        here = (left >= 0) & (taker == 0)
        outside = (made == cell.value[3]) & joined & ~inside
        times = np.where(inside, CELLS, np.where(outside, _BEFORE_LAST, 0))
        active += np.where(here, times, 0)
        plain += np.where(here, CELLS - times, 0)
    kinds["Add", 0, False, False] = plain
    kinds["Add", 0, False, True] = active


def _distinct_pools(cell: _Fused) -> Ints:
    """How many different values are pooled."""
    count = cell.all(0)
    reading = [
        np.logical_or.reduce([cell.pool[:, e] for e, (source, _) in enumerate(EDGES) if source == node])
        for node in range(3)
    ]
    for node in range(3):
        fresh = reading[node].copy()
        for earlier in range(node):
            fresh &= ~(reading[earlier] & (cell.value[earlier] == cell.value[node]))
        count += fresh
    return count


def _fused_depth(cell: _Fused, relus: _Relus, input_joined: Flags) -> Ints:
    """Kernels on the longest path through one cell."""
    joined = [input_joined]
    for node in (1, 2):
        flag = np.where(cell.value[node] == 0, input_joined, relus.joined[node])
        joined.append(np.where(cell.value[node] == cell.value[1], joined[1], flag) if node == 2 else flag)
    level = [cell.all(0)]
    sums: list[tuple[Ints, Ints]] = []
    additions_left = iter(zip(cell.adds, cell.taken_by, strict=True))
    for edges in ((0,), (1, 2), (3, 4, 5)):
        total = cell.all(-1)
        for edge in edges:
            source = EDGES[edge][0]
            after_relu = level[source] + np.where(joined[source], 0, 1)
            step = np.where(cell.pool[:, edge], level[source] + 1, level[source])
            term = np.where(cell.conv[:, edge], after_relu + 1, step)
            term = np.where(cell.on[:, edge], term, -1)
            if edge == edges[0]:
                total = term
                continue
            add, taker = next(additions_left)
            total = _level_of_sum(total, term, add, taker)
            for made, earlier in sums:  # an equal sum is not computed again
                total = np.where((add[2] == made) & (made >= 0), earlier, total)
            sums.append((add[2], total))
        level.append(total)
    return level[3]


def _level_of_sum(total: Ints, term: Ints, add: tuple[Ints, Ints, Ints], taker: Ints) -> Ints:
    """A sum inside the convolution that makes one operand costs no kernel on that operand's path."""
    left = np.where((taker > 0) & (taker == add[0]), total, total + 1)
    right = np.where((taker > 0) & (taker == add[1]), term, term + 1)
    return np.where((total >= 0) & (term >= 0), np.maximum(left, right), np.maximum(total, term))


RULES: Mapping[str, Callable[[Ints], Counts]] = {
    "none": written,
    "onnxruntime-noopt": written,
    "torch-eager": written,
    "sim": products,
    "onnxruntime": partial(fused, post_ops=False),
    "openvino": partial(fused, post_ops=True),
}
"""Profiles that can be counted; others go by the graph."""
