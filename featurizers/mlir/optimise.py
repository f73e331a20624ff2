"""What LLVM's middle end does to a nest, whatever the CPU: full unrolling, hoisting, common subexpressions, and
whether a loop may be vectorised at all.

Thresholds are those of LLVM's sources: `LoopUnrollPass.cpp` (UnrollThreshold 300 at -O3).
"""

from __future__ import annotations

from math import ceil

import msgspec

from featurizers.mlir import opclass
from featurizers.mlir.boosts import UNROLL_THRESHOLD, constant_by_now, worth_it
from featurizers.mlir.carried import carried_on
from featurizers.mlir.idioms import is_copy, moved
from featurizers.mlir.invariant import move_out, take
from featurizers.mlir.legal import COPY_SIZE
from featurizers.mlir.legality import judge
from featurizers.mlir.lengths import by_length, shorten, twin
from featurizers.mlir.loads import common, hoist, moves, unread
from featurizers.mlir.loop import Loop, add_counts
from featurizers.mlir.masks import unmask
from featurizers.mlir.nest import PASSED, Access, Chain, Nest, iterations
from featurizers.mlir.overlaps import goes_on, overlapping, refused
from featurizers.mlir.sizes import measure, unfolded
from featurizers.mlir.unswitch import divided_by, unmet, versions

BACK_EDGE = {"amdgpu": 5.0}
"""Instructions of a loop's end where they are not two: AMD's GPUs keep the mask of threads in three more."""
_MAX_EXPANDED = 4096
"""Accesses that a fully unrolled nest is followed through; beyond, they are counted without looking for equal ones."""


def optimise(nest: Nest, isa: str = "x86") -> Loop:
    """The loops that are left of a function's nest, with weights (executions of each body)."""
    root = _optimise(nest, isa)[0]
    for loop in unread(root):
        measure(loop)
        judge(loop)
    _weigh(root, 1.0, 1.0, [])
    return root


_ANY_TRIPS = 2.0
"""Of a loop whose length is not known, to the cost of what is made once for it."""


def _weigh(loop: Loop, entries: float, copies: float, around: list[Loop]) -> None:
    entries *= loop.factor * loop.nest.share * loop.part
    loop.depth = len(around)
    if loop.checks and not loop.children:
        loop.overlapping = overlapping(loop, around[1:])
        loop.refused = bool(around) and (refused(loop, around[-1]) or goes_on(loop, around[-1]))
    loop.multiplicity = copies * loop.factor
    loop.entries = entries
    loop.weight = entries * loop.trip
    for child in loop.children:
        if loop.nest.depth:
            child.held_around = loop.held_around or _keeps_floats(loop)
            child.around = max(loop.trip, 1.0) if loop.exact else _ANY_TRIPS
        _weigh(child, loop.weight, loop.multiplicity, [*around, loop])


def _keeps_floats(loop: Loop) -> bool:
    """Whether a body needs floats that are known before it, beside a zero that it stores, which is no float."""
    return loop.held_floats + loop.literals > any(access.fill for access in loop.accesses)


def _optimise(nest: Nest, isa: str, siblings: int = 1) -> list[Loop]:
    """A loop with those inside; two where it is unswitched. siblings : loops beside it, itself among them."""
    beside = len(nest.children) if nest.depth else len(nest.children) // 2  # `UnswitchSiblingsToplevelDiv`
    loop = Loop(
        nest, nest.trip, nest.exact, nest.counts.copy(), nest.accesses.copy(), nest.chains.copy(), isa, nest.bits,
        nest.widths, nest.float_bits,
        [loop for child in nest.children for loop in _optimise(child, isa, beside)],
        path=nest.path, critical=nest.critical, live_int=nest.live_int, live_float=nest.live_float,
        held_floats=nest.held_floats, literals=nest.literals, folds=nest.folds, of_loaded=nest.of_loaded,
        immediates=nest.immediates, wide=nest.wide.copy(), typed=nest.typed.copy(), divided=nest.divided.copy(),
        guarded=nest.guarded, ways=nest.ways, live_bits=nest.live_bits, stacked=nest.stacked, masks=nest.masks,
        whole_masks=nest.whole_masks, across=float(nest.across), across_in_memory=float(nest.across_in_memory),
        called_loaded=float(nest.called_loaded), functions=float(nest.functions), lengths=nest.lengths,
        skipped=nest.skipped, passing=nest.passing, extremes=nest.extremes.copy(), still=nest.still.copy(),
        by_masks=nest.by_masks, fused=nest.fused.copy(),
    )  # fmt: skip
    if nest.stacked:
        loop.counts[opclass.LOAD] += nest.stacked
        loop.counts[opclass.STORE] += nest.stacked
    for child in loop.children:
        if child.lifted_early:
            _take(loop, child, child.lifted[: child.lifted_early])
        if child.moved:
            take(loop, child)
    _clean(loop)
    loop.lifted_early = len(loop.lifted)
    loop.raw, loop.early_indexing, loop.early_mixed = loop.size, loop.indexing, loop.mixed
    loop.early_indexed, loop.early_begun, loop.early_tied = loop.indexed.copy(), loop.begun, loop.tied
    loop.early_pointers, loop.early_ways = loop.pointers, loop.ways_in
    if loop.children:
        loop.raw -= min(sum([child.kept.get(nest.iv, 0.0) for child in loop.children]), loop.indexing)
        _merge_all(loop)
        inner = divided_by(loop, siblings)
        if inner is not None:
            return _unswitched(nest, inner, isa, siblings)
        loop.unmet = unmet(loop, siblings)
    loop.total = loop.raw + sum([(child.total + child.unmet) * child.factor for child in loop.children])
    if nest.depth and nest.exact and not nest.unknown_trip:
        loop.unrolled = (
            loop.trip <= 1 or _unrolled_size(loop, loop.total, loop.trip) < UNROLL_THRESHOLD or worth_it(loop)
        )
        if loop.unrolled and loop.children:
            if loop.trip <= 1:
                _known(loop, nest.iv)
            _settle(loop, loop.fixed | {nest.iv}, loop.trip > 1)
    if not loop.unrolled:
        judge(loop)
    return [loop]


def _unswitched(nest: Nest, inner: Nest, isa: str, siblings: int) -> list[Loop]:
    found: list[Loop] = []
    for version, part in versions(nest, inner):
        for loop in _optimise(version, isa, siblings + 1):
            loop.part *= part
            loop.parted |= inner.bounded_by
            found.append(loop)
    return found


def _unrolled_size(loop: Loop, size: float, trip: float) -> float:
    """How large so many iterations are: the way back is in them once (`UnrollCostEstimator`)."""
    back = BACK_EDGE.get(loop.isa, 2.0)
    return (size - back) * trip + back


def _clean(loop: Loop) -> None:
    if loop.nest.depth:
        hoist(loop)
        if loop.still:
            move_out(loop)
    common(loop)
    measure(loop)


def _merge_all(loop: Loop) -> None:
    """Put those of the loops inside that are no more into the body. How large it is then, full unrolling sees before
    anything of it is simplified (`raw`)."""
    below, loop.children = loop.children, []
    changed = False
    for child in below:
        if len(child.lifted) > child.lifted_early:
            _take(loop, child, child.lifted[child.lifted_early :])
            changed = True
        if child.moved:
            take(loop, child)
            changed = True
        if is_copy(child):
            moved(loop, child)
            loop.raw += COPY_SIZE + 1.0
            changed = True
        elif child.unrolled:
            _merge(loop, child)
            loop.raw += unfolded(child, loop)
            changed = True
        else:
            loop.children.append(child)
    if changed:
        _clean(loop)


def _take(loop: Loop, child: Loop, lifted: list[Access]) -> None:
    """What moved out of a loop is in the body around it."""
    together, counts = child.unrolled or child.copies > 1, loop.counts
    loop.accesses += lifted if together else [_apart(access) for access in lifted]
    for access in lifted:
        counts[opclass.STORE if access.store else opclass.LOAD] += moves(access)


def _apart(access: Access) -> Access:
    return msgspec.structs.replace(access, apart=True) if access.store else access


def _settle(loop: Loop, known: frozenset[int], again: bool) -> bool:
    """The iterations of a loop that is unrolled are known one by one: so are the trip counts that depend on them, and
    those loops may be unrolled in turn. Whether any was. again : whether all are looked at once more, as they are
    unless the loop has only one iteration and is no loop to `LoopDeletion`."""
    children, loop.children = loop.children, []
    changed = False
    for child in children:
        if child.part < 1.0 and child.parted <= known:  # each iteration has one of the versions
            child.factor, child.part = child.factor * child.part, 1.0
        inside = bool(child.children) and _settle(child, known, again)
        changed = changed or inside
        bounds = child.nest.bounded_by
        if bounds and not child.exact and bounds <= known:
            child.exact = inside = True
            short, kept = _divided(child)
            if short is not None:
                _settle(short, known | {child.nest.iv}, again)
                _merge(loop, short, known)
                loop.raw += unfolded(short, loop)
                changed = True
            for alone in kept:
                changed = _clean_late(loop, alone) or changed
            loop.children += kept
            continue
        elif again and _short_by_now(child, known):
            _merge(loop, child, known)
            loop.raw += unfolded(child, loop)
            changed = True
            continue
        if inside:
            changed = _clean_late(loop, child) or changed
        loop.children.append(child)
    if changed:
        common(loop)
        measure(loop)
        loop.total = loop.raw + sum([child.total * child.factor for child in loop.children])
    return changed


def _short_by_now(loop: Loop, known: frozenset[int]) -> bool:
    """Whether a loop that was too long to be unrolled is short when a loop around is gone, and those inside are looked
    at once more (`LPMUpdater::addSiblingLoops`): the blocks of loops of one iteration are put together by then, and
    what begins with the index of a loop that is gone has constants."""
    if not loop.exact or loop.children or loop.nest.unknown_trip:
        return False
    begun = [nest.starts for nest in loop.nest.walk()[1:] if nest.starts] if loop.resumed else []
    gone = loop.deleted + (loop.resumed if all(starts <= known for starts in begun) else 0.0)
    size = max(loop.raw - gone, loop.size) if gone else loop.raw
    loop.unrolled = bool(gone) and _unrolled_size(loop, size, loop.trip) < UNROLL_THRESHOLD
    loop.unrolled = loop.unrolled or constant_by_now(loop, known, size)
    if loop.unrolled:
        loop.raw, loop.deleted, loop.resumed = size, 0.0, 0.0
    return loop.unrolled


def _clean_late(loop: Loop, child: Loop) -> bool:
    """What does not vary in a loop that has others' bodies now moves out to `loop`; whether anything did."""
    before = len(child.lifted)
    hoist(child)
    if child.still:
        move_out(child)
        take(loop, child)
    common(child)
    measure(child)
    child.total = child.raw + sum([inside.total * inside.factor for inside in child.children])
    late = child.lifted[before:]
    _take(loop, child, late)
    judge(child)
    return bool(late)


def _known(loop: Loop, iv: int) -> None:
    """The index of a loop that runs once is where it begins; places of one buffer that it told apart may be the same
    then, and the loops inside are looked at again."""
    for child in loop.children:
        _known(child, iv)
        ways = set(child.by_shape())
        if any(key == iv for moving in ways for key, _ in moving or ()):
            child.accesses = [access.shifted(iv, 0) for access in child.accesses]
            if len(child.by_shape()) < len(ways):
                _clean_late(loop, child)


def _divided(loop: Loop) -> tuple[Loop | None, list[Loop]]:
    """Copies of a loop whose lengths are known now: those that are unrolled, and those that are too long for it, each
    of which LLVM vectorises by its own length."""
    lengths = loop.lengths or ((round(loop.trip), 1.0),)
    short = [(n, part) for n, part in lengths if n <= 1 or _unrolled_size(loop, loop.total, n) < UNROLL_THRESHOLD]
    if not short or len(short) == len(lengths):
        if not short:
            return None, by_length(loop, lengths)
        shorten(loop, lengths)
        loop.unrolled = True
        return loop, []
    unrolled = twin(loop)
    shorten(unrolled, short)
    return unrolled, by_length(loop, lengths[len(short) :])


def _forget(around: Loop, loop: Loop, iv: int, clean: bool) -> None:
    """The index of a loop that is no more is a constant: places that differed by it may be one, and if `clean`, are
    looked at again."""
    for child in loop.children:
        _forget(loop, child, iv, clean)
    places = [access.shifted(iv, 0) for access in loop.accesses]
    changed = any(new is not old for new, old in zip(places, loop.accesses, strict=True))
    loop.accesses = places
    loop.masks = unmask(loop, {}, loop.masks, iv, 1.0)
    if clean and changed:
        _clean_late(around, loop)


def _steps_of(chain: Chain) -> float:
    return chain.steps


def _merge(loop: Loop, below: Loop, known: frozenset[int] = frozenset()) -> None:
    """Put the iterations of a fully unrolled loop into the body; each of them brings a copy of the loops inside.

    known : loops whose unrolling has made copies of it already."""
    once, iv = round(below.trip), below.nest.iv
    trip = round(below.trip * below.factor) if below.factor != 1.0 else once
    if below.children or below.counts[opclass.BRANCH]:
        below.accesses = [_apart(access) for access in below.accesses]
    for child in below.children:
        child.factor *= trip
        child.part *= below.part
        child.parted |= below.parted
        _forget(loop, child, iv, trip == 1)
    loop.children += below.children if trip else []
    counts, inner = loop.counts, below.counts
    if below.stacked and not loop.nest.depth:  # what the function has once is kept in registers
        for index in (opclass.LOAD, opclass.STORE):
            counts[index] -= below.stacked * trip
    elif below.stacked:
        loop.stacked += below.stacked * trip
    entered = below.nest.share * below.part
    loop.skipped += trip * (below.skipped * entered + sum(inner) * (1.0 - entered))
    for index, count in enumerate(inner):
        if count:
            counts[index] += count * trip
    counts[opclass.ADDRESS] -= min(inner[opclass.ADDRESS] * trip, counts[opclass.ADDRESS])
    if len(below.accesses) * trip + len(loop.accesses) <= _MAX_EXPANDED:
        loop.accesses += (
            iterations(below.accesses, iv, once, below.by_shape()) if trip == once else _copies(below, trip, known)
        )
    else:
        loop.accesses += below.accesses * min(trip, 64)
    loop.copies = max(loop.copies, below.copies * max(trip, 1))
    loop.decided += [((below.total - 2) * below.trip + 2, below.trip), *below.decided]
    loop.unrolled_below += 1 + below.unrolled_below
    loop.fixed |= below.fixed | {below.nest.iv}
    chain = max(below.chains, key=_steps_of, default=below.nest.stepwise)
    steps = trip * max(below.serial, chain.steps) if chain is not None else below.serial
    if steps:
        loop.serial = max(loop.serial, steps)
        loop.serial_of |= below.serial_of | {c.base for c in below.chains or (chain,) if c is not None}
    loop.in_turn += _in_turn(below, trip, steps if chain is not None else 0.0)
    if below.passing:
        loop.chains += [c for over, c in below.passing if over == loop.nest.iv]
        loop.passing = loop.passing + [pair for pair in below.passing if pair[0] != loop.nest.iv]
    if below.path > loop.path:
        loop.path, loop.critical = below.path, below.critical
    if not loop.serial_chain:
        loop.serial_chain = chain or below.serial_chain
    if below.chains:
        loop.chains = [carried_on(c, below.chains[0], trip) if c.op_class == PASSED else c for c in loop.chains]
    loop.live_int = max(loop.live_int, below.live_int)
    loop.live_float = max(loop.live_float, below.live_float)
    loop.held_floats = max(loop.held_floats, below.held_floats)
    loop.literals = max(loop.literals, below.literals)
    loop.live_bits = max(loop.live_bits, below.live_bits)
    loop.moved_by_calls += below.moved_by_calls * trip
    add_counts(loop.wide, below.wide, trip)
    add_counts(loop.typed, below.typed, trip)
    add_counts(loop.divided, below.divided, trip)
    add_counts(loop.extremes, below.extremes, trip)
    add_counts(loop.fused, below.fused, trip)
    loop.guarded += below.guarded * trip
    loop.ways += below.ways * trip
    loop.by_masks += below.by_masks * trip
    loop.still += [(*fixed[:4], fixed[4] * trip) for fixed in below.still]
    loop.masks = unmask(loop, loop.masks, below.masks, iv, trip)
    loop.whole_masks += below.whole_masks * trip
    loop.mix = None
    loop.bits = max(loop.bits, below.bits)
    loop.widths = max(loop.widths, below.widths)
    loop.float_bits = max(loop.float_bits, below.float_bits)
    loop.hoisted += below.hoisted
    loop.folds += below.folds * trip
    loop.of_loaded += below.of_loaded * trip
    loop.immediates += below.immediates * trip
    loop.across += below.across * trip
    loop.across_in_memory += below.across_in_memory * trip
    loop.called_loaded += below.called_loaded * trip
    loop.functions += below.functions * trip
    loop.removed += below.removed * trip
    loop.forwarded += below.forwarded * trip
    loop.passed_on += below.passed_on * trip


_MIXED = 100.0
"""Operations among which the scheduler puts independent chains side by side."""


def _in_turn(below: Loop, trip: int, steps: float) -> float:
    """Dependent steps that so many iterations put one after the other into a body: chains of separate loops, and of
    iterations around one, as far as each fills what is scheduled together."""
    filled = min(sum(below.counts) * trip / _MIXED, 1.0)
    return max(steps * filled, below.in_turn * trip)


def _copies(loop: Loop, trip: int, known: frozenset[int]) -> list[Access]:
    """The accesses of so many iterations, of copies of a loop that another place each."""
    varying = {a.base for nest in loop.nest.walk() for a in nest.accesses if not known.isdisjoint(dict(a.moving or ()))}
    once = iterations(loop.accesses, loop.nest.iv, max(round(loop.trip), 1), loop.by_shape())
    found: list[Access] = []
    for copied in range(ceil(trip / max(round(loop.trip), 1))):
        for access in once:
            if copied and access.base in varying:
                access = msgspec.structs.replace(access, constant=access.constant + copied * _DISTANT)
            found.append(access)
    return found


_DISTANT = 1 << 20
"""Elements between the places that copies of a loop touch, whose distance is not followed."""
