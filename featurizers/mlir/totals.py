"""Columns of a program that do not depend on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from featurizers.mlir import opclass
from featurizers.mlir.loop import Loop
from featurizers.mlir.module import Op
from featurizers.mlir.program import Program

TOTALS = (
    ("functions", "1"), ("operations", "1"), ("arguments", "words"), ("buffers", "1"), ("loops_written", "1"),
    ("loops_left", "1"), ("innermost_loops", "1"), ("max_depth", "1"), ("log2_iterations", "log2 1"),
    ("unknown_trips", "1"), ("unknown_ops", "1"), ("allocations", "1"), ("calls", "1"), ("log2_flops_64", "log2 1"),
    ("log2_flops_32", "log2 1"), ("log2_flops_16", "log2 1"), ("log2_int_ops", "log2 1"), ("log2_bytes", "log2 B"),
    ("log2_footprint", "log2 B"), ("intensity", "flop/B"), ("reuse", "1"), ("max_live_float", "1"),
    ("max_live_int", "1"), ("max_store_run", "1"), ("max_vector_bits", "bit"), ("total_size", "1"),
    ("max_size", "1"), ("removed", "1"), ("hoisted", "1"), ("aliasing_pairs", "1"), ("parallel_loops", "1"),
    ("log2_reuse_distance", "log2 B"), ("inexact_loops", "1"), ("memory_chains", "1"), ("max_copies", "1"),
)  # fmt: skip

DIALECTS = (
    "affine", "arith", "math", "memref", "scf", "cf", "linalg", "tensor", "tosa", "stablehlo", "vector", "func",
    "gpu", "llvm", "index", "bufferization", "complex", "other",
)  # fmt: skip
_DIALECT = {name: index for index, name in enumerate(DIALECTS)}


def totals(program: Program, roots: Sequence[Loop]) -> list[float]:
    """Values of `TOTALS`, then operations by dialect, then the same weighted by executions (log2)."""
    loops = [loop for root in roots for loop in root.walk()]
    written = [nest for function in program.functions for nest in function.body.walk()]
    flops, ints, moved = _work(loops)
    footprint, distance = _memory(program, loops)
    innermost = [loop for loop in loops if not loop.children and loop.nest.depth]
    plain, weighted = _dialects(program)
    static = [
        len(program.functions), program.module.size, sum([f.arguments for f in program.functions]),
        sum([f.buffers for f in program.functions]), len(written) - len(program.functions),
        sum([loop.nest.depth > 0 for loop in loops]), len(innermost), max([n.depth for n in written]),
        log2(1 + sum([loop.weight for loop in innermost])), program.unknown_trips, sum(program.unknown_ops.values()),
        program.allocations, sum([len(f.calls) for f in program.functions]), log2(1 + flops[64]), log2(1 + flops[32]),
        log2(1 + flops[16]), log2(1 + ints), log2(1 + moved), log2(1 + footprint),
        sum(flops.values()) / max(moved, 1.0), moved / max(footprint, 1.0), max([x.live_float for x in loops]),
        max([x.live_int for x in loops]), max([x.store_run for x in loops]), max([x.widths for x in loops]),
        sum([x.size for x in loops]), max([x.size for x in loops]), sum([x.removed for x in loops]),
        sum([x.hoisted for x in loops]), sum([x.checks for x in loops]), sum([n.parallel for n in written]),
        log2(1 + distance), sum([not n.exact for n in written]), sum([x.memory_chain for x in loops]),
        max([x.copies for x in loops]),
    ]  # fmt: skip
    return [float(value) for value in static] + plain + [log2(1 + value) for value in weighted]


def _work(loops: list[Loop]) -> tuple[dict[int, float], float, float]:
    """Floating-point operations by width, integer operations, bytes moved; all executions."""
    flops = {64: 0.0, 32: 0.0, 16: 0.0}
    ints = moved = 0.0
    for loop in loops:
        counts, weight = loop.counts, loop.weight
        lanes = max(loop.widths / max(loop.bits, 8), 1.0)
        bits = 64 if loop.bits > 32 else 32 if loop.bits > 16 else 16
        work = 0.0
        for index in opclass.FLOAT_CLASSES:
            work += counts[index]
        flops[bits] += (work + counts[_FMA]) * lanes * weight
        ints += (counts[opclass.IADD] + counts[_IMUL]) * weight
        moved += sum([a.bits * a.lanes for a in loop.accesses]) / 8 * weight
    return flops, ints, moved


_FMA, _IMUL = opclass.CLASS["fma"], opclass.CLASS["imul"]


def _memory(program: Program, loops: list[Loop]) -> tuple[float, float]:
    """Bytes of all buffers that are touched, and the largest reuse distance: bytes that one run of an innermost loop
    goes through before an access that does not depend on a loop around it meets the same place again."""
    touched = {access.base for loop in loops for access in loop.accesses}
    footprint = 0.0
    for value in touched:
        kind = program.module.type_of(value)
        footprint += kind.size * max(kind.bits, 8) / 8
    distance = 0.0
    for loop in loops:
        depth, strides = loop.nest.depth, loop.by_shape()
        if any(moving is not None and len(moving) < depth for moving in strides):
            run = [a.bits / 8 * a.lanes * loop.trip for a in loop.accesses if strides[a.moving]]
            distance = max(distance, sum(run))
    return footprint, distance


def _dialects(program: Program) -> tuple[list[float], list[float]]:
    plain, weighted = [0.0] * len(DIALECTS), [0.0] * len(DIALECTS)
    trips, other = program.trips, _DIALECT["other"]
    by_name: dict[str, int] = {}

    def visit(ops: list[Op], weight: float) -> None:
        for op in ops:
            name = op.name
            index = by_name.get(name)
            if index is None:
                index = by_name[name] = _DIALECT.get(name.partition(".")[0], other)
            plain[index] += 1.0
            if op.regions:
                inner = weight * trips.get(id(op), 1.0)
                weighted[index] += inner
                for region in op.regions:
                    for block in region:
                        visit(block.ops, inner)
            else:
                weighted[index] += weight

    visit(program.module.ops, 1.0)
    return plain, weighted
