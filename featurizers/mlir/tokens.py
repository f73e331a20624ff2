"""The two token streams of 'ML-driven Hardware Cost Model for MLIR' (arXiv 2302.11405, sec. 4): operations with their
types and shapes; the same with operands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from featurizers.core import IntArray
from featurizers.mlir.module import Block, Module, Op, Type
from featurizers.mlir.vocabulary import index, number_word, value_word

MAX_TOKENS = 20_000
"""A longer program is cut: sequence models see no more than a few thousand anyway."""


def tokens(module: Module, stream: str) -> IntArray:
    """Token ids of a module, int64 (length,)."""
    return np.asarray(_Writer(module, stream).run(), dtype=np.int64)


class _Writer:
    def __init__(self, module: Module, stream: str):
        self.module = module
        self.words = index(stream)
        self.operands = stream == "ops_operands"
        self.ids: list[int] = []
        self.type_ids: dict[int, list[int]] = {}
        self.order: dict[int, int] = {}

    def run(self) -> list[int]:
        for op in self.module.ops:
            self.op(op)
        return self.ids[:MAX_TOKENS]

    def op(self, op: Op) -> None:
        if len(self.ids) >= MAX_TOKENS:
            return
        words = self.words
        self.ids.append(words.get(op.name, 0))
        if self.operands:
            operands = self.values(op.operands)
            self.ids += self.values(op.results)
            self.ids += operands
        shown = op.results[:1] or op.operands[:1]
        for value in shown:
            self.ids += self.type(self.module.value_types[value])
        self.numbers(op)
        if op.regions:
            self.ids.append(words["<open>"])
            for region in op.regions:
                for block in region:
                    self.block(block)
            self.ids.append(words["<close>"])

    def values(self, values: Sequence[int]) -> list[int]:
        """The words of values, which are numbered in the order in which they appear."""
        order, words = self.order, self.words
        return [words[value_word(order.setdefault(value, len(order)))] for value in values]

    def block(self, block: Block) -> None:
        if self.operands:
            self.values(block.arguments)
        for value in block.arguments:
            self.ids.append(self.words["<argument>"])
            self.ids += self.type(self.module.value_types[value])
        for op in block.ops:
            self.op(op)

    def numbers(self, op: Op) -> None:
        """Constants, loop bounds and steps: without them no model can know how often a loop runs."""
        for key in ("lowerBoundMap", "upperBoundMap", "map"):
            for result in (op.attributes.get(key) or (0, 0, ()))[2]:
                if result is not None:
                    self.ids += [self.words[number_word(n)] for n in result]
        for key in ("value", "step"):
            number = op.attributes.get(key)
            if type(number) is int:
                self.ids.append(self.words[number_word(number)])

    def type(self, number: int) -> Sequence[int]:
        known = self.type_ids.get(number)
        if known is None:
            known = self.type_ids[number] = self.type_words(self.module.types[number])
        return known

    def type_words(self, kind: Type) -> list[int]:
        words = self.words
        ids = [words.get(kind.kind, words["scalar"]), words.get(kind.element, words["other"])]
        return ids + [words[number_word(d)] for d in kind.shape]
