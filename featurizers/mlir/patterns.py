"""Bit arithmetic that instruction combining knows by another name: absolute values, bytes turned around, masks.

Sources (LLVM 22): `InstCombineAddSub.cpp` (``(x ^ s) - s``), `InstCombineAndOrXor.cpp` (signs that are masks, masks
behind `or` and `xor`), `InstCombineShifts.cpp` (shifts there and back), `recognizeBSwapOrBitReverseIdiom`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir.values import CONSTANT, Value

if TYPE_CHECKING:
    from featurizers.mlir.folds import Making

Bits = tuple[int, tuple[int, ...]]
"""The value that all bits of another come from, and which bit of it each is; -1: zero."""
_LEAST = 16


def pattern(into: Making, value: Value) -> int | None:
    """What a value of two whole numbers comes to, None where it stays."""
    op, bits, args, _, _ = value
    left, right = into.values[args[0]], into.values[args[1]]
    every = (1 << bits) - 1
    if op == "sub":
        if left.op == "xor" and args[1] in left.args:
            other = left.args[0] if left.args[1] == args[1] else left.args[1]
            if _sign_of(into, right, bits) == other:
                return into.make(Value("abs", bits, (other,)))
        return (
            into.make(Value("xor", bits, (args[1], args[0]))) if left.op == CONSTANT and left.number == every else None
        )
    if op == "or" and {left.op, right.op} == {"shl", "lshr"}:
        by = _turned_by(into, left, right, bits)
        return into.make(Value("rotl", bits, (left.args[0], by))) if by is not None else None
    if op == "and" and right.op != CONSTANT:
        for one, mask in ((args[0], right), (args[1], left)):
            if _sign_of(into, mask, bits) == one:
                return into.make(Value("smin", bits, (one, into.constant(0, bits))))
        return None
    if right.op != CONSTANT:
        return None
    number = right.number
    if op == "and":
        low = (1 << (bits - into.zeros[args[0]])) - 1
        if number & low == low:
            return args[0]
    inner = into.values[left.args[1]] if len(left.args) == 2 else None
    if inner is None or inner.op != CONSTANT:
        return None
    if op == "xor" and left.op == "or":
        kept = into.make(Value("and", bits, (left.args[0], into.constant(~inner.number, bits))))
        return into.make(Value("xor", bits, (kept, into.constant(inner.number ^ number, bits))))
    if {op, left.op} == {"shl", "lshr"} and inner.number == number < bits:
        stays = every >> number if op == "lshr" else every << number
        return into.make(Value("and", bits, (left.args[0], into.constant(stays, bits))))
    return None


def _turned_by(into: Making, one: Value, other: Value, bits: int) -> int | None:
    """What a value is turned around by to the left, where that is no number: the shift to the right is by what is left
    of its bits, both under a mask that no wider shift needs."""
    left, right = (one, other) if one.op == "shl" else (other, one)
    by, rest = (into.values[each] for each in (left.args[1], right.args[1]))
    if left.args[0] != right.args[0] or not (_masked(into, by, bits) and _masked(into, rest, bits)):
        return None
    less = into.values[rest.args[0]]
    if less.op != "sub" or into.values[less.args[0]].op != CONSTANT or into.values[less.args[0]].number % bits:
        return None
    return by.args[0] if less.args[1] in (by.args[0], left.args[1]) else None


def _masked(into: Making, value: Value, bits: int) -> bool:
    """Whether of a value there are as many bits as shifts go by."""
    return (
        value.op == "and"
        and into.values[value.args[1]].op == CONSTANT
        and into.values[value.args[1]].number == bits - 1
    )


def _sign_of(into: Making, value: Value, bits: int) -> int | None:
    """What a value is the sign of, in all bits."""
    if value.op != "ashr":
        return None
    by = into.values[value.args[1]]
    return value.args[0] if by.op == CONSTANT and by.number == bits - 1 else None


def turned(into: Making, known: dict[int, Bits], value: Value) -> str | None:
    """What an `or` does to the bits of one value: ``bswap``, ``bitreverse``, or nothing that has a name."""
    bits = value.bits
    one, other = (bits_of(into, known, each) for each in value.args)
    if bits < 8 or one[0] != other[0] or into.values[one[0]].bits != bits:
        return None
    merged = [_merged(a, b) for a, b in zip(one[1], other[1], strict=True)]
    if -1 in merged or -2 in merged:
        return None
    if merged == list(range(bits - 1, -1, -1)):
        return "bitreverse"
    if bits >= _LEAST and all(at == bits - 8 - (to & ~7) + (to & 7) for to, at in enumerate(merged)):
        return "bswap"
    return None


def _merged(one: int, other: int) -> int:
    """A bit of an `or`; -2 where two bits are in it."""
    return other if one == -1 else one if other in (-1, one) else -2


def bits_of(into: Making, known: dict[int, Bits], number: int) -> Bits:
    """Where the bits of a value come from, by shifts, masks and steps of `or`."""
    found = known.get(number)
    if found is None:
        found = known[number] = _bits_of(into, known, number)
    return found


def _bits_of(into: Making, known: dict[int, Bits], number: int) -> Bits:
    value = into.values[number]
    op, bits, args, _, _ = value
    itself = number, tuple(range(bits))
    if op == "or":
        one, other = (known.get(each) for each in args)
        if one is None or other is None or one[0] != other[0]:
            return itself
        merged = tuple([_merged(a, b) for a, b in zip(one[1], other[1], strict=True)])
        return itself if -2 in merged else (one[0], merged)
    if op not in ("shl", "lshr", "and"):
        return itself
    last = into.values[args[1]]
    if last.op != CONSTANT:
        return itself
    source, places = bits_of(into, known, args[0])
    if op == "and":
        return source, tuple([at if last.number >> to & 1 else -1 for to, at in enumerate(places)])
    by = min(last.number, bits)
    nothing = (-1,) * by
    return source, nothing + places[: bits - by] if op == "shl" else places[by:] + nothing
