"""Operations that are written in the place of a loop."""

from __future__ import annotations

from featurizers.mlir.module import Block, Module, Op, Type

CONSTANT = "arith.constant"


class Rewritten:
    """Of one operation, those that stand for it."""

    def __init__(self, module: Module, op: Op):
        self.module, self.op = module, op
        self.ops: list[Op] = []

    def kind(self, kind: Type) -> int:
        """The index of a type, which is added where the module has none like it."""
        types = self.module.types
        if kind not in types:
            types.append(kind)
        return types.index(kind)

    def constant(self, number: int, kind: int) -> int:
        """A value that is a number."""
        return self.new(CONSTANT, [], kind, value=number)

    def new(self, op: str, operands: list[int], kind: int, /, **attributes: int | str) -> int:
        """The result, of this type, of one more operation."""
        made = self.module.new_value(kind)
        self.add(op, operands, made, **attributes)
        return made

    def add(self, op: str, operands: list[int], result: int, /, **attributes: int | str) -> None:
        """One more operation, with a result that is there already."""
        self.ops.append(Op(op, operands, [result], attributes, [], [], self.op.line, self.op.column))

    def ending_in(self, result: int) -> list[Op]:
        """All of them, the last of which has the result that was the loop's."""
        self.ops[-1].results = [result]
        return self.ops


def without_constants(block: Block) -> list[Op]:
    """The operations of a block that do something."""
    return [op for op in block.ops if op.name != CONSTANT]
