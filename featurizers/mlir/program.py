"""The subject: a parsed module with its loop nests, before and after the middle end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from featurizers.errors import UnknownNameError
from featurizers.mlir.build import build
from featurizers.mlir.loop import Loop
from featurizers.mlir.module import Module
from featurizers.mlir.nest import Function
from featurizers.mlir.optimise import optimise


@dataclass(slots=True)
class Program:
    """What `MlirFeaturizer.parse` gives. loops : the optimised nest of each function, its body first.

    unknown_ops : operations that nothing here knows, with how often they occur. cache : columns by CPU.
    """

    module: Module
    functions: list[Function]
    loops: list[Loop]
    unknown_ops: dict[str, int]
    unknown_trips: int
    allocations: int
    trips: dict[int, float]
    cache: dict[str, Any] = field(default_factory=dict)


def program(module: Module, dims: Mapping[str, int] | None = None, function: str | None = None) -> Program:
    """Analyse a module, or one function of it. Raises InputError; see `build`."""
    functions, builder = build(module, dims or {})
    if function is not None:
        known = [f.name for f in functions]
        if function not in known:
            raise UnknownNameError("function", function, known)
        functions = [f for f in functions if f.name == function]
    loops = [optimise(f.body) for f in functions]
    return Program(
        module, functions, loops, dict(builder.unknown_ops), builder.unknown_trips, builder.allocs, dict(builder.trips)
    )
