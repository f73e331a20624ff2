"""Bits of whole numbers that are known to be zero, from the highest one down, and what follows from it.

Sources (LLVM 22): `ValueTracking.cpp` (`computeKnownBits`), `InstCombineCalls.cpp` (an absolute value of what is not
negative), `InstructionSimplify.cpp` (comparisons that always come out alike).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt

from featurizers.mlir.values import CONSTANT, Value

_LEAST = frozenset(("or", "xor", "umax", "smax"))
_SIGNED: dict[int, Callable[[int, int], bool]] = {2: lt, 3: le, 4: gt, 5: ge}
_UNSIGNED = {6: 2, 7: 3, 8: 4, 9: 5}


def zeros(values: Sequence[Value], value: Value, of: Sequence[int]) -> int:
    """Of a value. of : those of what it is of."""
    op, bits, args, number, real = value
    if real:
        return 0
    if op == CONSTANT:
        return bits - number.bit_length()
    if op in ("zext", "ctpop", "ctlz", "cttz"):
        source = values[args[0]].bits
        return of[0] + bits - source if op == "zext" else max(bits - source.bit_length(), 0)
    if op == "select":
        return min(of[1:])
    if len(args) != 2:
        return min(of[0], 1) if op == "sext" else 0
    last = values[args[1]].number if values[args[1]].op == CONSTANT else None
    if op in _LEAST:
        return min(of)
    if op in ("and", "umin"):
        return max(of)
    if op == "smin":
        return max(of) if min(of) else 0
    if op == "add":
        return max(min(of) - 1, 0)
    if op == "mul":
        return max(of[0] + of[1] - bits, 0)
    if op == "lshr":
        return min(of[0] + (last or 0), bits)
    if op == "shl":
        return max(of[0] - last, 0) if last is not None else 0
    if op == "udiv":
        return min(of[0] + (last.bit_length() - 1 if last else 0), bits)
    if op == "urem":
        return max(of[0], bits - (last - 1).bit_length() if last else of[1])
    return 0


def always(predicate: int, bits: int, left: Value, right: Value, zeros_left: int, zeros_right: int) -> bool | None:
    """What a comparison always comes to, if that is known."""
    if predicate not in _SIGNED and predicate not in _UNSIGNED:
        return None
    one, other = (
        bounds(value, known, bits, predicate in _UNSIGNED)
        for value, known in ((left, zeros_left), (right, zeros_right))
    )
    holds = _SIGNED[_UNSIGNED.get(predicate, predicate)]
    corners = {holds(x, y) for x in one for y in other}
    return (
        corners.pop()
        if len(corners) == 1 and (one[1] < other[0] or one[0] > other[1] or _touching(one, other))
        else None
    )


def _touching(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[1] == other[0] or one[0] == other[1]


def bounds(value: Value, known: int, bits: int, unsigned: bool) -> tuple[int, int]:
    """Least and most of a value with so many known zeros."""
    if value.op == CONSTANT:
        number = value.number
        if not unsigned and number >> (bits - 1):
            number -= 1 << bits
        return number, number
    if unsigned or known:
        return 0, (1 << (bits - known)) - 1
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
