"""One CPU's code of a batch: opt -O3, llc -O3, and what they tell about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from costmodel.mlir.labelling.remarks import FILTER, Counts, read_remarks
from costmodel.mlir.labelling.targets import CpuTarget
from costmodel.mlir.labelling.tools import run

_SIZE = re.compile(r"^[0-9a-f]+ ([0-9a-f]+) [Tt] (\S+)$", re.MULTILINE)
_PASSES = "default<O3>,instnamer,print<scalar-evolution>"


@dataclass(frozen=True)
class Code:
    """What one CPU's tools made of a batch; functions by their name in the batch."""

    ir: str
    trip_counts: str
    """LLVM's scalar evolution of every loop of `ir`, as printed."""
    assembly: str
    counts: dict[str, Counts]
    code_bytes: dict[str, int]


def compile_batch(bitcode: Path, cpu: CpuTarget, folder: Path, *, seconds: float) -> Code:
    """Optimise and compile for one CPU. The CPU is told to opt as well: it decides vector widths.

    Raises
    ------
    ToolError
        Some program of the batch cannot be compiled, or it takes too long.
    """
    ir, trips, assembly = folder / "o3.ll", folder / "trips.txt", folder / "code.s"
    remarks, compiled = folder / "remarks.yaml", folder / "code.o"
    run(
        "opt",
        [
            *cpu.flags,
            f"-passes={_PASSES}",
            "-scalar-evolution-classify-expressions=0",
            "-S",
            str(bitcode),
            "-o",
            str(ir),
        ],
        seconds=seconds,
        errors=trips,
    )
    remark_flags = [f"-pass-remarks-output={remarks}", f"-pass-remarks-filter={FILTER}"]
    run("llc", [*cpu.flags, "-O3", "-function-sections", *remark_flags, str(ir), "-o", str(assembly)], seconds=seconds)
    assembler = [flag.replace("-mtriple", "-triple") for flag in cpu.flags]
    run("llvm-mc", [*assembler, "-filetype=obj", str(assembly), "-o", str(compiled)], seconds=seconds)
    symbols = run("llvm-nm", ["-S", "--defined-only", str(compiled)], seconds=seconds)
    sizes = {name: int(size, 16) for size, name in _SIZE.findall(symbols)}
    return Code(ir.read_text(), trips.read_text(), assembly.read_text(), read_remarks(remarks), sizes)
