"""What is left for the loop before or after one that LLVM has unrolled, where scalar evolution does not know it."""

from __future__ import annotations

import re

from costmodel.mlir.labelling.ir import IrFunction, bare

_REMAINDER = re.compile(r"\.(?:prol|epil)(?:\.|\d|$)")
_AFTER_VECTORS = ("vec.epilog.scalar.ph", "scalar.ph")
_COPIES = re.compile(r"/u (\d+)\)$")
_LEFT_BY_VECTORS = 8.0
_MASK = re.compile(r"^and i\d+ [^,]+, (\d+)$")
_NAMES = re.compile(r"%[\w.$-]+")
_DEPTH = 6


def average_left(ir: IrFunction, header: str, count: str = "") -> float | None:
    """Mean iterations of a remainder: one to as many as the mask of its count leaves; of what vectors left, eight, in
    copies of as many as its printed `count` is divided by."""
    if header.startswith(_AFTER_VECTORS) and not _REMAINDER.search(header):
        copies = _COPIES.search(count)
        return max(_LEFT_BY_VECTORS / int(copies[1]), 1.0) if copies else None
    if not _REMAINDER.search(header):
        return None
    waiting = [condition for condition, *targets in ir.branches.values() if header in targets]
    for _ in range(_DEPTH):
        bodies = [ir.values.get(bare(name), "") for name in waiting]
        masks = [int(found[1]) for body in bodies if (found := _MASK.match(body))]
        if masks:
            return (min(masks) + 1) / 2
        waiting = [name for body in bodies for name in _NAMES.findall(body)]
    return None
