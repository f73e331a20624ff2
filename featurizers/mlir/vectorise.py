"""Whether and how LLVM's loop vectoriser takes a loop, by its own comparison of costs.

Sources (LLVM 22): `LoopVectorizationCostModel::computeMaxVF`, `isMoreProfitable` and `selectInterleaveCount`;
`X86TTIImpl::getGSVectorCost`, `getInterleavedMemoryOpCost` of each target. Costs are reciprocal throughputs, one for a
plain instruction.
"""

from __future__ import annotations

from math import ceil, log2

import msgspec

from featurizers.mlir import costs, divisions, fused, halves, minmax, opclass, widened, widths
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.extremes import LESS_IN_VECTORS
from featurizers.mlir.loop import CARRIED, VECTORISABLE, Loop
from featurizers.mlir.nest import jumps
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.scattered import TOGETHER, Alike, Kinds, Scattered, alike, units_of
from featurizers.mlir.tails import (
    TINY_TRIP,
    emulates_masks,
    keeps_last,
    known_length,
    longest,
    masks,
    predicated,
    whole_under_mask,
)
from featurizers.mlir.vector_sizes import vector_size
from featurizers.mlir.woven import MOST_INTERLEAVED, interwoven, narrowed

_SMALL_LOOP = 20.0
_MAX_GROUP = {"x86": 8, "aarch64": 4, "riscv": 8, "amdgpu": 1}
"""Strides up to which accesses are read as one wide access that is taken apart."""
_INDEX_BITS = 64
_EXTEND = CLASS["extend"]
_EXTREMES = minmax.INSTRUCTIONS, minmax.IN_VECTORS
_FIXED_BITS = 128
_LEAST_GATHERED = 32


class Plan(msgspec.Struct, frozen=True):
    """vf, interleave : 1 where the decision was against. cost : of one vector iteration over one of the source's.
    work : instructions of one vector iteration. folded : the last iterations run under a mask. picked : accesses that
    are gathers or scatters. margin : cost of the best vector loop over that of the scalar one, 0 where there is none.
    taken_apart : see `_taken_apart`. last : see `keeps_last`. narrowed, woven : see `woven`. size : of a vector
    iteration to the unroller, 0 where `vector_size` has none. widths : lanes of vectors that cost less than scalars,
    with the cost of one over that of an iteration, and its instructions. sums : see `widened`."""

    vf: int
    interleave: int
    cost: float
    work: float
    folded: bool
    margin: float = 0.0
    picked: int = 0
    taken_apart: float = 0.0
    scattered: Scattered = TOGETHER
    last: bool = False
    size: float = 0.0
    narrowed: bool = False
    woven: int = 0
    widths: tuple[tuple[int, float, float], ...] = ()
    sums: widened.Sums | None = None


def ordered_only(loop: Loop) -> bool:
    """The one thing in the way is a floating-point sum: some targets vectorise it in order, if one term is added in
    each iteration (`checkOrderedReduction`: an ``fadd``, no ``fsub``)."""
    if loop.legality != CARRIED:
        return False
    fadd, terms = CLASS["fadd"], loop.copies / len(loop.chains)
    return all(
        c.reassociable
        or (c.op_class == fadd and not c.used and not c.taken and c.steps == 1.0 and (c.whole or terms <= 1.0))
        for c in loop.chains
    )


def of_fixed_length(loop: Loop, cpu: Cpu) -> bool:
    """Whether RISC-V has fixed vectors for what a loop carries on, see `reduced_in_fixed`: their last iterations are
    scalar."""
    return cpu.isa == "riscv" and costs.reduced_in_fixed(loop)


def plan(loop: Loop, cpu: Cpu, body: float, uops: float) -> Plan:
    """The vectoriser's choice for a loop whose scalar iteration takes `body` instructions, with accesses of their own
    `uops`."""
    scalar = Plan(1, 1, 1.0, body, False)
    legal = loop.legality == VECTORISABLE or (ordered_only(loop) and bool(cpu.ordered_reductions))
    if not legal or loop.refused or loop.checks > _MOST_CHECKS or not loop.nest.depth or loop.trip < 2:
        return scalar
    length = known_length(loop)
    tiny = 0 < length < TINY_TRIP
    by_length = cpu.isa == "riscv" and not of_fixed_length(loop, cpu)
    if cpu.isa == "riscv" and not cpu.half and loop.float_bits == 16:
        return scalar
    libm = loop.counts[opclass.LIBM]
    if libm and (cpu.isa == "riscv" or _libm_only(loop)):
        return scalar
    if cpu.scalable and 0 < length <= _TOO_SHORT:
        return scalar
    alone_short = tiny and not by_length and not predicated(loop, cpu)
    if not masks(cpu) and emulates_masks(loop):
        return scalar
    alone = costs.alone(loop, cpu, costs.call(loop, cpu, _LANE[cpu.isa])[0])
    if loop.checks and (alone_short or _without_bounds(loop) or (loop.exact and _checked(loop) > alone * loop.trip)):
        return scalar
    kinds = alike(loop)
    woven = interwoven(loop, cpu, kinds)
    total, chosen, margin = alone * loop.trip, scalar, _NEVER
    sums = widened.sums(loop, cpu)
    other, own = (loop, body) if sums is None else widened.without(loop, sums, body)
    folded = by_length or predicated(loop, cpu) or (tiny and (not loop.exact or length % longest(loop, cpu) != 0))
    last = not folded and keeps_last(loop)
    worthwhile: list[tuple[int, float, float]] = []
    for vf in _candidates(loop, cpu) if sums is None else widened.lanes(sums):
        if folded and (not masks(cpu) or (costs.fixed(loop, cpu, vf) and not whole_under_mask(loop, vf))):
            continue
        if loop.exact and loop.trip - last < vf and not folded:
            continue
        if folded and cpu.isa == "x86" and _masked_by_branches(kinds):
            continue
        if cpu.isa == "riscv" and _held(loop, kinds, cpu, vf, folded) > cpu.vector_registers:
            continue
        cost, work, picked = _vector(other, kinds, cpu, vf, own, uops, folded, woven)
        cost += costs.control(cpu, folded)
        if sums is not None:
            cost, work = cost + widened.cost(sums, vf), work + widened.work(sums, cpu, vf)
        if cost < alone * vf:
            worthwhile.append((vf, cost / alone, work))
        whole, rest = divmod(loop.trip, vf)
        if not loop.exact:
            taken = cost * loop.trip / vf
        else:
            taken = cost * (whole + (folded and rest > 0)) + (0.0 if folded else alone * rest)
        margin = min(margin, taken / (alone * loop.trip))
        if taken < total or (taken == total and _preferred(loop, cpu, chosen.vf, vf)):
            total = taken
            chosen = Plan(vf, 1, cost / (alone * vf), work, folded, picked=picked, last=last)
    count = 1 if chosen.vf == 1 and cpu.isa != "aarch64" else _interleave(loop, cpu, chosen, alone)
    if chosen.vf == 1:
        return msgspec.structs.replace(chosen, interleave=count, margin=margin)
    chosen = msgspec.structs.replace(chosen, widths=tuple(worthwhile), sums=sums)
    if woven:
        one = narrowed(loop, cpu, chosen.vf, woven)
        together = [(kind, n, False) for kind, n in kinds]
        size = vector_size(loop, cpu, 1 if one else chosen.vf, count, together, woven)
        work = chosen.work / chosen.vf if one else chosen.work
        return msgspec.structs.replace(chosen, interleave=count, margin=margin, work=work, narrowed=one, size=size,
                                       woven=woven)  # fmt: skip
    moved = [(kind, n, _move(loop, kind, cpu, chosen.vf, chosen.folded)[2] > 0) for kind, n in kinds]
    size = vector_size(loop, cpu, chosen.vf, count, moved)
    if not loop.strided + loop.gathered:
        return msgspec.structs.replace(chosen, interleave=count, margin=margin, size=size)
    apart, units = _taken_apart(cpu, chosen.vf, moved), units_of(loop, cpu, chosen.vf, moved)
    return msgspec.structs.replace(chosen, interleave=count, margin=margin, taken_apart=apart, scattered=units,
                                   size=size)  # fmt: skip


_ADDRESSES, _COMPUTED = 3.0, 2.0
"""Vectors of an index, of its product and of an address, where lanes have their own; and of what a body computes."""


def _held(loop: Loop, kinds: Kinds, cpu: Cpu, vf: int, folded: bool) -> float:
    """Registers that wait in a vector iteration: RISC-V has no vectors that too many of them take, whatever they cost
    (`shouldConsiderVectorizationRegPressure`). Sums in order wait as scalars."""
    each = max(vf * loop.widest / _FIXED_BITS, 1.0)
    sums = 0 if ordered_only(loop) else max(len(loop.chains), sum([access.store for access in loop.lifted]))
    held = (sums + _COMPUTED) * each
    apart = loop.strided or loop.gathered
    if apart and any(_move(loop, kind, cpu, vf, folded)[2] == _ALONE for kind, _ in kinds):
        held += _ADDRESSES * max(vf * _INDEX_BITS / _FIXED_BITS, 1.0)
    return held


def _taken_apart(cpu: Cpu, vf: int, moved: list[tuple[Alike, int, bool]]) -> float:
    """Size of the permutations of interleaved groups: one for each member, of all registers that a group is read to."""
    found = 0.0
    for (linear, stride, _, bits, lanes, members), count, alone in moved:
        if linear and members and abs(stride) > max(lanes, 1) and not alone:
            found += count * ceil(abs(stride) * vf * bits / cpu.prefer_bits)
    return found


def _masked_by_branches(kinds: Kinds) -> bool:
    """Whether lanes that x86 does not gather would be moved one by one under a mask: loads, or more stores than one
    (`useEmulatedMaskMemRefHack`)."""
    stores = loads = 0
    for (linear, stride, store, bits, lanes, _), count in kinds:
        if bits < _LEAST_GATHERED and (not linear or abs(stride) > max(lanes, 1)):
            stores, loads = stores + count * store, loads + count * (not store)
    return loads > 0 or stores > 1


def _preferred(loop: Loop, cpu: Cpu, before: int, vf: int) -> bool:
    """Whether vectors of unknown length are compared with those of fixed length or with scalars, over which they are
    taken where both cost as much (`isMoreProfitable`)."""
    return cpu.scalable > 0 and not costs.fixed(loop, cpu, vf) and (before == 1 or costs.fixed(loop, cpu, before))


_NEVER = 9.0
_CHECK_COST, _SHARE_OF_CHECKS = 4.0, 10.0
_MOST_CHECKS = 128
"""Of overlap (`VectorizeMemoryCheckThreshold`)."""


def _checked(loop: Loop) -> float:
    """Cost of the scalar loop from which on its overlap checks are worth it, which may cost a tenth of it. In a nest
    they are made once for the loop around (`GeneratedRTChecks::getCost`, `isOutsideLoopWorkProfitable`)."""
    return _SHARE_OF_CHECKS * max(loop.checks * _CHECK_COST / loop.around, 1.0)


CALL_WORK, BUFFER_CALL_WORK = 3.0, 3.5
LANE_WORK = 6.0
"""Instructions of a call of the maths library, and of one lane of it, with what is moved for it."""
_LANE = {"x86": 2.0, "aarch64": 3.0, "riscv": 2.0, "amdgpu": 2.0}
"""Cost of taking a lane out for a call, and of putting the result in."""


def _libm_only(loop: Loop) -> bool:
    return loop.counts[opclass.LIBM] >= sum(loop.counts) / 2


def _without_bounds(loop: Loop) -> bool:
    """Whether a buffer is read at places that no check can enclose."""
    iv = loop.nest.iv
    return any(a.external and (a.moving is None or jumps(a.stride(iv))) for a in loop.accesses)


def _candidates(loop: Loop, cpu: Cpu) -> list[int]:
    widest = cpu.prefer_bits // (loop.narrowest if cpu.isa == "aarch64" else loop.widest)
    length = known_length(loop)
    if 1 < length < widest and not cpu.scalable:
        wanted = 1 << int(log2(length))
        widest = min(widest, 2 * wanted if masks(cpu) and length > wanted else wanted)
    if cpu.scalable and (loop.counts[opclass.LIBM] or (cpu.isa == "aarch64" and costs.reduced_in_fixed(loop))):
        widest = _FIXED_BITS // loop.widest
    elif cpu.scalable and cpu.isa == "aarch64" and loop.exact and loop.trip < widest / 2:
        return []
    found, vf = [], 2
    while vf <= widest:
        if vf * loop.widest <= cpu.prefer_bits or _fits(loop, cpu, vf):
            found.append(vf)
        vf *= 2
    return found


def _fits(loop: Loop, cpu: Cpu, vf: int) -> bool:
    """Whether what is alive in a vector of more than one register fits into them (`shouldConsiderRegPressureForVF`)."""
    alive = max(loop.live_int, loop.live_float)
    return alive * widths.parts(loop, cpu, vf, costs.fixed(loop, cpu, vf)) <= cpu.vector_registers


_TOO_SHORT = 5
"""Iterations up to which there are no vectors of unknown length (`getMinTripCountTailFoldingThreshold`)."""


def _vector(
    loop: Loop, kinds: Kinds, cpu: Cpu, vf: int, body: float, uops: float, folded: bool, woven: int
) -> tuple[float, float, int]:
    """Cost and instructions of one vector iteration, and accesses that gather or scatter. woven : see `interwoven`."""
    moves = loop.counts[opclass.LOAD] + loop.counts[opclass.STORE]
    fixed = costs.fixed(loop, cpu, vf)
    parts = widths.parts(loop, cpu, vf, fixed)
    libm = loop.counts[opclass.LIBM]
    cost = costs.arithmetic(loop, cpu, vf) + vf * libm * costs.call(loop, cpu, _LANE[cpu.isa])[1]
    extended = loop.counts[_EXTEND] - widths.free(loop, cpu.isa)
    merged = fused.beyond(loop, cpu, True, fixed) - fused.beyond(loop, cpu, False)
    whole = cpu.isa == "x86" and not woven
    left = uops - moves if whole else body - moves * (1.0 if cpu.isa == "aarch64" and fixed else 0.7)
    work = max(left - libm * CALL_WORK - extended + merged, 0.0 if whole else 1.0) * parts
    work += widths.conversions(loop, cpu, vf, fixed)
    if loop.float_bits == 16 and not cpu.half:
        work *= max(vf * 32 / cpu.prefer_bits, 1.0) / parts
    work = max(work - loop.counts[opclass.IMINMAX] * (CHOICE[cpu.isa] - 1.0) * parts, 0.0 if whole else 1.0)
    if whole:
        work -= widths.operands(loop, vf, cpu)
    work += (_wider(loop, cpu, vf) - loop.counts[opclass.FMAXIMUM] * LESS_IN_VECTORS[cpu.isa]) * parts
    if loop.counts[opclass.FMINMAX] and cpu.isa == "riscv":  # a choice in place of a branch
        scalar, wide = (minmax.mean(loop.extremes, of, cpu.isa) for of in _EXTREMES)
        work += loop.counts[opclass.FMINMAX] * (wide - scalar) * parts
    work = max(work, 1.0 if not whole else 1.0 - moves)
    work += vf * libm * LANE_WORK + halves.lane_by_lane(loop, cpu, vf)[0]
    picked, apart = 0, False
    wide = max(vf * woven * max(loop.bits, 8) / cpu.prefer_bits, 1.0)
    if woven:
        own = body + (merged if cpu.isa == "x86" else 0.0)
        work = max(own - moves * (0.7 if loop.is_float else 1.0), 1.0) * wide / woven
    for access, count in kinds:
        own_cost, own_work, alone = _move(loop, access, cpu, vf, folded)
        picked += count * (not woven and alone > 0 and vf * access[3] >= _FIXED_BITS)
        apart = apart or alone == _ALONE
        cost += own_cost * count
        work += (wide / woven * _UNFOLDED[cpu.isa] if woven and access[1] else own_work) * count
    cost += costs.addresses(loop, cpu, vf, apart)
    if folded and fixed and cpu.isa == "aarch64":
        cost += costs.under_mask(loop, vf)
    if folded and cpu.isa == "riscv":  # sums go on by a choice of those lanes that there are (`vp.merge`)
        cost += len(loop.chains) * max(vf * loop.widest / _FIXED_BITS, 1.0) * (not ordered_only(loop))
    in_order = ordered_only(loop)
    if in_order:  # in place of the addition
        cost += (costs.in_order(loop, cpu, vf) - 1.0) * len(loop.chains)
        work += 0.0 if cpu.scalable else 2.0 * (vf - 1.0)
    return cost, work, picked


def _wider(loop: Loop, cpu: Cpu, vf: int) -> float:
    """What multiplications of vectors take beyond one instruction: x86 has none of bytes, NEON none of 64 bits."""
    products, more = loop.counts[opclass.IMUL], divisions.halves(loop, cpu) if loop.divided else 0.0
    if products and loop.bits <= 8 and cpu.isa == "x86":
        return more + products * (1.0 + (vf * 16 > cpu.prefer_bits))
    if products and loop.bits == _INDEX_BITS and cpu.isa == "aarch64" and not cpu.scalable:
        return more + products * (_LONG_PRODUCT * vf - 1.0) * (1.0 - widened.long_products(loop))
    return more


_LONG_PRODUCT = 4.0
_UNFOLDED = {"x86": 0.6, "aarch64": 1.0, "riscv": 1.0, "amdgpu": 1.0}
"""Of loads, those that are no operand of the instruction that uses them, with stores."""
CHOICE = {"x86": 2.0, "aarch64": 2.0, "riscv": 1.0, "amdgpu": 1.0}
"""Instructions for the larger of two whole numbers: a comparison and a choice, where there is none for scalars."""


_ALONE, _SHARED_ADDRESS = 1, 2


def _move(loop: Loop, access: Alike, cpu: Cpu, vf: int, folded: bool) -> tuple[float, float, int]:
    """Cost and instructions of one access, and whether it goes lane by lane: each by its own address or a group by
    one."""
    linear, stride, store, bits, lanes, members = access
    registers = max(ceil(vf * bits / cpu.prefer_bits), 1)
    if linear and stride == 0:
        return 0.0, 1.0, 0  # made before the vector loop, or behind it (`VPlanTransforms::licm`)
    if linear and abs(stride) <= max(lanes, 1):
        reverse = 1.0 if stride < 0 else 0.0
        return costs.neighbours(loop, cpu, vf, bits, stride < 0), registers * (1.0 + reverse), 0
    apart = costs.lane_by_lane(loop, cpu, vf, bits, stride if linear else None, store)
    factor = abs(stride)
    if members and _grouped(loop, cpu, vf, bits, factor, folded) and (members >= factor or not store):
        together, work = _group(bits, store, cpu, vf, factor, min(members, factor))
        if together <= apart:
            return together, work, 0
    if 1 < factor <= MOST_INTERLEAVED and (members >= factor or (members and not store)) and costs.fixed(loop, cpu, vf):
        together = costs.lanes_of_group(loop, vf, bits, factor, min(members, factor))
        if together <= apart:
            return together, _one_by_one(bits, cpu, vf), _SHARED_ADDRESS
    return apart, _one_by_one(bits, cpu, vf), _ALONE


def _grouped(loop: Loop, cpu: Cpu, vf: int, bits: int, factor: int, folded: bool) -> bool:
    """Whether accesses so many elements apart may be one wide access: not under masks of x86, and on SVE only where
    halving takes them apart (`interleavedAccessCanBeWidened`: scalable vectors have factors of powers of two); on
    RISC-V in eight registers (`RISCVTargetLowering::isLegalInterleavedAccessType`)."""
    if factor > _MAX_GROUP[cpu.isa] or (folded and cpu.isa == "x86"):
        return False
    if cpu.isa == "riscv":
        return factor * max(vf * bits / _FIXED_BITS, 1.0) <= _SEGMENT_REGISTERS
    halved = factor & (factor - 1) == 0
    return halved or cpu.isa != "aarch64" or not cpu.scalable or costs.fixed(loop, cpu, vf)


_SEGMENT_REGISTERS = 8.0


def _group(bits: int, store: bool, cpu: Cpu, vf: int, factor: int, members: int) -> tuple[float, float]:
    """One member's share of an access of all that lies between: `getInterleavedMemoryOpCost` of each target."""
    moves = max(ceil(factor * vf * bits / max(cpu.prefer_bits, cpu.vector_bits)), 1)
    registers = max(ceil(vf * bits / cpu.prefer_bits), 1)
    if cpu.isa == "x86":  # every member (or every part that is stored) is put together by permutations of two
        each = 2.0 if bits < _LEAST_GATHERED else 1.0
        if store:
            cost = moves * (1.0 + (factor - 1) * each) / members
        else:
            copied = 1.5 if moves > 1 else 1.0  # permutations of two write over one of them
            cost = moves / members + registers * max(moves - 1, 1) * each * copied
        return cost, cost / each
    if cpu.isa == "riscv":
        return factor * vf / members, 1.0 + 1.0 / members
    return factor * registers / members, factor * registers / members


def _one_by_one(bits: int, cpu: Cpu, vf: int) -> float:
    """Instructions of an access whose lanes are not neighbours."""
    if cpu.gather and cpu.isa == "x86" and bits >= _LEAST_GATHERED:
        splits = max(ceil(vf * _INDEX_BITS / cpu.vector_bits), 1)
        return 3.0 * splits + (splits > 1)
    if cpu.isa == "riscv":
        return 1.5
    if cpu.scalable and vf * bits > _FIXED_BITS:
        return 3.0
    return 2.0 * vf


def _interleave(loop: Loop, cpu: Cpu, chosen: Plan, alone: float) -> int:
    """`selectInterleaveCount`: by registers, by the trip count, and only for small bodies or reductions, in order or
    not."""
    vf = chosen.vf
    if chosen.folded or (vf == 1 and (loop.checks or loop.legality != VECTORISABLE)):
        return 1
    sums = sum([access.store for access in loop.lifted])  # each waits in a register from the head of the loop
    live = max(loop.live_float if loop.is_float else loop.live_int, sums + 1)
    by_registers = max((cpu.vector_registers - loop.nest.invariants) // live, 1)
    rest = not loop.exact or loop.trip % vf > 0
    most = _INTERLEAVED if rest and of_fixed_length(loop, cpu) else cpu.max_interleave
    count = min(most, 1 << int(log2(by_registers)))
    if loop.exact:
        trip = loop.trip - chosen.last
        most = max(int(trip) // vf, 1)
        upper = min(1 << int(log2(most)), count)
        lower = min(1 << int(log2(max(most // 2, 1))), count)
        count = upper if trip % (upper * vf) == trip % (lower * vf) else lower
    if vf > 1 and loop.chains:
        return max(count, 1)
    cost = chosen.cost * alone * vf
    if cost >= _SMALL_LOOP or (vf > 1 and halves.expanded(loop, cpu)):
        return 1
    small = min(count, 1 << int(log2(max(_SMALL_LOOP / max(cost, 1.0), 1.0))))
    loads = max(sum(not a.store for a in loop.accesses), 1)
    stores = max(sum(a.store for a in loop.accesses), 1)
    found = max(small, count // loads, count // stores, 1) if cpu.isa != "riscv" else max(small, 1)
    return min(found, _NESTED) if vf == 1 and loop.chains and loop.depth > 1 else found


_INTERLEAVED = 2
"""Of vectors of fixed length on RISC-V, where they leave a rest: others are taken for such as fold it, which are not
interleaved."""
_NESTED = 2
"""Copies of a scalar reduction inside another loop (`MaxNestedScalarReductionIC`)."""
