"""Which stores of a block are of values that are computed alike: those are lanes of one vector to SLP.

Source (LLVM 22): `BoUpSLP::buildTree` and `getSameOpcode` of `SLPVectorizer.cpp`: lanes have one operation, or a sum
and a difference in turns, of operands that do so in turn.
"""

from __future__ import annotations

from featurizers.mlir.build import Builder
from featurizers.mlir.indices import OF_ELEMENTS, moves_of
from featurizers.mlir.module import Block
from featurizers.mlir.nest import Nest

_IN_TURNS = {"arith.subf": "arith.addf", "arith.subi": "arith.addi"}
_DEPTH = 2

Shape = tuple[object, ...]


def mark(b: Builder, block: Block, nest: Nest) -> None:
    """Number the stores of a block by how their values are computed."""
    if sum([access.store for access in nest.accesses]) < 2:
        return
    moves = moves_of(block, nest)
    if not moves:
        return
    known: list[dict[int, Shape]] = [{} for _ in range(_DEPTH + 1)]
    for op in block.ops:
        name = _IN_TURNS.get(op.name, op.name)
        for result in op.results:
            known[0][result] = (name,)
            for depth in range(_DEPTH):
                parts = [known[depth].get(value, ()) for value in op.operands] if name not in OF_ELEMENTS else []
                known[depth + 1][result] = (name, *parts)
    numbers: dict[Shape, int] = {}
    for access, op in zip(nest.accesses, moves, strict=True):
        if access.store:
            access.shape = numbers.setdefault(known[_DEPTH].get(op.operands[0], ()), len(numbers))
