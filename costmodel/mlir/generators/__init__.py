"""Generators of MLIR programs: families of functions, each with variants that a compiler would choose between.

``sample_groups(family, count, seed)`` draws functions (a *group* is one function); ``expand(groups)`` runs
``mlir-opt`` to make each group's variants (tiled, unrolled, fused, vectorised, other levels of abstraction) and
returns `Program` objects::

    from costmodel.mlir.generators import FAMILIES, expand, sample_groups

    programs = expand(sample_groups("matmul", 5, seed=1))     # needs mlir-opt-22
    programs[0].text, programs[0].group, programs[0].variant  # variant: "" or JSON of the transformation

The same seed gives the same programs; programs of one call are distinct texts. Adding a family is one function
``(rng) -> Group`` and its entry in `FAMILIES`.
"""

from costmodel.mlir.generators.expanding import expand
from costmodel.mlir.generators.families import FAMILIES, IMPORTED, TEST_UNSEEN, sample_groups
from costmodel.mlir.generators.groups import Group, Program, Variant

__all__ = ["FAMILIES", "IMPORTED", "TEST_UNSEEN", "Group", "Program", "Variant", "expand", "sample_groups"]
