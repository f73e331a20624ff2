"""Indices of iterations that the source has written out, which are an operation each or go into another.

Source (LLVM 22): `LICM` (`hoistAdd`), `InstCombinerImpl::visitMul`, and what opt-22 leaves of small loops.
"""

from __future__ import annotations

from math import gcd

from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import CONSTANT, Moving

Place = tuple[int, Moving | None, int]
"""A buffer, how the index moves in it, and the constant beside that."""
WRITTEN_OUT = 8
"""Iterations of a loop around that a body may hold side by side: what is as far away as these rows is no neighbour."""


def of_one_sum(loop: Loop, addresses: set[Place], shift: int, factor: int) -> bool:
    """Whether an index that was written out is only in one sum with the indices of loops around: what is constant in
    this loop is added before it then. Not where it is bits that the index times its stride does not have
    (``or disjoint``)."""
    (moving, _), *others = {(moving, constant) for _, moving, constant in addresses}
    if others or loop.nest.starts or not moving or len(moving) == 1:
        return False
    whole = gcd(start_of(loop), loop.nest.step) * factor
    return shift * factor >= whole & -whole


def added_in(loop: Loop, addresses: set[Place]) -> int:
    """The index that the constant of such a sum is added to: that of the loop around which varies most often."""
    return max([key for _, moving, _ in addresses for key, _ in moving or () if key != loop.nest.iv])


def added_before(inside: list[Loop], iv: int) -> float:
    """Such constants of loops inside that the loop of this index adds, which is where `LICM` leaves them."""
    return sum([loop.before.get(iv, 0.0) + added_before(loop.children, iv) for loop in inside])


def of_bits(loop: Loop, addresses: set[Place]) -> bool:
    """Whether the index of an iteration that was written out is put beside the bits of the indices of loops around, and
    its constant last (``or disjoint`` of all, which are reassociated)."""
    (moving, _), *others = {(moving, constant) for _, moving, constant in addresses}
    step = loop.nest.step
    if others or loop.nest.starts or not moving or len(moving) == 1 or abs(dict(moving)[loop.nest.iv]) != step:
        return False
    bits = 1 << int(loop.trip * step - 1).bit_length()
    return all(factor % bits == 0 for key, factor in moving if key != loop.nest.iv)


def start_of(loop: Loop) -> int:
    """What the index begins with, beside the indices of loops around."""
    level = loop.nest.level
    low = level.lows[0] if level is not None and level.lows else None
    return low.get(CONSTANT, 0) if isinstance(low, dict) else 0
