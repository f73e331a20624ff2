"""Loops of a control-flow graph (cf, llvm): a back edge to a block makes a loop of the blocks between."""

from __future__ import annotations

from collections.abc import Sequence

from featurizers.mlir.build import DEFAULT_TRIP, Builder
from featurizers.mlir.liveness import liveness
from featurizers.mlir.module import Block, Op
from featurizers.mlir.nest import CONSTANT, Form, Nest

_COMPARES = frozenset({"arith.cmpi", "llvm.icmp", "index.cmp"})
_ADDS = frozenset({"arith.addi", "llvm.add", "index.add"})


def graph(b: Builder, blocks: Sequence[Block], nest: Nest) -> None:
    """Walk the blocks in their order, opening a nest at each loop header and closing it after its last back edge."""
    ends: dict[int, int] = {}
    for index, block in enumerate(blocks):
        for target in block.ops[-1].successors if block.ops else ():
            if target <= index:
                ends[target] = max(ends.get(target, 0), index)
    open_loops: list[tuple[int, Nest]] = []
    for index, block in enumerate(blocks):
        while open_loops and open_loops[-1][0] < index:
            open_loops.pop()
        current = open_loops[-1][1] if open_loops else nest
        if index in ends:
            current = _open(b, blocks, index, ends[index], current)
            open_loops.append((ends[index], current))
        b.block(block, current)
        liveness(b, block, current)


def _open(b: Builder, blocks: Sequence[Block], header: int, latch: int, nest: Nest) -> Nest:
    op = blocks[header].ops[0]
    counted = _counter(b, blocks, header, latch)
    trip, exact = (counted[2], True) if counted else (DEFAULT_TRIP, False)
    made = b.child(nest, op, "cf.loop", trip, exact)
    if counted is None:
        made.unknown_trip = made.uncounted = True
        b.unknown_trips += 1
        return made
    value, step, _, start = counted
    b.forms[value] = {CONSTANT: start, made.iv: step}
    b.middle[made.iv] = trip / 2
    return made


def _counter(b: Builder, blocks: Sequence[Block], header: int, latch: int) -> tuple[int, int, float, int] | None:
    """(argument, step, trip, start) of a loop that counts a block argument up to a constant."""
    block = blocks[header]
    for constant in (op for op in block.ops if op.name == "arith.constant"):
        value = constant.attributes.get("value")
        if type(value) is int:
            b.forms[constant.results[0]] = {CONSTANT: value}
    compare = next((op for op in block.ops if op.name in _COMPARES), None)
    if compare is None or compare.operands[0] not in block.arguments:
        return None
    end = b.number(compare.operands[1])
    position = block.arguments.index(compare.operands[0])
    start = _passed(b, blocks, header, position, range(header))
    step = _step(b, blocks, header, latch, position)
    if end is None or start is None or not step or step < 0 or end < start:
        return None
    return compare.operands[0], step, float(-(-(end - start) // step)), start


def _passed(b: Builder, blocks: Sequence[Block], header: int, position: int, among: Sequence[int]) -> int | None:
    for index in among:
        op = blocks[index].ops[-1] if blocks[index].ops else None
        if op is not None and op.successors == [header] and position < len(op.operands):
            return b.number(op.operands[position])
    return None


def _step(b: Builder, blocks: Sequence[Block], header: int, latch: int, position: int) -> int | None:
    last: Op = blocks[latch].ops[-1]
    if last.successors != [header] or position >= len(last.operands):
        return None
    argument = blocks[header].arguments[position]
    for index in range(header, latch + 1):
        for op in blocks[index].ops:
            if op.name == "arith.constant" and type(op.attributes.get("value")) is int:
                b.forms[op.results[0]] = {CONSTANT: op.attributes["value"]}
            if last.operands[position] in op.results and op.name in _ADDS and argument in op.operands:
                other = op.operands[1] if op.operands[0] == argument else op.operands[0]
                form: Form | None = b.forms.get(other)
                return None if form is None else form.get(CONSTANT)
    return None
