"""Loops that end by what they compute (``scf.while``): how often they run, and what goes on from one iteration to the
next.

Sources (LLVM 22): `LoopRotate` (the condition comes to stand behind the body, and a copy of it before the loop, which
is gone where the first values are known), `ScalarEvolution::computeExitLimit` (a counter among the conditions bounds
the length), `RISCVTTIImpl::getUnrollingPreferences` (small loops are unrolled by force, with a way out of each copy).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from featurizers.mlir import opclass
from featurizers.mlir.build import DEFAULT_TRIP, Builder, handles
from featurizers.mlir.carried import chain_of_steps, is_index, steps_of_block
from featurizers.mlir.liveness import liveness
from featurizers.mlir.module import Block, Op
from featurizers.mlir.nest import CONSTANT, Nest

if TYPE_CHECKING:
    from featurizers.mlir.loop import Loop

_ROTATED = 16
"""Instructions of a condition up to which it is copied (`rotation-max-header-size`)."""
_EVEN = 0.5
"""A branch on data goes either way half of the time, as the labels have it."""
_COMPARES, _ADDS = ("arith.cmpi", "index.cmp"), ("arith.addi", "index.add")
_LOGIC = opclass.CLASS["logic"]
_CHEAP = (opclass.IADD, _LOGIC, opclass.CLASS["extend"], opclass.ADDRESS)
_LESS = ("slt", "ult", "ne", 2, 6, 1)
"""Predicates of ``arith.cmpi``, by name and number."""


@handles("scf.while")
def _while(b: Builder, op: Op, nest: Nest) -> None:
    if any(len(blocks) != 1 for blocks in op.regions) or len(op.regions) != 2:
        _blocks(b, op, nest)
        return
    before = op.regions[0][0]
    after = _new(before, op.regions[1][0])
    defined = {result: inner for inner in before.ops for result in inner.results}
    ends = list(_ends(before.ops[-1].operands[0], defined))
    counters = [found for found in (_counter(b, op, before, after, end) for end in ends) if found is not None]
    most = min([count for count, *_ in counters], default=0)
    exact = bool(counters) and len(ends) == 1
    made = b.child(nest, op, op.name, float(most) if exact else DEFAULT_TRIP, exact)
    if not exact:
        b.unknown_trips += 1
        made.unknown_trip = made.uncounted = True
        turned = len(before.ops) <= _ROTATED and not _one_step(after)
        made.begins_by = sum([b.number(value) is not None or value in b.literals for value in op.operands])
        if made.begins_by:  # and what the first condition makes of them, which the body goes on with
            made.begins_by += len(op.regions[1][0].ops) - len(after.ops)
        made.ends, made.at_most = len(ends), most and most + (not turned)
        if most:
            made.trip = min(made.trip, float(made.at_most))
        if turned and not _begins(b, op, before):
            made.share *= _EVEN
    for _, argument, first, step in counters:
        b.forms[argument] = {CONSTANT: first, made.iv: step}
    _body(b, before, after, op.regions[1][0], made)


def _blocks(b: Builder, op: Op, nest: Nest) -> None:
    from featurizers.mlir.control import region

    b.unknown_trips += 1
    made = b.child(nest, op, op.name, DEFAULT_TRIP, False)
    made.unknown_trip = made.uncounted = True
    for blocks in op.regions:
        region(b, blocks, made)


def _body(b: Builder, before: Block, after: Block, written: Block, made: Nest) -> None:
    """The condition of the next iteration follows the body, so values go on from there. written : the body with what
    the condition has computed already."""
    b.block(after, made)
    yielded = after.ops[-1].operands
    for argument, value in zip(before.arguments, yielded, strict=False):
        waited = b.ready.get(value)
        if waited is not None:
            b.ready[argument] = waited
        form = b.forms.get(value)
        if form is not None:
            b.forms[argument] = form
    b.block(before, made)
    counts = made.counts
    counts[opclass.COMPARE] = max(counts[opclass.COMPARE] - 1.0, 0.0)  # every loop has one, and its branch
    counts[_LOGIC] = max(counts[_LOGIC] - (made.ends - 1.0), 0.0)
    liveness(b, after, made)
    liveness(b, before, made)
    known = dict(zip(before.arguments, yielded, strict=False))
    steps = list(steps_of_block(b, written))
    steps += [s._replace(operands=[known.get(v, v) for v in s.operands]) for s in steps_of_block(b, before)]
    values = [known.get(value, value) for value in before.ops[-1].operands[1:]]
    for argument, value in zip(after.arguments, values, strict=False):
        kind = b.type(argument)
        if kind.kind not in ("memref", "tensor") and value != argument and not is_index(steps, argument, value):
            made.chains.append(chain_of_steps(b, steps, argument, value, kind, values))


def _new(before: Block, after: Block) -> Block:
    """The operations of a body that the condition has not done on the same values (`EarlyCSE`)."""
    same: dict[int, int] = dict(zip(after.arguments, before.ops[-1].operands[1:], strict=False))
    known = {_key(op, same): op for op in before.ops if op.results}
    left = []
    for op in after.ops:
        first = None if op.regions or not op.results or op.name == "arith.constant" else known.get(_key(op, same))
        if first is None:
            left.append(op)
        else:
            same.update(zip(op.results, first.results, strict=True))
    return after if len(left) == len(after.ops) else Block(after.arguments, left)


def _key(op: Op, same: dict[int, int]) -> tuple[str, tuple[int, ...], str]:
    return op.name, tuple([same.get(value, value) for value in op.operands]), str(op.attributes)


def _ends(value: int, defined: dict[int, Op]) -> Iterator[int]:
    """The conditions all of which must hold to go on: each is a branch of its own in the code
    (`SelectionDAGBuilder::FindMergedConditions`)."""
    op = defined.get(value)
    if op is not None and op.name == "arith.andi":
        for operand in op.operands:
            yield from _ends(operand, defined)
    else:
        yield value


def _counter(b: Builder, op: Op, before: Block, after: Block, end: int) -> tuple[int, int, int, int] | None:
    """Of a condition that compares a counter with a number: how often it holds, the counter in the body, and with what
    it begins and goes on."""
    compare = next((inner for inner in before.ops if end in inner.results), None)
    if compare is None or compare.name not in _COMPARES or compare.attributes.get("predicate") not in _LESS:
        return None
    counter, last = compare.operands[0], b.number(compare.operands[1])
    if counter not in before.arguments or last is None:
        return None
    place = before.arguments.index(counter)
    value, first = after.ops[-1].operands[place], b.number(op.operands[place])
    add = next((inner for inner in after.ops if value in inner.results), None)
    if first is None or add is None or add.name not in _ADDS or add.operands[0] not in after.arguments:
        return None
    argument, step = add.operands[0], b.number(add.operands[1])
    passed = before.ops[-1].operands[1:][after.arguments.index(argument)]
    if passed != counter or not step or step < 0:
        return None
    return max(-(-(last - first) // step), 0), argument, first, step


def _one_step(after: Block) -> bool:
    """Whether a body is at most one sum of what varies, which is then made before the condition is known: the loop is
    one block, and needs no copy of the condition before it (`LoopRotate::simplifyLoopLatch`)."""
    varying, steps = set(after.arguments), 0
    for op in after.ops[:-1]:
        if op.regions or not op.results:
            return False
        if varying.isdisjoint(op.operands):
            continue
        if opclass.OP_CLASS.get(op.name) not in _CHEAP:
            return False
        varying.update(op.results)
        steps += opclass.OP_CLASS[op.name] != opclass.CLASS["extend"]
    return steps <= 1


def _begins(b: Builder, op: Op, before: Block) -> bool:
    """Whether it is known that the loop runs: its first condition is one of constants."""
    given = zip(before.arguments, op.operands, strict=False)
    known = {argument for argument, value in given if b.number(value) is not None or value in b.literals}
    for inner in before.ops[:-1]:
        made = inner.name == "arith.constant" or (inner.operands and _constant(b, inner.operands, known))
        if made and opclass.OP_CLASS.get(inner.name) != opclass.LOAD:
            known.update(inner.results)
    return before.ops[-1].operands[0] in known


def _constant(b: Builder, values: Sequence[int], known: set[int]) -> bool:
    return all(value in known or value in b.literals or b.number(value) is not None for value in values)


_GUARD, _STEP = 2.0, 1.0
"""A comparison and a branch; the step of a counter."""


def entered(loop: Loop) -> float:
    """Instructions for the numbers that a loop begins with, and those that see whether it runs at all where that is not
    known, less the step of a counter that it does not have, which every loop's end is taken to hold. (Not of RISC-V,
    whose copies each move what they leave behind: by labels of `train` and `validation`.)"""
    nest = loop.nest
    return nest.begins_by + _GUARD * (nest.share < 1.0) - _STEP * (not nest.at_most)


def executed(loop: Loop, copies: int, full: bool) -> float:
    """Iterations, as the labels have them: a loop whose length is not known runs 32 times, or as often as it may at
    most, whatever its body holds; of unrolled copies, each may be the last. Where no loop is left, each branch goes
    either way."""
    nest = loop.nest
    length = DEFAULT_TRIP
    if nest.at_most:
        length = min(length, max(-(-nest.at_most // copies), 1.0))
    stay = (_EVEN if full else 1.0 - 1.0 / length) ** nest.ends
    once = 1.0 if full else length
    return once * sum([stay**copy for copy in range(copies)])
