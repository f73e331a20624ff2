"""What the back end makes of each loop on one CPU: vector width, interleaving, unrolling, instructions, cycles, spills.

An estimate, not a compiler: LLVM's own rules in a few lines each, so that a learner corrects the remainder. Sources:
`LoopVectorizationPlanner::selectInterleaveCount`, `BasicTTIImpl::getUnrollingPreferences`, `computeUnrollCount` (LLVM
22); cycles are the larger of the port bound and the recurrence bound (Laukemann et al., OSACA, PMBS 2018).
"""

from __future__ import annotations

from math import ceil, log2

import msgspec

from featurizers.mlir import divisions, fused, opclass, widened, widths
from featurizers.mlir.addresses import looked_up, moved_around
from featurizers.mlir.around import combined, entry
from featurizers.mlir.body import body_of, emulates_half
from featurizers.mlir.branches import beside
from featurizers.mlir.build import DEFAULT_TRIP
from featurizers.mlir.costs import fixed, half_lanes
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.filled import filling
from featurizers.mlir.groups import GATHERED_LANE, STACKED, TAKEN_OUT, around_sve, offsets, splats, summed
from featurizers.mlir.in_order import Path, path_in_order, together
from featurizers.mlir.lifted import lift
from featurizers.mlir.loop import Loop
from featurizers.mlir.packed_ports import packed_ports
from featurizers.mlir.paired import pairs
from featurizers.mlir.partial import partial_results
from featurizers.mlir.ports import (
    LOOP_CONTROL,
    flags_of,
    in_order_cycles,
    moved_by_spills,
    ports_of,
    vector_ports,
)
from featurizers.mlir.registers import driven_out, registers, waiting_in
from featurizers.mlir.remainders import behind_sve, known_tail, one_by_one, rest_width, unknown_length
from featurizers.mlir.rounding import instructions as rounding
from featurizers.mlir.sizes import scattered_indices
from featurizers.mlir.slp import SCALAR, Packed, pack
from featurizers.mlir.steady import straight_code
from featurizers.mlir.tails import TINY_TRIP
from featurizers.mlir.unroll import after_vectorising, left_over, partly, plain_iterations
from featurizers.mlir.vectorise import BUFFER_CALL_WORK, CALL_WORK, LANE_WORK, Plan, of_fixed_length, ordered_only, plan
from featurizers.mlir.waits import (
    added_by_sve,
    by_blocks,
    chain_length,
    choices,
    in_one_block,
    in_parts,
    inserted_into_sum,
    overlapped,
    own_path,
    path_of,
    steps_by_store,
    through_group,
    through_one_register,
    through_pointer,
    wait_of,
)
from featurizers.mlir.whiles import entered, executed

_CHECK = 5.0
_GUARDS, _RUNTIME = 4.0, 10.0
"""Instructions that see whether a loop whose length is not known runs at all, and how often its copies do."""
_EXIT, _INDEX = 2.0, 1.0
"""A comparison and a branch; the index of an iteration that is not one of a loop."""
_LENGTH, _EPILOGUE = 12.0, 8.0
"""Instructions to divide a length that is not known among loops, and to come to the narrower one."""
_LIBM_LANE = 2.6
"""Of a vector call of the maths library, to code size (10 for 4 lanes, 22 for 8)."""


class LoopCode(msgspec.Struct):
    """The code of one loop. instructions : static, with checks and remainder. cycles : of all its executions.

    vf, interleave, unroll : 1 where the decision was against. spills : values beyond the register file, and
    vectors_beyond : vectors among them.
    margin : of the vectoriser's decision, see `vectorise.Plan`. scalar_instructions, scalar_cycles : of plain code.
    lanes_added : whether it leaves a reduction over lanes. lifted : vectors that moved out of a loop around.
    driven : values that calls drive out of registers. pointers : instructions for those of loops inside, which sizes
    do not have (they are the back end's) and instructions have at the end.
    packed : what SLP made of the body. selected : whether it is a whole function, instruction by instruction.
    per_iteration : cycles of one iteration of the source's loop; bound : 0 ports, 1 recurrence.
    """

    loop: Loop
    instructions: float
    cycles: float
    vf: int
    interleave: int
    unroll: int
    full: bool
    remainder: bool
    checks: int
    spills: float
    pressure: float
    executed: float
    port_cycles: float
    chain_cycles: float
    packed: Packed
    driven: float
    margin: float
    scalar_instructions: float
    scalar_cycles: float
    lifted: float = 0.0
    vectors_beyond: float = 0.0
    lanes_added: bool = False
    selected: bool = False
    pointers: float = 0.0


def upper_parts(code: LoopCode, cpu: Cpu) -> bool:
    """Whether a loop leaves something in the upper parts of x86's registers, which a function clears before it returns
    (``vzeroupper``, `X86VZeroUpper.cpp`)."""
    lanes = code.vf if code.vf > 1 else code.packed.lanes if code.packed.share else 1
    size = min(lanes * max(code.loop.bits, 8), cpu.prefer_bits)
    return cpu.isa == "x86" and max(size, code.loop.widths) > _LOWER_BITS


_LOWER_BITS = 128


def generate(root: Loop, cpu: Cpu, around: int | None = None) -> list[LoopCode]:
    """Code of each loop of a function, outermost (the function's own body) first. around : the loop that it is in."""
    below: list[LoopCode] = []
    direct: list[LoopCode] = []
    inner = size = 0.0
    for child in root.children:
        found = generate(child, cpu, root.nest.iv if root.nest.depth else None)
        direct.append(found[0])
        inner += sum(code.instructions / code.loop.multiplicity * code.loop.factor for code in found)
        size += sum(_size(code, cpu) * code.loop.factor for code in found)
        below += found
    left = [code for code in below if not code.full]
    own = _generate(root, cpu, inner, size, left, around)
    if root.nest.depth and left and not own.full:
        own.pointers = moved_around(root) * root.multiplicity
    if root.nest.depth and not own.full and len(root.children) == 1 and below[0].loop is root.children[0]:
        lift(root, below[0], cpu)
    if not root.chains and not root.serial and not root.nest.returns_into:
        for code in direct:
            code.cycles *= _begun_anew(code, cpu)
    if root.children and own.unroll > 1:
        for code in below:
            code.instructions *= own.unroll
            code.pointers *= own.unroll
    known = None if own.packed.share else straight_code(root.nest.straight, cpu)
    if known is not None:
        own.instructions, own.cycles = known
        own.selected = True
    else:
        own.cycles += filling(own, below, cpu)
    found = [own, *below]
    if not root.nest.depth:
        for code in found:
            code.instructions += code.pointers
    return found


def _size(code: LoopCode, cpu: Cpu) -> float:
    """Of one copy of a loop in LLVM instructions; scalar code of some targets takes fewer of its own, and vectors of
    x86, whose loads are operands."""
    own = code.instructions / code.loop.multiplicity
    if code.vf > 1 and cpu.isa == "x86":
        own += widths.operands(code.loop, code.vf, cpu) * code.interleave * code.unroll
    return own if code.vf > 1 or code.packed.share else max(code.loop.size * code.unroll, own)


def _begun_anew(code: LoopCode, cpu: Cpu) -> float:
    """What is left of the cycles of a loop that is unrolled completely and waits for the values that it carries: in the
    body around, each execution begins a chain of its own, which cores without order do before the last one ends."""
    busy = code.port_cycles * code.interleave
    if not code.full or cpu.in_order or code.chain_cycles <= busy or code.vf > 1:
        return 1.0
    return max(busy / code.chain_cycles, overlapped(1.0, code.executed / max(code.loop.entries, 1.0), cpu))


def _generate(
    loop: Loop, cpu: Cpu, inner: float, size: float, left: list[LoopCode], around: int | None = None
) -> LoopCode:
    """inner, size : instructions of the loops inside, and LLVM's; left : those of them that are loops still."""
    body, uops = body_of(loop, cpu)
    body, uops = max(body - loop.nest.reloads, 1.0), max(uops - loop.nest.reloads, 1.0)
    length = chain_length(loop)
    chosen = plan(loop, cpu, body, uops)
    vf, interleave = chosen.vf, chosen.interleave
    if vf == 1 and cpu.isa == "riscv" and loop.gathered:
        found = looked_up(loop)
        body, uops = body + found, uops + found
    packed = pack(loop, cpu) if vf == 1 else SCALAR
    wide = vf > 1 or packed.mostly
    chain = max((wait_of(c, cpu, loop, wide) * (1.0 if c.whole else length) for c in loop.chains), default=0.0)
    if unknown_length(loop, cpu, vf) and vf > 1:
        chain += max((added_by_sve(loop, cpu, c) for c in loop.chains), default=0.0)
    if in_parts(loop, cpu):
        chain = 0.0
    calls = CALL_WORK * loop.counts[opclass.LIBM] + BUFFER_CALL_WORK * loop.counts[opclass.CALL]
    strided_cost = chosen.work / body if vf > 1 else (calls + (body - calls) * packed.ratio) / body
    lanes = vf * interleave if not chosen.narrowed else interleave
    main_trips = (loop.trip - chosen.last) / lanes if lanes > 1 else loop.trip
    if chosen.folded and lanes > 1:
        main_trips = ceil(main_trips)
    size_ratio = packed.ratio
    if packed.share and loop.counts[opclass.LIBM]:  # the call of a vector's lanes counts more than those that it is of
        rest = max(loop.size - 3 - loop.counts[opclass.LIBM], 0.0)
        size_ratio = (rest * packed.ratio + _LIBM_LANE * loop.counts[opclass.LIBM]) / max(loop.size - 3, 1.0)
    sized = chosen.work + (widths.operands(loop, vf, cpu) if vf > 1 and cpu.isa == "x86" and loop.is_float else 0.0)
    if vf > 1 and emulates_half(loop, cpu):
        sized = min(sized, 2 * loop.size)
    if vf > 1 and loop.counts[opclass.LIBM]:  # lanes are taken apart for their calls, and each is one
        sized = max(sized - loop.counts[opclass.LIBM] * (vf * LANE_WORK - 3.0 * vf + 2.0), loop.size - 3.0)
    if vf > 1 and loop.fused:  # the back end's doing
        near = fixed(loop, cpu, vf)
        sized += fused.size(loop, cpu, vf, near, widths.parts(loop, cpu, vf, near))
    sized += chosen.taken_apart + (_beyond_work(loop, cpu, chosen) if vf > 1 else 0.0)
    if vf > 1 and of_fixed_length(loop, cpu):
        sized = loop.size - 3.0 + GATHERED_LANE * vf * chosen.picked + TAKEN_OUT * max(loop.strided - chosen.picked, 0)
    if vf > 1 and cpu.isa == "x86" and emulates_half(loop, cpu):  # maxima of halves go lane by lane, to LLVM
        for index in (opclass.FMAXIMUM, opclass.FMINMAX):
            sized += loop.counts[index] * (half_lanes(loop, index, vf) - 1.0)
    if vf > 1 and cpu.load_folding and not (loop.strided or loop.gathered or loop.counts[opclass.LIBM]):
        sized = max(sized, loop.size - 3.0 - loop.counts[opclass.STORE])  # loads are no operands yet
    picked = float(chosen.picked if cpu.gather else 0)
    if chosen.size:
        sized, picked = chosen.size, 0.0
    if chosen.sums is not None:
        sized += widened.size(chosen.sums, vf) - widened.work(chosen.sums, cpu, vf)
    vectors = vf > 1  # of the loop vectoriser's (`llvm.loop.isvectorized`): neither the source's nor SLP's
    if cpu.isa == "riscv":  # accesses that are not to neighbours, and reductions, make them too large
        vectors = vectors or any(c.vf > 1 and (c.loop.strided or c.loop.gathered or c.lanes_added) for c in left)
        vectors = vectors or any(c.checks > 0 for c in left)  # with both versions inside, more than four blocks
    unroll, full = after_vectorising(loop, cpu, vf, interleave, main_trips, sized, size_ratio, size,
                                    picked, len(left), vectors)  # fmt: skip
    folded = chosen.folded  # the last iterations run in a shorter vector
    unknown = folded and vf > 1 and fixed(loop, cpu, vf)
    if unknown:
        unroll, full = 1, False
    open_ended = chosen.last or (vf > 1 and unknown_length(loop, cpu, vf))
    leaves = not loop.exact or loop.trip % lanes != 0 or loop.checks > 0 or open_ended
    remainder = lanes > 1 and not folded and leaves
    main = (body * strided_cost * interleave - pairs(loop, cpu, chosen, packed)) * unroll
    if vf == 1:
        main += (beside(loop, body) + packed.addresses + divisions.bypasses(loop, cpu)) * unroll
    instructions = main if loop.nest.depth or any(loop.counts) else 0.0  # nothing is left of what stands between loops
    if loop.nest.depth:
        instructions += 0.0 if full else LOOP_CONTROL + (rounding(loop.nest, cpu.isa) * unroll if vf == 1 else 0.0)
        guards = entered(loop) if loop.nest.uncounted and cpu.isa != "riscv" else 0.0 if loop.exact else _GUARDS
        instructions += 1.5 + min(loop.streams, 4) * 0.8 + guards
    if vf > 1:
        instructions += _around_vector_loop(loop, cpu, chosen, body, remainder)
        if loop.exact and not loop.checks and not folded and not unknown_length(loop, cpu, vf):
            instructions += known_tail(loop, cpu, chosen, body)
    elif interleave > 1 and remainder:
        instructions += body + (0.0 if loop.exact else LOOP_CONTROL)
    elif full and not loop.exact:
        instructions += _EXIT * (unroll - 1)
    elif unroll > 1 and loop.nest.uncounted:  # by force: no copy is left over
        instructions += (_EXIT if loop.is_float else 1.0) * (unroll - 1)
    elif unroll > 1 and loop.exact:
        instructions += _EXIT * (loop.trip % unroll > 0)
    elif unroll > 1:
        bodies = left_over(loop, cpu, unroll)
        instructions += _left_over(body, bodies) + inner + _RUNTIME if bodies else 0.0
    indices = scattered_indices(loop) if vf > 1 else 0
    instructions += 2.0 * indices
    held = waiting_in(loop, around, vf > 1 and full and unroll == 1 and loop.exact)
    copied = unroll if full and loop.exact else 1
    pressure, spills, vectors_beyond = registers(loop, cpu, vf, interleave, copied, packed, indices, held)
    driven = driven_out(loop, cpu, vf, interleave, unroll, packed) * loop.multiplicity
    instructions += 2 * spills
    if vf > 1 and cpu.isa == "riscv":
        instructions += (
            offsets(loop) + summed(loop) + splats(loop) + 2 * (STACKED - 1.0) * min(spills, float(len(loop.lifted)))
        )
    scalar = ports_of(loop, cpu, uops, unroll)
    if loop.skipped:
        scalar *= max(1.0 - loop.skipped / max(sum(loop.counts), 1.0), 0.0)
    if vf > 1:
        ports = vector_ports(loop, cpu, chosen, uops, 1 if cpu.in_order else 0 if full else unroll * interleave)
        if chosen.sums is not None:
            ports, chain = _summed(loop, cpu, chosen, uops)
    else:
        ports = packed_ports(loop, cpu, packed, scalar, uops)
    ports /= vf if chosen.narrowed else 1
    if spills and (vf == 1 or cpu.isa != "riscv"):
        ports = max(ports, moved_by_spills(loop, cpu, uops, spills))
    copies = in_one_block(loop, unroll) if vf == 1 else 1
    if cpu.in_order:
        disturbed = vf == 1 and (not packed.share or loop.checks > 0)
        path = path_in_order(loop, cpu, copies if vf == 1 else unroll, wide, disturbed)
    else:
        path = Path(path_of(loop, cpu, uops, copies, wide), 0.0)
    if packed.reduced:
        terms = max([c.steps * (1.0 if c.whole else length) for c in loop.chains], default=packed.lanes)
        chain, path = chain / max(terms, packed.lanes), path.times(1.0 / packed.lanes)
        vectors_added = max(terms / packed.lanes, 1.0)
        if not cpu.in_order:  # one wide vector, whose halves are added
            path = path.times(log2(1.0 + vectors_added) / vectors_added)
        chain += cpu.shuffle_latency if cpu.in_order else 0.0  # across lanes
    if vf > 1 and ordered_only(loop):
        chain = in_order_cycles(loop, cpu, lanes)
        if full and not cpu.in_order and not cpu.scalable:
            chain = overlapped(chain, chosen.work * interleave * unroll, cpu)
    if vf == 1 and cpu.isa == "x86" and chain and (emulates_half(loop, cpu) or (loop.is_float and not packed.share)):
        chain = max(
            chain, inserted_into_sum(loop, cpu) * max(c.steps * (1.0 if c.whole else length) for c in loop.chains)
        )
    if vf == 1 and not packed.share and cpu.isa == "x86":
        chain = max(chain, through_one_register(loop, cpu))
    kept = interleave == 1 or not loop.exact  # short tiles have no copies
    if vf == unroll == 1 and kept and not packed.share and steps_by_store(loop, cpu):
        chain = max(chain, own_path(loop, cpu) + 1.0)
    if vf > interleave == unroll == 1:
        chain = max(chain, through_pointer(loop, cpu, vf), 0.0 if full or chosen.woven else through_group(loop, cpu))
    if vf == 1:
        least = max(by_blocks(loop, cpu), divisions.by_either_way(loop, cpu))
        ports, scalar = max(ports, least), max(scalar, least)
        ports = max(ports, flags_of(loop, cpu)) if not packed.share else ports
    if cpu.in_order:
        issued = (uops * packed.ratio if vf == 1 else ports * cpu.issue) * interleave
        per_vector = together(loop, cpu, ports * interleave, issued, path, chain, wide)
    else:
        ports, scalar = max(ports, path.cycles), max(scalar, path.cycles)
        per_vector = max(ports * interleave, chain)
    if vf == 1 and not packed.share:
        beyond = choices(loop, cpu, unroll)
        per_vector, scalar = per_vector + beyond, scalar + beyond
    vector_trips, rest = loop.parts(lanes, kept=int(chosen.last)) if lanes > 1 else (loop.trip, 0.0)
    if unknown:  # see `whole_under_mask`
        vector_trips, rest = DEFAULT_TRIP, 0.0
    if loop.nest.uncounted:  # each copy ends a block
        vector_trips, per_vector = executed(loop, unroll, full), max(per_vector, 1.0)
    cycles = vector_trips * per_vector
    if rest and folded:
        cycles += _masked_share(loop, lanes) * max(ports, chain / interleave)
    elif rest:
        narrow, less = rest_width(loop, cpu, chosen)
        shorter, rest = loop.parts(narrow, lanes) if narrow > 1 else (0.0, rest)
        alone = chain / lanes if vf > 1 and ordered_only(loop) else chain
        single = max(scalar, alone) if vf == 1 else one_by_one(loop, cpu, scalar, alone)
        cycles += shorter * max(ports * less, chain / interleave) + rest * single
        if shorter and loop.chains and cpu.isa == "x86" and not ordered_only(loop):
            cycles += combined(loop, cpu, narrow, 1)
    if vf > 1 and loop.chains and not ordered_only(loop):
        cycles += combined(loop, cpu, vf, interleave)
    if vf > 1 and loop.overlapping:
        plain = loop.trip if folded else plain_iterations(loop, cpu, rest, not unknown_length(loop, cpu, vf))
        each = max(scalar, chain)
        if cpu.in_order:
            each = together(loop, cpu, scalar, uops, path_in_order(loop, cpu, 1, False, True), chain, False)
        cycles += loop.overlapping * (plain * each - cycles)
    run = vector_trips * (main / unroll + LOOP_CONTROL / unroll)
    if loop.nest.depth:
        cycles += entry(loop, cpu, vf, folded, vf > 1 and remainder, unroll)
    cycles *= loop.entries
    return LoopCode(
        loop, instructions * loop.multiplicity, cycles, vf, interleave, unroll, full, remainder,
        loop.checks if vf > 1 else 0, spills, pressure, run * loop.entries, ports, chain, packed, driven,
        chosen.margin, body * unroll + LOOP_CONTROL, loop.trip * max(scalar, chain) * loop.entries,
        lanes_added=vf > 1 and bool(loop.chains) and not ordered_only(loop), vectors_beyond=vectors_beyond,
    )  # fmt: skip


def _beyond_work(loop: Loop, cpu: Cpu, chosen: Plan) -> float:
    """What the size of a vector body has beyond its instructions where vectors are of fixed length: a division counts 4
    (`TCC_Expensive`), each sum in order three for each lane (`getArithmeticReductionCost`), of which the instructions
    have those of one sum where lanes are added one by one."""
    vf = chosen.vf
    if cpu.isa != "aarch64" or not fixed(loop, cpu, vf):
        return 0.0
    size = 3.0 * loop.counts[_FDIV]
    if ordered_only(loop):
        size += len(loop.chains) * (3.0 * vf - 2.0) - (0.0 if cpu.scalable else 2.0 * (vf - 1.0))
    return size


_FDIV = opclass.CLASS["fdiv"]


def _masked_share(loop: Loop, lanes: int) -> float:
    """Of the executions of a loop, those that end with a vector under a mask: lengths that are not whole vectors."""
    return sum([share for length, share in loop.lengths or ((loop.trip, 1.0),) if length % lanes])


def _around_vector_loop(loop: Loop, cpu: Cpu, chosen: Plan, body: float, remainder: bool) -> float:
    """Checks, broadcasts, combining reductions, the scalar remainder."""
    vf, interleave, work = chosen.vf, chosen.interleave, chosen.work
    extra = loop.checks * _CHECK + (4.0 if loop.checks else 0.0)
    extra += loop.nest.invariants * 0.5 + loop.moved_out  # which all lanes have
    extra += partial_results(loop, cpu, vf, interleave)
    if unknown_length(loop, cpu, vf):
        extra += around_sve(loop, chosen.folded)
    whole = loop.exact and loop.trip % (vf * interleave) == 0
    fallback = loop.checks > 0 and (whole or not remainder)  # all of the loop once more, for buffers that overlap
    if fallback or (remainder and not (loop.exact and not loop.checks)):
        known = fallback and loop.exact and not unknown_length(loop, cpu, vf)
        copies = partly(loop, cpu, loop.size, int(loop.trip), known) if loop.checks else 1
        extra += body * copies + LOOP_CONTROL + 4.0
        if copies > 1 and not known:
            extra += _left_over(body, left_over(loop, cpu, copies))
    if loop.exact and remainder and unknown_length(loop, cpu, vf):
        return extra + behind_sve(loop, cpu, chosen, body)
    if not loop.exact:
        extra += _LENGTH
        if vf * interleave >= TINY_TRIP and cpu.isa != "riscv":  # what is left goes through a narrower loop first
            extra += work + LOOP_CONTROL + _EPILOGUE
    return extra


def _left_over(body: float, bodies: int) -> float:
    """Instructions behind the copies of a body: a loop of single ones, or these one after the other, after each of
    which the loop may end."""
    return body + LOOP_CONTROL if bodies == 1 else (body + _EXIT + _INDEX) * bodies


def _summed(loop: Loop, cpu: Cpu, chosen: Plan, uops: float) -> tuple[float, float]:
    """Cycles of a vector iteration by the busiest resource, and by its sums, see `widened`."""
    assert chosen.sums is not None
    rest, own = widened.without(loop, chosen.sums, uops)
    added = widened.work(chosen.sums, cpu, chosen.vf)
    if cpu.in_order:
        return vector_ports(rest, cpu, chosen, own, 1) + added, widened.wait(chosen.sums, cpu)
    ports = vector_ports(rest, cpu, chosen, own + added, 0)
    return max(ports, added / cpu.fp_ports), widened.wait(chosen.sums, cpu)
