"""The subject: a parsed module with its loop nests, before and after the middle end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from featurizers.errors import UnknownNameError
from featurizers.mlir.build import build
from featurizers.mlir.loop import Loop
from featurizers.mlir.module import Module, Op
from featurizers.mlir.nest import Function
from featurizers.mlir.optimise import optimise


@dataclass(slots=True)
class Program:
    """What `MlirFeaturizer.parse` gives.

    trips : how often each operation that is a loop runs, by its id. cache : columns by CPU, and what they have in
    common by instruction set.
    """

    module: Module
    functions: list[Function]
    trips: dict[int, float]
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def unknown_ops(self) -> dict[str, int]:
        """Operations that nothing here knows, with how often they occur."""
        found: Counter[str] = Counter()
        for function in self.functions:
            found.update(function.unknown_ops)
        return dict(found)

    @property
    def unknown_trips(self) -> int:
        """Loops whose length is not known."""
        return sum([function.unknown_trips for function in self.functions])

    @property
    def allocations(self) -> int:
        """Buffers that are made on the heap."""
        return sum([function.allocations for function in self.functions])

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

    def of(self, functions: Sequence[Function]) -> Program:
        """These functions, as a program of their own."""
        ops = [function.op for function in functions]
        module = Module(self.module.types, self.module.value_types, ops, _size(ops), self.module.merged)
        return Program(module, list(functions), self.trips)

    def pieces(self) -> dict[str, Program]:
        """Functions that do not call one another, each as a program of its own by its name, with those that it calls:
        what the compiler makes of one does not depend on the others. Empty where there is one such piece; kernels are
        a piece with what launches them, and functions of nested modules that share a name are not told apart."""
        names = {function.name for function in self.functions}
        if len(names) < max(len(self.functions), 2) or any(function.is_kernel for function in self.functions):
            return {}
        groups = _calling(self.functions)
        return {} if len(groups) < 2 else {own[0].name: self.of(own) for own in groups}


def _size(ops: Sequence[Op]) -> int:
    """Number of operations, those inside others too."""
    return sum([1 + sum([_size(block.ops) for region in op.regions for block in region]) for op in ops])


def _calling(functions: Sequence[Function]) -> list[list[Function]]:
    """Functions in groups of those that call one another, directly or through others; in their order."""
    groups = {function.name: [function] for function in functions}
    for function in functions:
        for name, _ in function.calls:
            called, own = groups.get(name), groups[function.name]
            if called is not None and called is not own:
                small, large = sorted((called, own), key=len)
                large += small
                groups.update((member.name, large) for member in small)
    place = {function.name: at for at, function in enumerate(functions)}
    found = {id(group): sorted(group, key=lambda own: place[own.name]) for group in groups.values()}
    return list(found.values())


def program(module: Module, dims: Mapping[str, int] | None = None, function: str | None = None) -> Program:
    """Analyse a module, or one function of it. Raises InputError; see `build`."""
    functions, trips = build(module, dims or {})
    whole = Program(module, functions, trips)
    if function is None:
        return whole
    known = [f.name for f in functions]
    if function not in known:
        raise UnknownNameError("function", function, known)
    return whole.of([f for f in functions if f.name == function])
