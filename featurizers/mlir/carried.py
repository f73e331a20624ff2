"""Values that loops carry from one iteration to the next: inductions, values of the iteration before, reductions, and
recurrences, which no vector computes.

Sources (LLVM 22): `IVDescriptors.cpp` (`InductionDescriptor::isInductionPHI`, `RecurrenceDescriptor`:
`isFixedOrderRecurrence`, `AddReductionVar`), `LoopLoadElimination.cpp`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from featurizers.mlir import opclass
from featurizers.mlir.build import Builder
from featurizers.mlir.latency import Step, Steps, after
from featurizers.mlir.latency import steps as steps_of
from featurizers.mlir.module import Block, Op, Type
from featurizers.mlir.nest import PASSED, Chain, Nest
from featurizers.mlir.ranges import by_mask
from featurizers.mlir.whole_steps import QUOTIENT, next_step, settled

_REASSOCIABLE_FLAGS = ("reassoc", "fast")
_MINMAX = (opclass.FMINMAX, opclass.FMAXIMUM)
_CHOOSING = ("arith.select", "scf.if", "affine.if", "scf.index_switch")
_ADDED = ("arith.addi", "arith.subi", "index.add", "index.sub")
_SUMS = frozenset(
    f"arith.{name}"
    for name in ("addi", "subi", "muli", "andi", "ori", "xori", "maxsi", "maxui", "minsi", "minui", "select", "cmpi")
)
"""Operations on integers that may be done in any order (`RecurKind`), and what chooses between their results."""
_MIXED, _SAME = -3, -4
_IDIV, _LOGIC = opclass.CLASS["idiv"], opclass.CLASS["logic"]


class CarriedStep(NamedTuple):
    """An operation of a body; those under conditions as if they were computed in any case."""

    op: Op
    op_class: int
    operands: Sequence[int]
    results: Sequence[int]


def chains(b: Builder, block: Block, carried: Sequence[int], nest: Nest) -> list[Chain]:
    """For each carried block argument how its next value comes from it: the class of the last operation, and as many
    steps of it as all operations between take. What is added to in each iteration by as much is an index, and no chain;
    neither is what only keeps the value of the iteration before, which vectors have by a permutation."""
    yielded = block.ops[-1].operands[-len(carried) :]
    steps = list(steps_of_block(b, block))
    found = []
    for argument, value in zip(carried, yielded, strict=False):
        kind = b.type(argument)
        if kind.kind in ("memref", "tensor") or value == argument or is_index(steps, argument, value):
            continue
        chain = chain_of_steps(b, steps, argument, value, kind, yielded)
        if chain.timed == QUOTIENT:  # copies of the body divide by powers of the number, beside each other
            chain = replace(chain, timed=())
        if chain.op_class == -1 and _of_before(block, carried, yielded, argument):
            nest.counts[opclass.SHUFFLE] += 1.0
        else:
            found.append(chain)
    return found


def carried_on(chain: Chain, inner: Chain, trip: int) -> Chain:
    """A value that a loop inside carries on, when that loop is unrolled: its steps, once for each iteration, and those
    of the body around."""
    kinds = dict(chain.kinds)
    for op_class, count in inner.kinds:
        kinds[op_class] = kinds.get(op_class, 0.0) + count * trip
    known = tuple(kinds.items()) if inner.kinds else ()
    timed = (*chain.timed, *[(kind, count * trip) for kind, count in inner.timed]) if inner.timed else ()
    return replace(inner, steps=inner.steps * max(trip, 1), whole=True, kinds=known, timed=timed)


def steps_of_block(b: Builder, block: Block) -> Iterator[CarriedStep]:
    """The operations of a body in order. A load of what the body has stored is that value."""
    for op in block.ops[:-1]:
        if not op.regions:
            same = b.same.get(op.results[0]) if op.results else None
            if same is not None:
                yield CarriedStep(op, _SAME, [same], op.results)
            else:
                yield CarriedStep(op, _class_of(b, op), op.operands, op.results)
        elif op.name in _CHOOSING and all(len(blocks) == 1 for blocks in op.regions if blocks):
            ends = []
            for inner in (blocks[0] for blocks in op.regions if blocks):
                yield from steps_of_block(b, inner)
                ends.append(inner.ops[-1].operands if inner.ops else [])
            for place, result in enumerate(op.results):
                yield CarriedStep(op, opclass.SELECT, [*op.operands, *[end[place] for end in ends]], [result])
        else:
            yield CarriedStep(op, PASSED, op.operands, op.results)


def _class_of(b: Builder, op: Op) -> int:
    """A division by a constant is a product, or a shift; a choice with or without one more operation is a mask."""
    found = opclass.OP_CLASS.get(op.name, -1)
    if found == opclass.SELECT and not b.type(op.results[0]).is_float and by_mask(b, *op.operands[1:]):
        return _LOGIC
    divisor = b.number(op.operands[1]) if found == _IDIV and len(op.operands) > 1 else None
    if not divisor:
        return found
    return _LOGIC if abs(divisor) & (abs(divisor) - 1) == 0 else opclass.IMUL


def is_index(steps: Sequence[CarriedStep], argument: int, value: int) -> bool:
    """Whether the next value is this one and something that does not vary."""
    step = next((step for step in steps if value in step.results), None)
    if step is None or step.op.name not in _ADDED or argument not in step.operands:
        return False
    other = step.operands[1] if step.operands[0] == argument else step.operands[0]
    return other != argument and not any(other in made.results for made in steps) and step.operands[0] == argument


def _of_before(block: Block, carried: Sequence[int], yielded: Sequence[int], argument: int) -> bool:
    """Whether a value is what an iteration before has computed, and not of itself; all that is computed from it, up to
    where the next value is known, moves behind that, which stores cannot."""
    value, seen = argument, set()
    while value in carried and value not in seen:
        seen.add(value)
        value = yielded[list(carried).index(value)]
    needed, made = {value}, False
    for op in reversed(block.ops[:-1]):
        if not needed.isdisjoint(op.results):
            if op.regions:
                return False
            made = made or value in op.results
            needed.update(op.operands)
    return made and needed.isdisjoint(carried) and not _stored_before(block, argument, value)


def _stored_before(block: Block, argument: int, value: int) -> bool:
    """Whether something computed from `argument` is stored before `value` is known."""
    reached = {argument}
    for op in block.ops:
        if value in op.results:
            return False
        if op.regions or not reached.isdisjoint(op.operands):
            if not op.results or op.regions:
                return True
            reached.update(op.results)
    return False


def chain_of_steps(
    b: Builder, steps: Sequence[CarriedStep], argument: int, value: int, kind: Type, yielded: Sequence[int]
) -> Chain:
    reached: dict[int, tuple[float, int, Step | None]] = {argument: (0.0, -1, None)}
    ends: set[int] = set()
    free, used, taken, last = True, False, False, -1
    for step in steps:
        before = [reached[v] for v in step.operands if v in reached]
        if not before:
            continue
        if step.op_class == _SAME:
            reached[step.results[0]] = before[0]
            last = before[0][1] if step.results[0] == value else last
            continue
        op = step.op
        used = used or not step.results
        taken = taken or op.name == "arith.subf"
        ends -= set(step.operands)
        ends |= set(step.results)
        if len(before) > 1 and len({v for v in step.operands if v in reached}) > 1 and op.name not in _CHOOSING:
            free = False  # a step that needs the value twice is a recurrence, and no sum
        latency, known, chain = max(before, key=_latency_of)
        op_class = step.op_class
        if op_class >= 0:
            latency += opclass.LATENCY[op_class]
            chain = after(chain, op_class)
            free = free and _in_any_order(op, op_class, kind)
        if op.name in _CHOOSING and known >= 0 and _under_a_condition(step, reached, known):
            op_class = known
        same = op_class if known in (-1, op_class) else PASSED if PASSED in (known, op_class) else _MIXED
        for result in step.results:
            reached[result] = latency, same, chain
            if result == value:
                last = op_class
    if value not in reached:
        return Chain(-1, kind.bits, kind.is_float, False)
    used = used or not ends <= {value} or sum([other in reached for other in yielded]) > 1
    latency, op_class, chain = reached[value]
    timed = () if kind.is_float or kind.shape else _timed(b, steps, argument, value, op_class == PASSED)
    if op_class == PASSED:
        return Chain(PASSED, kind.bits, kind.is_float, False, kinds=steps_of(chain), timed=timed)
    pure = op_class != _MIXED
    count = max(latency / max(opclass.LATENCY[last], 1.0), 1.0) if last >= 0 else 1.0
    return Chain(last, kind.bits, kind.is_float, free and pure and last >= 0 and not used, count, used=used,
                 kinds=steps_of(chain), timed=timed, taken=taken)  # fmt: skip


def _timed(b: Builder, steps: Sequence[CarriedStep], argument: int, value: int, passed: bool) -> Steps:
    """The longest chain of whole numbers from a value to its next one, as the code has it. passed : a loop inside has
    others."""
    reached: dict[int, Step | None] = {argument: None}
    for step in steps:
        before = [operand for operand in step.operands if operand in reached]
        if not before:
            continue
        if step.op_class >= 0:
            made = [next_step(b, step.op, step.op_class, reached[operand], operand) for operand in before]
            longest: Step | None = max(made, key=_total)
        else:
            longest = reached[before[0]]
        for result in step.results:
            reached[result] = longest
    return steps_of(settled(reached.get(value), passed))


def _total(step: Step) -> float:
    return step[0]


def _under_a_condition(step: CarriedStep, reached: Mapping[int, tuple[float, int, Step | None]], op_class: int) -> bool:
    """Whether it chooses between a value with and one without another term (`isConditionalRdxPattern`)."""
    if step.operands[0] in reached:
        return False
    return all(value in reached and reached[value][1] in (-1, op_class) for value in step.operands[1:])


def _latency_of(found: tuple[float, int, Step | None]) -> tuple[float, int]:
    return found[:2]


def _in_any_order(op: Op, op_class: int, kind: Type) -> bool:
    if op.name in _CHOOSING:
        return True
    return op_class in _MINMAX or _reassociable(op) if kind.is_float else op.name in _SUMS


def _reassociable(op: Op) -> bool:
    """``#arith.fastmath<reassoc,nnan>`` lets floating-point terms be added in any order."""
    flags = str(op.attributes.get("fastmath", "")).partition("<")[2].rstrip(">").split(",")
    return any(flag.strip() in _REASSOCIABLE_FLAGS for flag in flags)
