"""Cost models inside compilers: one object that is asked in process, and an adapter for each compiler's own interface.

    CostModel             one target on one device: costs of programs as plain numbers
    mlir.LoopTuner        MLIR's Python bindings: tile sizes and unroll factors per loop nest
    mlir.CostAnnotator    the same: every loop nest with its predicted cost
    xdsl                  an xDSL ``ModulePass``
    meta_schedule         TVM MetaSchedule's ``PyCostModel``
    triton                Triton's ``prune_configs_by``
    inliner               LLVM's ML inliner, in an unmodified ``opt``

Importing this imports none of the compilers; each adapter imports its own where it is used.
"""

from costmodel.passes.model import CostModel, normalised

__all__ = ["CostModel", "normalised"]
