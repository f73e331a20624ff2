"""Branches whose way is known without their data: checks of overlap, and assertions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from costmodel.mlir.labelling.assembly import Block

VECTOR = ("vector.", "vec.")
"""What names of blocks of vector code begin with."""
_ALIAS_CHECK = re.compile(r"conflict|diff\.check")


def fails(blocks: Mapping[str, Block], label: str) -> bool:
    """Whether a block comes to nothing but ``abort``: the assertions of a program hold."""
    for _ in range(4):
        block = blocks[label]
        if "abort" in block.calls and not block.successors:
            return True
        if len(block.successors) != 1:
            return False
        label = block.successors[0]
    return False


def is_alias_check(block: Block, branch: tuple[str, str, str]) -> bool:
    """Whether a branch asks if buffers overlap."""
    return block.ir_name.startswith(("vector.memcheck", "vector.scevcheck")) or bool(_ALIAS_CHECK.search(branch[0]))


def goes_first(branch: tuple[str, str, str], first: set[str], second: set[str]) -> bool:
    """Whether the true side is the first successor; a name that both lead to says nothing."""
    _, if_true, if_false = branch
    if if_true in first - second or if_false in second - first:
        return True
    if if_true in second - first or if_false in first - second:
        return False
    return if_true in first


def apart(branch: tuple[str, str, str]) -> float:
    """Share of an alias check's true side when the buffers are apart: all if that is where the vector code is."""
    condition, if_true, if_false = branch
    vector_true, vector_false = (name.startswith(VECTOR) for name in (if_true, if_false))
    if vector_true != vector_false:
        return float(vector_true)
    return float(condition.split(".not")[0] != condition)
