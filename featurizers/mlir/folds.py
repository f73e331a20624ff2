"""What instruction combining makes of a scalar value: another one that is known, a constant, a cheaper operation.

Sources (LLVM 22): `InstructionSimplify.cpp`, `InstCombineAddSub.cpp`, `InstCombineAndOrXor.cpp`,
`InstCombineMulDivRem.cpp`, `InstCombineShifts.cpp`, `InstCombineSelect.cpp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from featurizers.mlir.intervals import Interval
from featurizers.mlir.known_bits import always, bounds
from featurizers.mlir.patterns import pattern
from featurizers.mlir.values import CONSTANT, Value


class Making(Protocol):
    """What makes values."""

    values: list[Value]
    zeros: list[int]
    intervals: list[Interval]
    known: dict[Value, int]

    def constant(self, number: int, bits: int) -> int: ...
    def make(self, value: Value) -> int: ...


_EQUAL, _NOT_EQUAL = 0, 1
_WITH_SELF = {_EQUAL: 1, _NOT_EQUAL: 0, 2: 0, 3: 1, 4: 0, 5: 1, 6: 0, 7: 1, 8: 0, 9: 1}
"""Of a comparison of a value with itself, by predicate (`arith::CmpIPredicate`)."""
_SELF = frozenset(["and", "or", "smax", "smin", "umax", "umin", "fmaximum", "fminimum", "fmaxnum", "fminnum"])
_OPPOSITE = {"smax": "smin", "smin": "smax", "umax": "umin", "umin": "umax", "and": "or", "or": "and"}
_CHAINED = frozenset(["add", "mul", "and", "or", "xor", "smax", "smin", "umax", "umin"])
_SHIFTS = frozenset(("shl", "lshr", "ashr"))


def signed(number: int, bits: int) -> int:
    """Of a number of so many bits."""
    return number - (1 << bits) if number >> (bits - 1) & 1 else number


_COMPUTED: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda x, y, bits: x + y,
    "sub": lambda x, y, bits: x - y,
    "mul": lambda x, y, bits: x * y,
    "and": lambda x, y, bits: x & y,
    "or": lambda x, y, bits: x | y,
    "xor": lambda x, y, bits: x ^ y,
    "shl": lambda x, y, bits: x << y if y < bits else 0,
    "lshr": lambda x, y, bits: x >> y if y < bits else 0,
    "ashr": lambda x, y, bits: signed(x, bits) >> min(y, bits),
    "umax": lambda x, y, bits: max(x, y),
    "umin": lambda x, y, bits: min(x, y),
    "smax": lambda x, y, bits: max(signed(x, bits), signed(y, bits)),
    "smin": lambda x, y, bits: min(signed(x, bits), signed(y, bits)),
    "udiv": lambda x, y, bits: x // y if y else 0,
    "urem": lambda x, y, bits: x % y if y else 0,
    "sdiv": lambda x, y, bits: _quotient(signed(x, bits), signed(y, bits)),
    "srem": lambda x, y, bits: signed(x, bits) - _quotient(signed(x, bits), signed(y, bits)) * signed(y, bits),
}


def _quotient(x: int, y: int) -> int:
    if not y:
        return 0
    size = abs(x) // abs(y)
    return size if (x < 0) == (y < 0) else -size


def fold(into: Making, value: Value) -> int | None:
    """What a value comes to, None where it stays."""
    op, bits, args, _, real = value
    if op == "select":
        return _select(into, value)
    if op in ("icmp", "fcmp"):
        return _compare(into, value)
    if len(args) == 1:
        return _of_one(into, value)
    if len(args) != 2:
        return None
    if bits == 1 and not real and op in _OF_TRUTH:
        return _truth(into, value)
    if args[0] == args[1]:
        found = _with_itself(into, value)
        if found is not None:
            return found
    left, right = into.values[args[0]], into.values[args[1]]
    if not real:
        found = _by_bounds(into, value, left, right)
        if found is not None:
            return found
    if not real and right.op == CONSTANT:
        found = _with_constant(into, value, left, right.number)
        if found is not None:
            return found
    found = _absorbed(into, value, left, right)
    return pattern(into, value) if found is None and not real else found


_UNSIGNED = {"ashr": "lshr", "sdiv": "udiv", "srem": "urem"}


def _by_bounds(into: Making, value: Value, left: Value, right: Value) -> int | None:
    """Limits that are never reached, and signs that are never there."""
    op, bits, args, _, _ = value
    one, other = into.zeros[args[0]], into.zeros[args[1]]
    if op in ("smax", "smin", "umax", "umin"):
        unsigned = op[0] == "u"
        first, second = (bounds(into.intervals[each], bits, unsigned) for each in args)
        if first[1] <= second[0]:
            return args[1] if "max" in op else args[0]
        if second[1] <= first[0]:
            return args[0] if "max" in op else args[1]
    if op in _UNSIGNED and one and (other or op == "ashr"):
        return into.make(Value(_UNSIGNED[op], bits, args))
    if op in ("udiv", "urem") and right.op == CONSTANT:
        most = bounds(into.intervals[args[0]], bits, True)[1]
        if most < right.number:
            return into.constant(0, bits) if op == "udiv" else args[0]
        if op == "urem" and most < 2 * right.number and right.number & (right.number - 1):  # `expandUDivOrURem`
            less = into.make(Value("add", bits, (args[0], into.constant(-right.number, bits))))
            return _below(into, into.make(Value("umin", bits, (args[0], less))), right.number)
    if op == "lshr" and right.op == CONSTANT and right.number >= bits - one:
        return into.constant(0, bits)
    return None


def _below(into: Making, found: int, limit: int) -> int:
    """A value of which more is known than the operations say that make it: it is no less than 0 and below a limit."""
    into.intervals[found] = 0, limit - 1
    into.zeros[found] = max(into.zeros[found], into.values[found].bits - (limit - 1).bit_length())
    return found


_OF_TRUTH = {"add": "xor", "sub": "xor", "mul": "and", "smin": "or", "smax": "and", "umin": "and", "umax": "or"}


def _truth(into: Making, value: Value) -> int:
    return into.make(Value(_OF_TRUTH[value.op], 1, value.args))


def _with_itself(into: Making, value: Value) -> int | None:
    op, bits, args, _, real = value
    if op in _SELF:
        return args[0]
    if real:
        return None
    if op in ("sub", "xor", "urem", "srem"):
        return into.constant(0, bits)
    if op in ("udiv", "sdiv"):
        return into.constant(1, bits)
    if op == "add":
        return into.make(Value("shl", bits, (args[0], into.constant(1, bits))))
    return None


def _with_constant(into: Making, value: Value, left: Value, number: int) -> int | None:
    op, bits, args, _, _ = value
    if left.op == CONSTANT and op in _COMPUTED:
        return into.constant(_COMPUTED[op](left.number, number, bits), bits)
    every = (1 << bits) - 1
    if number == 0:
        if op in ("add", "sub", "or", "xor", "shl", "lshr", "ashr", "umax"):
            return args[0]
        if op in ("mul", "and", "umin"):
            return into.constant(0, bits)
    if number == every and op == "and":
        return args[0]
    if number == 1 and op in ("mul", "udiv", "sdiv"):
        return args[0]
    if number == 1 and op in ("urem", "srem"):
        return into.constant(0, bits)
    power = number & (number - 1) == 0 and number > 0
    if power and op in ("mul", "udiv"):
        shift = into.constant(number.bit_length() - 1, bits)
        return into.make(Value("shl" if op == "mul" else "lshr", bits, (args[0], shift)))
    if power and op == "urem":
        return into.make(Value("and", bits, (args[0], into.constant(number - 1, bits))))
    if op == "sub":
        return into.make(Value("add", bits, (args[0], into.constant(-number, bits))))
    inner = into.values[left.args[1]] if len(left.args) > 1 else None
    if left.op != op or inner is None or inner.op != CONSTANT:
        return None
    if op in _CHAINED:
        both = into.constant(_COMPUTED[op](inner.number, number, bits), bits)
        return into.make(Value(op, bits, (left.args[0], both)))
    if op in _SHIFTS:
        total = inner.number + number
        if total >= bits and op != "ashr":
            return into.constant(0, bits)
        return into.make(Value(op, bits, (left.args[0], into.constant(min(total, bits - 1), bits))))
    if op == "udiv" and inner.number * number < 1 << bits:
        return into.make(Value(op, bits, (left.args[0], into.constant(inner.number * number, bits))))
    return None


def _absorbed(into: Making, value: Value, left: Value, right: Value) -> int | None:
    """An operation on a value that the same, or its opposite, has been done with already."""
    op, bits, args, _, real = value
    for one, other, inner in ((args[0], args[1], right), (args[1], args[0], left)):
        if inner.op == op and op in _SELF and one in inner.args:
            return other
        if op in _OPPOSITE and inner.op == _OPPOSITE[op] and one in inner.args:
            return one
        if op == "xor" and inner.op == "xor" and one in inner.args:
            return inner.args[1] if inner.args[0] == one else inner.args[0]
    if real:
        return _of_negated(into, value, left, right)
    if op == "sub":
        if left.op == "add" and args[1] in left.args:
            return left.args[1] if left.args[0] == args[1] else left.args[0]
        if right.op == "add" and args[0] in right.args:
            rest = right.args[1] if right.args[0] == args[0] else right.args[0]
            return into.make(Value("sub", bits, (into.constant(0, bits), rest)))
        if right.op == "sub" and right.args[0] == args[0]:
            return right.args[1]
        if left.op == "sub" and left.args[0] == args[1]:
            return into.make(Value("sub", bits, (into.constant(0, bits), left.args[1])))
        if left.op == "sub":  # what is taken off twice is taken off at once, where the sum of both is there
            both = into.known.get(Value("add", bits, tuple(sorted((left.args[1], args[1])))))
            if both is not None:
                return into.make(Value("sub", bits, (left.args[0], both)))
    if op == "add":
        for one, inner in ((args[0], right), (args[1], left)):
            if inner.op == "sub" and inner.args[1] == one:
                return inner.args[0]
    return None


def _of_negated(into: Making, value: Value, left: Value, right: Value) -> int | None:
    """Signs go into sums, and out of products of two."""
    op, bits, args, _, _ = value
    if right.op == "fneg" and op in ("fadd", "fsub"):
        made = "fsub" if op == "fadd" else "fadd"
        return into.make(Value(made, bits, (args[0], right.args[0]), 0, True))
    if left.op == "fneg" and op == "fadd":
        return into.make(Value("fsub", bits, (args[1], left.args[0]), 0, True))
    if left.op == right.op == "fneg" and op in ("fmul", "fdiv"):
        return into.make(Value(op, bits, (left.args[0], right.args[0]), 0, True))
    return None


def _of_one(into: Making, value: Value) -> int | None:
    op, bits, args, _, _ = value
    inner = into.values[args[0]]
    if op == "abs" and (inner.op == "abs" or into.zeros[args[0]]):
        return args[0]
    if op == "sext" and into.zeros[args[0]] and inner.op != CONSTANT:
        return into.make(Value("zext", bits, args))
    if op == "fneg" and inner.op == "fneg":
        return inner.args[0]
    if op == "fabs" and inner.op in ("fabs", "fneg"):
        return args[0] if inner.op == "fabs" else into.make(Value(op, bits, inner.args, 0, True))
    if inner.op == CONSTANT and not inner.real and op in ("sext", "zext", "trunc", "abs"):
        number = signed(inner.number, inner.bits) if op in ("sext", "abs") else inner.number
        return into.constant(abs(number) if op == "abs" else number, bits)
    if op == "trunc" and inner.op in ("sext", "zext"):
        source = into.values[inner.args[0]].bits
        if source == bits:
            return inner.args[0]
    return None


def _compare(into: Making, value: Value) -> int | None:
    left, right = value.args
    if value.op == "icmp":
        if left == right:
            return into.constant(_WITH_SELF[value.number], 1)
        if into.values[left].op == CONSTANT and into.values[right].op != CONSTANT:
            swapped = _SWAPPED.get(value.number, value.number)
            return into.make(Value("icmp", 1, (right, left), swapped))
        one = into.values[left]
        known = always(value.number, one.bits, into.intervals[left], into.intervals[right])
        if known is not None:
            return into.constant(int(known), 1)
    return None


_SWAPPED = {2: 4, 3: 5, 4: 2, 5: 3, 6: 8, 7: 9, 8: 6, 9: 7}
_EXTREME_OF = {2: "smin", 3: "smin", 4: "smax", 5: "smax", 6: "umin", 7: "umin", 8: "umax", 9: "umax"}


def _select(into: Making, value: Value) -> int | None:
    _, bits, (condition, one, other), _, real = value
    if one == other:
        return one
    known = into.values[condition]
    if known.op == CONSTANT:
        return one if known.number & 1 else other
    if known.op == "icmp" and not real and known.number in _EXTREME_OF and set(known.args) == {one, other}:
        made = _EXTREME_OF[known.number]
        if known.args[0] != one:
            made = _OPPOSITE[made]
        return into.make(Value(made, bits, (one, other)))
    if bits == 1 and not real:
        truths = [into.values[given].number if into.values[given].op == CONSTANT else None for given in (one, other)]
        if truths == [1, 0]:
            return condition
        if truths[0] == 1:
            return into.make(Value("or", 1, (condition, other)))
        if truths[1] == 0:
            return into.make(Value("and", 1, (condition, one)))
    return None
