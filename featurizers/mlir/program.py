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
    """What `MlirFeaturizer.parse` gives.

    unknown_ops : operations that nothing here knows, with how often they occur. cache : columns by CPU, and what they
    have in common by instruction set.
    """

    module: Module
    functions: list[Function]
    unknown_ops: dict[str, int]
    unknown_trips: int
    allocations: int
    trips: dict[int, float]
    cache: dict[str, Any] = field(default_factory=dict)

    def loops_on(self, isa: str) -> list[Loop]:
        """The nest of each function, its body first, as the middle end leaves it for an instruction set."""
        found: list[Loop] | None = self.cache.get(f"loops {isa}")
        if found is None:
            found = self.cache[f"loops {isa}"] = [optimise(function.body, isa) for function in self.functions]
        return found

    @property
    def loops(self) -> list[Loop]:
        """`loops_on` x86."""
        return self.loops_on("x86")


def program(module: Module, dims: Mapping[str, int] | None = None, function: str | None = None) -> Program:
    """Analyse a module, or one function of it. Raises InputError; see `build`."""
    functions, builder = build(module, dims or {})
    if function is not None:
        known = [f.name for f in functions]
        if function not in known:
            raise UnknownNameError("function", function, known)
        functions = [f for f in functions if f.name == function]
    return Program(
        module, functions, dict(builder.unknown_ops), builder.unknown_trips, builder.allocs, dict(builder.trips)
    )
