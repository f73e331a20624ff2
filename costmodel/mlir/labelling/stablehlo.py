"""StableHLO to linalg on tensors, by the passes in IREE's compiler: ``mlir-opt`` of LLVM 22 has none."""

from __future__ import annotations

from functools import cache
from typing import Any

from costmodel.mlir.labelling.tools import ToolError

PIPELINE = "builtin.module(iree-stablehlo-input-transformation-pipeline)"


def is_stablehlo(text: str) -> bool:
    """Whether the text has operations of the dialect."""
    return "stablehlo." in text


def to_linalg(text: str) -> str:
    """The program with every StableHLO operation lowered; others as they are, text without the dialect untouched.

    Raises
    ------
    ToolError
        It does not parse, or an operation has no lowering.
    """
    if not is_stablehlo(text):
        return text
    from iree.compiler import ir, passmanager

    context = _context()
    try:
        with context:
            module = ir.Module.parse(text)
            passmanager.PassManager.parse(PIPELINE).run(module.operation)
            return str(module.operation.get_asm(use_local_scope=True))
    except ir.MLIRError as error:
        raise ToolError("iree-stablehlo-to-linalg", " ".join(str(error).split())[:300]) from None


def printed(text: str) -> str:
    """The same text as the dialect's printer writes it. Raises ToolError where it does not parse."""
    from iree.compiler import ir

    try:
        with _context():
            return str(ir.Module.parse(text).operation.get_asm(use_local_scope=True))
    except ir.MLIRError as error:
        raise ToolError("iree", " ".join(str(error).split())[:300]) from None


@cache
def _context() -> Any:
    from iree.compiler import ir

    context = ir.Context()
    context.enable_multithreading(False)
    return context
