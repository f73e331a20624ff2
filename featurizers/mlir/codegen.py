"""What the back end makes of each loop on one CPU: vector width, interleaving, unrolling, instructions, cycles, spills.

An estimate, not a compiler: LLVM's own rules in a few lines each, so that a learner corrects the remainder. Sources:
`LoopVectorizationPlanner::selectInterleaveCount`, `BasicTTIImpl::getUnrollingPreferences`, `computeUnrollCount` (LLVM
22); cycles are the larger of the port bound and the recurrence bound (Laukemann et al., OSACA, PMBS 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from featurizers.mlir import opclass
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.latency import cycles as cycles_of
from featurizers.mlir.latency import latencies, steps
from featurizers.mlir.legal import narrow
from featurizers.mlir.legal import work as legal
from featurizers.mlir.loads import segments
from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Chain
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.registers import registers
from featurizers.mlir.slp import SCALAR, Packed, pack, runs
from featurizers.mlir.unroll import after_vectorising, partly
from featurizers.mlir.vectorise import BUFFER_CALL_WORK, CALL_WORK, CHOICE, Plan, ordered_only, plan

_TINY_TRIP = 16
_LOOP_CONTROL = 3.0
_CHECK = 5.0
_GUARDS, _RUNTIME = 4.0, 10.0
"""Instructions that see whether a loop whose length is not known runs at all, and how often its copies do."""
_LENGTH, _EPILOGUE = 12.0, 8.0
"""Instructions to divide a length that is not known among loops, and to come to the narrower one."""
_MASKED_CYCLES = 7.0
_LANE_ALONE = 1.5
_LIBM_LANE = 2.6
"""Of a vector call of the maths library, to code size (10 for 4 lanes, 22 for 8)."""
_CALL_CYCLES, _CALL_CYCLES_IN_ORDER = 4.0, 100.0
"""llvm-mca's: a call is 100 cycles to an in-order core, and a few micro-operations to one that looks past it."""

_MINMAX_COST = {"x86": 3.0, "aarch64": 1.0, "riscv": 2.5, "amdgpu": 1.0}
_MAXIMUM_COST = {"x86": 10.0, "aarch64": 1.0, "riscv": 7.0, "amdgpu": 1.0}
"""`arith.maximumf` and its like propagate NaN, and tell zeros apart: x86 looks at signs and blends; less where one is a
constant."""
_MAXIMUM_LATENCY = 4.5
_HALF_COST = 4.0
"""Half precision without an instruction for it: to single, compute, back."""
_IN_ORDER_LANE = {"x86": 4.0, "aarch64": 1.4, "riscv": 2.5, "amdgpu": 4.0}
"""Cycles per lane of a sum in order (`fadda`, `vfredosum`)."""
_ONE_MULTIPLIER = 6
"""Issue width up to which a core has one multiplier of whole numbers."""
_INSERTED = 2.0
"""x86 loads a scalar of half precision into the register that the sum is in, as far as its other lanes go: ``vpinsrw``
waits for the sum."""
_WINDOW = 200.0
"""Micro-operations among which a core that looks past an instruction that waits finds work."""

_PLAIN = tuple(CLASS[name] for name in ("iadd", "logic"))
_FMUL, _FMA, _FDIV, _FSQRT = (CLASS[name] for name in ("fmul", "fma", "fdiv", "fsqrt"))
_IDIV, _IMUL = (CLASS[name] for name in ("idiv", "imul"))
_FLOAT = opclass.FLOAT_CLASSES
_FOLDING = tuple(opclass.OF_MEMORY)
_FOLDED_BITS = 32
_INT = tuple(
    CLASS[name] for name in ("iadd", "imul", "idiv", "logic", "compare", "select", "extend", "other", "iminmax")
)


@dataclass(slots=True)
class LoopCode:
    """The code of one loop. instructions : static, with checks and remainder. cycles : of all its executions.

    vf, interleave, unroll : 1 where the decision was against. spills : values beyond the register file.
    margin : of the vectoriser's decision, see `vectorise.Plan`. scalar_instructions, scalar_cycles : of plain code.
    lanes_added : whether it leaves a reduction over lanes. lifted : vectors that moved out of a loop around.
    driven : values that calls drive out of registers.
    packed : what SLP made of the body.
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
    lanes_added: bool = False


def generate(root: Loop, cpu: Cpu) -> list[LoopCode]:
    """Code of each loop of a function, outermost (the function's own body) first."""
    below: list[LoopCode] = []
    inner = 0.0
    for child in root.children:
        found = generate(child, cpu)
        inner += sum(code.instructions / code.loop.multiplicity * code.loop.factor for code in found)
        below += found
    left = [code for code in below if not code.full]
    own = _generate(root, cpu, inner, left)
    if root.nest.depth and len(root.children) == 1 and below[0].loop is root.children[0]:
        _lift(root, below[0], cpu)
    if root.children and own.unroll > 1:
        for code in below:
            code.instructions *= own.unroll
    return [own, *below]


def _lift(around: Loop, code: LoopCode, cpu: Cpu) -> None:
    """A vector loop that is unrolled completely is part of the body around it: loads that do not vary there move out,
    and wait in registers or on the stack."""
    loop = code.loop
    if not code.full or code.vf < 2 or loop.checks or around.trip < 2:
        return
    iv, own = around.nest.iv, loop.nest.iv
    stored = {access.base for access in loop.accesses if access.store}
    outside = any(access.store and access.external for access in loop.accesses)
    fixed = [a for a in loop.accesses if not a.store and a.moving and a.stride(own) and not a.stride(iv)]
    fixed = [a for a in fixed if a.base not in stored and not (a.external and outside)]
    if not fixed:
        return
    each = code.vf * code.interleave / cpu.prefer_bits
    held = sum(max(a.bits * each, 1.0) for a in fixed) * code.unroll
    strided = sum(abs(a.stride(own)) > 1 for a in fixed)
    stay = 1.0 - (len(fixed) + 2.0 * strided) / max(len(loop.accesses) + 2.0 * loop.strided + sum(loop.counts) / 2, 1.0)
    code.cycles *= max(stay, 0.1) + (1.0 - max(stay, 0.1)) / around.trip
    code.lifted = held
    beyond = max(held + loop.live_float - cpu.vector_registers, 0.0)
    code.spills, code.pressure = max(code.spills, beyond), max(code.pressure, held / cpu.vector_registers)


def _generate(loop: Loop, cpu: Cpu, inner: float, left: list[LoopCode]) -> LoopCode:
    """inner : instructions of the loops inside; left : those of them that are loops still."""
    body, uops = _body(loop, cpu)
    body, uops = max(body - loop.nest.reloads, 1.0), max(uops - loop.nest.reloads, 1.0)
    length = _chain_length(loop)
    chain = max((_wait(c, cpu, loop) * (1.0 if c.whole else length) for c in loop.chains), default=0.0)
    if _in_parts(loop, cpu):
        chain = 0.0
    chosen = plan(loop, cpu, body, uops)
    vf, interleave = chosen.vf, chosen.interleave
    packed = pack(loop, cpu) if vf == 1 else SCALAR
    calls = CALL_WORK * loop.counts[opclass.LIBM] + BUFFER_CALL_WORK * loop.counts[opclass.CALL]
    strided_cost = chosen.work / body if vf > 1 else (calls + (body - calls) * packed.ratio) / body
    lanes = vf * interleave
    main_trips = loop.trip / lanes if lanes > 1 else loop.trip
    size_ratio = packed.ratio
    if packed.share and loop.counts[opclass.LIBM]:  # the call of a vector's lanes counts more than those that it is of
        rest = max(loop.size - 3 - loop.counts[opclass.LIBM], 0.0)
        size_ratio = (rest * packed.ratio + _LIBM_LANE * loop.counts[opclass.LIBM]) / max(loop.size - 3, 1.0)
    sized = chosen.work if vf == 1 or not _emulates_half(loop, cpu) else min(chosen.work, 2 * loop.size)
    sized += chosen.taken_apart
    vectors = vf > 1 or packed.share > 0  # not those of the source: they are in no loop that LLVM has vectorised
    if cpu.isa != "riscv":
        vectors = vectors or any(c.vf > 1 or c.packed.share > 0 for c in left)
    else:  # accesses that are not to neighbours, and reductions, make them too large
        vectors = vectors or any(c.vf > 1 and (c.loop.strided or c.loop.gathered or c.lanes_added) for c in left)
    unroll, full = after_vectorising(loop, cpu, vf, interleave, main_trips, sized, size_ratio, inner,
                                    float(chosen.picked if cpu.gather else 0), len(left), vectors)  # fmt: skip
    folded = chosen.folded or cpu.isa == "riscv"  # the last iterations run in a shorter vector
    leaves = not loop.exact or loop.trip % lanes != 0 or loop.checks > 0 or (vf > 1 and _unknown_length(loop, cpu, vf))
    remainder = lanes > 1 and not folded and leaves
    main = (body * strided_cost * interleave - _pairs(loop, cpu, chosen, packed)) * unroll
    instructions = main + (0.0 if full else _LOOP_CONTROL)
    if loop.nest.depth:
        instructions += 1.5 + min(loop.streams, 4) * 0.8 + (0.0 if loop.exact else _GUARDS)
    if vf > 1:
        instructions += _around_vector_loop(loop, cpu, vf, interleave, body, chosen.work, remainder)
        if loop.exact and not loop.checks and not folded and not _unknown_length(loop, cpu, vf):
            instructions += _known_tail(loop, vf, lanes, body)
    elif interleave > 1 and remainder:
        instructions += body + (0.0 if loop.exact else _LOOP_CONTROL)
    elif unroll > 1 and (not loop.exact or loop.trip % unroll):
        instructions += body + _LOOP_CONTROL + inner + (0.0 if loop.exact else _RUNTIME)
    pressure, spills, driven = registers(loop, cpu, vf, interleave, unroll if full else 1, packed)
    instructions += 2 * spills
    scalar = _ports(loop, cpu, uops, unroll)
    ports = _vector_ports(loop, cpu, chosen, uops) if vf > 1 else scalar * packed.ratio
    path = _path(loop, cpu, uops)
    if cpu.in_order:
        path = _waited(loop, cpu, path, unroll, vf == 1 and not packed.share)
    if packed.reduced:
        chain, path = chain / packed.lanes, path / packed.lanes
    if vf > 1 and ordered_only(loop):
        chain = _IN_ORDER_LANE[cpu.isa] * lanes
    if vf == 1 and cpu.isa == "x86" and chain and loop.counts[opclass.LOAD] and _emulates_half(loop, cpu):
        steps_ = max((c.steps * (1.0 if c.whole else length) for c in loop.chains), default=1.0)
        chain = max(chain, steps_ * max(_own_path(loop, cpu) - cpu.load_latency + _INSERTED, 1.0))
    if vf == 1 and not packed.share and cpu.isa == "x86":
        chain = max(chain, _through_one_register(loop, cpu))
    if vf == unroll == 1 and not packed.share and _steps_by_store(loop, cpu):
        chain = max(chain, _own_path(loop, cpu) + 1.0)
    if cpu.in_order:
        per_vector = max(ports * interleave, chain, path)
    else:
        ports, scalar = max(ports, path), max(scalar, path)
        per_vector = max(ports * interleave, chain)
    vector_trips = int(main_trips) if lanes > 1 else main_trips
    cycles = vector_trips * per_vector
    rest = loop.trip - vector_trips * lanes
    if lanes > 1 and rest:
        cycles += max(ports, chain / interleave) if folded else rest * max(scalar, chain)
    executed = vector_trips * (main / unroll + _LOOP_CONTROL / unroll)
    cycles = cycles * loop.entries + loop.entries * (2.0 if loop.nest.depth else 0.0)
    return LoopCode(
        loop, instructions * loop.multiplicity, cycles, vf, interleave, unroll, full, remainder,
        loop.checks if vf > 1 else 0, spills, pressure, executed * loop.entries, ports, chain, packed, driven,
        chosen.margin, body * unroll + _LOOP_CONTROL, loop.trip * max(scalar, chain) * loop.entries,
        lanes_added=vf > 1 and bool(loop.chains) and not ordered_only(loop),
    )  # fmt: skip


def _pairs(loop: Loop, cpu: Cpu, chosen: Plan, packed: Packed) -> float:
    """Neighbouring accesses that AArch64 makes with one instruction (`ldp`, `stp`), in an iteration of the new loop."""
    if cpu.isa != "aarch64" or loop.widths:
        return 0.0
    if chosen.vf > 1:
        return 0.0 if cpu.scalable or chosen.interleave < 2 else loop.unit * chosen.interleave / 2
    if len(loop.accesses) < 2 or (loop.checks and loop.counts[opclass.STORE] > 1):
        return 0.0  # loads and stores that may overlap stay in order
    found = runs(loop)
    return float(sum(int(length / packed.lanes) // 2 for lengths in (found.loads, found.stores) for length in lengths))


def _body(loop: Loop, cpu: Cpu) -> tuple[float, float]:
    """Instructions and micro-operations of one iteration, as scalar code (or as the vector code that it is)."""
    counts, vectors = narrow(loop), legal(loop, cpu)
    loads, stores = counts[opclass.LOAD], counts[opclass.STORE]
    arithmetic = _float_work(loop, counts, cpu)
    for index in _INT:
        arithmetic += counts[index]
    arithmetic += counts[opclass.IMINMAX] * (CHOICE[cpu.isa] - 1.0)
    arithmetic += counts[opclass.SHUFFLE] + counts[opclass.BRANCH]
    calls = counts[opclass.CALL] * BUFFER_CALL_WORK + counts[opclass.LIBM] * CALL_WORK
    folded = 0.0
    if cpu.load_folding:
        folded = _folded(loop, counts)
    masked = counts[opclass.MASKED]
    if masked:
        arithmetic += masked * (6.0 if _masks_by_branches(cpu) else 0.1)
    if cpu.isa == "aarch64":
        arithmetic = max(arithmetic - loop.folds, 0.0)
    uops = arithmetic + loads + stores + calls
    addresses = min(counts[opclass.ADDRESS], float(loop.computed))
    return max(uops - folded + addresses + vectors.instructions, 1.0), uops + addresses + vectors.uops


def _folded(loop: Loop, counts: list[float]) -> float:
    """Loads that are operands of what x86 computes: half of them, or those that operations are known to use."""
    loads = counts[opclass.LOAD]
    if loop.bits < _FOLDED_BITS and not loop.is_float:
        return min(loads / 2, sum(counts[index] for index in _FLOAT))
    return min(max(loads / 2, loop.of_loaded), sum(counts[index] for index in _FOLDING), loads)


def _masks_by_branches(cpu: Cpu) -> bool:
    """Fixed-width vectors have no masked accesses on AArch64: a branch per element."""
    return cpu.isa == "aarch64"


def _float_work(loop: Loop, counts: list[float], cpu: Cpu) -> float:
    """Instructions for floating-point operations: what the target has no instruction for takes several."""
    work = sum(counts[index] for index in _FLOAT) + counts[opclass.FMINMAX] * (_MINMAX_COST[cpu.isa] - 1)
    maxima = counts[opclass.FMAXIMUM]
    maximum = _MAXIMUM_COST[cpu.isa]
    if _emulates_half(loop, cpu):
        return (work - maxima) * _HALF_COST + maxima * (maximum + _HALF_COST)
    return work + maxima * (maximum - 1)


def _in_parts(loop: Loop, cpu: Cpu) -> bool:
    """Whether branches cut a body into blocks, which llvm-mca runs one by one: none waits for the one before."""
    if cpu.in_order:
        return False
    if loop.counts[opclass.BRANCH]:
        return True
    if not loop.chains:
        return False
    kinds = {op_class for chain in loop.chains for op_class, _ in chain.kinds}
    if cpu.isa == "riscv":  # without a conditional move
        return opclass.SELECT in kinds or opclass.FMAXIMUM in kinds
    branches = cpu.isa == "x86" or cpu.scalable > 0  # a choice by what is loaded: `PredictableSelectIsExpensive`
    return branches and opclass.SELECT in kinds and opclass.LOAD in kinds


def _chain_length(loop: Loop) -> float:
    """Iterations of unrolled inner loops that one iteration's chain runs through."""
    return max(loop.copies / len(loop.chains), 1.0) if loop.chains else 1.0


def _path(loop: Loop, cpu: Cpu, uops: float) -> float:
    """Cycles of an iteration's longest chain, shared by the iterations that the core works on at once."""
    steps = loop.serial * _latency(loop.serial_chain, cpu, loop) if loop.serial_chain is not None else 0.0
    longest = max(steps, _own_path(loop, cpu))
    back = loop.nest.returns_into
    if back and not loop.nest.depth and not loop.children and (back == "float" or cpu.isa != "x86"):
        return longest  # llvm-mca repeats the block, whose result is its own argument
    if cpu.in_order:
        return longest
    return longest / max(_WINDOW / max(uops, 1.0), 1.0)


def _own_path(loop: Loop, cpu: Cpu) -> float:
    """Cycles of the longest chain of a body as it is written."""
    return cycles_of(steps(loop.critical), cpu, loop.bits, loop.is_float)


_INSERT_LATENCY = 2.5
"""Of ``vpinsrw`` from memory, after the register's old value."""


def _through_one_register(loop: Loop, cpu: Cpu) -> float:
    """Cycles of scalar code of x86 that waits for a register's old value: elements of half precision are put into
    vector registers (``vpinsrw``), here where each result is of one; products of bytes are of `al` alone."""
    counts = loop.counts
    if not loop.is_float and loop.bits <= 8:
        return counts[_IMUL] * cpu.imul8_cycles
    if not _emulates_half(loop, cpu) or not 0 < counts[opclass.LOAD] <= counts[opclass.STORE]:
        return 0.0
    return counts[opclass.STORE] * (_own_path(loop, cpu) - cpu.load_latency + _INSERT_LATENCY)


def _steps_by_store(loop: Loop, cpu: Cpu) -> bool:
    """Whether a store moves on the pointer that the next iteration loads by (``str s0, [x0, #148]!``): llvm-mca has it
    wait for what is stored. Accesses of neighbours share an index instead, and copies of an unrolled body a pointer."""
    if cpu.isa != "aarch64" or cpu.unroll_ops or loop.children or not loop.nest.depth:
        return False
    written = [access for access in loop.accesses if access.store]
    if len(written) != 1 or abs(written[0].stride(loop.nest.iv)) < 2:
        return False
    place = written[0].base, written[0].moving
    return sum(not access.store and (access.base, access.moving) == place for access in loop.accesses) == 1


def _waited(loop: Loop, cpu: Cpu, path: float, unroll: int, scalar: bool) -> float:
    """Cycles that an iteration waits in order: copies in one block wait together, unless loads come after stores that
    may have written what they read."""
    parts = segments(loop, unroll) if scalar else 1.0
    if parts < 2:
        return path / unroll
    return max(path, parts * min(path, _own_path(loop, cpu))) / unroll


def _emulates_half(loop: Loop, cpu: Cpu) -> bool:
    return loop.is_float and loop.bits == 16 and not cpu.half


def _wait(chain: Chain, cpu: Cpu, loop: Loop) -> float:
    """Cycles from a carried value to its next one."""
    if chain.kinds:
        return cycles_of(
            chain.kinds, cpu, max(chain.bits, 16 if chain.is_float else 8), chain.is_float or loop.is_float
        )
    return _latency(chain, cpu, loop) * chain.steps


def _latency(chain: Chain, cpu: Cpu, loop: Loop) -> float:
    """Of the last operation on a carried value."""
    if chain.op_class < 0:
        return 1.0
    known = latencies(cpu, loop.bits if chain.is_float else chain.bits, chain.is_float)[chain.op_class]
    return min(known, _MAXIMUM_LATENCY) if chain.op_class == opclass.FMAXIMUM else known


def _around_vector_loop(
    loop: Loop, cpu: Cpu, vf: int, interleave: int, body: float, work: float, remainder: bool
) -> float:
    """Checks, broadcasts, combining reductions, the scalar remainder."""
    extra = loop.checks * _CHECK + (4.0 if loop.checks else 0.0)
    extra += loop.nest.invariants * 0.5
    for _ in loop.chains:
        extra += interleave - 1 + 2 * log2(vf)
    whole = loop.exact and (cpu.isa == "riscv" or loop.trip % (vf * interleave) == 0)
    fallback = loop.checks > 0 and whole  # all of the loop once more, for buffers that overlap
    if fallback or (remainder and not (loop.exact and not loop.checks)):
        copies = partly(loop, cpu, loop.size, int(loop.trip), fallback) if loop.checks else 1
        extra += body * (copies + (copies > 1 and not fallback)) + _LOOP_CONTROL + 4.0
    if loop.exact and remainder and not loop.checks and _unknown_length(loop, cpu, vf):
        extra += _LENGTH
        if vf * interleave < _TINY_TRIP:
            return extra + body + _LOOP_CONTROL + 4.0
        return extra + work + _LOOP_CONTROL + _EPILOGUE + body * (loop.trip % (_FIXED_BITS // max(loop.bits, 8)))
    if not loop.exact:
        extra += _LENGTH
        if vf * interleave >= _TINY_TRIP and cpu.isa != "riscv":  # what is left goes through a narrower loop first
            extra += work + _LOOP_CONTROL + _EPILOGUE
    return extra


_FIXED_BITS = 128


def _unknown_length(loop: Loop, cpu: Cpu, vf: int) -> bool:
    """Whether vectors are of SVE, which leave a rest that nobody knows before the code runs."""
    return cpu.isa == "aarch64" and cpu.scalable > 0 and vf * max(loop.bits, 8) > _FIXED_BITS


def _known_tail(loop: Loop, vf: int, lanes: int, body: float) -> float:
    """The remainder of a loop of known length: a narrower vector body for long ones, then single iterations, which
    are unrolled while that is cheap."""
    rest = int(loop.trip % lanes)
    code = 0.0
    if lanes >= _TINY_TRIP and rest >= vf:
        code += body * (rest // vf)
        rest %= vf
    fits = rest * (loop.size - 2) <= 300
    return code + (body * rest if fits else body + _LOOP_CONTROL)


def _ports(loop: Loop, cpu: Cpu, uops: float, unroll: int, passes: float = 0.0, pairs: float = 1.0) -> float:
    """Cycles of one iteration by the busiest resource; of one vector iteration, each of whose operations takes so many
    `passes`, without its divisions and calls. pairs : cycles of a vector load in a pair."""
    counts, wide, vector = narrow(loop), legal(loop, cpu), passes > 0
    floats = _float_work(loop, counts, cpu)
    ints = sum(counts[index] for index in _INT)
    if not vector:
        ints += counts[opclass.IMINMAX] * (CHOICE[cpu.isa] - 1.0)
    each = cpu.fdiv64_cycles if loop.bits > 32 else cpu.fdiv32_cycles
    divides = (counts[_FDIV] + 1.5 * counts[_FSQRT]) * each + counts[_IDIV] * cpu.idiv_cycles
    call = _CALL_CYCLES_IN_ORDER if cpu.in_order else _CALL_CYCLES
    calls = (counts[opclass.LIBM] + counts[opclass.CALL]) * call
    control = _LOOP_CONTROL / max(unroll, 1) if loop.nest.depth else 0.0
    passes = passes or 1.0
    products = counts[_FMUL] + counts[_FMA]
    busiest = max(products, floats - products) if cpu.fp_split else floats
    alone = cpu.isa == "riscv" and vector  # vectors have one port
    loads = counts[opclass.LOAD] * (passes * cpu.load_ports if alone else 1) * (pairs if vector else 1.0) + wide.loads
    stores = counts[opclass.STORE] * (passes * cpu.store_ports if alone else 1) + wide.stores
    plain = sum(counts[index] for index in _PLAIN) - min(loop.immediates, counts[opclass.IADD])
    bound = max(
        (uops * (passes if cpu.in_order else 1) + control) / cpu.issue,
        (busiest * passes + wide.passes) / cpu.fp_ports,
        _vector_ints(ints, counts[_IMUL], cpu) * passes if vector else (ints + control) / cpu.int_ports,
        0.0 if vector else counts[_IMUL] / (2 if cpu.isa == "riscv" or cpu.issue > _ONE_MULTIPLIER else 1),
        0.0 if vector else plain * cpu.alu_cycles / 100,
        loads / cpu.load_ports,
        stores / cpu.store_ports,
        (loads + stores) / cpu.load_ports if _stores_by_load_ports(cpu) and not alone else 0.0,
        1.0 if loop.nest.depth and unroll == 1 else 0.0,
    )
    if vector:
        return bound
    masked = counts[opclass.MASKED] * _MASKED_CYCLES if _masks_by_branches(cpu) else 0.0
    return max(bound, divides) + calls + masked


def _stores_by_load_ports(cpu: Cpu) -> bool:
    return cpu.isa in ("aarch64", "riscv") and not cpu.in_order


def _vector_ints(operations: float, products: float, cpu: Cpu) -> float:
    """Cycles of vector operations on whole numbers, of which half as many products start in one."""
    ports = cpu.fp_ports * (2 if cpu.fp_split else 1)
    twice = cpu.isa in ("x86", "aarch64") and not cpu.in_order
    return (operations + (products if twice else 0.0)) / ports


def _vector_ports(loop: Loop, cpu: Cpu, chosen: Plan, uops: float) -> float:
    """Cycles of one vector iteration by the busiest resource."""
    counts, bits = loop.counts, max(loop.bits, 8)
    divides = counts[_FDIV] + 1.5 * counts[_FSQRT]
    calls = counts[opclass.LIBM] * (_CALL_CYCLES_IN_ORDER if cpu.in_order else _CALL_CYCLES)
    parts = max(chosen.vf * (32 if _emulates_half(loop, cpu) else bits) / cpu.prefer_bits, 1.0)
    passes = max(cpu.passes * min(chosen.vf * bits / cpu.prefer_bits, 1.0), 1.0)
    paired = cpu.isa == "aarch64" and chosen.interleave > 1 and not cpu.scalable and loop.unit
    pairs = max(cpu.pair_cycles / 2, 1.0) if paired else 1.0
    bound = _ports(loop, cpu, uops - counts[opclass.LIBM] * CALL_WORK, 1, passes, pairs)
    divided = divides * (cpu.vdiv64_cycles if bits > 32 else cpu.vdiv32_cycles)
    lane = cpu.gather_lane / 100
    alone = max(lane, _LANE_ALONE) if bits < 32 and cpu.isa == "x86" else lane  # no gathers of less than 32 bits
    scattered = chosen.picked * alone * chosen.vf
    if cpu.isa == "x86":  # permutations, of two registers each
        scattered += chosen.taken_apart / 2
    else:
        scattered += (chosen.scattered - chosen.picked) * lane * chosen.vf
    in_order = chosen.vf * 2.0 if ordered_only(loop) and not cpu.scalable else 0.0
    return max(bound, divided) * parts + scattered + calls * chosen.vf + in_order
