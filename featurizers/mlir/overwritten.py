"""Copies of whole numbers in scalar code of x86, whose instructions write over an operand.

Source (LLVM 22): `TwoAddressInstructionPass`. A value that several such instructions use is copied for all but the last
of them. Sums and small shifts to the left are addresses (``lea``), a product with a number, a shift by a value, a
rotation and an extension (``and`` with 255) have a result of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir.fused import COPIED, note, uses
from featurizers.mlir.module import Op
from featurizers.mlir.nest import Nest

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

_EITHER = frozenset(("arith.andi", "arith.ori", "arith.xori", "arith.muli"))
_FIRST = frozenset(("arith.subi", "arith.shli", "arith.shrui", "arith.shrsi"))
_SHIFTS = frozenset(("arith.shli", "arith.shrui", "arith.shrsi"))
_EXTENSIONS = frozenset((0xFF, 0xFFFF))
_SCALED = 3
"""Shifts to the left up to which are part of an address."""


def overwrite(b: Builder, op: Op, nest: Nest) -> None:
    """Count the copy that an operation on scalars needs of what others use, too."""
    name = op.name
    if name not in _EITHER and name not in _FIRST:
        return
    first, second = op.operands
    number = b.number(second)
    if number is None:
        if name in _SHIFTS:
            return
    elif _has_its_own_result(name, number):
        return
    values = (first, second) if name in _EITHER and number is None else (first,)
    if any(uses(b, value) < 2 for value in values):
        return
    fresh = next((value for value in values if value not in b.overwritten), None)
    if fresh is None:
        note(nest, COPIED)
    else:
        b.overwritten.add(fresh)


def _has_its_own_result(name: str, number: int) -> bool:
    if name == "arith.shli":
        return number <= _SCALED
    return name in ("arith.subi", "arith.muli") or (name == "arith.andi" and number in _EXTENSIONS)
