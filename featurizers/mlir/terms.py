"""Equal terms of a sum of whole numbers in vectors, products with a constant: one with a larger constant is left.

Source (LLVM 22): `Reassociate.cpp` (`ReassociatePass::OptimizeAdd`). Equal products are one value already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from featurizers.mlir.module import Block, Op, count_uses

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

_NONE = frozenset[int]()


class _Terms:
    """constants : values that are. products : those with one. terms : of sums, the products in them. gone : sums that
    others are now."""

    def __init__(self, b: Builder, uses: dict[int, int]):
        self.whole = [kind.kind == "vector" and not kind.is_float for kind in b.module.types]
        self.of, self.uses = b.module.value_types, uses
        self.constants: set[int] = set()
        self.products: set[int] = set()
        self.terms: dict[int, frozenset[int]] = {}
        self.gone: dict[int, int] = {}

    def blocks(self, blocks: Sequence[Block]) -> None:
        """All operations, in order, and those inside them."""
        for block in blocks:
            for op in block.ops:
                if self.gone:
                    op.operands = [self.gone.get(value, value) for value in op.operands]
                if op.name == "arith.constant" or (op.name == "vector.broadcast" and op.operands[0] in self.constants):
                    self.constants.update(op.results)
                elif op.name in ("arith.muli", "arith.addi") and self.whole[self.of[op.results[0]]]:
                    self._made(op)
                for region in op.regions:
                    self.blocks(region)

    def _made(self, op: Op) -> None:
        result = op.results[0]
        if op.name == "arith.muli":
            if not self.constants.isdisjoint(op.operands):
                self.products.add(result)
            return
        one, other = op.operands
        for term, rest in ((one, other), (other, one)):
            if term in self.products and self.uses.get(rest) == 1 and term in self.terms.get(rest, _NONE):
                self.gone[result] = rest
                self.uses[rest] = self.uses.get(result, 0)
                return
        self.terms[result] = self._of(one) | self._of(other)

    def _of(self, value: int) -> frozenset[int]:
        """The products in what is added, which one sum uses."""
        if value in self.products:
            return frozenset((value,))
        return self.terms.get(value, _NONE) if self.uses.get(value) == 1 else _NONE


def put_together(b: Builder, blocks: Sequence[Block]) -> bool:
    """Leave out of sums what is in them already. Whether anything was: it is used no more."""
    if not any(kind.kind == "vector" and not kind.is_float for kind in b.module.types):
        return False
    uses: dict[int, int] = {}
    count_uses(blocks, uses)
    found = _Terms(b, uses)
    found.blocks(blocks)
    return bool(found.gone)
