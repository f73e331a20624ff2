"""Cycles of an iteration by the busiest resource of a core, as llvm-mca-22 has them."""

from __future__ import annotations

from math import ceil

from featurizers.mlir import fused, halves, minmax, opclass, widened
from featurizers.mlir.body import INT_CLASSES, emulates_half, float_work, masked_by_branches
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.extremes import busiest, minima
from featurizers.mlir.idioms import is_jump
from featurizers.mlir.latency import latencies
from featurizers.mlir.legal import GROUPED_BITS, narrow, whole_divided
from featurizers.mlir.legal import work as legal
from featurizers.mlir.loop import Loop
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.scattered import TOGETHER, Scattered
from featurizers.mlir.vectorise import CALL_WORK, CHOICE, Plan, ordered_only
from featurizers.mlir.widths import free, mean_bits

LOOP_CONTROL = 3.0
_MASKED_CYCLES, _MASKED_CYCLES_OF_SVE = 2.0, 3.5
"""Of a lane under a mask that is looked at, in blocks of which half run: a branch, and a load into the lane."""
_FADDA = {16: 19.0, 32: 11.0, 64: 8.0}
"""Cycles of a whole vector's ``fadda`` on Neoverse V1, by element (`SchedNeoverseV1.td`)."""
_IN_ORDER_LANE = {"x86": 4.0, "aarch64": 1.4, "riscv": 2.0, "amdgpu": 4.0}
"""Cycles per lane of a sum in order (`fadda`, `vfredosum`)."""
_IN_ORDER_REGISTER = 2.0
"""Of `vfredosum`, for each register of a group."""
_SUSTAINED = 0.8
"""Of the issue width, what code with many gathers and their masks comes to."""
_CALL_CYCLES, _CALL_CYCLES_OF_ZEN, _CALL_CYCLES_IN_ORDER = 4.0, 2.0, 100.0
"""llvm-mca's: a call is 100 cycles to an in-order core, and a few micro-operations to one that looks past it; to Zen 4
it is a single one."""
_PERMUTED = (2.0, 3.0)
"""Permutations of Skylake in a cycle beside all else, and of Zen 4, which has two units (chosen by labels)."""
_ONE_MULTIPLIER = 6
"""Issue width up to which a core has one multiplier of whole numbers."""
_PLAIN = tuple(CLASS[name] for name in ("iadd", "logic"))
_FADD, _FMUL, _FMA, _FDIV, _FSQRT = (CLASS[name] for name in ("fadd", "fmul", "fma", "fdiv", "fsqrt"))
_IDIV, _IMUL, _FCONVERT = (CLASS[name] for name in ("idiv", "imul", "fconvert"))
_WORD = 32


def ports_of(
    loop: Loop,
    cpu: Cpu,
    uops: float,
    unroll: int,
    passes: float = 0.0,
    pairs: float = 1.0,
    scattered: Scattered = TOGETHER,
) -> float:
    """Cycles of one iteration by the busiest resource; of one vector iteration, each of whose operations takes so many
    `passes`, without its divisions and calls. pairs : cycles of a vector load in a pair."""
    counts, wide, vector = narrow(loop), legal(loop, cpu), passes > 0
    ints = sum(counts[index] for index in INT_CLASSES)
    if vector:
        near = not cpu.scalable or passes == 1.0
        merged = fused.beyond(loop, cpu, True, near) if loop.fused else 0.0
        uops, ints = uops + merged - fused.beyond(loop, cpu, False), ints + merged
        fewer = fused.light(loop, cpu) + widened.free(loop, cpu)
        uops, ints = uops - fewer, ints - fewer
    else:
        ints += counts[opclass.IMINMAX] * (CHOICE[cpu.isa] - 1.0) - free(loop, cpu.isa)
    each = cpu.fdiv64_cycles if (loop.float_bits or loop.bits) > 32 else cpu.fdiv32_cycles
    root = cpu.fsqrt64_cycles if (loop.float_bits or loop.bits) > 32 else cpu.fsqrt32_cycles
    divides = counts[_FDIV] * each + counts[_FSQRT] * root + counts[_IDIV] * cpu.idiv_cycles
    calls = calls_of(loop, cpu)
    control = LOOP_CONTROL / unroll if loop.nest.depth and unroll else 0.0
    passes = passes or 1.0
    alone = cpu.isa == "riscv" and vector  # vectors have one port
    loads, stores = (
        max(counts[index] - n, 0.0) for index, n in ((opclass.LOAD, scattered.loads), (opclass.STORE, scattered.stores))
    )
    loads = loads * (passes * cpu.load_ports if alone else 1) * (pairs if vector else 1.0) + wide.loads
    stores = stores * (passes * cpu.store_ports if alone else 1) + wide.stores
    plain = sum(counts[index] for index in _PLAIN) - min(loop.immediates, counts[opclass.IADD])
    bound = max(
        (uops * (passes if cpu.in_order else 1) + control) / cpu.issue,
        (_floats(loop, counts, cpu, vector) * passes + wide.passes) / cpu.fp_ports,
        _vector_units(loop, counts, cpu, ints, passes) if vector else (ints + control) / cpu.int_ports,
        0.0 if vector else counts[_IMUL] / (2 if cpu.isa == "riscv" or cpu.issue > _ONE_MULTIPLIER else 1),
        0.0 if vector else plain * cpu.alu_cycles / 100,
        _moves(loop, cpu, loads, stores, passes if vector else 0.0, scattered),
        (counts[opclass.SHUFFLE] + wide.permuted) / cpu.shuffle_ports if cpu.shuffle_ports else 0.0,
        1.0 if loop.nest.depth and unroll == 1 else 0.0,
    )
    if vector:
        return bound
    lane = _MASKED_CYCLES_OF_SVE if cpu.scalable else _MASKED_CYCLES
    masked = masked_by_branches(loop, counts[opclass.MASKED], cpu) * lane
    if cpu.isa == "x86" or cpu.in_order:
        return max(bound, divides) + calls + masked
    return max(bound + calls, divides) + masked  # as llvm-mca runs them (of x86, spills around calls make up for it)


def calls_of(loop: Loop, cpu: Cpu) -> float:
    """Cycles of an iteration's calls: as many where lanes are packed. A jump is none (but RISC-V's ``tail``, which is
    two instructions that llvm-mca takes for a call)."""
    if loop.counts[opclass.CALL] and cpu.isa != "riscv" and is_jump(loop):
        return 0.0
    return (loop.counts[opclass.LIBM] + loop.counts[opclass.CALL]) * _call(cpu)


def _call(cpu: Cpu, of_lane: bool = False) -> float:
    """Cycles of a call; of a vector's lane with what brings it there and back."""
    if cpu.in_order:
        return _CALL_CYCLES_IN_ORDER
    if cpu.fp_split and not of_lane:
        return _CALL_CYCLES_OF_ZEN
    return _CALL_CYCLES + (of_lane and cpu.isa == "x86" and not cpu.fp_split)


_EXTREMES = minmax.INSTRUCTIONS, minmax.IN_VECTORS


def _floats(loop: Loop, counts: list[float], cpu: Cpu, vector: bool) -> float:
    """Operations of the busiest floating-point unit, times units."""
    products = counts[_FMUL] + counts[_FMA]
    if cpu.isa != "x86":
        work, counted = float_work(loop, counts, cpu), counts[opclass.FMINMAX]
        if vector and counted and cpu.isa == "riscv":
            scalar, wide = (minmax.mean(loop.extremes, of, cpu.isa) for of in _EXTREMES)
            work += counted * (wide - scalar)
        return work
    if emulates_half(loop, cpu):
        return float_work(loop, counts, cpu) if vector else halves.scalar(loop, counts, cpu) * cpu.fp_ports
    others = sum([counts[index] for index in opclass.FLOAT_CLASSES]) - counts[opclass.FMAXIMUM] - products
    others -= minima(loop, counts, cpu)
    if cpu.fp_split:
        doubled = loop.fused.get(fused.DOUBLED, 0.0)
        products, others = products - doubled, others + doubled
        if vector and loop.is_float:
            products += counts[opclass.COMPARE] + counts[opclass.SELECT] / 2
    return busiest(loop, counts, cpu, vector, products, others)


def _moves(loop: Loop, cpu: Cpu, loads: float, stores: float, passes: float, scattered: Scattered) -> float:
    """Cycles of load and store units, some of which do both: those of floats and of vectors go to other registers."""
    if cpu.float_moves == cpu.int_moves:
        whole = 0.0
    else:
        whole = 0.0 if passes or loop.widths else 1.0 if not loop.is_float else _of_whole(loop)
    fixed = cpu.isa == "aarch64" and passes == 1.0  # NEON's vectors go by the units of floats
    together = cpu.vector_moves if passes and not fixed else cpu.float_moves
    read, written = (0.0, 0.0) if cpu.in_order else (scattered.read, scattered.written)
    beside = read + written
    if cpu.isa == "x86" and together:  # lanes are loads and stores of their own
        beside = (read * cpu.load_ports + written * cpu.store_ports) / together
    shared = (loads + stores) * (1.0 - whole) / together + beside if together else 0.0
    if whole:
        shared = max(shared, (loads + stores * (1.0 + whole * (cpu.int_store - 1))) / cpu.int_moves)
    return max(loads / cpu.load_ports + read, stores / cpu.store_ports + written, shared)


def _of_whole(loop: Loop) -> float:
    """Share of the accesses of a body that are of whole numbers."""
    return sum([access.whole for access in loop.accesses]) / max(len(loop.accesses), 1)


def _vector_units(loop: Loop, counts: list[float], cpu: Cpu, ints: float, passes: float) -> float:
    """Cycles of all vector units, which compute on floats and on whole numbers: half as many products of these start in
    a cycle."""
    every = float_work(loop, counts, cpu, True) + ints
    if cpu.isa == "aarch64" and cpu.scalable and passes > 1.0:
        return _of_sve(loop, counts, every) * passes / cpu.passes
    twice = cpu.isa in ("x86", "aarch64") and not cpu.in_order
    units = cpu.fp_ports * 2 if cpu.fp_split else cpu.fp_ports + (cpu.isa == "x86")
    return (every + counts[_IMUL] * twice) / units * passes


_CONVERTED, _SHORTEST = 64.0, 16


def _of_sve(loop: Loop, counts: list[float], every: float) -> float:
    """Cycles of Neoverse V1's two units for whole vectors of SVE (`SchedNeoverseV1.td`): the first alone compares,
    multiplies whole numbers and converts floats, shorter ones than 64 bits in turns, the second alone shifts."""
    longer = counts[_IMUL] * (loop.bits > _WORD)
    converted = counts[_FCONVERT] * _CONVERTED / max(loop.float_bits, _SHORTEST)
    first = counts[_IMUL] + longer + counts[opclass.COMPARE] + converted
    return max(first, loop.fused.get(fused.SHIFTS, 0.0), (every + longer + converted - counts[_FCONVERT]) / 2)


def moved_by_spills(loop: Loop, cpu: Cpu, uops: float, spills: float) -> float:
    """Cycles of an iteration, so many of whose values are stored and loaded again in each: in front of stores and loads
    of its own, units of both have most to do."""
    counts, wide = narrow(loop), legal(loop, cpu)
    loads, stores = counts[opclass.LOAD] + wide.loads + spills, counts[opclass.STORE] + wide.stores + spills
    return max(_moves(loop, cpu, loads, stores, 0.0, TOGETHER), (uops + 2 * spills + LOOP_CONTROL) / cpu.issue)


def vector_ports(loop: Loop, cpu: Cpu, chosen: Plan, uops: float, copies: int) -> float:
    """Cycles of one vector iteration by the busiest resource. copies : that are in a loop; 0: none is left."""
    counts, bits = loop.counts, max(loop.bits, 8)
    half = emulates_half(loop, cpu)
    rooted = halves.lane_by_lane(loop, cpu, chosen.vf)[1] if half else 0.0
    divides = counts[_FDIV] + (1.5 if cpu.isa == "x86" else 1.0) * counts[_FSQRT] * (not rooted)
    calls = counts[opclass.LIBM] * _call(cpu, True)
    mean = mean_bits(loop)
    members = max(chosen.woven, 1)  # of a group, in one vector each of which a body has as many operations
    parts = max(members * chosen.vf * (32 if half else mean) / cpu.prefer_bits, 1.0) / members
    passes = max(cpu.passes * min(members * chosen.vf * mean / cpu.prefer_bits, 1.0), 1.0)
    paired = cpu.isa == "aarch64" and chosen.interleave > 1 and not cpu.scalable and loop.unit
    pairs = cpu.pair_cycles / 2 if paired and cpu.pair_cycles else 1.0
    scattered = chosen.scattered
    bound = ports_of(loop, cpu, uops - counts[opclass.LIBM] * CALL_WORK, copies, passes, pairs, scattered)
    divided = divides * (cpu.vdiv64_cycles if bits > 32 else cpu.vdiv32_cycles)
    if cpu.scalable and cpu.isa == "aarch64" and divides:
        others = float_work(loop, counts, cpu, True) - divides
        divided = _by_one_of_two(divided * passes / cpu.passes, others * passes, cpu)
    if counts[_IDIV]:
        width = max([key[1] for key in loop.typed if key[0] == _IDIV], default=bits)
        divided = max(divided, counts[_IDIV] * whole_divided(cpu, chosen.vf, width) / parts)
    narrow_groups = cpu.isa == "x86" and not scattered.permuted
    permuted = chosen.taken_apart / _PERMUTED[cpu.fp_split] if narrow_groups else 0.0  # of two registers each
    in_order = chosen.vf * 2.0 if ordered_only(loop) and not cpu.scalable else 0.0
    if ordered_only(loop) and cpu.scalable:  # one unit adds up, one sum after the other
        divided = max(divided, len(loop.chains) * in_order_cycles(loop, cpu, chosen.vf) / parts)
    waits = scattered.read + scattered.written if cpu.in_order else 0.0
    started = chosen.work / (_SUSTAINED * cpu.issue) if scattered.loads + scattered.stores and not cpu.in_order else 0.0
    converted = halves.vector(loop, counts, cpu, chosen.vf) if cpu.isa == "x86" and half else 0.0
    return (
        max(bound * parts, divided * parts, started, converted, scattered.permuted)
        + waits
        + permuted
        + calls * chosen.vf
        + in_order
        + rooted
    )


def _by_one_of_two(divided: float, others: float, cpu: Cpu) -> float:
    """Cycles of SVE's units, of which the first divides (`V1UnitV0`), and computes with the other while it does not."""
    return max(divided, divided / 2 + others / cpu.fp_ports)


_FLAGS, _FLAGS_OF_FLOATS = 3.0, 4.0
"""Cycles of Cortex-A55 from one comparison of scalars that a choice hangs on to the next (`WriteI`; `WriteFCmp`, and a
choice that must not end before it)."""


def flags_of(loop: Loop, cpu: Cpu) -> float:
    """Cycles of an iteration's choices in order, of scalars: there is one register of flags, so that a comparison waits
    for the choice before it."""
    if not cpu.in_order or cpu.isa != "aarch64":
        return 0.0
    chosen = min(loop.counts[opclass.COMPARE], loop.counts[opclass.SELECT])
    return loop.counts[opclass.IMINMAX] * _FLAGS + chosen * (_FLAGS_OF_FLOATS if loop.is_float else _FLAGS)


def in_order_cycles(loop: Loop, cpu: Cpu, lanes: int) -> float:
    """Of adding the lanes of a vector to a sum, one after the other: NEON has no instruction for it."""
    if cpu.isa == "aarch64" and not cpu.scalable:
        return latencies(cpu, loop.bits, True)[_FADD] * lanes
    if cpu.isa == "aarch64":
        whole = _FADDA.get(loop.bits, _FADDA[32])
        return whole * max(lanes * loop.bits / cpu.prefer_bits, 1.0)
    grouped = _IN_ORDER_REGISTER * ceil(lanes * loop.bits / GROUPED_BITS) if cpu.isa == "riscv" else 0.0
    return _IN_ORDER_LANE[cpu.isa] * lanes + grouped
