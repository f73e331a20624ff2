"""What LLVM's code sizes (`TCK_CodeSize`), by which it unrolls, have of a body beyond one for each operation.

Source (LLVM 22): ``opt-22 -passes='print<cost-model>' -cost-kind=code-size`` for each instruction set.
"""

from __future__ import annotations

from featurizers.mlir import divisions, opclass
from featurizers.mlir.loop import Loop

_FDIV, _IDIV = (opclass.CLASS[name] for name in ("fdiv", "idiv"))


def target_size(loop: Loop, shapes: int) -> float:
    """What an instruction set adds to sizes (`getInstructionCost` for code size): divisions count 4, but not those of
    x86, whose stores to computed addresses and minima count 2; RISC-V has no addressing mode for an index."""
    counts = loop.counts
    size = divisions.size(loop) + 3.0 * counts[_IDIV] + counts[opclass.IMINMAX] * (loop.isa in ("x86", "aarch64"))
    if loop.isa == "x86":
        return (
            size
            + counts[opclass.FMINMAX]
            + counts[opclass.FMAXIMUM]
            + sum([access.store and access.moving != () for access in loop.accesses])
        )
    size += 3.0 * counts[_FDIV]
    return size + counts[opclass.FMINMAX] + counts[opclass.FMAXIMUM] + shapes if loop.isa == "riscv" else size
