"""Sums and differences of whole numbers that stay within their bounds, and averages: one operation of as many bits
as the result has.

Sources (LLVM 22): `InstCombinerImpl::matchSAddSubSat` (a sum of extended values, kept within the bounds of what they
were extended from: ``sadd.sat``), `foldSaturatingAddSub` and `canonicalizeSaturatedAdd` (``uadd.sat``, ``usub.sat``);
`DAGCombiner::foldShiftToAvg` (``vpavgb``, ``urhadd``, ``vaaddu``).
"""

from __future__ import annotations

from collections.abc import Sequence

from featurizers.mlir.values import CONSTANT, Value

NAMES = {
    ("add", "sext"): "llvm.intr.sadd.sat", ("sub", "sext"): "llvm.intr.ssub.sat",
    ("add", ""): "llvm.intr.uadd.sat", ("sub", ""): "llvm.intr.usub.sat",
}  # fmt: skip
AVERAGES = {("zext", True): "isd.avgceilu", ("zext", False): "isd.avgflooru", ("sext", True): "isd.avgceils",
            ("sext", False): "isd.avgfloors"}  # fmt: skip
"""By how terms are extended, and whether halves are rounded up: the back end's, which LLVM has no intrinsics for."""
_AVERAGED_BITS = (8, 16)
_LESS, _GREATER, _STRICT = (6, 7), (8, 9), (6, 8)
"""Predicates of unsigned numbers, with and without being equal."""
Found = tuple[str, tuple[int, ...]]


def saturated(values: Sequence[Value], value: Value) -> Found | None:
    """The operation that a value is, and what it is of; None where it is no such one."""
    if value.op == "trunc":
        return _within_bounds(values, value) or _averaged(values, value)
    return _chosen(values, value) if value.op == "select" and value.bits > 1 else None


def _number(values: Sequence[Value], of: int) -> int | None:
    return values[of].number if values[of].op == CONSTANT else None


def _within_bounds(values: Sequence[Value], value: Value) -> Found | None:
    outer = values[value.args[0]]
    if outer.op not in ("smin", "smax"):
        return None
    inner = values[outer.args[0]]
    if {outer.op, inner.op} != {"smin", "smax"}:
        return None
    bounds = {each.op: _number(values, each.args[1]) for each in (outer, inner)}
    half, every = 1 << (value.bits - 1), (1 << outer.bits) - 1
    total = values[inner.args[0]]
    if bounds != {"smin": half - 1, "smax": -half & every} or total.op not in ("add", "sub"):
        return None
    terms = [values[each] for each in total.args]
    if any(each.op != "sext" or values[each.args[0]].bits != value.bits for each in terms):
        return None
    return NAMES[total.op, "sext"], tuple([each.args[0] for each in terms])


def _averaged(values: Sequence[Value], value: Value) -> Found | None:
    """Half of the sum of two extended values, or of one more."""
    shift = values[value.args[0]]
    if value.bits not in _AVERAGED_BITS or shift.op not in ("lshr", "ashr") or _number(values, shift.args[1]) != 1:
        return None
    terms, up = _terms(values, shift.args[0], 2), False
    if 1 in [_number(values, each) for each in terms]:
        terms, up = [each for each in terms if _number(values, each) is None], True
    kinds = {values[each].op for each in terms}
    if len(terms) != 2 or kinds not in ({"zext"}, {"sext"}):
        return None
    if any(values[values[each].args[0]].bits != value.bits for each in terms):
        return None
    return AVERAGES[kinds.pop(), up], tuple([values[each].args[0] for each in terms])


def _terms(values: Sequence[Value], of: int, depth: int) -> list[int]:
    """Of a sum, and of sums in it."""
    if values[of].op != "add" or not depth:
        return [of]
    return [term for each in values[of].args for term in _terms(values, each, depth - 1)]


def _chosen(values: Sequence[Value], value: Value) -> Found | None:
    """All ones where a sum is less than one of its terms; zero where a difference would be below it."""
    condition, one, other = (values[each] for each in value.args)
    if condition.op != "icmp" or condition.number not in _LESS + _GREATER:
        return None
    left, right = condition.args if condition.number in _LESS else condition.args[::-1]  # whether left < right
    every = one.op == CONSTANT and one.number == (1 << value.bits) - 1
    if every and condition.number in _STRICT and other.op == "add" and value.args[2] == left and right in other.args:
        return NAMES["add", ""], other.args
    less = one if other.op == CONSTANT and not other.number else other
    zero = other if less is one else one
    if less.op != "sub" or zero.op != CONSTANT or zero.number:
        return None
    smaller, larger = (left, right) if less is one else (right, left)
    return (NAMES["sub", ""], less.args) if less.args == (larger, smaller) else None
