"""Indices that affine maps round (``mod``, ``floordiv``): instructions of the loop in which they vary.

In a loop that is unrolled completely they are numbers; what does not vary in a loop moves out of it. Sources: MLIR's
`AffineExprLowering`, and LLVM 22's code for divisions of 64 bits by numbers (`TargetLowering::BuildUDIV`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featurizers.mlir.nest import Nest

_REST, _QUOTIENT, _BITS = range(3)
_INSTRUCTIONS = {
    "x86": (5.0, 3.0, 1.5), "aarch64": (4.0, 2.0, 1.0), "riscv": (5.0, 4.0, 2.0), "amdgpu": (5.0, 4.0, 1.0),
}  # fmt: skip
"""Of a remainder and a quotient (the upper half of a product, shifts, and a product to take away; x86 copies what is
multiplied, and RISC-V has no scaled index), and of those by powers of two."""


def divide(tree: Any, operands: Sequence[int], nest: Nest) -> None:
    """Account for the divisions of an expression, each of which a body makes once."""
    if isinstance(tree, int) or len(tree) == 1:
        return
    kind, left, right = tree
    divide(left, operands, nest)
    divide(right, operands, nest)
    if kind not in ("add", "mul") and isinstance(right, int) and right > 1:
        power = right & (right - 1) == 0
        nest.divisions[f"{kind} {left} {right} {operands}"] = _BITS if power else _REST if kind == "mod" else _QUOTIENT


def instructions(nest: Nest, isa: str) -> float:
    """Of one iteration."""
    return sum([_INSTRUCTIONS[isa][kind] for kind in nest.divisions.values()])
