"""Loops that LLVM replaces by memcpy or memset (`LoopIdiomRecognize.cpp`), which for few bytes are wide moves again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurizers.mlir import opclass

if TYPE_CHECKING:
    from featurizers.mlir.loop import Loop

_INLINE_BYTES = 128.0
"""Up to here the call is expanded in place (8 stores of 16 bytes, `MaxStoresPerMemcpy`)."""
_MOVE_BYTES = 16.0
_WORK = tuple(index for name, index in opclass.CLASS.items() if name not in ("load", "store", "address"))


def is_copy(loop: Loop) -> bool:
    """An innermost loop of known length that only moves neighbouring elements to a buffer that is surely another one,
    or fills one with zero."""
    if loop.children or not loop.exact or loop.trip < 2 or loop.chains or len(loop.accesses) > 2:
        return False
    stores = [a for a in loop.accesses if a.store]
    loads = [a for a in loop.accesses if not a.store]
    if len(stores) != 1 or any(loop.counts[index] for index in _WORK):
        return False
    iv, store = loop.nest.iv, stores[0]
    if any(a.stride(iv) != max(a.lanes, 1) for a in loop.accesses):
        return False
    if not loads:
        return store.fill
    load = loads[0]
    return load.base != store.base and load.bits == store.bits and not (load.external and store.external)


def moved(loop: Loop, copy: Loop) -> None:
    """Put the copy into the body of the loop around it."""
    size = sum(a.bits * max(a.lanes, 1) for a in copy.accesses if a.store) / 8 * copy.trip
    iv = copy.nest.iv
    if size > _INLINE_BYTES:
        loop.counts[opclass.CALL] += 1.0
        return
    moves = max(size / _MOVE_BYTES, 1.0)
    for access in copy.accesses:
        lanes = int(copy.trip) * max(access.lanes, 1)
        loop.accesses.append(msgspec.structs.replace(access.shifted(iv, 0), lanes=lanes))
        loop.counts[opclass.STORE if access.store else opclass.LOAD] += moves
    loop.hoisted += copy.hoisted
