"""Straight-line code that LLVM's SLP vectoriser packs: stores to neighbouring elements, and what they are of.

Source (LLVM 22): `SLPVectorizer.cpp`: chains of stores to consecutive places, in vectors of powers of two up to the
target's register; operands that lie side by side become one load, one that all lanes share is broadcast, others are put
together one by one. Sums and the like of integers are packed as reductions.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import ceil
from typing import Any

import msgspec

from featurizers.mlir import costs, counting, divisions, fused, halves, opclass, reductions, widths
from featurizers.mlir.body import emulates_half
from featurizers.mlir.chained import in_turn
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.lanes import Ways, lanes_of, read_between, ways
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Access, Chain, Moving
from featurizers.mlir.vectorise import CHOICE

_INSERT = {"x86": 1.0, "aarch64": 1.0, "riscv": 2.0, "amdgpu": 4.0}
_LEAST, _LEAST_REDUCED = 2, 4
_HALF = 16
_WORTH = 0.95
_CALL_LANE = 3.0
"""What a lane of a function of the maths library costs more than a call (13 against 10): to take it out and put it
in."""
_WIDTH = 128
_GATHERED = 32
_EXTEND = opclass.CLASS["extend"]
_PACKED = tuple(
    index
    for name, index in opclass.CLASS.items()
    if name not in ("load", "store", "call", "libm", "branch", "address", "masked", "shuffle", "idiv")
)


class Runs(msgspec.Struct, frozen=True):
    """Lengths of the runs of neighbouring scalar accesses of a body (1 for one that has no neighbour in its block).

    alike : whether the body reads in the order in which it writes, so that lanes of a store have neighbouring operands.
    packable : of stores of values that are computed alike. ascending : whether most loads are next to the one before.
    """

    stores: list[int]
    loads: list[int]
    bits: int
    alike: bool
    packable: list[int]
    ascending: bool


class Packed(msgspec.Struct, frozen=True):
    """ratio : instructions of the packed body over the scalar one's. lanes : mean width. share : of the stores.
    reduced : what is packed is a sum or the like, whose terms are no longer added one after the other. addresses :
    instructions beside these that find the places of vectors (RISC-V's accesses have no offset), less the lanes of
    strided loads, which take as long as so many instructions."""

    ratio: float
    lanes: float
    share: float
    reduced: bool = False
    addresses: float = 0.0

    @property
    def mostly(self) -> bool:
        """Whether a body is one of vectors, by the share of its stores."""
        return self.share > 0.5


class Read(msgspec.Struct, frozen=True):
    """Operands of packed operations. wide : vectors of neighbours. work : instructions for all others, cost : theirs to
    LLVM. steps : lanes of RISC-V's strided loads, which take a cycle each."""

    wide: float
    work: float
    cost: float
    steps: float


SCALAR = Packed(1.0, 1.0, 0.0)


def width(cpu: Cpu) -> int:
    """Bits of the vectors that straight-line code is packed into: fixed ones, also where loops use scalable ones."""
    return _WIDTH if cpu.isa == "aarch64" else cpu.prefer_bits


def runs(loop: Loop) -> Runs:
    """Of a loop's body, found once."""
    if loop.runs is None:
        places: dict[tuple[int, Moving], list[int]] = {}
        read: dict[tuple[int, Moving], list[int]] = {}
        stored: list[Access] = []
        apart = 0
        for access in loop.accesses:
            if access.apart:
                apart += 1
            elif access.lanes == 1 and access.moving is not None and not access.maybe:
                found = places if access.store else read
                key = access.base, access.moving
                at = found.get(key)
                if at is None:
                    found[key] = [access.constant]
                else:
                    at.append(access.constant)
                if access.store:
                    stored.append(access)
        bits = max([access.bits for access in stored], default=8)
        lanes: dict[tuple[int, Moving | None, int], list[int]] = {}
        for access in stored if len({access.shape for access in stored}) > 1 else ():
            lanes.setdefault((access.base, access.moving, access.shape), []).append(access.constant)
        ascending = _ascending(read)
        alike = not places or not read or _ascending(places) == ascending
        packed = lengths(lanes) if len(lanes) > len(places) else None
        stores = lengths(places) + [1] * apart
        bits = max(bits if places else loop.bits, 8)
        loop.runs = Runs(stores, lengths(read), bits, alike, stores if packed is None else packed, ascending)
    return loop.runs


def _ascending(places: dict[tuple[int, Moving], list[int]]) -> bool:
    """Whether most accesses are next to the one before, in the order of the program."""
    steps = [after - before for constants in places.values() for before, after in pairwise(constants)]
    return 2 * steps.count(1) >= len(steps)


def lengths(places: Mapping[Any, list[int]]) -> list[int]:
    found = []
    for constants in places.values():
        if len(constants) == 1:
            found.append(1)
            continue
        different = set(constants)
        if max(different) - min(different) == len(different) - 1:
            found.append(len(different))
            continue
        run = 1
        for before, after in pairwise(sorted(different)):
            if after == before + 1:
                run += 1
            else:
                found.append(run)
                run = 1
        found.append(run)
    return found


def _results(loop: Loop, cpu: Cpu) -> Packed:
    """Results that are computed alike, on values that lie nowhere side by side: lanes are put in and taken out. All
    together fill one register at most (`BoUpSLP::canMapToVector`)."""
    count, size = loop.nest.alike
    bits = max(loop.bits, 8)
    if count * bits > width(cpu):
        return SCALAR
    lanes = 1 << (min(count, max(width(cpu) // bits, 1)).bit_length() - 1)
    if lanes < _LEAST or lanes * bits < _LEAST_BITS[cpu.isa] or (loop.is_float and bits == 16 and not cpu.half):
        return SCALAR
    packed = count // lanes * lanes
    saved = packed * size - packed / lanes * size - 2.0 * packed
    if saved <= 0 or loop.children:
        return SCALAR
    work = sum([loop.counts[index] for index in _PACKED])
    return Packed(max(1.0 - saved / max(work, 1.0), 1.0 / lanes), float(lanes), 1.0)


_LEAST_BITS = {"x86": 128, "aarch64": 64, "riscv": 128, "amdgpu": 128}


def pack(loop: Loop, cpu: Cpu) -> Packed:
    """What SLP makes of a body that is scalar code."""
    if loop.nest.alike[0] and not loop.nest.depth and not loop.accesses:
        return _results(loop, cpu)
    if loop.widths or len(loop.accesses) < _LEAST or width(cpu) < _WIDTH or _in_blocks(loop):
        return SCALAR
    if (cpu.isa == "riscv" and emulates_half(loop, cpu)) or halves.expanded(loop, cpu):
        return SCALAR
    found = runs(loop)
    most = max(width(cpu) // found.bits, 1)
    least = _fewest(loop, cpu, found.bits)
    seeds = [length for length in found.packable if length >= least]
    apart = 0.0  # stores, where those that are side by side are not all that are to one place
    if loop.checks and seeds:  # it makes no checks of its own: what may overlap stays in order
        seeds = [length for length in _undisturbed(loop) if length >= least]
        apart = loop.counts[opclass.STORE]
        if not seeds:
            return SCALAR
    elif loop.checks and not _reduces(loop):
        return SCALAR
    reduced = 0.0
    carried = 0 if seeds or loop.children else _alike(loop)
    neighbours = found.alike
    if carried >= _LEAST:  # terms of one iteration stand side by side, those of one sum do not
        seeds, neighbours = [carried], found.ascending
    elif not seeds and loop.copies > 1 and not loop.children:
        seeds = [length for length in _stored_after(loop) if length >= least]
        carried = sum(seeds)
    if not seeds:
        if not _reduces(loop) or max(found.packable, default=1) >= _LEAST:
            return SCALAR
        seeds = [length for length in found.loads if length >= _LEAST_REDUCED]
        if not seeds:
            return SCALAR
        least, reduced = _LEAST, 2.0 * len(seeds)
        if cpu.isa != "riscv":  # whose groups of registers take as long as each by itself
            most, least = reductions.lanes(loop, width(cpu), max(seeds)), _LEAST_REDUCED
            reduced = reductions.across(loop, cpu, most) * max(len(found.stores), len(loop.chains), 1)
    vectors, packed = _vectors(seeds, most, least)
    if not vectors or most < _LEAST:
        return SCALAR
    if not reduced and not carried and in_turn(loop, packed):
        return SCALAR
    if not reduced and _looked_up(loop) >= packed and not (cpu.gather and found.bits >= _GATHERED):
        return SCALAR
    lanes = packed / vectors
    counts = loop.counts
    work = sum([counts[index] for index in _PACKED]) - widths.free(loop, cpu.isa)
    work = max(work + fused.beyond(loop, cpu, False), 0.0)
    stores, loads = counts[opclass.STORE], counts[opclass.LOAD]
    share = 1.0 if reduced or carried >= _LEAST else min(packed / max(apart or sum(found.stores), 1), 1.0)
    kept = stores if reduced or carried >= _LEAST else stores - packed + vectors
    steps, nests = (None, []) if reduced else lanes_of(loop, most)
    if steps is not None and not carried and (steps.carried or read_between(loop, steps, most)):
        return SCALAR
    operations = work * (1 - share) + wide(loop, cpu, lanes) * share / lanes
    addresses = 0.0
    if steps is None:
        side_by_side = [length for length in found.loads if length >= _LEAST and neighbours]
        wide_loads, together = (count * (share if apart else 1.0) for count in _vectors(side_by_side, most))
        alone = max(loads - together, 0.0)
        gathered = alone >= packed  # an own one for each lane; fewer are shared by lanes
        if reduced and cpu.isa != "riscv":
            wide_loads = reductions.loads(loop, width(cpu), wide_loads, together)
        read = wide_loads + alone * (1.0 + (_INSERT[cpu.isa] if gathered else 0.0))
    else:
        operands = _read(loop, cpu, ways(loop, steps, nests), lanes, found.bits)
        unpacked = loads * (1 - share) + max(kept, 0.0)
        if work + stores + loads <= operations + unpacked + (operands.wide + operands.cost) * share:
            return SCALAR
        read = loads * (1 - share) + (operands.wide + operands.work) * share
        if cpu.isa == "riscv":
            strided = operands.steps / lanes
            addresses = operands.wide + vectors * (not carried) + 2.0 * strided - operands.steps
    before = work + stores + loads
    chosen = (CHOICE[cpu.isa] - 1.0) * counts[opclass.IMINMAX]  # of scalars, which `ratio` is multiplied with as well
    after = operations + max(kept, 0.0) + read + reduced * before / max(before + chosen, 1.0)
    dearer = counting.together(loop, cpu, int(lanes), True, width(cpu)) / lanes - counting.alone(loop, cpu)
    if before - after <= (_CALL_LANE * counts[opclass.LIBM] + max(dearer, 0.0)) * share:
        return SCALAR
    ratio = after / max(before, 1.0)
    return Packed(ratio, lanes, share, reduced > 0, addresses) if ratio < _WORTH else SCALAR


_INSERTED = {"x86": 1.0, "aarch64": 2.0, "riscv": 2.0, "amdgpu": 4.0}
"""Of a lane, to LLVM (`getVectorInstrCost`)."""
_PUT = {"x86": 0.25, "aarch64": 0.5, "riscv": 2.0, "amdgpu": 4.0}
"""Instructions for a lane beyond its load: x86 and AArch64 load into one."""


def _read(loop: Loop, cpu: Cpu, ways: Mapping[int, Ways], lanes: float, bits: int) -> Read:
    """What the operands of the vectors of a packed body take."""
    counts: dict[int, int] = {}
    looked_up: dict[int, int] = {}
    together = gathers(cpu, lanes, bits)
    for access in loop.accesses:
        if not access.store and access.lanes == 1:
            counts[access.base] = counts.get(access.base, 0) + 1
            if together and access.moving is None:
                looked_up[access.base] = looked_up.get(access.base, 0) + 1
    each = min(loop.counts[opclass.LOAD] / max(sum(counts.values()), 1), 1.0)
    wide_loads = work = cost = steps = 0.0
    for base, count in counts.items():
        way = ways.get(base)
        if way is None:
            work, cost = work + count * each, cost + count * each
            continue
        total = max(sum(way.counts), 1)
        beside, shared, turned, stepped, apart = [count * each * part / total for part in way.counts]
        permuted = turned / max(min(way.different, lanes), 1.0)
        pieces = min(beside / min(lanes, way.piece) * way.windows, beside)
        put = max(pieces - beside / lanes * way.windows, 0.0) + permuted
        wide_loads += pieces + permuted
        work += shared + put
        cost += shared + put
        if base in looked_up:
            taken = min(looked_up[base] * each, apart)
            apart -= taken
            work += _GATHER * taken / lanes
            cost += taken + _GATHER_COST * taken / lanes
        if way.piece < lanes:
            stepped, apart = 0.0, stepped + apart
        if cpu.isa == "riscv":
            steps += stepped
            work += stepped
            cost += stepped
            stepped = 0.0
        elif stepped and cpu.isa == "x86":
            windows = ceil(lanes * way.step * bits / _WINDOW)
            if 2.0 * windows < lanes * (1.0 + _PUT[cpu.isa]):
                work += 2.0 * windows * stepped / lanes
                cost += 2.0 * windows * stepped / lanes
                stepped = 0.0
        work += (stepped + apart) * (1.0 + _PUT[cpu.isa])
        cost += (stepped + apart) * (1.0 + _INSERTED[cpu.isa])
    return Read(wide_loads, work, cost, steps)


def gathers(cpu: Cpu, lanes: float, bits: int) -> bool:
    """Whether what is looked up is one gather (`X86TTIImpl::forceScalarizeMaskedGather`)."""
    return cpu.isa == "x86" and cpu.gather > 0 and bits >= _GATHERED and lanes > _LEAST


_GATHER, _GATHER_COST = 3.0, 2.0
"""Instructions of a gather of x86: its mask, what it leaves, and itself; and what it costs LLVM beside its lanes
(`X86TTIImpl::getGSVectorCost`)."""
_WINDOW = 512
"""Bits of a masked load, from which x86 takes lanes at steps of one length (`isMaskedLoadCompress`)."""


def _undisturbed(loop: Loop) -> list[int]:
    """Lengths of the runs of stores between which nothing is read or written that may overlap them, so that one vector
    can take their place (`BoUpSLP::tryScheduleBundle`): those behind jammed sums, but not a store after each sum."""
    lanes: dict[tuple[int, Moving | None, int, int], list[int]] = {}
    written: dict[int, set[Moving | None]] = {}
    external, part = _NOWHERE, 0
    for access in loop.accesses:
        base, moving = access.base, access.moving
        other = access.external and external not in (_NOWHERE, base)
        same = written.get(base)
        if other or (same and (moving is None or same != {moving})):
            written, external, part = {}, _NOWHERE, part + 1
        if access.store:
            written.setdefault(base, set()).add(moving)
            external = base if access.external else external
            if not access.apart and not access.maybe and access.lanes == 1 and moving is not None:
                lanes.setdefault((base, moving, access.shape, part), []).append(access.constant)
    return lengths(lanes)


_NOWHERE = -1


def _looked_up(loop: Loop) -> int:
    """Loads at computed addresses, behind which no tree goes on."""
    return sum([access.moving is None and not access.store for access in loop.accesses])


def _in_blocks(loop: Loop) -> bool:
    """Whether the body of a loop is in several blocks: what is packed is in one."""
    return bool(loop.nest.depth) and loop.nest.counts[opclass.BRANCH] > 0


def _alike(loop: Loop) -> int:
    """Values that are carried side by side, each on by the same operations: their phis are packed."""
    kinds = [(chain.op_class, chain.bits, chain.steps) for chain in loop.chains if chain.op_class >= 0]
    apart = any((chain.whole and not chain.kinds) or chain.used for chain in loop.chains)
    return len(kinds) if len(set(kinds)) == 1 and not apart else 0


def _stored_after(loop: Loop) -> list[int]:
    """Lengths of the runs of stores of accumulators behind the loop that they are summed in: with them, their phis and
    what is added are packed."""
    places: dict[tuple[int, Moving], list[int]] = {}
    for access in loop.lifted:
        if access.store and access.moving is not None:
            places.setdefault((access.base, access.moving), []).append(access.constant)
    return lengths(places)


def wide(loop: Loop, cpu: Cpu, lanes: float) -> float:
    """Operations on vectors that stand for those of a body: some targets have no instruction for some of them, such as
    products and minima of 64 bits on NEON, and divide lane by lane; elements wider than what is stored take several."""
    dear, count_of = (opclass.IMUL, opclass.IMINMAX), loop.counts
    alone = sum(
        [
            count_of[index] * (costs.dearness(index, loop, cpu, int(lanes)) if index in dear else 1.0)
            for index in _PACKED
            if count_of[index] and index != _EXTEND
        ]
    )
    several = widths.parts(loop, cpu, int(lanes), True)
    alone = max(alone + fused.beyond(loop, cpu, True), 0.0)
    return (
        divisions.spread(loop, cpu, int(lanes), width(cpu))
        + alone * several
        + widths.conversions(loop, cpu, int(lanes), True)
    )


def _multiplies(loop: Loop, chain: Chain) -> bool:
    """Whether lanes are multiplied with each other: only x86 has what that takes, and no products of bytes."""
    return loop.isa == "x86" and chain.bits > 8


def _reduces(loop: Loop) -> bool:
    chain = loop.serial_chain or (loop.chains[0] if loop.chains else None)
    if chain is None or not chain.reassociable or chain.stored:
        return False
    if chain.op_class == opclass.IMUL and not _multiplies(loop, chain):
        return False
    wide = chain.bits > _HALF and loop.isa == "x86"  # `getMinMaxReductionCost`; those that NaN leaves are in no order
    extreme = chain.op_class == opclass.FMAXIMUM and (wide or loop.isa == "aarch64")
    return (not chain.is_float or extreme) and max(loop.copies, chain.steps) >= _LEAST_REDUCED


def _fewest(loop: Loop, cpu: Cpu, bits: int) -> int:
    """Lanes of the shortest vector that is stored (`BasicTTIImplBase::getStoreMinimumVF`): half of it is no type that a
    store takes or is widened from."""
    if cpu.isa == "riscv" or bits > _HALF:
        return _LEAST
    return 2 * _LEAST if bits < _HALF or cpu.isa == "aarch64" or loop.is_float else _LEAST


def _vectors(lengths: list[int], most: int, least: int = _LEAST) -> tuple[int, int]:
    """Vectors that cover runs of these lengths, and the elements in them: powers of two, the widest first."""
    vectors = packed = 0
    for length in lengths:
        lanes, rest = most, length
        while lanes >= least:
            count, rest = divmod(rest, lanes)
            vectors += count
            packed += count * lanes
            lanes //= 2
    return vectors, packed
