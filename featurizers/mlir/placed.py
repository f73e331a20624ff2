"""Indices that are no linear forms, as loops see them in which they do not vary: a row that is looked up is one row.

Source (LLVM 22): `LICM.cpp`; to scalar evolution what has moved out is an unknown, whose places are apart by the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from featurizers.mlir.invariant import ALL, varies_in
from featurizers.mlir.nest import JUMP, Form, Nest

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder


def _anywhere(b: Builder, iv: int | None) -> Form:
    """A place that each iteration of this loop, and of all around it, may have elsewhere."""
    found: Form = {}
    while iv is not None:
        found[iv] = JUMP + len(b.placed)
        iv = b.around.get(iv)
    return found


def place(b: Builder, value: int, nest: Nest) -> Form:
    """A place that the loops may have elsewhere in each iteration which a value varies in: it moves out of the others,
    unless it is of a buffer that these may write to."""
    varies = varies_in(b, value)
    found = _anywhere(b, nest.iv)
    if varies == ALL or any(base not in b.local and varies >> bit & 1 for base, bit in b.numbers.items()):
        return found
    return {iv: jump for iv, jump in found.items() if not iv or varies >> 2 * iv & 1}


def rounded(b: Builder, tree: Any, operands: Sequence[int], nest: Nest) -> Form | None:
    """What an affine map rounds, which stays where it is in the loops that it does not vary in."""
    values = tuple([operands[leaf] for leaf in _leaves(tree)])
    varies = 0
    for value in values:
        varies |= varies_in(b, value)
    if varies == ALL or varies >> 2 * nest.iv & 1:
        return None
    jump = b.rounded.setdefault((repr(tree), values), JUMP + _ROUNDED + len(b.rounded))
    return {iv: jump for iv in _anywhere(b, nest.iv) if not iv or varies >> 2 * iv & 1}


_ROUNDED = 1 << 20


def _leaves(tree: Any) -> list[int]:
    """Positions of the operands of a tree, in their order."""
    if isinstance(tree, int):
        return []
    return [tree[0]] if len(tree) == 1 else [leaf for part in tree[1:] for leaf in _leaves(part)]


def subscript(b: Builder, value: int, nest: Nest) -> Form | None:
    """An index as a linear form; one that a loop around has loaded or computed stays where it is in this one."""
    form = b.forms.get(value)
    if form is None:
        form = b.placed.get(value)
        if form is not None and nest.iv in form:
            return None
    return form
