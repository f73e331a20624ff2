"""Vector loops of RISC-V: what their accesses and registers take beyond one instruction for each operation.

Sources (LLVM 22): vector accesses have neither offset nor index (`RISCVTTIImpl::isLegalAddressingMode`); registers of
vectors are of unknown length, and so are their places on the stack (`RISCVInstrInfo::storeRegToStackSlot`, ``vlenb``);
splats stay outside of loops (`TuneNoSinkSplatOperands`).
"""

from __future__ import annotations

from featurizers.mlir.loop import Loop
from featurizers.mlir.nest import Moving
from featurizers.mlir.sizes import shared_sums

_OFFSET = 2048
"""Bytes that an ``addi`` adds, in either direction."""
STACKED = 5.0
"""Instructions to store a group of registers or to load it: ``vlenb``, its product, two sums, and the access."""

GATHERED_LANE, TAKEN_OUT = 4.0, 4.0
"""Of a gather of fixed length, and of a member of a group of accesses (a shuffle), to code size."""


def offsets(loop: Loop) -> float:
    """Instructions that find the places of accesses to neighbours, beyond the first of each way in which they move."""
    iv = loop.nest.iv
    places: dict[tuple[int, Moving | None], set[int]] = {}
    for access in loop.accesses:
        if abs(access.stride(iv)) == 1:
            places.setdefault((access.base, access.moving), set()).add(access.constant * max(access.bits, 8) // 8)
    found = 0
    for constants in places.values():
        first = min(constants)
        found += len(constants) - 1 + sum([place - first >= _OFFSET for place in constants])
    return float(found)


def summed(loop: Loop) -> int:
    """Sums of the index with those of loops around, by which several buffers are addressed: a vector loop of RISC-V
    goes on by what is in a vector, so that no pointer moves in its place, and each iteration makes them."""
    neighbours = {shape: stride for shape, stride in loop.by_shape().items() if abs(stride) == 1}
    return shared_sums(loop, neighbours, frozenset()) if neighbours else 0


def splats(loop: Loop) -> int:
    """Scalars from the loop around that are put into all lanes before the loop."""
    return sum([not access.store for access in loop.lifted])


def around_sve(loop: Loop, folded: bool) -> float:
    """Instructions around a loop of SVE's vectors: the mask of the first of those that run under one (``whilelo``), and
    where the last begins; scalars from the loop around in all lanes; an index for each place of a buffer beyond the
    first, and the sum that they are added to, since accesses of scalable vectors have no displacement in bytes."""
    iv = loop.nest.iv
    places: dict[tuple[int, Moving | None], set[int]] = {}
    for access in loop.accesses:
        if abs(access.stride(iv)) == 1:
            places.setdefault((access.base, access.moving), set()).add(access.constant)
    apart = sum([len(constants) for constants in places.values() if len(constants) > 1])
    return (_MASKED if folded else 0.0) + apart + splats(loop)


_MASKED = 3.0
"""Beyond what is before any vector loop, of loops of few instructions (looked up)."""
