"""The families by name, and drawing groups from them."""

from __future__ import annotations

import random
from collections.abc import Callable

from costmodel.mlir.generators import (
    contractions,
    control,
    graphs,
    imaging,
    integer_code,
    linalg_mix,
    movement,
    nests,
    particles,
    polyhedral,
    quantised,
    reductions,
    scalar,
    sequences,
    signal,
    simulation,
    small,
    stablehlo,
    stencils,
    torch_blocks,
    torch_modules,
    tosa,
    triangular,
    vectors,
)
from costmodel.mlir.generators.groups import Group

Draw = Callable[[random.Random], Group]

FAMILIES: dict[str, Draw] = {
    "matmul": contractions.matmul,
    "batched_matmul": contractions.batched_matmul,
    "convolution": contractions.convolution,
    "stencil": stencils.stencil,
    "reduction": reductions.reduction,
    "scan": reductions.scan,
    "transpose": movement.transpose,
    "gather": movement.gather,
    "scalar_math": scalar.scalar_math,
    "bit_tricks": scalar.bit_tricks,
    "triangular": triangular.triangular,
    "polyhedral": polyhedral.polyhedral,
    "control": control.control,
    "perceptron": graphs.perceptron,
    "cnn_block": graphs.cnn_block,
    "attention": graphs.attention,
    "normalisation": graphs.normalisation,
    "elementwise": graphs.elementwise,
    "tosa": tosa.tosa,
    "vector": vectors.vector,
    "stablehlo": stablehlo.stablehlo,
    "integer_code": integer_code.integer_code,
    "imaging": imaging.imaging,
    "quantised": quantised.quantised,
    "signal": signal.signal,
    "particles": particles.particles,
    "nests": nests.nests,
    "sequences": sequences.sequences,
    "simulation": simulation.simulation,
    "linalg_mix": linalg_mix.linalg_mix,
    "small": small.small,
}

IMPORTED: dict[str, Draw] = {"torch_graph": torch_modules.torch_graph, "torch_block": torch_blocks.torch_block}
"""Families that only an environment with torch-mlir can draw from."""

TEST_UNSEEN = ("convolution", "bit_tricks", "normalisation")
"""Families that no model is trained on: a loop nest, a scalar kernel, a graph."""


def sample_groups(family: str, count: int, seed: int) -> list[Group]:
    """`count` groups of a family with distinct texts (fewer if the family has no more to offer).

    Raises
    ------
    featurizers.errors.UnknownNameError
        Names the families.
    costmodel.mlir.labelling.ToolError
        A family of `IMPORTED` without torch-mlir.
    """
    from featurizers.errors import UnknownNameError

    draws = {**FAMILIES, **IMPORTED}
    if family not in draws:
        raise UnknownNameError("family", family, sorted(draws))
    rng = random.Random(f"{family}:{seed}")
    found: dict[str, Group] = {}
    for _ in range(20 * count):
        group = draws[family](rng)
        if group.key not in found:
            found[group.key] = group
        if len(found) == count:
            break
    return list(found.values())
