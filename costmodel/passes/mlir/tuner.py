"""A pass for MLIR's Python bindings: ask a cost model, annotate, and write each loop nest in the cheapest way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from costmodel.passes.mlir.loops import alone, may_jam, may_tile, nests_of, put_back
from costmodel.passes.mlir.space import AS_IT_IS, SPACE, Choice, choices
from costmodel.regressors import Array

ATTRIBUTE = "costmodel.cost"
"""Float attribute of a loop: what it was predicted to cost, in the model's unit."""


class Costs(Protocol):
    """What the passes need of a `CostModel`. One that has `of_variants` is asked by that for ways to write a nest."""

    def of_modules(self, modules: Sequence[Any]) -> Sequence[float] | Array:
        """Predicted cost of each module of MLIR's Python bindings."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What was chosen for one nest; `predicted` by choice, in the model's unit."""

    choice: Choice
    predicted: dict[Choice, float]


class LoopTuner:
    """``PassManager.add(LoopTuner(model))``: chooses tile sizes and unroll factors of every affine nest.

    A choice is taken when it is predicted to save at least `margin` of the cost: within the model's error, the nest is
    left as it is. `decisions` holds what was decided, in program order, over all runs.
    """

    def __init__(self, model: Costs, space: Sequence[Choice] = SPACE, margin: float = 0.1):
        self.model = model
        self.space = tuple(space)
        self.margin = margin
        self.decisions: list[Decision] = []
        self.__name__ = "costmodel-loop-tuner"

    def __call__(self, operation: Any, _pass: Any = None) -> None:
        """The callback: `operation` is what the pass manager runs on, a module or a function."""
        for function in functions_of(operation):
            for nest in nests_of(function):
                self.decisions.append(self.tune(nest))

    def tune(self, nest: Any) -> Decision:
        """Decide about one nest, and replace it in its function where something is cheaper."""
        own = alone(nest)
        written = variants(own, choices(may_tile(nest), may_jam(nest), self.space))
        ask = getattr(self.model, "of_variants", self.model.of_modules)
        costs = ask(list(written.values()))
        predicted = dict(zip(written, map(float, costs), strict=True))
        best = min(predicted, key=lambda choice: predicted[choice])
        if predicted[best] > (1 - self.margin) * predicted[AS_IT_IS]:
            best = AS_IT_IS
        loops = [nest] if best == AS_IT_IS else put_back(nest, written[best], own.captured)
        for loop in loops:
            _annotate(loop, predicted[best])
        return Decision(best, predicted)


def variants(own: Any, offered: Sequence[Choice]) -> dict[Choice, Any]:
    """The modules of a nest by choice; where two choices give the same code the first one stands for both, and those
    that would make another function of it are left out."""
    found: dict[Choice, Any] = {}
    seen: set[int] = set()
    for choice in (AS_IT_IS, *(c for c in offered if c != AS_IT_IS)):
        module = own.changed_by(choice.pipeline, choice.unroll)
        if module is None:
            continue
        code = hash(module.get_asm(assume_verified=True, print_generic_op_form=True))
        if code not in seen:
            seen.add(code)
            found[choice] = module
    return found


class CostAnnotator:
    """``PassManager.add(CostAnnotator(model))``: each outermost affine loop gets its predicted cost as an attribute."""

    def __init__(self, model: Costs):
        self.model = model
        self.__name__ = "costmodel-annotator"

    def __call__(self, operation: Any, _pass: Any = None) -> None:
        nests = [nest for function in functions_of(operation) for nest in nests_of(function)]
        modules = [alone(nest).changed_by("") for nest in nests]
        for nest, cost in zip(nests, self.model.of_modules(modules) if modules else (), strict=True):
            _annotate(nest, float(cost))


def functions_of(operation: Any) -> list[Any]:
    """The functions of a module, or the function itself."""
    operation = operation.operation
    if operation.name == "func.func":
        return [operation] if operation.regions[0].blocks else []
    inner = [op for region in operation.regions for block in region.blocks for op in block.operations]
    return [function for op in inner for function in functions_of(op)] if operation.name == "builtin.module" else []


def _annotate(loop: Any, cost: float) -> None:
    from iree.compiler import ir

    with loop.context, ir.Location.unknown():
        loop.attributes[ATTRIBUTE] = ir.FloatAttr.get(ir.F64Type.get(), cost)


Callback = Callable[[Any, Any], None]
