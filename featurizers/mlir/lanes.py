"""How the loads of a body lie beside the lanes of its stores, when SLP packs the iterations that unrolling put into it.

Sources (LLVM 22), `SLPVectorizer.cpp`: `BoUpSLP::canVectorizeLoads` (neighbours are one load, steps of one length a
strided load of RISC-V, others are gathered), `BoUpSLP::getEntryCost` (what all lanes share is a splat),
`reorderTopToBottom` (lanes of one vector in another order, or several times, are a permutation of it).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import gcd, prod

import msgspec

from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Moving, Nest, jumps

KINDS = 5
BESIDE, SHARED, TURNED, STEPPED, APART = range(KINDS)
"""Neighbours; the same for all lanes; neighbours in another order, or each for several lanes; at steps of one length;
anywhere."""


class Lanes(msgspec.Struct):
    """Where the lanes of a vector come from: so many stores side by side in one block, then iterations of these loops,
    with the elements from one to the next.

    around : the outermost of these loops. stores : of each lane, in all buffers. carried : whether a loop among them
    carries a value that it stores, so that each lane comes from the one before. order : the stores side by side, from
    the first place on, as they come in the block."""

    around: Nest
    own: int
    steps: tuple[tuple[int, int, int], ...]
    stores: int = 1
    carried: bool = False
    order: tuple[int, ...] = ()


def lanes_of(loop: Loop, most: int) -> tuple[Lanes | None, list[Nest]]:
    """The lanes of the longest run of stores, and the nests that are in the body."""
    nests = merged(loop.nest, loop)
    best, reached = None, 1
    by_iv = {nest.iv: nest for nest in nests}
    trips = {nest.iv: int(nest.trip) for nest in nests[1:]}
    for nest in nests:
        runs: dict[tuple[int, Moving], list[int]] = {}
        for access in nest.accesses:
            if access.store and access.moving is not None and access.lanes == 1:
                runs.setdefault((access.base, access.moving), []).append(access.constant)
        for (_, moving), constants in runs.items():
            own = _run(constants)
            found, reach = _steps(moving, own, trips, most)
            if reach > reached:
                ivs = [iv for iv, _, _ in found]
                carried = any(chain.used for one in nests if one.iv in ivs for chain in one.chains)
                around = by_iv[ivs[-1]] if ivs else nest
                each = sum([len(places) for places in runs.values()]) // own
                order = tuple(sorted(range(own), key=constants.__getitem__)) if own == len(constants) else ()
                best, reached = Lanes(around, own, tuple(found), max(each, 1), carried, order), reach
    return best, nests


def merged(nest: Nest, loop: Loop) -> list[Nest]:
    """A nest, and those in it whose iterations are in the body of a loop."""
    found = [nest]
    for nest in found:
        found += [child for child in nest.children if child.iv in loop.fixed]
    return found


def _run(constants: Sequence[int]) -> int:
    """How many places are side by side; 1 where they are not."""
    different = len(set(constants))
    return different if different > 1 and max(constants) - min(constants) == different - 1 else 1


def _steps(moving: Moving, own: int, trips: dict[int, int], most: int) -> tuple[list[tuple[int, int, int]], int]:
    """Loops whose iterations are next to each other, the innermost first, and how many places they reach."""
    found = []
    reach = own
    for size, iv, factor in sorted([(abs(factor), iv, factor) for iv, factor in moving if trips.get(iv, 1) > 1]):
        if size != reach or reach >= most:
            break
        found.append((iv, factor, trips[iv]))
        reach *= trips[iv]
    return found, reach


class Ways(msgspec.Struct):
    """Loads of a buffer in the source, by how they lie. windows : of neighbours, how many vectors begin in one run of
    places (a stencil's are each a load), piece : lanes up to which they are neighbours; different : lanes of a vector
    that have their own place, where they are turned; step : elements from lane to lane."""

    counts: list[int]
    windows: float = 1.0
    piece: int = 1 << 20
    different: int = 1
    step: int = 1


def ways(loop: Loop, lanes: Lanes, nests: Sequence[Nest]) -> dict[int, Ways]:
    """Of each buffer, how its loads lie beside the lanes."""
    found: dict[int, Ways] = {}
    inside = merged(lanes.around, loop)
    among = {nest.iv for nest in inside}
    for nest in [*inside, *[nest for nest in nests if nest.iv not in among]]:
        groups: dict[tuple[int, Moving | None], list[int]] = {}
        for access in nest.accesses:
            if not access.store and access.lanes == 1:
                groups.setdefault((access.base, access.moving), []).append(access.constant)
        for (base, moving), constants in groups.items():
            known = found.get(base)
            if known is None:
                known = found[base] = Ways([0] * KINDS)
            elif nest.iv not in among:
                continue
            kind = _way(lanes, moving, constants, known)
            known.counts[kind] += len(constants)
            if kind == BESIDE and not _rows_of_sums(nest, lanes, constants):
                known.windows = max(known.windows, _windows(lanes, sorted(set(constants))))
    return found


def shared(loop: Loop, most: int) -> frozenset[int]:
    """Buffers of which all lanes of a vector read the same places: each is a splat."""
    lanes, nests = lanes_of(loop, most)
    if lanes is None:
        return frozenset()
    return frozenset(
        [base for base, way in ways(loop, lanes, nests).items() if 2 * way.counts[SHARED] > sum(way.counts)]
    )


def _rows_of_sums(nest: Nest, lanes: Lanes, constants: list[int]) -> bool:
    """Whether these are terms of sums that are stored behind this nest: each row is a vector, also where the next one
    lies beside it."""
    whole = lanes.own > 1 and len(constants) % lanes.own == 0 and len(set(constants)) == len(constants)
    return whole and not any(access.store for access in nest.accesses)


def _windows(lanes: Lanes, constants: list[int]) -> float:
    """Vectors of neighbours that begin in one run of places."""
    reach = lanes.own
    if reach > 1:
        return max(len(constants) - reach + 1, 1) * reach / len(constants)
    for _, _, trip in lanes.steps:
        reach *= trip
    rows = 1 + sum([after - before >= reach for before, after in pairwise(constants)])
    return len(constants) / rows


def _way(lanes: Lanes, moving: Moving | None, constants: list[int], known: Ways) -> int:
    if moving is None:
        return APART
    strides = dict(moving)
    ratios: list[float] = []
    pieces: list[int] = []
    if lanes.own > 1:
        places = list(dict.fromkeys(constants))
        step = _step(lanes, constants)
        if len(places) == 1:
            ratios.append(0.0)
        elif step is not None:
            ratios.append(float(step))
        elif len(places) > lanes.own and max(places) - min(places) == len(places) - 1:
            ratios.append(1.0)
        else:
            return APART
        pieces.append(lanes.own)
    for iv, factor, trip in lanes.steps:
        stride = strides.get(iv, 0)
        if jumps(stride):
            return APART
        ratios.append(stride / factor)
        pieces.append(trip)
    ratio = ratios[0]
    if len(set(ratios)) > 1 and all(each in (0.0, 1.0, -1.0) for each in ratios):
        known.different = prod([size for each, size in zip(ratios, pieces, strict=True) if each])
        return TURNED
    known.piece = prod([size for each, size in zip(ratios, pieces, strict=True) if each == ratio])
    if ratio in (0.0, 1.0):
        return BESIDE if ratio else SHARED
    known.step = abs(round(ratio))
    return STEPPED if known.step > 1 else TURNED


def _step(lanes: Lanes, constants: list[int]) -> int | None:
    """Elements from the load of one lane to that of the next, where it is the same for all: each lane has as many loads
    as any other, one after the other, or those of all lanes come before the next ones."""
    own = lanes.own
    each, rest = divmod(len(constants), own)
    if rest:
        return None
    for rows in (
        [constants[at : at + own] for at in range(0, len(constants), own)],
        [constants[at::each] for at in range(each)],
    ):
        if lanes.order:
            rows = [[row[at] for at in lanes.order] for row in rows]
        steps = {after - before for row in rows for before, after in pairwise(row)}
        if len(steps) == 1:
            return steps.pop()
    return None


def read_between(loop: Loop, lanes: Lanes, most: int) -> bool:
    """Whether a body reads between the stores of one vector what they may have written, at a place that moves in
    another way: loads do not pass these stores (`BlockScheduling::calculateDependencies`). Places that differ modulo
    all by which they move apart are not the same (`BasicAAResult::aliasGEP`). Other buffers that may overlap are
    looked for before (`slp`)."""
    stored: dict[int, dict[Moving | None, dict[int, dict[int, int]]]] = {}
    for access in loop.accesses:
        if access.store:
            stored.setdefault(access.base, {}).setdefault(access.moving, {})
    several = False
    for access in loop.accesses:
        if not access.store:
            for moving, sizes in stored.get(access.base, {}).items():
                if moving != access.moving:
                    sizes.setdefault(_divisor(moving, access.moving), {})
                    several = True
    together = min(most, lanes.own if lanes.own > 1 else lanes.steps[0][2]) * lanes.stores
    stores = 0
    for access in loop.accesses if several else ():
        base, first = access.base, stores // together * together
        for moving, sizes in stored.get(base, {}).items():
            if access.store:
                for size, seen in sizes.items() if moving == access.moving else ():
                    seen[access.constant % size] = stores
            elif moving != access.moving:
                size = _divisor(moving, access.moving)
                if sizes[size].get(access.constant % size, -1) >= first:
                    return True
        stores += access.store
    return False


@lru_cache(maxsize=4096)
def _divisor(one: Moving | None, other: Moving | None) -> int:
    """The number of which the distance of two places is a multiple, beside their constants."""
    if one is None or other is None:
        return 1
    apart = dict(one)
    for iv, factor in other:
        apart[iv] = apart.get(iv, 0) - factor
    return gcd(*apart.values()) or 1
