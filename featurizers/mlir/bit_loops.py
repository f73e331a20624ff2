"""Loops that count the ones of a number, or how often it is shifted until nothing is left: LLVM has one instruction for
all of it, knows how often the loop runs, and deletes it where it does nothing else.

Source (LLVM 22): `LoopIdiomRecognize::recognizePopcount` and `recognizeAndInsertFFS` (`detectShiftUntilZeroIdiom`). All
CPUs here have both in hardware (`getPopcntSupport`, and `ctlz` and `cttz` at the cost of one instruction). The number
of zeros is not asked of zero, so a choice stays behind a shifted one; an arithmetic shift need not come to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featurizers.mlir.crc_loops import looked_up
from featurizers.mlir.module import Block, Module, Op
from featurizers.mlir.rewritten import CONSTANT, Rewritten, without_constants

_WIDTHS = {"math.ctpop": (16, 32, 64), "math.ctlz": (8, 16, 32, 64), "math.cttz": (8, 16, 32, 64)}
_SHIFTED = {"arith.shrui": "math.ctlz", "arith.shli": "math.cttz"}
_EQUAL, _GOES_ON = 0, (1, 8)
"""Predicates of ``arith.cmpi``: not zero, and more than zero without a sign."""


def replace(module: Module, blocks: Sequence[Block], numbers: dict[int, Any] | None = None) -> None:
    """Write such loops of these blocks, and of those inside, as what LLVM makes of them. numbers : constants so far."""
    known = {} if numbers is None else numbers
    for block in blocks:
        found: dict[int, list[Op]] = {}
        for place, op in enumerate(block.ops):
            if op.name == CONSTANT:
                known[op.results[0]] = op.attributes.get("value")
            for region in op.regions:
                replace(module, region, known)
            made: list[Op] = []
            if op.name == "scf.while":
                made = _Counting(module, op, known).made()
            elif op.name in ("scf.for", "affine.for"):
                made = looked_up(module, op, known)
            if made:
                found[place] = made
        if found:
            block.ops = [new for place, op in enumerate(block.ops) for new in found.get(place, [op])]


class _Counting:
    """One loop, and the operations that stand for it."""

    def __init__(self, module: Module, op: Op, numbers: dict[int, Any]):
        self.module, self.op, self.numbers = module, op, numbers
        self.written = Rewritten(module, op)

    def made(self) -> list[Op]:
        """Empty if the loop stays."""
        op = self.op
        if len(op.operands) != 2 or [len(region) for region in op.regions] != [1, 1]:
            return []
        (before,), (after,) = op.regions
        head, body = without_constants(before), without_constants(after)
        if len(head) != 2 or head[0].name != "arith.cmpi" or head[0].attributes.get("predicate") not in _GOES_ON:
            return []
        condition, (number, last) = head[1].operands, head[0].operands
        passed = condition[1:]
        if condition[0] not in head[0].results or number not in before.arguments or self.numbers.get(last) != 0:
            return []
        if not len(set(passed)) == len(passed) == len(after.arguments) == len(op.results):
            return []
        if not set(passed) <= set(before.arguments) or not body or len(body[-1].operands) != 2:
            return []
        place = before.arguments.index(number)
        now = {argument: before.arguments.index(value) for argument, value in zip(after.arguments, passed, strict=True)}
        kind = self._kind(body, now, place)
        if not kind or self.module.type_of(number).bits not in _WIDTHS[kind] or self.module.type_of(number).shape:
            return []
        for result, value in zip(op.results, passed, strict=True):
            if value == number:
                self.written.add(CONSTANT, [], result, value=0)
            else:
                self._count(kind, place, result, self.module.value_types[head[0].results[0]])
        return self.written.ops

    def _kind(self, body: list[Op], now: dict[int, int], place: int) -> str:
        """What the loop counts. now : of each value in the body, which of the carried ones it is. place : of the
        number."""
        defined = {op.results[0]: op for op in body[:-1] if len(op.results) == 1}
        step, count = (defined.get(body[-1].operands[at]) for at in (place, 1 - place))
        if step is None or count is None or not self._adds(count, now, 1 - place, 1):
            return ""
        if len(body) == 3 and step.name in _SHIFTED:
            shifted = now.get(step.operands[0]) == place and self.numbers.get(step.operands[1]) == 1
            return _SHIFTED[step.name] if shifted else ""
        if len(body) != 4 or step.name != "arith.andi":
            return ""
        less = next((defined[value] for value in step.operands if value in defined), None)
        same = any(now.get(value) == place for value in step.operands)
        return "math.ctpop" if same and less is not None and self._adds(less, now, place, -1) else ""

    def _adds(self, op: Op, now: dict[int, int], place: int, number: int) -> bool:
        """Whether an operation adds this number to a carried value."""
        wanted = -number if op.name == "arith.subi" else number
        known = op.name in ("arith.addi", "arith.subi", "index.add")
        return known and now.get(op.operands[0]) == place and self.numbers.get(op.operands[1]) == wanted

    def _count(self, kind: str, place: int, result: int, truth: int) -> None:
        """The count at the end. truth : the type of a comparison."""
        number, first = self.op.operands[place], self.op.operands[1 - place]
        types = self.module.value_types
        own, wanted = types[number], types[first]
        new = self.written.new
        starts = self.numbers.get(first) == 0
        count = new(kind, [number], own)
        if kind != "math.ctpop":
            count = new("arith.subi", [self.written.constant(self.module.type_of(number).bits, own), count], own)
        source, target = self.module.type_of(number), self.module.type_of(first)
        if target.kind != source.kind:
            count = new("arith.index_castui", [count], wanted)
        elif target.bits != source.bits:
            count = new("arith.trunci" if target.bits < source.bits else "arith.extui", [count], wanted)
        if not starts:
            count = new("arith.addi", [count, first], wanted)
        if kind != "math.ctpop":
            zero = new("arith.cmpi", [number, self.written.constant(0, own)], truth, predicate=_EQUAL)
            count = new("arith.select", [zero, first, count], wanted)
        self.written.ending_in(result)
