"""Values that a loop carries on and nobody asks for behind it: neither they nor what is computed for them is left.

Source (LLVM 22): `ADCE.cpp`. MLIR's canonicalisation removes them of ``scf.for``, but not of ``affine.for``; unrolling
with a remainder leaves such sums behind where a loop has several.
"""

from __future__ import annotations

from featurizers.mlir.build import Builder
from featurizers.mlir.fused import uses
from featurizers.mlir.module import Block, Op

_FREE = ("arith.", "math.", "affine.apply", "affine.load", "memref.load")
"""Operations that do nothing but give their results."""


def without_dead(b: Builder, op: Op, block: Block) -> Block:
    """The body of a loop without the values that it carries on for nothing."""
    carried, end = len(op.results), block.ops[-1] if block.ops else op
    kept = [uses(b, result) > 0 for result in op.results]
    if all(kept) or len(end.operands) != carried or len(block.arguments) <= carried:
        return block
    arguments = block.arguments[-carried:]
    ops, more = block.ops, True
    while more:
        live = {value for value, keep in zip(end.operands, kept, strict=True) if keep}
        ops = _live(block.ops[:-1], live)
        known, kept = kept, [keep or argument in live for keep, argument in zip(kept, arguments, strict=True)]
        more = kept != known
    if all(kept):
        return block
    first = block.arguments[:-carried]
    left = [argument for argument, keep in zip(arguments, kept, strict=True) if keep]
    yielded = [value for value, keep in zip(end.operands, kept, strict=True) if keep]
    last = Op(end.name, yielded, [], end.attributes, end.regions, end.successors, end.line, end.column)
    return Block([*first, *left], [*ops, last])


def _live(ops: list[Op], live: set[int]) -> list[Op]:
    """Those that are needed for what is `live`, to which their operands are added."""
    found = []
    for op in reversed(ops):
        if op.regions or not op.name.startswith(_FREE) or not live.isdisjoint(op.results):
            found.append(op)
            live.update(op.operands)
            for region in op.regions:
                for block in region:
                    _asked(block, live)
    return found[::-1]


def _asked(block: Block, live: set[int]) -> None:
    for op in block.ops:
        live.update(op.operands)
        for region in op.regions:
            for inside in region:
                _asked(inside, live)
