"""Which stores of a block are of values that are computed alike: those are lanes of one vector to SLP.

Source (LLVM 22): `BoUpSLP::buildTree` and `getSameOpcode` of `SLPVectorizer.cpp`: lanes have one operation, or a sum
and a difference in turns, of operands that do so in turn.
"""

from __future__ import annotations

from featurizers.mlir.build import Builder
from featurizers.mlir.indices import OF_ELEMENTS, moves_of
from featurizers.mlir.module import Block, Op
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
    made = {result: op for op in block.ops for result in op.results}
    numbers: dict[Shape, int] = {}
    for access, op in zip(nest.accesses, moves, strict=True):
        if access.store:
            access.shape = numbers.setdefault(_shape(made, op.operands[0], _DEPTH), len(numbers))


def _shape(made: dict[int, Op], value: int, depth: int) -> Shape:
    """The operation that makes a value, and so many of those before it; nothing where another block made it."""
    op = made.get(value)
    if op is None:
        return ()
    name = _IN_TURNS.get(op.name, op.name)
    if not depth or name in OF_ELEMENTS:
        return (name,)
    return name, *[_shape(made, operand, depth - 1) for operand in op.operands]
