"""The code that loops become, for tests of the decisions about them."""

from __future__ import annotations

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()


def codes(text: str, name: str) -> list[LoopCode]:
    """Of the loops of the one function, outermost first."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[1:]


def innermost(text: str, name: str) -> LoopCode:
    """Of the last loop of the one function, or of the function where none is left."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]


def estimated(text: str, name: str, *columns: str) -> list[float]:
    """These columns of a program."""
    found = FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile=name)
    return [float(found.column(column)[0]) for column in columns]
