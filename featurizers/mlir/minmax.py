"""Operations on floats that are one instruction on one target and several on another: maxima and minima, absolute
values, rounding.

Sources: `X86TargetLowering::LowerFMINIMUM_FMAXIMUM` (``vmaxss`` gives its second operand where one is NaN or both are
zeros: with a constant that is none, or a minimum with zero, that is the right one), `RISCVTargetLowering`
(``fmax.s`` of what is NaN is reached by a branch, in vectors by a choice), ``print<cost-model>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from featurizers.mlir.module import Op
from featurizers.mlir.opclass import FMINMAX

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

SIGN_BIT, WITH_ZERO, WITH_CONSTANT, NUMBER, ROUNDED, AWAY, COPIED, NUMBER_WITH_CONSTANT = range(8)
"""Absolute values; `arith.maximumf` with zero; with another constant, or `arith.minimumf` with zero; `arith.maxnumf` of
variables; rounded to a whole number; the same with halves away from zero; the sign of another; `arith.maxnumf` with a
constant."""
SIGNS = (SIGN_BIT, COPIED)
_ROUNDING = frozenset(("math.floor", "math.ceil", "math.trunc", "math.roundeven"))
_KIND_OF = {"math.absf": SIGN_BIT, "math.round": AWAY, "math.copysign": COPIED, **dict.fromkeys(_ROUNDING, ROUNDED)}

Table = dict[str, tuple[float, ...]]
INSTRUCTIONS: Table = {
    "x86": (1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 2.0, 1.0),
    "aarch64": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0),
    "riscv": (1.0, 5.0, 5.0, 1.0, 6.0, 6.0, 1.0, 1.0),
    "amdgpu": (1.0,) * 8,
}
IN_VECTORS: Table = {**INSTRUCTIONS, "riscv": (1.0, 3.0, 3.0, 1.0, 8.0, 8.0, 1.0, 1.0)}
COSTS: Table = {
    "x86": (2.0, 2.0, 2.0, 2.0, 1.0, 2.0, 2.0, 2.0),
    "aarch64": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0),
    "riscv": (1.0, 2.0, 2.0, 1.0, 8.0, 8.0, 1.0, 1.0),
    "amdgpu": (1.0,) * 8,
}
"""Of a scalar, to the vectoriser; but for NUMBER of x86 (3), code sizes are the same."""
OF_HALVES: Table = {**COSTS, "x86": (2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0)}


def kind_of(b: Builder, op: Op, op_class: int) -> int:
    """The kind of an operation of class FMINMAX, or FMAXIMUM if one operand is a constant."""
    known = _KIND_OF.get(op.name)
    if known is not None:
        return known
    if op_class == FMINMAX:
        return NUMBER_WITH_CONSTANT if not b.literals.isdisjoint(op.operands) else NUMBER
    zero = not b.zeros.isdisjoint(op.operands)
    return WITH_ZERO if zero and op.name == "arith.maximumf" else WITH_CONSTANT


def mean(extremes: Mapping[int, float], table: Table, isa: str) -> float:
    """Of one operation of class FMINMAX of a body; those of tensors, whose kind is not known, are as if with zero."""
    of = table[isa]
    total = sum(extremes.values())
    if total <= 0:
        return of[WITH_ZERO]
    return sum([of[kind] * count for kind, count in extremes.items()]) / total


def share(extremes: Mapping[int, float], kinds: tuple[int, ...]) -> float:
    """Of these kinds among those of class FMINMAX."""
    total = sum(extremes.values())
    if total <= 0:
        return float(WITH_ZERO in kinds)
    return sum([extremes.get(kind, 0.0) for kind in kinds]) / total


def share_of_halves(extremes: Mapping[int, float]) -> float:
    """Conversions that one of class FMINMAX does without, of three around an operation on two halves."""
    return 1.0 + 2.0 * share(extremes, SIGNS)
