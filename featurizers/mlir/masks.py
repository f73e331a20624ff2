"""Accesses under a mask, of transfers that may leave their buffer.

Sources (LLVM 22): `BasicTTIImpl::getCommonMaskedMemoryOpCost`, which takes them apart for code size, also on RISC-V;
`InstCombinerImpl::simplifyMaskedLoad`: under a constant mask they are plain ones.
"""

from __future__ import annotations

from featurizers.mlir import opclass
from featurizers.mlir.loop import Loop

Masks = dict[frozenset[int], float]
"""Lanes by the loops that their masks depend on."""

_LANE_SIZE = {"x86": 0.6, "aarch64": 4.6, "riscv": 8.0, "amdgpu": 1.0}
"""Code size of a lane to LLVM: to look at the mask, to branch, to move and to put together, beside making the mask. x86
has instructions for masks."""


def lanes_beyond_counts(loop: Loop) -> float:
    """Code size of a body's masked lanes beyond the one of each that `counts` has. On x86, a mask is made of where it
    ends for all lanes at once, by each index on which that depends, and in the innermost of their loops."""
    lanes = loop.counts[opclass.MASKED]
    if loop.isa == "x86" and lanes and loop.masks:
        return _MASK_SIZE * sum([loop.nest.iv in loops for loops in loop.masks]) - lanes
    return (_LANE_SIZE[loop.isa] - 1.0) * lanes


_MASK_SIZE = 4.0
"""A difference, which is put into all lanes (two), and a comparison with their numbers."""


def unmask(loop: Loop, known: Masks, masks: Masks, iv: int, copies: float) -> Masks:
    """`known` with so many copies of `masks` in which a loop's index is a constant: those that depend on no other are
    none in the body that they are in."""
    if not masks:
        return known
    found = known.copy()
    for loops, lanes in masks.items():
        rest = loops - {iv}
        if rest:
            found[rest] = found.get(rest, 0.0) + lanes * copies
        else:
            loop.counts[opclass.MASKED] = max(loop.counts[opclass.MASKED] - lanes * copies, 0.0)
    return found
