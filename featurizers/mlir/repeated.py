"""Loops whose iterations all do the same to what they carry on: one of them is left.

Sources (LLVM 22): `IndVarSimplify` (`rewriteLoopExitValues`: a sum of what does not vary is a product, and the loop is
deleted), `InstructionSimplify` (a minimum of what has been compared before is no operation, once the loop is unrolled).
"""

from __future__ import annotations

from featurizers.mlir.module import Block

_UNROLLED = 300
"""`UnrollThreshold`."""
_CONTROL = 3
_SUMS = frozenset(("arith.addi", "arith.subi"))
_IDEMPOTENT = frozenset(
    [f"arith.{name}" for name in ("minsi", "maxsi", "minui", "maxui", "andi", "ori", "minimumf", "maximumf")]
)
_PURE = ("arith.", "math.", "affine.apply", "affine.load", "memref.load")


def once(block: Block, trip: float) -> bool:
    """Whether all iterations of a loop of so many come to one."""
    *ops, last = block.ops
    varying = set(block.arguments)
    steps = []
    for op in ops:
        if op.regions or not op.name.startswith(_PURE):
            return False
        if not varying.isdisjoint(op.operands):
            varying.update(op.results)
            steps.append(op)
    carried = block.arguments[1:]
    if not steps or len(steps) != len(carried) or len(last.operands) != len(carried):
        return False
    if (len(steps) + _CONTROL - 2) * trip + 2 >= _UNROLLED and any(op.name not in _SUMS for op in steps):
        return False
    made = {op.results[0]: op for op in steps if op.name in _SUMS or op.name in _IDEMPOTENT}
    for argument, value in zip(carried, last.operands, strict=True):
        step = made.get(value)
        if step is None or step.operands[0] == step.operands[1]:
            return False
        others = [operand for operand in step.operands if operand != argument]
        if len(others) != 1 or others[0] in varying or (step.name == "arith.subi" and step.operands[0] != argument):
            return False
    return True
