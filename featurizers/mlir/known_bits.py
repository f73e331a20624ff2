"""Bits of whole numbers that are known to be zero, from the highest one down, and what follows from it.

Sources (LLVM 22): `ValueTracking.cpp` (`computeKnownBits`), `InstCombineCalls.cpp` (an absolute value of what is not
negative), `InstructionSimplify.cpp` (comparisons that always come out alike).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt

from featurizers.mlir.intervals import Interval
from featurizers.mlir.values import CONSTANT, Value

_LEAST = frozenset(("or", "xor", "umax", "smax"))
_SIGNED: dict[int, Callable[[int, int], bool]] = {2: lt, 3: le, 4: gt, 5: ge}
_UNSIGNED = {6: 2, 7: 3, 8: 4, 9: 5}
_NOT_EQUAL = 1


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


def always(predicate: int, bits: int, left: Interval, right: Interval) -> bool | None:
    """What a comparison of values of these bounds always comes to, if that is known."""
    unsigned = predicate in _UNSIGNED
    one, other = bounds(left, bits, unsigned), bounds(right, bits, unsigned)
    holds = _SIGNED.get(_UNSIGNED.get(predicate, predicate))
    if holds is None:  # whether they are equal
        return predicate == _NOT_EQUAL if one[1] < other[0] or other[1] < one[0] else None
    corners = {holds(one[0], other[1]), holds(one[1], other[0])}
    return corners.pop() if len(corners) == 1 else None


def bounds(known: Interval, bits: int, unsigned: bool) -> Interval:
    """Least and most of a value whose bounds as a signed number are known."""
    if not unsigned or known[0] >= 0:
        return known
    every = 1 << bits
    return (known[0] + every, known[1] + every) if known[1] < 0 else (0, every - 1)
