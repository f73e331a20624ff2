"""Which stores of a block are of values that are computed alike: those are lanes of one vector to SLP.

Source (LLVM 22): `BoUpSLP::buildTree` and `getSameOpcode` of `SLPVectorizer.cpp`: lanes have one operation, or a sum
and a difference in turns, of operands that do so in turn.
"""

from __future__ import annotations

from featurizers.mlir.build import Builder
from featurizers.mlir.module import Block
from featurizers.mlir.nest import Nest

_MOVES = {"affine.load": 0, "memref.load": 0, "affine.store": 1, "memref.store": 1}
_IN_TURNS = {"arith.subf": "arith.addf", "arith.subi": "arith.addi"}
_DEPTH = 2

Shape = tuple[object, ...]


def mark(b: Builder, block: Block, nest: Nest) -> None:
    """Number the stores of a block by how their values are computed."""
    stores = [access for access in nest.accesses if access.store]
    if len(stores) < 2:
        return
    moves = [op for op in block.ops if op.name in _MOVES]
    if len(moves) != len(nest.accesses):
        return
    known: list[dict[int, Shape]] = [{} for _ in range(_DEPTH + 1)]
    for op in block.ops:
        name = _IN_TURNS.get(op.name, op.name)
        for result in op.results:
            known[0][result] = (name,)
            for depth in range(_DEPTH):
                parts = [known[depth].get(value, ()) for value in op.operands] if name not in _MOVES else []
                known[depth + 1][result] = (name, *parts)
    numbers: dict[Shape, int] = {}
    values = [op.operands[0] for op in moves if _MOVES[op.name]]
    for access, value in zip(stores, values, strict=True):
        access.shape = numbers.setdefault(known[_DEPTH].get(value, ()), len(numbers))
