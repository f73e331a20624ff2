"""MLIR programs: text or bytecode -> loop nests, before and after the middle end -> columns, tokens, graphs."""

from featurizers.mlir.columns import COLUMNS
from featurizers.mlir.cpus import Cpu, cpu, cpus
from featurizers.mlir.featurizer import MlirFeaturizer, featurize_module
from featurizers.mlir.limits import Limits
from featurizers.mlir.module import Module
from featurizers.mlir.parts import PART_COLUMNS
from featurizers.mlir.program import Program

__all__ = [
    "COLUMNS",
    "PART_COLUMNS",
    "Cpu",
    "Limits",
    "MlirFeaturizer",
    "Module",
    "Program",
    "cpu",
    "cpus",
    "featurize_module",
]
