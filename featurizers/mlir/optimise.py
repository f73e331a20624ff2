"""What LLVM's middle end does to a nest, whatever the CPU: full unrolling, hoisting, common subexpressions, and
whether a loop may be vectorised at all.

Thresholds are those of LLVM's sources: `LoopUnrollPass.cpp` (UnrollThreshold 300 at -O3), `LoopVectorize.cpp` and
`LoopAccessAnalysis.cpp` (runtime checks of at most 8 pairs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from featurizers.mlir import opclass
from featurizers.mlir.idioms import is_copy, moved
from featurizers.mlir.nest import CONSTANT, PASSED, Access, Chain, Nest

UNROLL_THRESHOLD = 300
MAX_CHECKS = 8
_FAR = 16
"""Iterations beyond which a dependence is in no vector's way."""
_MAX_EXPANDED = 4096
"""Accesses that a fully unrolled nest is followed through; beyond, they are counted without looking for equal ones."""

VECTORISABLE, NOT_INNERMOST, HAS_CALL, CARRIED, DEPENDENCE, NOT_LINEAR, WIDE_ALREADY, TOO_FEW = range(8)
REASONS = ("vectorisable", "not innermost", "calls", "carried value", "memory dependence", "not linear",
           "vector code already", "too few iterations")  # fmt: skip

Key = tuple[int, tuple[tuple[int, int], ...] | None]


@dataclass(slots=True)
class Loop:
    """A loop that is left after the middle end. counts, accesses : per iteration, of what stays in the body.

    copies : iterations of inner loops that full unrolling put into one. size : of the body in LLVM instructions,
    total : with the loops inside. weight : executions of the body in all. factor : copies of this loop that unrolling
    the loop around it made, multiplicity : in the whole function. path : as of `Nest`. serial : dependent steps of
    accumulators of inner loops in one iteration. unit, strided, invariant, gathered : accesses by their stride.
    """

    nest: Nest
    trip: float
    exact: bool
    counts: list[float]
    accesses: list[Access]
    chains: list[Chain]
    children: list[Loop] = field(default_factory=list)
    copies: float = 1.0
    size: float = 0.0
    weight: float = 1.0
    entries: float = 1.0
    factor: float = 1.0
    multiplicity: float = 1.0
    total: float = 0.0
    path: float = 0.0
    serial: float = 0.0
    unrolled: bool = False
    legality: int = VECTORISABLE
    checks: int = 0
    unit: int = 0
    strided: int = 0
    invariant: int = 0
    gathered: int = 0
    streams: int = 0
    live_int: int = 0
    live_float: int = 0
    store_run: int = 1
    memory_chain: bool = False
    serial_chain: Chain | None = None
    removed: int = 0
    hoisted: int = 0
    unrolled_below: int = 0
    decided: list[tuple[float, float]] = field(default_factory=list)

    def walk(self) -> list[Loop]:
        """This loop and those below."""
        found = [self]
        for child in self.children:
            found += child.walk()
        return found


def optimise(nest: Nest) -> Loop:
    """The loops that are left of a function's nest, with weights (executions of each body)."""
    root = _optimise(nest)
    _weigh(root, 1.0, 1.0)
    return root


def _weigh(loop: Loop, entries: float, copies: float) -> None:
    entries *= loop.factor
    loop.multiplicity = copies * loop.factor
    loop.entries = entries
    loop.weight = entries * loop.trip
    for child in loop.children:
        _weigh(child, loop.weight, loop.multiplicity)


def _optimise(nest: Nest) -> Loop:
    loop = Loop(nest, nest.trip, nest.exact, nest.counts.copy(), nest.accesses.copy(), nest.chains.copy())
    loop.live_int, loop.live_float = nest.live_int, nest.live_float
    loop.path = nest.path
    for child in nest.children:
        below = _optimise(child)
        if is_copy(below):
            moved(loop, below)
        elif below.unrolled:
            _merge(loop, below)
        else:
            loop.children.append(below)
    if nest.depth:
        _hoist(loop)
    _common(loop)
    _measure(loop)
    loop.total = loop.size + sum(child.total * child.factor for child in loop.children)
    if nest.depth and nest.exact and not nest.unknown_trip:
        loop.unrolled = loop.trip <= 1 or (loop.total - 2) * loop.trip + 2 <= UNROLL_THRESHOLD
    if not loop.unrolled:
        _judge(loop)
    return loop


def _forget(loop: Loop, iv: int) -> None:
    """The index of a loop that is no more is a constant."""
    loop.accesses = [_shifted(access, iv, 0) for access in loop.accesses]
    for child in loop.children:
        _forget(child, iv)


def _merge(loop: Loop, below: Loop) -> None:
    """Put the iterations of a fully unrolled loop into the body; each of them brings a copy of the loops inside."""
    trip, iv = int(below.trip), below.nest.iv
    for child in below.children:
        child.factor *= trip
        _forget(child, iv)
    loop.children += below.children if trip else []
    counts, inner = loop.counts, below.counts
    for index, count in enumerate(inner):
        if count:
            counts[index] += count * trip
    counts[opclass.ADDRESS] -= min(inner[opclass.ADDRESS] * trip, counts[opclass.ADDRESS])
    if len(below.accesses) * trip + len(loop.accesses) <= _MAX_EXPANDED:
        for iteration in range(trip):
            loop.accesses += [_shifted(a, iv, iteration) for a in below.accesses]
    else:
        loop.accesses += below.accesses * min(trip, 64)
    loop.copies = max(loop.copies, below.copies * max(trip, 1))
    loop.decided += [((below.total - 2) * below.trip + 2, below.trip), *below.decided]
    loop.unrolled_below += 1 + below.unrolled_below
    steps = trip * max(below.serial, below.chains[0].steps) if below.chains else below.serial
    loop.serial = max(loop.serial, steps)
    loop.path = max(loop.path, below.path)
    if below.chains and not loop.serial_chain:
        loop.serial_chain = below.chains[0]
    if below.chains:
        loop.chains = [below.chains[0] if c.op_class == PASSED else c for c in loop.chains]
    loop.live_int = max(loop.live_int, below.live_int)
    loop.live_float = max(loop.live_float, below.live_float)
    nest, inside = loop.nest, below.nest
    nest.bits = max(nest.bits, inside.bits)
    nest.widths = max(nest.widths, inside.widths)
    nest.is_float = nest.is_float or inside.is_float
    loop.hoisted += below.hoisted
    loop.removed += below.removed * trip


def _shifted(access: Access, iv: int, iteration: int) -> Access:
    form = access.form
    if form is None or not form.get(iv):
        return access
    rest = {key: factor for key, factor in form.items() if key != iv}
    rest[CONSTANT] = rest.get(CONSTANT, 0) + form[iv] * iteration
    return Access(access.base, rest, access.store, access.bits, access.lanes, access.external, access.fill)


def _key(access: Access) -> Key:
    form = access.form
    return access.base, None if form is None else tuple(sorted((k, v) for k, v in form.items() if v))


def _hoist(loop: Loop) -> None:
    """Loads that do not vary move out when nothing may overwrite them; an accumulator in memory becomes a register
    that is still stored where other accesses may read it."""
    iv = loop.nest.iv
    stores = [a for a in loop.accesses if a.store]
    for child in loop.children:
        stores += [a for inner in child.walk() for a in inner.accesses if a.store]
    kept = []
    for access in loop.accesses:
        fixed = access.form is not None and not access.form.get(iv)
        if fixed and not access.store and not any(_may_alias(access, s) for s in stores):
            loop.hoisted += 1
            loop.counts[opclass.LOAD] = max(loop.counts[opclass.LOAD] - _moves(access), 0.0)
            continue
        kept.append(access)
    loop.accesses = kept
    fixed_stores = {_key(a): a for a in kept if a.store and a.form is not None and not a.form.get(iv)}
    for key, store in fixed_stores.items():
        others = [s for s in stores if _key(s) != key]
        loads = [a for a in kept if not a.store and _key(a) == key]
        if loads and not any(_may_alias(store, s) for s in others):
            loop.accesses = [a for a in loop.accesses if a.store or _key(a) != key]
            loop.counts[opclass.LOAD] = max(loop.counts[opclass.LOAD] - len(loads), 0.0)
            loop.hoisted += len(loads)
            updates = sum(a.store and _key(a) == key for a in kept)
            loop.chains.append(_memory_chain(loop, store, float(updates)))
            readers = [a for a in loop.accesses if not a.store and _may_alias(store, a)]
            if not readers and not loop.children:
                loop.accesses = [a for a in loop.accesses if _key(a) != key]
                loop.counts[opclass.STORE] = max(loop.counts[opclass.STORE] - 1, 0.0)
            else:
                loop.memory_chain = True


def _memory_chain(loop: Loop, store: Access, steps: float) -> Chain:
    is_float = loop.nest.is_float
    wanted = ("fadd", "fma", "fmul", "fminmax", "fdiv") if is_float else ("iadd", "logic", "imul")
    for name in wanted:
        if loop.counts[opclass.CLASS[name]]:
            return Chain(opclass.CLASS[name], store.bits, is_float, not is_float or name == "fminmax", steps)
    return Chain(-1, store.bits, is_float, False, steps)


def _may_alias(a: Access, b: Access) -> bool:
    if a.base != b.base:
        return a.external and b.external
    if a.form is None or b.form is None:
        return True
    left = {k: v for k, v in a.form.items() if v and k != CONSTANT}
    right = {k: v for k, v in b.form.items() if v and k != CONSTANT}
    return left != right or a.form.get(CONSTANT, 0) == b.form.get(CONSTANT, 0)


def _moves(access: Access) -> float:
    return max(access.lanes * access.bits / 512, 1.0)


def _common(loop: Loop) -> None:
    """Equal loads are read once, unless a store that may overwrite them lies between."""
    known: dict[Key, bool] = {}
    kept = []
    for access in loop.accesses:
        key = _key(access)
        if access.store:
            for other in [k for k in known if k[0] != access.base or k[1] != key[1]]:
                if other[0] == access.base or (access.external and known[other]):
                    del known[other]
            known[key] = access.external
            kept.append(access)
        elif key in known and key[1] is not None:
            loop.removed += 1
            loop.counts[opclass.LOAD] = max(loop.counts[opclass.LOAD] - _moves(access), 0.0)
        else:
            known[key] = access.external
            kept.append(access)
    loop.accesses = kept


_FREE_IN_IR = (opclass.ADDRESS,)
_CALL_SIZE = 6.0


def _measure(loop: Loop) -> None:
    """Size in LLVM instructions: arithmetic, accesses, an addition per access that depends on outer loops too."""
    counts = loop.counts
    size = sum(counts) - counts[opclass.ADDRESS] + 3.0
    size += (counts[opclass.CALL] + counts[opclass.LIBM]) * (_CALL_SIZE - 1)
    iv = loop.nest.iv
    rows: set[tuple[tuple[int, int], ...]] = set()
    for access in loop.accesses:
        if access.form is not None:
            others = tuple(sorted((k, v) for k, v in access.form.items() if v and k != CONSTANT))
            if len(others) > 1 or access.form.get(CONSTANT) or (others and others[0][0] != iv):
                rows.add((*others, (CONSTANT, access.form.get(CONSTANT, 0))))
        else:
            size += 2
    loop.size = size + len(rows)


def _judge(loop: Loop) -> None:
    """Strides over this loop, and whether LoopVectorize would find it legal."""
    iv = loop.nest.iv
    bases: dict[int, list[Access]] = {}
    for access in loop.accesses:
        bases.setdefault(access.base, []).append(access)
        stride = None if access.form is None else access.form.get(iv, 0)
        if stride is None:
            loop.gathered += 1
        elif stride == 0:
            loop.invariant += 1
        elif abs(stride) == max(access.lanes, 1):
            loop.unit += 1
        else:
            loop.strided += 1
    loop.streams = len(bases)
    loop.store_run = _run_of_stores(loop.accesses)
    loop.checks = _checks(bases)
    loop.legality = _legality(loop, bases)


def _legality(loop: Loop, bases: dict[int, list[Access]]) -> int:
    nest, iv = loop.nest, loop.nest.iv
    if loop.children:
        return NOT_INNERMOST
    if nest.widths:
        return WIDE_ALREADY
    if loop.counts[opclass.CALL] or loop.counts[opclass.LIBM]:
        return HAS_CALL
    if nest.unknown_trip:
        return TOO_FEW
    if any(not chain.reassociable for chain in loop.chains):
        return CARRIED
    for accesses in bases.values():
        stores = [a for a in accesses if a.store]
        if any(s.form is None or (not s.form.get(iv) and not loop.memory_chain) for s in stores):
            return NOT_LINEAR
        if stores and len(accesses) > 1 and _dependent(accesses, iv):
            return DEPENDENCE
    return VECTORISABLE if loop.checks <= MAX_CHECKS else DEPENDENCE


def _dependent(accesses: list[Access], iv: int) -> bool:
    """Whether a value stored to this buffer is needed by a later iteration: no vector may span the distance.

    Stores all have a form. Accumulators (same place in every iteration) are judged by their chain.
    """
    offsets: set[int] = set()
    stored: set[int] = set()
    shape: dict[int, int] | None = None
    for access in accesses:
        if access.form is None:
            return True
        moving = {k: v for k, v in access.form.items() if v and k != CONSTANT}
        if shape is None:
            shape = moving
        elif moving != shape:
            return True
        (stored if access.store else offsets).add(access.form.get(CONSTANT, 0))
    step = shape.get(iv, 0) if shape else 0
    offsets |= stored
    return bool(step) and any(place - step * k in offsets for place in stored for k in range(1, _FAR))


def _checks(bases: dict[int, list[Access]]) -> int:
    """Pairs of buffers that may overlap, one of which is written."""
    written = [base for base, accesses in bases.items() if accesses[0].external and any(a.store for a in accesses)]
    outside = [base for base, accesses in bases.items() if accesses[0].external]
    pairs = {(min(w, o), max(w, o)) for w in written for o in outside if w != o}
    return len(pairs)


def _run_of_stores(accesses: list[Access]) -> int:
    """Longest run of stores to neighbouring elements: what the SLP vectoriser starts from."""
    by_place: dict[tuple[int, tuple[tuple[int, int], ...]], list[int]] = {}
    for access in accesses:
        if access.store and access.form is not None:
            rest = tuple(sorted((k, v) for k, v in access.form.items() if v and k != CONSTANT))
            by_place.setdefault((access.base, rest), []).append(access.form.get(CONSTANT, 0))
    longest = 1
    for places in by_place.values():
        run = 1
        ordered = sorted(set(places))
        for before, after in pairwise(ordered):
            run = run + 1 if after == before + 1 else 1
            longest = max(longest, run)
    return longest
