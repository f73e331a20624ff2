"""The SSA data-flow graph with loop-nest edges, as numbers."""

from __future__ import annotations

from math import log2

import numpy as np

from featurizers.core import Column, Graph
from featurizers.mlir.module import Block, Op
from featurizers.mlir.program import Program
from featurizers.mlir.vocabulary import index

NODE_COLUMNS = (
    Column("log2_trip", "log2 iterations", "loops"),
    Column("log2_weight", "log2 executions", "loops"),
    Column("depth", "1", "loops"),
    Column("bits", "bit", "types"),
    Column("is_float", "1", "types"),
    Column("log2_elements", "log2 elements", "types"),
    Column("rank", "1", "types"),
    Column("operands", "1", "operations"),
)
DATA, NEST = 0, 1
MAX_NODES = 20_000


def graph(program: Program) -> Graph:
    """Nodes: operations, and block arguments. Edges: from what makes a value to what reads it; from an operation to
    those in its regions."""
    return _Writer(program).run()


class _Writer:
    def __init__(self, program: Program):
        self.program = program
        self.module = program.module
        self.words = index("nodes")
        self.rows: list[tuple[float, ...]] = []
        self.types: list[int] = []
        self.edges: list[tuple[int, int, int]] = []
        self.maker: dict[int, int] = {}

    def run(self) -> Graph:
        for op in self.module.ops:
            self.op(op, None, 0.0, 0)
        nodes = np.asarray(self.rows, dtype=np.float32).reshape(-1, len(NODE_COLUMNS))
        edges = np.asarray(self.edges, dtype=np.int64).reshape(-1, 3)
        return Graph(nodes, np.asarray(self.types, dtype=np.int64), edges[:, :2].T.copy(), edges[:, 2].copy())

    def node(self, word: str, value: int | None, trip: float, weight: float, depth: int, operands: int) -> int:
        kind = None if value is None else self.module.type_of(value)
        self.types.append(self.words.get(word, 0))
        shape = (0.0, 0.0, 0.0, 0.0) if kind is None else (
            float(kind.bits), float(kind.is_float), log2(max(kind.size, 1)), float(len(kind.shape)))  # fmt: skip
        self.rows.append((trip, weight, float(depth), *shape, float(operands)))
        return len(self.rows) - 1

    def op(self, op: Op, parent: int | None, weight: float, depth: int) -> None:
        if len(self.rows) >= MAX_NODES:
            return
        trip = log2(max(self.program.trips.get(id(op), 1.0), 1.0))
        shown = op.results[0] if op.results else (op.operands[0] if op.operands else None)
        number = self.node(op.name, shown, trip, weight, depth, len(op.operands))
        if parent is not None:
            self.edges.append((parent, number, NEST))
        for value in op.operands:
            if value in self.maker:
                self.edges.append((self.maker[value], number, DATA))
        for value in op.results:
            self.maker[value] = number
        inside = depth + (id(op) in self.program.trips)
        for region in op.regions:
            for block in region:
                self.block(block, number, weight + trip, inside)

    def block(self, block: Block, parent: int, weight: float, depth: int) -> None:
        for value in block.arguments:
            self.maker[value] = self.node("<argument>", value, 0.0, weight, depth, 0)
            self.edges.append((parent, self.maker[value], NEST))
        for op in block.ops:
            self.op(op, parent, weight, depth)
