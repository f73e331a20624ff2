"""Factors that terms of a sum of whole numbers share: the terms are added first, and multiplied once.

Source (LLVM 22): `ReassociatePass::OptimizeAdd`, which goes by how often a factor occurs; sums and products that are
used once are taken apart for it, differences (`BreakUpSubtract`) and shifts (`ConvertShiftToMul`), too. Terms are then
added in the order of their ranks (`getRank`): what is loaded first comes first, and what is computed of it goes by the
last that it is of.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from featurizers.mlir.module import Block, Module, Op, count_uses

_SUM, _DIFFERENCE, _PRODUCT, _SHIFT = "arith.addi", "arith.subi", "arith.muli", "arith.shli"
_SUMS, _PRODUCTS = (_SUM, _DIFFERENCE), (_PRODUCT, _SHIFT)
_FEWEST = 2
"""Products in one sum that may share a factor."""
_MOST_TERMS = 128
_BITS = 63
"""Of the largest shift that is a product here."""
_IN_PLACE = frozenset(("arith.divsi", "arith.divui", "arith.remsi", "arith.remui"))
"""Operations that are not moved, which have ranks as loads have."""


class _Term(msgspec.Struct, frozen=True):
    """Of a sum, or of what is multiplied by a factor."""

    value: int
    negative: bool


class _Factor(msgspec.Struct, frozen=True):
    """Of a product. key : its number without its sign, or the value (below zero). by : what makes it. rest : the
    other factor."""

    key: int
    by: tuple[str, int]
    rest: int
    negative: bool


class _Factoring:
    """Of one function."""

    def __init__(self, module: Module, uses: dict[int, int]):
        self.module, self.uses = module, uses
        self.numbers: dict[int, int] = {}
        self.made: dict[int, Op] = {}
        self.ranks: dict[int, int] = {}

    def block(self, block: Block) -> None:
        """The sums of one block, and of those inside."""
        self.made = {}
        products = 0
        for op in block.ops:
            if op.name in _SUMS or op.name in _PRODUCTS:
                self.made[op.results[0]] = op
                products += op.name in _PRODUCTS
            elif op.name == "arith.constant" and isinstance(op.attributes.get("value"), int):
                self.numbers[op.results[0]] = op.attributes["value"]
        if products >= _FEWEST:
            self._rank(block)
            self._sums(block)
        for op in block.ops:
            for region in op.regions:
                for inner in region:
                    self.block(inner)

    def _rank(self, block: Block) -> None:
        """Loads, and what else has a place of its own, in turn; others come after what they are of. Constants, and what
        is known before the block, are first."""
        ranks = self.ranks = dict.fromkeys(block.arguments, 1)
        last = 1
        for op in block.ops:
            if not op.results:
                continue
            if op.name == "arith.constant":
                rank = 0
            elif op.name.startswith("arith.") and op.name not in _IN_PLACE:
                rank = self._after(op.operands)
            else:
                rank = last = last + 1
            for result in op.results:
                ranks[result] = rank

    def _after(self, operands: list[int]) -> int:
        return 1 + max([self.ranks.get(value, 0) for value in operands], default=0)

    def _sums(self, block: Block) -> None:
        parts = {value for op in self.made.values() if op.name in _SUMS for value in op.operands}
        gone: set[int] = set()
        before: dict[int, list[Op]] = {}
        for op in list(self.made.values()):
            result = op.results[0]
            kind = self.module.type_of(result)
            if op.name in _SUMS and kind.kind == "int" and kind.bits > 1 and not self._inside(result, parts):
                new = self._factored(op, gone)
                if new:
                    before[result] = new
        if before:
            ops: list[Op] = []
            for op in block.ops:
                first = op.results[0] if op.results else -1
                ops += before.get(first, ())
                if first not in gone:
                    ops.append(op)
            block.ops = ops

    def _inside(self, value: int, parts: set[int]) -> bool:
        return value in parts and self.uses.get(value) == 1

    def _factored(self, root: Op, gone: set[int]) -> list[Op]:
        """What comes before a sum whose terms share factors, which becomes the last operation; what is needed no more
        is added to `gone`."""
        inner: list[int] = []
        terms = self._terms(root, inner)
        new: list[Op] = []
        while len(terms) <= _MOST_TERMS:
            shared = self._shared(terms)
            if not shared:
                break
            new += self._product(root, terms, shared, gone)
        if new:
            gone.update(inner)
            if len(terms) == 1:
                last = new.pop()
                root.name, root.operands = last.name, last.operands
            else:
                self._chain(root, terms, new)
        return new

    def _terms(self, root: Op, inner: list[int]) -> list[_Term]:
        found: list[_Term] = []
        left = [_Term(root.results[0], False)]
        while left:
            term = left.pop()
            op = self.made.get(term.value)
            if op is None or op.name not in _SUMS or (op is not root and self.uses.get(term.value) != 1):
                found.append(term)
                continue
            if op is not root:
                inner.append(term.value)
            one, other = op.operands
            left += [_Term(other, term.negative != (op.name == _DIFFERENCE)), _Term(one, term.negative)]
        return found

    def _factors(self, term: _Term) -> list[_Factor]:
        op = self.made.get(term.value)
        if op is None or op.name not in _PRODUCTS or self.uses.get(term.value) != 1:
            return []
        one, other = op.operands
        if op.name == _SHIFT:
            by = self.numbers.get(other, 0)
            return [_Factor(1 << by, (_SHIFT, other), one, term.negative)] if 0 < by < _BITS else []
        found = []
        for factor, rest in ((other, one), (one, other)) if one != other else ((one, one),):
            number = self.numbers.get(factor)
            if number is None:
                found.append(_Factor(-1 - factor, (_PRODUCT, factor), rest, term.negative))
            elif abs(number) > 1:
                found.append(_Factor(abs(number), (_PRODUCT, factor), rest, term.negative != (number < 0)))
        return found

    def _shared(self, terms: list[_Term]) -> dict[int, _Factor]:
        """The factor that most terms have, by their place; empty where none has two."""
        found: dict[int, dict[int, _Factor]] = {}
        for place, term in enumerate(terms):
            for factor in self._factors(term):
                found.setdefault(factor.key, {})[place] = factor
        most = max(found.values(), key=len, default={})
        return most if len(most) >= _FEWEST else {}

    def _product(self, root: Op, terms: list[_Term], shared: dict[int, _Factor], gone: set[int]) -> list[Op]:
        """Of the sum of what these terms multiply with their factor, which takes their place."""
        by = next((each.by for each in shared.values() if self.numbers.get(each.by[1], 1) > 0), None)
        rest = [_Term(each.rest, each.negative) for each in shared.values()]
        if by is None:  # all are with one number below zero
            by = next(iter(shared.values())).by
            rest = [_Term(each.value, not each.negative) for each in rest]
        negative = all(each.negative for each in rest)
        if negative:
            rest = [_Term(each.value, False) for each in rest]
        for place in shared:
            gone.add(terms[place].value)
        terms[:] = [term for place, term in enumerate(terms) if place not in shared]
        total, product = self._new(_SUM, root), self._new(by[0], root)
        found: list[Op] = []
        self._chain(total, rest, found)
        product.operands = [total.results[0], by[1]]
        self.ranks[product.results[0]] = self._after(product.operands)
        terms.append(_Term(product.results[0], negative))
        return [*found, total, product]

    def _chain(self, last: Op, terms: list[_Term], before: list[Op]) -> None:
        """Add up terms, of which one is no negative one, by their ranks."""
        ranks = self.ranks
        terms = sorted(terms, key=lambda term: ranks.get(term.value, 0))
        first = next((place for place, term in enumerate(terms) if not term.negative), 0)
        total = terms[first].value
        others = terms[:first] + terms[first + 1 :]
        for term in others:
            op = last if term is others[-1] else self._new(_SUM, last)
            op.name, op.operands = _DIFFERENCE if term.negative else _SUM, [total, term.value]
            total = op.results[0]
            ranks[total] = self._after(op.operands)
            if op is not last:
                before.append(op)

    def _new(self, name: str, like: Op) -> Op:
        made = self.module.new_value(self.module.value_types[like.results[0]])
        self.uses[made] = 1
        op = Op(name, [], [made], {}, [], [], like.line, like.column)
        self.made[made] = op
        return op


def factor_out(module: Module, blocks: Sequence[Block]) -> None:
    """Take common factors out of the sums of a function, in place."""
    if _products(blocks) >= _FEWEST:
        uses: dict[int, int] = {}
        count_uses(blocks, uses)
        factoring = _Factoring(module, uses)
        for block in blocks:
            factoring.block(block)


def _products(blocks: Sequence[Block]) -> int:
    """The most products that one block has."""
    most = 0
    for block in blocks:
        own = 0
        for op in block.ops:
            own += op.name == _PRODUCT
            for region in op.regions:
                most = max(most, _products(region))
        most = max(most, own)
    return most
