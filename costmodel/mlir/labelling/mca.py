"""llvm-mca on basic blocks: cycles of one run of the block in its steady state, and what its scheduler's ports bear."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from costmodel.mlir.labelling.targets import CpuTarget
from costmodel.mlir.labelling.tools import ToolError, run

SIMULATED_INSTRUCTIONS = 2000
"""A hot block is repeated until about so many instructions ran, but 4 to 100 times; a cold one 4 times."""
HOT_SHARE = 0.02
"""A block is hot when it holds at least this share of the instructions that its function executes."""
_ITERATION_STEPS = (100, 32, 12, 4)
_CACHE_SIZE = 200_000
_VSETVLI = re.compile(r"^vseti?vli\s+[^,]+,\s*[^,]+,\s*(e\d+),\s*(m[f\d]+)")


@dataclass(frozen=True)
class BlockCost:
    """One run of a block."""

    cycles: float
    pressure: tuple[tuple[str, float], ...]
    """Scheduler resource to the cycles that it is busy."""


_NOTHING = BlockCost(0.0, ())


class BlockCosts:
    """Costs of one CPU's blocks, each distinct instruction sequence simulated once."""

    def __init__(self, cpu: CpuTarget):
        self._cpu = cpu
        self._known: OrderedDict[tuple[str, int], BlockCost] = OrderedDict()

    def costs(self, blocks: list[tuple[list[str], int]], folder: Path, *, seconds: float) -> list[BlockCost]:
        """Cost of each (block, repetitions), in order.

        Raises
        ------
        ToolError
            llvm-mca failed on the blocks as a whole.
        """
        keys = [(_key(block), repetitions) for block, repetitions in blocks]
        new = dict.fromkeys(key for key in keys if key not in self._known and key[1] > 0)
        for step in _ITERATION_STEPS:
            chosen = [key for key, repetitions in new if repetitions == step]
            if chosen:
                found = _simulate(chosen, step, self._cpu, folder, seconds)
                self._known.update(((key, step), cost) for key, cost in found.items())
        costs = [self._known[key] if key[1] > 0 else _NOTHING for key in keys]
        while len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return costs


def repetitions(length: int, share: float) -> int:
    """How often a block of `length` instructions is simulated that holds `share` of what its function executes."""
    if share <= 0 or length == 0:
        return 0
    if share < HOT_SHARE:
        return _ITERATION_STEPS[-1]
    wanted = SIMULATED_INSTRUCTIONS / length
    return next((step for step in _ITERATION_STEPS if step <= wanted), _ITERATION_STEPS[-1])


def _key(block: list[str]) -> str:
    return re.sub(r"\.LBB\d+_\d+", ".LBB0_0", "\n".join(block))


def with_vector_state(blocks: list[list[str]]) -> list[list[str]]:
    """RISC-V: say the register grouping (LMUL) and element width that hold where a block begins.

    llvm-mca reads them from ``vsetvli`` instructions; a loop's is often in the block before.
    """
    marked = []
    state: tuple[str, str] | None = None
    for block in blocks:
        head = (
            [f"# LLVM-MCA-RISCV-LMUL {state[1].upper()}", f"# LLVM-MCA-RISCV-SEW {state[0].upper()}"] if state else []
        )
        marked.append([*head, *block])
        for instruction in block:
            if found := _VSETVLI.match(instruction.replace("\t", " ")):
                state = (found[1], found[2])
    return marked


def _simulate(keys: list[str], iterations: int, cpu: CpuTarget, folder: Path, seconds: float) -> dict[str, BlockCost]:
    source = folder / f"blocks{iterations}.s"
    regions = [
        f"{cpu.comment} LLVM-MCA-BEGIN {i}\n{key}\n{cpu.comment} LLVM-MCA-END {i}\n" for i, key in enumerate(keys)
    ]
    source.write_text("".join(regions))
    flags = [*cpu.flags, "-json", f"-iterations={iterations}", "-instruction-info=false"]
    text = run("llvm-mca", [*flags, "-skip-unsupported-instructions=any", str(source)], seconds=seconds)
    report = json.loads(text[text.index("{") :])
    resources = report["TargetInfo"]["Resources"]
    costs = {keys[int(region["Name"])]: _cost(region, resources) for region in report["CodeRegions"]}
    for key in keys:
        costs.setdefault(key, BlockCost(0.0, ()))
    if len(report["CodeRegions"]) == 0 and any(keys):
        raise ToolError("llvm-mca", "analysed no block")
    return costs


def _cost(region: dict, resources: list[str]) -> BlockCost:  # type: ignore[type-arg]
    summary = region["SummaryView"]
    usage = region.get("ResourcePressureView", {}).get("ResourcePressureInfo", [])
    total_row = len(region["Instructions"])
    pressure = tuple(
        (resources[entry["ResourceIndex"]].split(".")[0], entry["ResourceUsage"])
        for entry in usage
        if entry["InstructionIndex"] == total_row
    )
    return BlockCost(summary["TotalCycles"] / summary["Iterations"], pressure)
