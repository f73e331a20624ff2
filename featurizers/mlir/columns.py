"""Named columns: the estimate of the code, the loops that dominate it, totals, operations, and the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import exp, log, log2

import numpy as np

from featurizers.core import Column, FloatArray
from featurizers.mlir import opclass
from featurizers.mlir.bits import cost, literals
from featurizers.mlir.codegen import LoopCode, generate, upper_parts
from featurizers.mlir.cores import returning
from featurizers.mlir.cpus import ISAS, NUMBERS, Cpu, vector
from featurizers.mlir.decisions import DECISIONS, decisions
from featurizers.mlir.idioms import is_jump
from featurizers.mlir.kernels import KERNELS, kernel_columns
from featurizers.mlir.opclass import CLASSES
from featurizers.mlir.pointers import held_addresses, spilled
from featurizers.mlir.program import Program
from featurizers.mlir.registers import across, saves, waiting
from featurizers.mlir.totals import DIALECTS, TOTALS, totals

_ESTIMATES = (
    ("est_instructions", "1"), ("est_cycles", "cycles"), ("est_executed", "1"), ("est_spills", "1"),
    ("est_code_bytes", "B"), ("est_stack_bytes", "B"), ("est_pressure", "1"), ("est_fully_unrolled", "1"),
    ("est_vector_loops", "1"), ("est_unrolled_loops", "1"), ("est_remainders", "1"), ("est_checks", "1"),
    ("est_ipc", "1"), ("est_chain_share", "1"), ("est_loops_left", "1"), ("est_int_pressure", "1"),
    ("est_driven_out", "1"), ("est_beyond", "1"), ("est_packed_loops", "1"), ("est_packed_share", "1"),
    ("est_constants", "1"), ("est_held", "1"), ("est_scalar_instructions", "1"), ("est_scalar_cycles", "1"),
    ("est_lifted", "1"), ("est_addresses", "1"), ("est_address_pressure", "1"), ("est_across", "1"),
    ("est_beyond_calls", "1"), ("est_beyond_loops", "1"),
)  # fmt: skip

_LOOP = (
    ("trip", "1"), ("exact", "1"), ("depth", "1"), ("share", "1"), ("size", "1"), ("copies", "1"), ("vf", "1"),
    ("interleave", "1"), ("unroll", "1"), ("full", "1"), ("remainder", "1"), ("legality", "1"), ("checks", "1"),
    ("unit", "1"), ("strided", "1"), ("invariant", "1"), ("gathered", "1"), ("streams", "1"), ("stores", "1"),
    ("loads", "1"), ("float_ops", "1"), ("int_ops", "1"), ("divides", "1"), ("libm", "1"), ("branches", "1"),
    ("chains", "1"), ("chain_latency", "cycles"), ("memory_chain", "1"), ("live_float", "1"), ("live_int", "1"),
    ("bits", "bit"), ("is_float", "1"), ("width", "bit"), ("store_run", "1"), ("removed", "1"), ("hoisted", "1"),
    ("pressure", "1"), ("port_cycles", "cycles"), ("unrolled_below", "1"), ("trip_mod", "1"), ("full_size", "1"),
    ("instructions", "1"), ("path", "cycles"), ("serial", "1"), ("fills", "1"), ("packed", "1"), ("packed_lanes", "1"),
    ("packed_ratio", "1"), ("raw", "1"), ("lifted", "1"), ("driven_out", "1"), ("multiplicity", "1"), ("beyond", "1"),
    ("margin", "1"), ("scalar_growth", "1"), ("scalar_slowdown", "1"),
)  # fmt: skip

_STATIC = tuple((f"static_{name}", "1") for name in CLASSES)
_DYNAMIC = tuple((f"dynamic_{name}", "1") for name in CLASSES)
_SLOTS = ("hot", "big", "second")
_NO_KERNELS = [0.0] * len(KERNELS)


def _columns() -> tuple[Column, ...]:
    found = [Column(name, unit, "estimate") for name, unit in _ESTIMATES]
    for slot in _SLOTS:
        found += [Column(f"{slot}_{name}", unit, f"{slot} loop") for name, unit in _LOOP]
    found += [Column(name, unit, "static operations") for name, unit in _STATIC]
    found += [Column(name, unit, "executed operations") for name, unit in _DYNAMIC]
    found += [Column(name, unit, "unrolling") for name, unit in DECISIONS]
    found += [Column(name, unit, "totals") for name, unit in TOTALS]
    found += [Column(f"ops_{name}", "1", "dialects") for name in DIALECTS]
    found += [Column(f"weighted_ops_{name}", "1", "dialects") for name in DIALECTS]
    found += [Column(name, unit, "kernels") for name, unit in KERNELS]
    found += [Column(f"cpu_{name}", "1", "cpu") for name in NUMBERS]
    found += [Column(f"cpu_is_{isa}", "1", "cpu") for isa in ISAS]
    return tuple(found)


COLUMNS = _columns()
"""hot: the loop with most of the estimated cycles. big: with most of the instructions. second: next to it."""

_PART, _FILE, _UNSURE, _POINTS = 0.49, 16.0, 5.0, 400.0
"""Where registers suffice, a part of a value is spilled, less the more are left: what lives at once is an estimate. It
is one at each point of the code, the likelier to be too low at one of them the more there are. Chosen by labels."""
_BYTES = {"x86": 5.2, "aarch64": 4.0, "riscv": 3.6, "amdgpu": 6.0}


MOST = 1e30
"""A nest that runs longer is taken to run so long, so that its answer stays a number."""


@cache
def _cpu_row(cpu: Cpu) -> tuple[float, ...]:
    return tuple(vector(cpu))


def row(program: Program, cpu: Cpu) -> FloatArray:
    """The columns of one program on one CPU, float32 (columns,)."""
    known = program.cache.get(cpu.name)
    if known is None:
        known = program.cache[cpu.name] = bounded(_row(program, cpu))
    row_: FloatArray = known
    return row_


def bounded(values: Sequence[float] | Sequence[Sequence[float]]) -> FloatArray:
    """The same numbers as float32, none above `MOST`."""
    return np.fmin(values, MOST).astype(np.float32)


def codes(program: Program, cpu: Cpu) -> list[LoopCode]:
    """The estimated code of every loop of every function."""
    return [code for root in program.loops_on(cpu.isa) for code in generate(root, cpu)]


def _row(program: Program, cpu: Cpu) -> list[float]:
    found = codes(program, cpu)
    estimates = _estimates(program, cpu, found)
    hot = max(found, key=lambda c: c.cycles)
    by_size = sorted(found, key=lambda c: -c.instructions)
    second = by_size[1] if len(by_size) > 1 else None
    values = list(estimates)
    for code in (hot, by_size[0], second):
        values += _loop(code, estimates) if code is not None else [0.0] * len(_LOOP)
    values += _operations(found)
    values += decisions(program.loops_on(cpu.isa), estimates[0])
    base = program.cache.get(f"totals {cpu.isa}")
    if base is None:
        base = program.cache[f"totals {cpu.isa}"] = totals(program, program.loops_on(cpu.isa))
    values += base
    values += _kernels(program) if cpu.isa == "amdgpu" else _NO_KERNELS
    values += _cpu_row(cpu)
    return values


def _kernels(program: Program) -> list[float]:
    found: list[float] | None = program.cache.get("kernels")
    if found is None:
        found = program.cache["kernels"] = kernel_columns(program.functions)
    return found


def _estimates(program: Program, cpu: Cpu, found: list[LoopCode]) -> tuple[float, ...]:
    instructions = cycles = executed = spills = chain = 0.0
    pressure = ints = driven = beyond = packed = held = 0.0
    for code in found:
        instructions += code.instructions
        cycles += code.cycles
        executed += code.executed
        spills += _counted(code, cpu) * code.loop.multiplicity + code.driven
        driven += code.driven
        beyond = max(beyond, code.spills)
        packed += code.instructions * (code.packed.share > 0)
        held = max(held, float(len(code.loop.lifted)))
        pressure = max(pressure, code.pressure)
        ints = max(ints, (code.loop.live_int + code.loop.streams + code.loop.nest.depth) / cpu.int_registers)
        if code.chain_cycles > code.port_cycles:
            chain += code.cycles
    selected = {id(code.loop) for code in found if code.selected}
    others = [
        f for f, root in zip(program.functions, program.loops_on(cpu.isa), strict=True) if id(root) not in selected
    ]
    arguments = sum([f.arguments for f in others])
    instructions += len(others) * 1.0 + max(arguments - (6 if cpu.isa == "x86" else 8), 0)
    constants = sum([cost(cpu.isa, f.constants) + literals(cpu.isa, f.floats) for f in others])
    instructions += constants
    held_up = [waiting(root) for root in program.loops_on(cpu.isa)]
    over = [across(one, cpu, program.allocations) for one in held_up]
    lanes = {id(code.loop): 0 if code.full else code.vf for code in found}
    pointers = [spilled(root, cpu, lanes) for root in program.loops_on(cpu.isa)]
    stacked = sum([each.waiting for each in pointers])
    spills += stacked
    instructions += 2.0 * stacked  # stored, and loaded where it is needed again
    if spills < _PART:
        beyond = max((pressure - 1.0) * _FILE, *[max(each.calls, each.loops) for each in pointers])
        spills = _PART * (1.0 - exp(-instructions / _POINTS * exp(min(beyond, 0.0) / _UNSURE)))
    places = [held_addresses(root) for root in program.loops_on(cpu.isa)]
    addresses, saved = max(places), max(ints * cpu.int_registers - 9, 0.0)
    wide = {id(code.loop) for code in found if upper_parts(code, cpu)}
    for root, one, place in zip(program.loops_on(cpu.isa), held_up, places, strict=True):
        instructions += 0.0 if id(root) in selected or is_jump(root) else saves(one, place, cpu.isa)
        instructions += bool(wide) and any(id(loop) in wide for loop in root.walk())
    cycles = max(cycles, returning(cpu))
    return (
        instructions, cycles, max(executed, 1.0), spills, instructions * _BYTES[cpu.isa],
        8 * (spills + saved), pressure, float(sum(c.full for c in found)), float(sum(c.vf > 1 for c in found)),
        float(sum(c.unroll > 1 for c in found)), float(sum(c.remainder for c in found)),
        float(sum(c.checks for c in found)), executed / cycles, chain / cycles,
        float(sum(c.loop.nest.depth > 0 and not c.full for c in found)), ints,
        driven, beyond, float(sum(c.packed.share > 0 for c in found)), packed / max(instructions, 1.0), constants, held,
        sum(c.scalar_instructions * c.loop.multiplicity for c in found) / max(instructions, 1.0),
        sum(c.scalar_cycles for c in found) / cycles, max([c.lifted for c in found]), addresses,
        addresses / cpu.int_registers, max(over), max([each.calls for each in pointers]),
        max([each.loops for each in pointers]),
    )  # fmt: skip


def _counted(code: LoopCode, cpu: Cpu) -> float:
    """Spills of a loop as remarks count them: RISC-V's vectors get their registers in a pass before the others
    (`RISCVPassConfig::addRegAssignAndRewriteOptimized`), and both passes report all that is on the stack by then."""
    return code.spills + (code.vectors_beyond if cpu.isa == "riscv" else 0.0)


_WORK = (
    opclass.FLOAT_CLASSES,
    tuple(opclass.CLASS[name] for name in ("iadd", "imul", "logic", "compare", "select", "extend", "iminmax")),
    tuple(opclass.CLASS[name] for name in ("fdiv", "fsqrt", "idiv")),
)


def _loop(code: LoopCode, estimates: tuple[float, ...]) -> list[float]:
    loop = code.loop
    counts, nest = loop.counts, loop.nest
    floats, ints, divides = (sum([counts[i] for i in indices]) for indices in _WORK)
    lanes = code.vf * code.interleave
    return [
        loop.trip, float(loop.exact), float(nest.depth), code.cycles / estimates[1], loop.size, loop.copies,
        float(code.vf), float(code.interleave), float(code.unroll), float(code.full), float(code.remainder),
        float(loop.legality), float(loop.checks), float(loop.unit), float(loop.strided), float(loop.invariant),
        float(loop.gathered), float(loop.streams), counts[opclass.STORE], counts[opclass.LOAD], floats, ints, divides,
        counts[opclass.LIBM] + counts[opclass.CALL], counts[opclass.BRANCH], float(len(loop.chains)),
        code.chain_cycles, float(loop.memory_chain), float(loop.live_float), float(loop.live_int), float(loop.bits),
        float(loop.is_float), float(loop.widths), float(loop.store_run), float(loop.removed), float(loop.hoisted),
        code.pressure, code.port_cycles, float(loop.unrolled_below), loop.trip % lanes if lanes > 1 else 0.0,
        loop.size * loop.trip, code.instructions, loop.path, loop.serial, float(sum([a.fill for a in loop.accesses])),
        code.packed.share, code.packed.lanes, code.packed.ratio, loop.raw, float(len(loop.lifted)), code.driven,
        loop.multiplicity, code.spills, code.margin,
        log(max(code.scalar_instructions * loop.multiplicity, 1.0) / max(code.instructions, 1.0)),
        log(max(code.scalar_cycles, 1.0) / max(code.cycles, 1.0)),
    ]  # fmt: skip


def _operations(found: list[LoopCode]) -> list[float]:
    static, dynamic = [0.0] * len(CLASSES), [0.0] * len(CLASSES)
    for code in found:
        loop, weight = code.loop, code.loop.weight
        for index, count in enumerate(loop.counts):
            if count:
                static[index] += count
                dynamic[index] += count * weight
    return static + [log2(1 + value) for value in dynamic]
