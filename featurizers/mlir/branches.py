"""Branches that stay: what they cost beside their comparison.

Sources (LLVM 22): `FoldTwoEntryPHINode` of `SimplifyCFG.cpp` (what becomes a choice), `MachineBlockPlacement.cpp` and
`TailDuplicator.cpp` (blocks of up to four instructions are copied to the end of each of those before them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurizers.mlir import opclass

if TYPE_CHECKING:
    from featurizers.mlir.loop import Loop

SPECULATED = 4.0
"""Operations up to which a branch without effects is computed always (`TwoEntryPHINodeFoldingThreshold`)."""
MOST_CHOICES = 3
"""Values that a choice may have."""
_COPIED = 4.0
"""Instructions of a block that is copied (`TailDupPlacementAggressiveThreshold`)."""


def beside(loop: Loop, body: float) -> float:
    """Instructions of a body beside those that are counted: comparisons of the cases of a switch, with their branches,
    and copies of what follows branches, up to the next one, at the end of each way."""
    branches = loop.counts[opclass.BRANCH]
    if not loop.ways or loop.widths:
        return 0.0
    after = max((body - loop.guarded) / branches, 1.0)
    return 2.0 * (loop.ways - branches) + (loop.ways * after if after <= _COPIED else 0.0)
