"""Pointers of RISC-V's loops as full unrolling finds them: it has no address of a pointer and an index, so that each
``getelementptr`` with an index is an instruction; constants beside it are a part of the access.

Source (LLVM 22): ``opt-22 -passes='print<cost-model>' -cost-kind=code-size``. InstCombine
splits an index that is a sum with a constant, `LICM` puts together what does not vary in the loop.
"""

from __future__ import annotations

from collections.abc import Collection

from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Moving, jumps
from featurizers.mlir.written_out import WRITTEN_OUT, Place

_Pointer = tuple[int, Moving | None, int, int]


def pointers(loop: Loop, by_shape: dict[Moving | None, int], start: int, alone: Collection[Place]) -> int:
    """Of the addresses that move with the index of a loop: one for each row of each buffer, since the row's place is
    added before the index, and one for the next index, which is another value. Where the loop goes from row to row and
    another index goes along, all rows but the next have a pointer more that they go on from. start : of the index;
    alone : places whose index is an operation, see `sizes._written_out`."""
    users = _users(loop)
    found: set[_Pointer] = set()
    for access in loop.accesses:
        stride = by_shape[access.moving]
        if not stride:
            continue
        place = access.base, access.moving, access.constant
        if len(users[access.moving, access.constant]) > 1:
            found.add((*place, _SHARED))
        elif place in alone:
            found.add((*place, _NEXT))
        elif jumps(stride) or not access.moving or _mixed(loop, access.moving, stride):
            found.add((access.base, access.moving, 0, _OTHER))
        else:
            constant = access.constant - start * (stride // loop.nest.step)
            row, kind = _row(loop, access.moving, stride, constant)
            found.add((access.base, access.moving, row, kind))
            if kind == _ROW:
                found.add((access.base, access.moving, 0, _BEGUN))
    begun = {(base, moving) for base, moving, _, kind in found if kind == _BEGUN}
    own = [
        (base, moving, kind)
        for base, moving, _, kind in found
        if kind == _BEGUN or ((base, moving) not in begun and kind not in _OF_SUMS)
    ]
    loop.ways_in, loop.pointers = {(base, moving) for base, moving, kind in own if kind != _BEGUN}, len(own)
    if not loop.nest.starts:
        loop.tied -= len(own)
    return len(found)


_PLAIN, _SHARED, _NEXT, _ROW, _BEGUN, _OTHER = range(6)
_OF_SUMS = _SHARED, _OTHER


def _mixed(loop: Loop, moving: Moving, stride: int) -> bool:
    """Whether a row is that of a sum with another index, which copies of the loop have as well; so they have where the
    index is taken from a sum."""
    if stride < 0 and len(moving) > 1:
        return True
    return abs(stride) > 1 and any(abs(factor) == abs(stride) and key != loop.nest.iv for key, factor in moving)


def _row(loop: Loop, moving: Moving, stride: int, constant: int) -> tuple[int, int]:
    """The row of a place, and what makes it another pointer than that of its row."""
    own = loop.nest.starts | {loop.nest.iv}
    others = [factor for key, factor in moving if key not in own]
    outer = [abs(factor) for factor in others if abs(factor) > abs(stride)]
    if outer:
        row, column = _divided(constant, min(outer), stride < 0)
        if not loop.unrolled_below and abs(column) * WRITTEN_OUT >= min(outer):  # of a loop around, side by side
            return constant, _PLAIN
        return row, _NEXT if column == stride else _PLAIN
    if not others:
        return 0, _PLAIN
    row, _ = _divided(constant, max(abs(stride) // loop.nest.step, 1), min(others) < 0)
    return row, _NEXT if row == loop.nest.step else _ROW if row else _PLAIN


def _divided(constant: int, pitch: int, backwards: bool) -> tuple[int, int]:
    """The nearest row and what is beside it; of an index that falls, that below."""
    row = (constant + (0 if backwards else pitch // 2)) // pitch
    return row, constant - row * pitch


def _users(loop: Loop) -> dict[tuple[Moving | None, int], set[int]]:
    """The buffers that each sum of several indices and a constant addresses."""
    users: dict[tuple[Moving | None, int], set[int]] = {}
    for access in loop.accesses:
        several = access.moving is not None and len(access.moving) > 1
        users.setdefault((access.moving, access.constant), set()).update([access.base] if several else ())
    return users


def left_pointers(child: Loop, around: Loop) -> float:
    """What the pointers of a body add to the size of its copies in the loop around: all copies go on from one for each
    way of a buffer, if that moves with this loop."""
    iv, own = child.nest.iv, around.nest.iv
    ways = {(base, tuple([pair for pair in moving or () if pair[0] != iv])) for base, moving in child.early_ways}
    new = ways - around.early_ways
    around.early_ways = around.early_ways | new
    moving_here = [moving for _, moving in new if any(key == own for key, _ in moving)]
    around.early_pointers += sum([not _mixed(around, moving, dict(moving)[own]) for moving in moving_here])
    return len(moving_here) + _far(child) - child.early_pointers * child.trip


def _far(child: Loop) -> float:
    """Copies that no displacement reaches from the first."""
    found, trip = 0.0, int(child.trip)
    for access in {(a.base, a.moving): a for a in child.accesses if (a.base, a.moving) in child.early_ways}.values():
        reached = _REACH * 8 // max(abs(access.stride(child.nest.iv)) * access.bits, 1) + 1
        found += max(trip - reached, 0)
    return found


_REACH = 2047
"""Bytes."""


def row_pointers(loop: Loop) -> int:
    """Pointers to what the loops inside go along, one for each way of a buffer that moves with this loop, too; not of a
    loop that begins with the index."""
    iv, inside = loop.nest.iv, loop.nest.walk()[1:]
    if any(iv in nest.starts for nest in inside):
        return 0
    inner = {nest.iv for nest in inside}
    found = set()
    for below in loop.walk()[1:]:
        users = _users(below)
        for access in below.accesses:
            if len(users[access.moving, access.constant]) > 1:
                continue
            keys = {key for key, _ in access.moving or ()}
            if iv in keys and not keys.isdisjoint(inner):
                way = tuple([pair for pair in access.moving or () if pair[0] not in inner])
                found.add((access.base, way))
    new = found - loop.ways_in
    loop.ways_in = loop.ways_in | found
    loop.pointers += len(new)
    if not loop.nest.starts:
        loop.tied -= len(new)
    return len(new)
