"""Operations on what does not vary in a loop: they move out with the loads that they are of.

Source (LLVM 22): `LICM.cpp` (before anything is unrolled, and again where loops inside are no more). MLIR has moved
what depends on no load already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir import opclass
from featurizers.mlir.nest import CONSTANT, Access, Fixed, Nest, Typed

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder
    from featurizers.mlir.loop import Loop
    from featurizers.mlir.module import Op

ALL = -1
"""Loops that a value may vary in, where nothing is known of it."""


def note(b: Builder, op: Op, nest: Nest, key: Typed, extreme: int) -> None:
    """Which loops a result varies in, and which buffers it is of: loop i is bit 2 i, buffer k is bit 2 k + 1."""
    found = 0
    for value in op.operands:
        found |= varies_in(b, value)
    b.depends[op.results[0]] = found
    if found & nest.scope != nest.scope:
        bases = tuple([(base, base not in b.local) for base, number in b.numbers.items() if found >> number & 1])
        nest.still.append((found, bases, key, extreme, 1.0))


def loaded(b: Builder, value: int, access: Access) -> None:
    """A load varies in the loops that its address does."""
    found = ALL
    if access.moving is not None:
        number = b.numbers.get(access.base)
        if number is None:
            number = b.numbers[access.base] = 2 * len(b.numbers) + 1
        found = 1 << number
        for iv, _ in access.moving:
            found |= 1 << 2 * iv
    b.depends[value] = found


def varies_in(b: Builder, value: int) -> int:
    """The loops that a value varies in, and the buffers that it is of, as bits."""
    known = b.depends.get(value)
    if known is None:
        known = b.depends[value] = _given(b, value)
    return known


def _given(b: Builder, value: int) -> int:
    """An index varies in the loops of its form; numbers in none."""
    form = b.forms.get(value)
    if form is None:
        return 0 if value in b.literals else ALL
    return sum([1 << 2 * iv for iv, factor in form.items() if iv != CONSTANT and factor])


def move_out(loop: Loop) -> None:
    """Take out what does not vary in a loop and is of no buffer that it may write to."""
    bit = 1 << 2 * loop.nest.iv
    if not loop.nest.depth or all(fixed[0] & bit for fixed in loop.still):
        return
    stores = {
        access.base: access.external
        for inner in loop.walk()
        for access in (*inner.accesses, *inner.lifted)  # accumulators too
        if access.store
    }
    outside = any(stores.values())
    left: list[Fixed] = []
    for fixed in loop.still:
        mask, bases, key, extreme, times = fixed
        if mask & bit or any(base in stores or (external and outside) for base, external in bases):
            left.append(fixed)
            continue
        _add(loop, key, extreme, -times)
        loop.moved.append(fixed)
        loop.moved_out += times
    loop.still = left
    if loop.moved and loop.functions and not loop.counts[opclass.LIBM]:
        loop.functions = loop.across = 0.0


def take(loop: Loop, child: Loop) -> None:
    """What moved out of a loop is in the body around it."""
    for fixed in child.moved:
        _, _, key, extreme, times = fixed
        _add(loop, key, extreme, times)
        loop.still.append(fixed)
        loop.bits = max(loop.bits, key[1])
        if key[0] in opclass.FLOAT_CLASSES:
            loop.float_bits = max(loop.float_bits, key[1])
    child.moved = []


def _add(loop: Loop, key: Typed, extreme: int, times: float) -> None:
    op_class = key[0]
    loop.counts[op_class] = max(loop.counts[op_class] + times, 0.0)
    loop.typed[key] = max(loop.typed.get(key, 0.0) + times, 0.0)
    if extreme >= 0:
        loop.extremes[extreme] = max(loop.extremes.get(extreme, 0.0) + times, 0.0)
