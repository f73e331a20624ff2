"""Loops, branches, calls and launches: where a nest gets its children and their trip counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from msgspec.structs import replace

from featurizers.mlir import opclass
from featurizers.mlir.branches import MOST_CHOICES, SPECULATED
from featurizers.mlir.build import DEFAULT_TRIP, Builder, add_forms, handles
from featurizers.mlir.carried import chains
from featurizers.mlir.domain import Bound, Lengths, Level, least, lengths, mean, share, varying
from featurizers.mlir.indices import apply, bounds
from featurizers.mlir.isomorphic import mark
from featurizers.mlir.liveness import liveness
from featurizers.mlir.module import DYNAMIC, Block, Op
from featurizers.mlir.nest import CONSTANT, Chain, Form, Nest
from featurizers.mlir.repeated import once

_IF_WEIGHT = 0.5
"""A region whose condition depends on data is taken to run every second time, as the labels have it."""


def region(b: Builder, blocks: Sequence[Block], nest: Nest) -> None:
    """A region's blocks: straight-line, or a control-flow graph whose back edges are loops."""
    if len(blocks) == 1:
        b.block(blocks[0], nest)
        liveness(b, blocks[0], nest)
        return
    from featurizers.mlir.cfg import graph

    graph(b, blocks, nest)


def loop(
    b: Builder, nest: Nest, op: Op, trip: float, exact: bool, block: Block, iv: int | None, middle: float,
    carried: Sequence[int] = (), step: int = 1, parallel: bool = False, lower: Form | None = None,
    level: Level | None = None,
) -> Nest:  # fmt: skip
    """A child loop with its body. iv : value id of the induction variable; middle : its average value; level : what is
    known of its bounds."""
    made = b.child(nest, op, op.name, trip, exact, parallel)
    if iv is not None:
        b.middle[made.iv] = middle / step if step else 0.0
        b.forms[iv] = {**(lower or {}), made.iv: step}
        if lower:
            made.starts = frozenset([key for key, factor in lower.items() if key != CONSTANT and factor])
            for key in made.starts - b.single if exact else ():
                b.begun[key] = b.begun.get(key, 0) + (key != _around(b, nest))
            b.middle[made.iv] = (middle - b.average(lower)) / step if step else 0.0
    if level is not None:
        b.path.append(replace(level, iv=made.iv))
    made.step = step or 1
    b.block(block, made)
    made.begun = b.begun.get(made.iv, 0)
    if level is not None:
        b.path.pop()
    liveness(b, block, made)
    if carried and block.ops:
        made.chains += chains(b, block, carried, made)
    mark(b, block, made)
    if not made.children and any(access.store for access in made.accesses):
        from featurizers.mlir.stored import added_to, by_memory

        by_memory(b, block, made)
        added_to(b, block, made)
    made.stepwise = b.stepwise.get(made.iv)
    return made


def _around(b: Builder, nest: Nest) -> int:
    """The innermost loop at a place that has several iterations."""
    iv = nest.iv
    while iv in b.single:
        iv = b.around[iv]
    return iv


@handles("affine.for")
def _affine_for(b: Builder, op: Op, nest: Nest) -> None:
    attributes, block = op.attributes, op.regions[0][0]
    if len(op.results) > 1:
        from featurizers.mlir.dead import without_dead

        block = without_dead(b, op, block)
    segments = attributes.get("operandSegmentSizes") or [0, 0, 0]
    lows = bounds(b, attributes["lowerBoundMap"], op.operands[: segments[0]])
    highs = bounds(b, attributes["upperBoundMap"], op.operands[segments[0] : segments[0] + segments[1]])
    _counted(b, op, nest, lows, highs, int(attributes["step"]), block)


def _counted(
    b: Builder, op: Op, nest: Nest, from_: Sequence[Form | Bound | None], to: Sequence[Form | Bound | None],
    step: int, block: Block,
) -> None:  # fmt: skip
    iv, carried = block.arguments[0], block.arguments[1:]
    lows, highs = [low for low in from_ if low is not None], [high for high in to if high is not None]
    lower = next((form for form in lows if isinstance(form, dict)), None)
    if not lows or not highs:
        b.unknown_trips += 1
        made = loop(b, nest, op, DEFAULT_TRIP, False, block, iv, DEFAULT_TRIP / 2, carried, step, lower=lower)
        made.unknown_trip = True
        return
    level = Level(0, lows, highs, step, varying([*lows, *highs]))
    known = [_difference(high, low) for high in highs for low in lows]
    found: Lengths = ()
    if None in known:
        found = lengths(b.path, level)
        trip = mean(found)
    else:
        trip = float(max(ceil(min([length for length in known if length is not None]) / step), 0))
        if carried and trip > 1 and once(block, trip):
            trip = 1.0
    middle = (0.0 if lower is None else b.average(lower)) + trip * step / 2
    made = loop(b, nest, op, trip, not found, block, iv, middle, carried, step, lower=lower, level=level)
    made.lengths, made.bounded_by = found, level.depends if found else frozenset()
    made.least, made.level = least(b.path, level, found), level
    made.cut = len(highs) > 1
    made.linear = len(highs) == len(lows) == 1 and isinstance(highs[0], dict) and isinstance(lows[0], dict)


def _difference(high: Form | Bound, low: Form | Bound) -> int | None:
    """How far apart bounds are, if that is always the same."""
    if not isinstance(high, dict) or not isinstance(low, dict):
        return None
    rest = add_forms(high, low, -1)
    return None if any(factor for key, factor in rest.items() if key != CONSTANT) else rest.get(CONSTANT, 0)


@handles("scf.for")
def _scf_for(b: Builder, op: Op, nest: Nest) -> None:
    lower, upper = b.forms.get(op.operands[0]), b.forms.get(op.operands[1])
    step = b.number(op.operands[2])
    _counted(b, op, nest, [lower], [upper], step if step and step > 0 else 1, op.regions[0][0])


@handles("affine.parallel")
def _affine_parallel(b: Builder, op: Op, nest: Nest) -> None:
    attributes = op.attributes
    count = attributes["lowerBoundsMap"][0] + attributes["lowerBoundsMap"][1]
    lows = apply(b, attributes["lowerBoundsMap"], op.operands[:count])
    highs = apply(b, attributes["upperBoundsMap"], op.operands[count:])
    _parallel(b, op, nest, lows, highs, list(attributes["steps"]))


@handles("scf.parallel")
def _scf_parallel(b: Builder, op: Op, nest: Nest) -> None:
    rank = len(op.regions[0][0].arguments)
    lows = [b.forms.get(v) for v in op.operands[:rank]]
    highs = [b.forms.get(v) for v in op.operands[rank : 2 * rank]]
    steps = [b.number(v) or 1 for v in op.operands[2 * rank : 3 * rank]]
    _parallel(b, op, nest, lows, highs, steps)


@handles("scf.forall")
def _scf_forall(b: Builder, op: Op, nest: Nest) -> None:
    given = iter(op.operands)

    def forms(name: str) -> list[Form | None]:
        static = op.attributes.get(name, ())
        return [b.forms.get(next(given, -1)) if v == DYNAMIC else {CONSTANT: v} for v in static]

    lows, highs, steps = forms("staticLowerBound"), forms("staticUpperBound"), forms("staticStep")
    _parallel(b, op, nest, lows, highs, [(s or {}).get(CONSTANT, 1) or 1 for s in steps])


def _parallel(
    b: Builder, op: Op, nest: Nest, lows: Sequence[Form | None], highs: Sequence[Form | None], steps: Sequence[int]
) -> None:
    """One loop per dimension; the body belongs to the innermost."""
    block = op.regions[0][0]
    for low, high, step, iv in zip(lows, highs, steps, block.arguments, strict=False):
        known = low is not None and high is not None
        found = _difference(high, low) if high is not None and low is not None else None
        exact = found is not None
        length = float(found) if found is not None else b.average(add_forms(high or {}, low or {}, -1))
        length = length if known else DEFAULT_TRIP * step
        b.unknown_trips += not known
        nest = b.child(nest, op, op.name, ceil(max(length, 0.0) / step), exact, True)
        b.forms[iv] = {**(low or {}), nest.iv: step}
        b.middle[nest.iv] = max(length, 0.0) / 2 / step
    b.block(block, nest)
    liveness(b, block, nest)


@handles("scf.if", "affine.if", "scf.index_switch")
def _if(b: Builder, op: Op, nest: Nest) -> None:
    level = _condition(b, op) if op.name == "affine.if" else None
    loops, accesses, before = len(nest.children), len(nest.accesses), sum(nest.counts)
    always = len(nest.still)
    for position, blocks in enumerate(op.regions):
        if not blocks:
            continue
        part = _IF_WEIGHT
        if level is not None:
            level = replace(level, negated=position > 0)
            part = share(b.path, level)
            b.path.append(level)
        _branch(b, blocks, nest, part, level is not None)
        if level is not None:
            b.path.pop()
    del nest.still[always:]  # is not done in any case, so it stays where it is
    work = sum(nest.counts) - before
    pure = len(nest.children) == loops and len(nest.accesses) == accesses
    if pure and op.name != "scf.index_switch" and work <= SPECULATED and 0 < len(op.results) <= MOST_CHOICES:
        nest.counts[opclass.SELECT] += len(op.results)
        return
    nest.counts[opclass.BRANCH] += 1
    nest.guarded += work
    nest.ways += len(op.regions) - 1.0 if op.name == "scf.index_switch" else 1.0


def _branch(b: Builder, blocks: Sequence[Block], nest: Nest, part: float, known: bool) -> None:
    """A region that runs in this part of the iterations. known : not by data, whose branches end blocks at a cost that
    is no less than what they save on average."""
    loops, accesses, before = len(nest.children), len(nest.accesses), sum(nest.counts) - nest.skipped
    overwritten = b.overwritten
    b.overwritten = overwritten.copy()  # of what several regions write over, none needs a copy for another
    region(b, blocks, nest)
    b.overwritten = overwritten
    written = nest.accesses[accesses:]
    for access in written:
        access.maybe = True
    for child in nest.children[loops:]:
        child.share *= part
    work = sum(nest.counts) - nest.skipped - before
    if known and (work > SPECULATED or any(access.store for access in written)):
        nest.skipped += (1.0 - part) * work


def _condition(b: Builder, op: Op) -> Level | None:
    """The condition of an ``affine.if``, if all of it is known."""
    condition = op.attributes.get("condition")
    found = None if condition is None else bounds(b, condition, op.operands)
    if not found or condition is None or None in found:
        return None
    known = [bound for bound in found if bound is not None]
    equal = [bound for bound, zero in zip(known, condition[4], strict=True) if zero]
    least = [bound for bound, zero in zip(known, condition[4], strict=True) if not zero]
    return Level(0, least, equal, 0, varying(known))


@handles("scf.execute_region", "memref.alloca_scope")
def _plain(b: Builder, op: Op, nest: Nest) -> None:
    for blocks in op.regions:
        region(b, blocks, nest)


@handles("scf.reduce", "scf.forall.in_parallel", "scf.in_parallel")
def _reduce(b: Builder, op: Op, nest: Nest) -> None:
    for blocks, value in zip(op.regions, op.operands, strict=False):
        for block in blocks:
            b.block(block, nest)
        kind = b.type(value)
        nest.chains.append(Chain(opclass.CLASS["fadd"] if kind.is_float else opclass.IADD, kind.bits, kind.is_float,
                                 not kind.is_float))  # fmt: skip


@handles("func.call", "llvm.call")
def _call(b: Builder, op: Op, nest: Nest) -> None:
    nest.counts[opclass.CALL] += 1
    b.calls.append((str(op.attributes.get("callee", "")), 1.0))


@handles("gpu.launch")
def _launch(b: Builder, op: Op, nest: Nest) -> None:
    """A launch is a parallel nest over blocks and threads."""
    segments = op.attributes.get("operandSegmentSizes") or [0] * 10
    start = int(segments[0])
    sizes = [b.number(v) for v in op.operands[start : start + 6]]
    block = op.regions[0][0]
    for size, iv in zip(sizes, block.arguments[:6], strict=False):
        if size is None or size > 1:
            b.unknown_trips += size is None
            nest = b.child(nest, op, op.name, float(size or DEFAULT_TRIP), size is not None, True)
            b.forms[iv] = {nest.iv: 1}
            b.middle[nest.iv] = float(size or DEFAULT_TRIP) / 2
        else:
            b.forms[iv] = {CONSTANT: 0}
    for value, size in zip(block.arguments[6:12], sizes, strict=False):
        if size is not None:
            b.forms[value] = {CONSTANT: size}
    region(b, op.regions[0], nest)


@handles("gpu.thread_id", "gpu.block_id", "gpu.global_id", "gpu.lane_id")
def _hardware_index(b: Builder, op: Op, nest: Nest) -> None:
    """An index given by the hardware varies, but over no loop of the code."""
    b.ivs += 1
    b.forms[op.results[0]] = {b.ivs: 1}
