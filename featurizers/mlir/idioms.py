"""Loops that LLVM replaces by memcpy or memset (`LoopIdiomRecognize.cpp`), which for few bytes are wide moves again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from featurizers.mlir import opclass
from featurizers.mlir.loads import moves

if TYPE_CHECKING:
    from featurizers.mlir.loop import Loop
    from featurizers.mlir.nest import Access

_COPIED_BYTES = {"x86": 256.0, "aarch64": 256.0, "riscv": 128.0, "amdgpu": 128.0}
_FILLED_BYTES = {"x86": 512.0, "aarch64": 512.0, "riscv": 128.0, "amdgpu": 128.0}
"""Up to here the call is expanded in place (`MaxStoresPerMemcpy`, `MaxStoresPerMemset`: 8 and 16 of 32 bytes on x86, 16
and 32 of 16 on AArch64)."""
_MOVES = (opclass.LOAD, opclass.STORE, opclass.ADDRESS, opclass.CALL)


def is_copy(loop: Loop) -> bool:
    """A loop of known length that only moves neighbouring elements to a buffer that is surely another one, or fills one
    with zero; or whose body is such a loop already, of what lies between two of its own steps."""
    if loop.children or not loop.exact or loop.trip < 2 or loop.chains or not loop.accesses:
        return False
    counts = loop.counts
    if counts[opclass.CALL] > loop.moved_by_calls or sum(counts) > sum([counts[index] for index in _MOVES]):
        return False
    stores = [a for a in loop.accesses if a.store]
    loads = [a for a in loop.accesses if not a.store]
    if not stores or len(loads) > 1 or (loads and len(stores) > 1):
        return False
    iv, store = loop.nest.iv, stores[0]
    lanes = _run(stores)
    if not lanes or any(a.stride(iv) != lanes for a in loop.accesses):
        return False
    if not loads:
        return all(a.fill for a in stores)
    load = loads[0]
    return load.base != store.base and load.bits == store.bits and not (load.external and store.external)


def _run(stores: list[Access]) -> int:
    """Elements that neighbouring stores of one buffer cover together; 0 where they leave some out."""
    places = sorted((a.constant, max(a.lanes, 1)) for a in stores)
    if any(a.base != stores[0].base or a.moving != stores[0].moving for a in stores[1:]):
        return 0
    for (before, lanes), (after, _) in pairwise(places):
        if after != before + lanes:
            return 0
    return sum(lanes for _, lanes in places)


def moved(loop: Loop, copy: Loop) -> None:
    """Put the copy into the body of the loop around it."""
    iv = copy.nest.iv
    stores = [a for a in copy.accesses if a.store]
    first = min(stores, key=lambda a: a.constant)
    lanes = _run(stores) * int(copy.trip)
    size = first.bits * lanes / 8
    called = size > (_FILLED_BYTES if first.fill else _COPIED_BYTES)[loop.isa]
    if called:
        loop.counts[opclass.CALL] += 1.0
        loop.moved_by_calls += 1.0
    for access in (first, *(a for a in copy.accesses if not a.store)):
        placed = msgspec.structs.replace(access.shifted(iv, 0), lanes=lanes, called=called, copied=not called)
        loop.accesses.append(placed)
        loop.counts[opclass.STORE if access.store else opclass.LOAD] += moves(placed)
    loop.hoisted += copy.hoisted


def is_jump(loop: Loop) -> bool:
    """Whether a function does nothing but one such call, which is a jump then, and needs no frame."""
    counts = loop.counts
    if loop.nest.depth or loop.children or counts[opclass.CALL] != 1.0 or not loop.accesses:
        return False
    return sum(counts) == 1.0 + counts[opclass.ADDRESS] and all(access.called for access in loop.accesses)
