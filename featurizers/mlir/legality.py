"""Whether LLVM's vectoriser may touch a loop: strides, dependences, overlap checks.

Source (LLVM 22): `LoopAccessAnalysis.cpp`. How many checks are worth it, `vectorise` compares.
"""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.loads import Written
from featurizers.mlir.loop import (
    CARRIED,
    DEPENDENCE,
    HAS_CALL,
    NOT_INNERMOST,
    NOT_LINEAR,
    TOO_FEW,
    VECTORISABLE,
    WIDE_ALREADY,
    Loop,
)
from featurizers.mlir.nest import Access, Moving, jumps
from featurizers.mlir.scattered import MOST_DEPENDENCES
from featurizers.mlir.slp import runs
from featurizers.mlir.widths import widths_moved

_FAR = 16
"""Iterations beyond which a dependence is in no vector's way."""


def judge(loop: Loop) -> None:
    """Strides over this loop, and whether LoopVectorize would find it legal; again where loops inside are no more."""
    loop.unit = loop.strided = loop.invariant = loop.gathered = 0
    loop.runs = loop.mix = loop.plain = None
    bases: dict[int, list[Access]] = {}
    by_shape = loop.by_shape()
    steps = {shape: abs(step) if shape is not None and not jumps(step) else -1 for shape, step in by_shape.items()}
    for access in loop.accesses:
        held = bases.get(access.base)
        if held is None:
            bases[access.base] = [access]
        else:
            held.append(access)
        step = steps[access.moving]
        if step < 0:
            loop.gathered += 1
        elif step == 0:
            loop.invariant += 1
        elif step == access.lanes:
            loop.unit += 1
        else:
            loop.strided += 1
    loop.streams = len(bases)
    loop.narrowest, loop.widest = widths_moved(loop)
    loop.store_run = max(runs(loop).stores, default=1)
    loop.checks = _checks(bases)
    loop.legality = _legality(loop, bases, by_shape)


def _legality(loop: Loop, bases: dict[int, list[Access]], by_shape: dict[Moving | None, int]) -> int:
    nest = loop.nest
    if loop.children:
        return NOT_INNERMOST
    if loop.widths:
        return WIDE_ALREADY
    if loop.counts[opclass.CALL] or loop.functions or True in [access.copied for access in loop.accesses]:
        return HAS_CALL
    if nest.unknown_trip:
        return TOO_FEW
    for accesses in bases.values():
        stores = [a for a in accesses if a.store]
        if len(accesses) == 1 and _scattered(accesses[0], by_shape):
            continue
        if any(s.moving is None or (not by_shape[s.moving] and not loop.memory_chain) for s in stores):
            return NOT_LINEAR
        if any(jumps(by_shape[s.moving]) for s in stores):
            return NOT_LINEAR
        if stores and len(accesses) > 1:
            if _dependent(accesses, by_shape, int(loop.trip) - 1 if loop.exact else _FAR):
                return DEPENDENCE
            loop.checks += _told_apart(accesses)
    if loop.checks and not _compared(bases, by_shape):
        return DEPENDENCE
    if _carried_past_a_store(loop, by_shape):
        return DEPENDENCE
    return CARRIED if any(not chain.reassociable for chain in loop.chains) else VECTORISABLE


def _carried_past_a_store(loop: Loop, by_shape: dict[Moving | None, int]) -> bool:
    """Whether what is loaded behind a store is what the next iteration needs before that store, as in a stencil that
    the source has unrolled: GVN carries it on, and its uses cannot move behind the load, as a recurrence in vectors
    would have them (`RecurrenceDescriptor::isFixedOrderRecurrence`). In the row that is written, several buffers share
    sums of indices, and GVN does not find the addresses of the next iteration."""
    stores = [access for access in loop.accesses if access.store]
    if len(stores) < 2:
        return False
    written, iv = Written(stores), loop.nest.iv
    for moving, places in _behind_stores(loop, written).items():
        step = by_shape[moving]
        pitch = min([abs(factor) for key, factor in moving if key != iv], default=0)
        if not step or jumps(step) or pitch <= abs(step):
            continue
        rows = {_row(store.constant, pitch) for store in stores if store.moving == moving}
        for (base, at), before in places.items():
            if places.get((base, at + step), before) > before and _row(at, pitch) not in rows:
                return True
    return False


def _behind_stores(loop: Loop, written: Written) -> dict[Moving, dict[tuple[int, int], int]]:
    """The places that are read and that no store may overwrite, with how many stores stand before."""
    found: dict[Moving, dict[tuple[int, int], int]] = {}
    stored = 0
    for access in loop.accesses:
        if access.store:
            stored += 1
        elif access.moving and not written.may_overwrite(access):
            found.setdefault(access.moving, {}).setdefault((access.base, access.constant), stored)
    return found


def _row(constant: int, pitch: int) -> int:
    return (constant + pitch // 2) // pitch


def _scattered(access: Access, by_shape: dict[Moving | None, int]) -> bool:
    """Whether a store goes anywhere in a buffer that nothing else uses: a scatter, which keeps the order of lanes."""
    return access.moving is None or jumps(by_shape[access.moving])


def _dependent(accesses: list[Access], by_shape: dict[Moving | None, int], last: int) -> bool:
    """Whether a value stored to this buffer is needed by a later iteration: no vector may span the distance.

    Stores all have a form. Accumulators (same place in every iteration) are judged by their chain. last : the last
    iteration that can matter. Places that move over other loops in another way are told apart when the code runs.
    """
    offsets: dict[Moving, set[int]] = {}
    stored: dict[Moving, set[int]] = {}
    for access in accesses:
        shape = access.moving
        if shape is None or jumps(by_shape[shape]):
            return True
        found = stored if access.store else offsets
        if shape in found:
            found[shape].add(access.constant)
        else:
            found[shape] = {access.constant}
    steps_of = {by_shape[shape] for shape in (*stored, *offsets)} - {0}
    if len(steps_of) > 1:
        return True
    for shape, written in stored.items():
        step = by_shape[shape]
        places = offsets.get(shape, set()) | written
        if not step and (len(written) > 1 or len(steps_of) > 0):
            return True  # `MemoryDepChecker::isDependent` compares only places that move
        if step and max(places) - min(places) >= abs(step):
            steps = range(1, min(_FAR, last + 1))
            if any(not places.isdisjoint([place - step * k for place in written]) for k in steps):
                return True
            if _overwritten_late(accesses, shape, step, last):
                return True
    return False


def _overwritten_late(accesses: list[Access], shape: Moving, step: int, last: int) -> bool:
    """Whether a body reads behind one of its stores what that store overwrites in a later iteration: a vector of these
    stores comes before the vector of the loads (`MemoryDepChecker::isDependent`: backward)."""
    seen: set[int] = set()
    for access in accesses:
        if access.moving == shape:
            if access.store:
                seen.add(access.constant)
            elif seen and any(access.constant - step * k in seen for k in range(1, min(_FAR, last + 1))):
                return True
    return False


def _compared(bases: dict[int, list[Access]], by_shape: dict[Moving | None, int]) -> bool:
    """Whether places of a buffer that move in different ways may be compared when the code runs: only if the distance
    of some is a value that the loop does not change (`FoundNonConstantDistanceDependence`), which it is of none that
    stand still, and if there are few such pairs (with more, `MemoryDepChecker::areDepsSafe` stops at the first that is
    not safe)."""
    pairs, distant, still = 0, False, False
    for accesses in bases.values():
        stores: dict[Moving | None, set[int]] = {}
        loads: dict[Moving | None, set[int]] = {}
        for access in accesses:
            (stores if access.store else loads).setdefault(access.moving, set()).add(access.constant)
        if len(stores.keys() | loads.keys()) < 2:
            continue
        for way, written in stores.items():
            for other, read in loads.items():
                pairs += len(written & read) if other == way else len(written) * len(read)
                if other != way and by_shape[way]:
                    distant, still = distant or by_shape[other] != 0, still or not by_shape[other]
            distant = distant or len(stores) > 1
    return (distant or not still) and pairs < MOST_DEPENDENCES


def _told_apart(accesses: list[Access]) -> int:
    """Checks between places of one buffer that move in different ways, one of which is written. Those that move alike
    are one range (`RuntimePointerChecking::groupChecks`)."""
    ways = {access.moving for access in accesses}
    written = len({access.moving for access in accesses if access.store})
    return written * (len(ways) - written) + written * (written - 1) // 2


def _checks(bases: dict[int, list[Access]]) -> int:
    """Pairs of buffers that may overlap, one of which is written; of their parts, where there are so many places that
    not all are compared."""
    outside = [accesses for accesses in bases.values() if accesses[0].external]
    if len(outside) > 1 and sum([len(accesses) for accesses in outside]) > _COMPARED:
        return _of_parts(outside)
    written = sum([True in [a.store for a in accesses] for accesses in outside])
    return written * (len(outside) - written) + written * (written - 1) // 2


_COMPARED = 100
"""Comparisons after which each place is a range of its own (`MemoryCheckMergeThreshold`)."""


def _of_parts(outside: list[list[Access]]) -> int:
    """Checks between ranges, to which places that move alike are put together
    (`RuntimePointerChecking::groupChecks`)."""
    left, pairs, all_written, all_read = _COMPARED, 0, 0, 0
    for accesses in outside:
        places: dict[tuple[Moving | None, int], bool] = {}
        for access in accesses:
            place = access.moving, access.constant
            places[place] = places.get(place, False) or access.store
        shapes: list[Moving | None] = []
        stores: list[bool] = []
        for (moving, _), store in places.items():
            known = shapes.index(moving) if moving in shapes else -1
            if 0 <= known < left:
                left -= known + 1
                stores[known] = stores[known] or store
            else:
                left -= len(shapes)
                shapes.append(moving)
                stores.append(store)
        written = sum(stores)
        read = len(stores) - written
        pairs += written * (all_written + all_read) + read * all_written
        all_written, all_read = all_written + written, all_read + read
    return pairs
