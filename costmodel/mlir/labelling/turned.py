"""Loops that llc has turned: the part before a loop's end in the middle is copied to where the loop is entered, and the
loop begins after it (`MachineBlockPlacement`'s tail duplication). Such a loop has another block for its header than in
the IR, runs once less, and the copy is of the first iteration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from costmodel.mlir.labelling.assembly import Block
from costmodel.mlir.labelling.ir import IrFunction


def within(ir: IrFunction, start: str, headers: Collection[str]) -> set[str]:
    """Blocks that come after `start` without another iteration of any loop, headers of loops included."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        block = waiting.pop()
        targets = ir.branches[block][1:] if block in ir.branches else (ir.jumps.get(block),)
        for target in targets:
            if target is not None and target not in found:
                found.add(target)
                if target not in headers:
                    waiting.append(target)
    return found


def header_of(ir: IrFunction, block: str, headers: Collection[str]) -> str | None:
    """The header, in the IR, of the loop that a block is in which is no header there; None where that is not plain."""
    after = within(ir, block, headers)
    around = [header for header in headers if header in after and block in within(ir, header, headers)]
    return around[0] if len(around) == 1 else None


def turned(headers: Mapping[str, Block], ir: IrFunction, known: Collection[str]) -> dict[str, str]:
    """Label of the header of a loop that llc has turned, and its header (one of `known`) in the IR."""
    left = {block.ir_name for block in headers.values()}
    found = {}
    for label, block in headers.items():
        if block.ir_name and block.ir_name not in known:
            header = header_of(ir, block.ir_name, known)
            if header is not None and header not in left:
                found[label] = header
    return found
