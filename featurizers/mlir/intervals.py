"""Least and most of whole numbers, as signed ones, of what is computed of values that are loaded or given.

Source (LLVM 22): `ConstantRange.cpp`, which `CorrelatedValuePropagation` asks through `LazyValueInfo`: a result that
may wrap around has no bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from featurizers.mlir.values import CONSTANT, Value

Interval = tuple[int, int]
"""Both inside."""


def interval(values: Sequence[Value], value: Value, of: Sequence[Interval], zeros: int) -> Interval:
    """Of a value. of : those of what it is of. zeros : its highest bits that are known to be zero."""
    op, bits, args, number, real = value
    if op == CONSTANT:
        number = number - (1 << bits) if bits > 1 and number >> (bits - 1) & 1 else number
        return number, number
    half = 1 << (bits - 1)
    least, most = (0, (1 << (bits - zeros)) - 1) if zeros or bits == 1 else (-half, half - 1)
    compute = _COMPUTED.get(op)
    if compute is None or real or bits == 1:
        return least, most
    last = of[-1]
    found = compute(values[args[0]].bits, of[0], last) if len(args) < 3 else compute(bits, of[1], of[2])
    if found is None or found[0] < -half or found[1] >= half:
        return least, most
    return max(least, found[0]), min(most, found[1])


def _product(_: int, left: Interval, right: Interval) -> Interval:
    corners = [one * other for one in left for other in right]
    return min(corners), max(corners)


def _extended(bits: int, value: Interval, _: Interval) -> Interval:
    return value if value[0] >= 0 else (0, (1 << bits) - 1)


def _shifted_left(_: int, left: Interval, right: Interval) -> Interval | None:
    by = right[0]
    return (left[0] << by, left[1] << by) if right[1] == by and 0 <= by < 64 else None


def _shifted_right(_: int, left: Interval, right: Interval) -> Interval | None:
    by = right[0]
    return (left[0] >> by, left[1] >> by) if right[1] == by and 0 <= by < 64 else None


def _shifted_zeros(bits: int, left: Interval, right: Interval) -> Interval | None:
    return _shifted_right(bits, left, right) if left[0] >= 0 else None


def _masked(_: int, left: Interval, right: Interval) -> Interval | None:
    positive = [each[1] for each in (left, right) if each[0] >= 0]
    return (0, min(positive)) if positive else None


def _unsigned(pick: Callable[[int, int], int]) -> Callable[[int, Interval, Interval], Interval | None]:
    def found(_: int, left: Interval, right: Interval) -> Interval | None:
        positive = left[0] >= 0 and right[0] >= 0
        return (pick(left[0], right[0]), pick(left[1], right[1])) if positive else None

    return found


def _quotient(_: int, left: Interval, right: Interval) -> Interval | None:
    """By what is positive; it rounds towards zero."""
    if right[0] <= 0:
        return None
    corners = [(abs(one) // other) * (1 if one >= 0 else -1) for one in left for other in right]
    return min(corners), max(corners)


def _quotient_unsigned(bits: int, left: Interval, right: Interval) -> Interval | None:
    return _quotient(bits, left, right) if left[0] >= 0 else None


def _rest(_: int, left: Interval, right: Interval) -> Interval | None:
    if right[0] <= 0:
        return None
    return max(left[0], 1 - right[1]) if left[0] < 0 else 0, min(left[1], right[1] - 1) if left[1] > 0 else 0


def _rest_unsigned(_: int, left: Interval, right: Interval) -> Interval | None:
    if right[0] <= 0:
        return None
    return 0, min(left[1], right[1] - 1) if left[0] >= 0 else right[1] - 1


def _absolute(_: int, value: Interval, __: Interval) -> Interval:
    least, most = value
    return (0 if least <= 0 <= most else min(abs(least), abs(most))), max(abs(least), abs(most))


_COMPUTED: dict[str, Callable[[int, Interval, Interval], Interval | None]] = {
    "add": lambda _, left, right: (left[0] + right[0], left[1] + right[1]),
    "sub": lambda _, left, right: (left[0] - right[1], left[1] - right[0]),
    "mul": _product,
    "and": _masked,
    "shl": _shifted_left,
    "ashr": _shifted_right,
    "lshr": _shifted_zeros,
    "smax": lambda _, left, right: (max(left[0], right[0]), max(left[1], right[1])),
    "smin": lambda _, left, right: (min(left[0], right[0]), min(left[1], right[1])),
    "umax": _unsigned(max),
    "umin": _unsigned(min),
    "select": lambda _, left, right: (min(left[0], right[0]), max(left[1], right[1])),
    "sext": lambda _, value, __: value,
    "trunc": lambda _, value, __: value,
    "zext": _extended,
    "sdiv": _quotient,
    "udiv": _quotient_unsigned,
    "srem": _rest,
    "urem": _rest_unsigned,
    "abs": _absolute,
}
