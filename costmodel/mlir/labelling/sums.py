"""From a batch's code to a label per program: static counts added up, block costs weighted by how often blocks run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from costmodel.mlir.labelling.assembly import Function, parse_assembly
from costmodel.mlir.labelling.codegen import Code
from costmodel.mlir.labelling.ir import IrFunction, parse_ir
from costmodel.mlir.labelling.lower import prefix
from costmodel.mlir.labelling.mca import BlockCost, BlockCosts, repetitions, with_vector_state
from costmodel.mlir.labelling.rows import Label
from costmodel.mlir.labelling.scev import read_trip_counts
from costmodel.mlir.labelling.targets import CpuTarget
from costmodel.mlir.labelling.weights import AVERAGED, EXACT, GUESSED, Weights, block_weights

_BUSY = 0.5


@dataclass
class _Work:
    """What one call of a function does."""

    cycles: float = 0.0
    instructions: float = 0.0


def summarise(
    code: Code, programs: int, cpu: CpuTarget, costs: BlockCosts, folder: Path, seconds: float
) -> list[Label]:
    """One label per program of the batch."""
    functions: dict[str, list[Function]] = defaultdict(list)
    for function in parse_assembly(code.assembly, cpu):
        functions[function.name.split(".")[0]].append(function)
    ordered = [function for index in range(programs) for function in functions[prefix(index)[:-1]]]
    ir, trips = parse_ir(code.ir), read_trip_counts(code.trip_counts)
    weights = {f.name: block_weights(f, ir.get(f.name, IrFunction()), trips.get(f.name, {})) for f in ordered}
    simulated = _simulated(ordered, weights, cpu, costs, folder, seconds)
    return [_label(functions[prefix(index)[:-1]], code, cpu, simulated, weights) for index in range(programs)]


def _simulated(
    functions: list[Function],
    weights: dict[str, Weights],
    cpu: CpuTarget,
    costs: BlockCosts,
    folder: Path,
    seconds: float,
) -> dict[str, list[BlockCost]]:
    wanted: list[tuple[list[str], int]] = []
    for function in functions:
        blocks = [block.instructions for block in function.blocks]
        executed = [weights[function.name].executions[b.label] * len(b.instructions) for b in function.blocks]
        total = sum(executed) or 1.0
        times = [repetitions(len(block), share / total) for block, share in zip(blocks, executed, strict=True)]
        texts = with_vector_state(blocks) if cpu.triple.startswith("riscv") else blocks
        wanted.extend(zip(texts, times, strict=True))
    found = iter(costs.costs(wanted, folder, seconds=seconds))
    return {function.name: [next(found) for _ in function.blocks] for function in functions}


def _label(
    functions: list[Function],
    code: Code,
    cpu: CpuTarget,
    simulated: dict[str, list[BlockCost]],
    weights: dict[str, Weights],
) -> Label:
    if not functions:
        return Label(cpu.name, status="failed", reason="no function of the program is left in the code")
    by_name = {function.name: function for function in functions}
    called = {name for function in functions for block in function.blocks for name in block.calls}
    pressure: dict[str, float] = defaultdict(float)
    total = _Work()
    for name in by_name:
        if name not in called or len(by_name) == 1:
            work = _work(name, by_name, simulated, weights, pressure, 1.0, ())
            total = _Work(total.cycles + work.cycles, total.instructions + work.instructions)
    counts = [code.counts[name] for name in by_name if name in code.counts]
    qualities = {weights[name].trips for name in by_name}
    return Label(
        cpu=cpu.name,
        instructions=sum(count.instructions for count in counts),
        register_spills=sum(count.register_spills for count in counts),
        register_reloads=sum(count.register_reloads for count in counts),
        folded_spills=sum(count.folded_spills for count in counts),
        folded_reloads=sum(count.folded_reloads for count in counts),
        stack_bytes=sum(count.stack_bytes for count in counts),
        code_bytes=sum(code.code_bytes.get(name, 0) for name in by_name),
        cycles=total.cycles,
        executed_instructions=total.instructions,
        ipc=total.instructions / total.cycles if total.cycles else 0.0,
        bottleneck=_bottleneck(pressure, total.cycles),
        trips=next(quality for quality in (GUESSED, AVERAGED, EXACT) if quality in qualities),
    )


def _work(
    name: str,
    functions: dict[str, Function],
    simulated: dict[str, list[BlockCost]],
    weights: dict[str, Weights],
    pressure: dict[str, float],
    times: float,
    stack: tuple[str, ...],
) -> _Work:
    """Work of one call, the program's own functions that it calls included (a recursion is not followed)."""
    cycles = instructions = 0.0
    for block, cost in zip(functions[name].blocks, simulated[name], strict=True):
        runs = weights[name].executions[block.label]
        if runs <= 0:
            continue
        cycles += runs * cost.cycles
        instructions += runs * len(block.instructions)
        for resource, busy in cost.pressure:
            pressure[resource] += times * runs * busy
        for callee in block.calls:
            if callee in functions and callee not in (*stack, name):
                inner = _work(callee, functions, simulated, weights, pressure, times * runs, (*stack, name))
                cycles += runs * inner.cycles
                instructions += runs * inner.instructions
    return _Work(cycles, instructions)


def _bottleneck(pressure: dict[str, float], cycles: float) -> str:
    if not pressure:
        return "dependencies"
    resource = max(sorted(pressure), key=pressure.__getitem__)
    return resource if pressure[resource] >= _BUSY * cycles else "dependencies"
