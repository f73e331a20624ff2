"""Passes for MLIR's Python bindings (iree-base-compiler)."""

from costmodel.passes.mlir.space import AS_IT_IS, DEFAULT_TILE, SPACE, Choice
from costmodel.passes.mlir.tuner import ATTRIBUTE, CostAnnotator, Decision, LoopTuner

__all__ = ["AS_IT_IS", "ATTRIBUTE", "DEFAULT_TILE", "SPACE", "Choice", "CostAnnotator", "Decision", "LoopTuner"]
