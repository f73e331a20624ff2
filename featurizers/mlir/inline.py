"""Calls between functions of one module: which LLVM replaces by what is called, done by MLIR's own inliner.

Front ends keep small functions apart (`@relu`, `@_where` of JAX); LLVM has none of them left when loops are vectorised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from featurizers.mlir.module import Module, Op

PIPELINE = "any(inline{default-pipeline=})"
_CALL = "func.call"
_FUNCTION = "func.func"
_THRESHOLD = 250
"""Of LLVM's inliner at -O3 (InlineParams, OptAggressiveThreshold)."""
_INSTRUCTION = 5
"""What one instruction counts against it (InlineConstants::InstrCost)."""
_FREE = frozenset({"arith.constant", "func.return", "stablehlo.constant", "tosa.const", "affine.yield", "scf.yield"})
_LOOP_INSTRUCTIONS = 4
_OF_TENSORS = ("linalg.", "stablehlo.", "tosa.", "tensor.")


@dataclass(frozen=True, slots=True)
class _Body:
    """A function that has one. own : instructions without those of what it calls. calls : of each callee, how often."""

    private: bool
    own: float
    calls: Mapping[str, int]


def inlined(module: Module) -> dict[str, bool]:
    """Of each function that another of the module calls, whether LLVM inlines it. Empty where there is none.

    LLVM decides by an estimate of instructions: what is called is inlined below its threshold, or where it is
    nobody else's and called from one place (the last call to a static function); one that calls itself is not.
    """
    functions = list(_functions(module))
    if len(functions) < 2:
        return {}
    bodies = {str(op.attributes.get("sym_name", "")): _body(op, module) for op in functions}
    sites: dict[str, int] = {}
    for body in bodies.values():
        for name, times in body.calls.items():
            if name in bodies:
                sites[name] = sites.get(name, 0) + times
    if not sites:
        return {}
    decided: dict[str, bool] = {}
    size: dict[str, float] = {}
    for name in _callees_first(bodies):
        body = bodies[name]
        inside = [size[called] * times for called, times in body.calls.items() if decided.get(called)]
        size[name] = body.own + sum(inside)
        if name in sites:
            alone = body.private and sites[name] == 1
            decided[name] = alone or size[name] * _INSTRUCTION <= _THRESHOLD
    return {name: decided.get(name, False) for name in sites}


def _callees_first(bodies: Mapping[str, _Body]) -> list[str]:
    """Names in an order in which what is called comes before what calls it; none where some call themselves."""
    order = TopologicalSorter({name: [n for n in body.calls if n in bodies] for name, body in bodies.items()})
    try:
        return list(order.static_order())
    except CycleError:
        return []


def _functions(module: Module) -> Iterator[Op]:
    """Those of the outermost module: a name means the same to all of them."""
    for op in module.ops:
        if op.name == _FUNCTION and any(region for region in op.regions):
            yield op


def _body(op: Op, module: Module) -> _Body:
    calls: dict[str, int] = {}
    own = 0.0
    for inner in _within(op):
        if inner.name == _CALL:
            name = str(inner.attributes.get("callee", ""))
            calls[name] = calls.get(name, 0) + 1
        own += _instructions(inner, module)
    return _Body(op.attributes.get("sym_visibility") == "private", own, calls)


def _within(op: Op) -> Iterator[Op]:
    stack = [op]
    while stack:
        for region in stack.pop().regions:
            for block in region:
                yield from block.ops
                stack += block.ops


def _instructions(op: Op, module: Module) -> float:
    """About how many LLVM has of it when it decides: an access has an address, an operation on tensors is a nest."""
    if op.name in _FREE:
        return 0.0
    if op.name.startswith(_OF_TENSORS):
        rank = max([len(module.type_of(result).shape) for result in op.results], default=1)
        return _LOOP_INSTRUCTIONS * rank + 2.0
    if op.regions:
        return _LOOP_INSTRUCTIONS
    return 2.0 if op.name.endswith(("load", "store")) else 1.0


class Inliner:
    """MLIR's inliner in one context. Not thread-safe."""

    def __init__(self, context: Any):
        from iree.compiler import passmanager

        self._manager = passmanager.PassManager.parse(PIPELINE, context)
        self._manager.enable_verifier(False)

    def run(self, operation: Any, decided: Mapping[str, bool], keep: str | None = None) -> None:
        """Replace the calls of those functions that are `decided` for; private ones that nobody calls any more go.

        keep : a function that stays whether called or not.
        """
        from iree.compiler import ir

        for function in operation.regions[0].blocks[0].operations:
            attributes = function.attributes
            if "sym_name" not in attributes:
                continue
            name = ir.StringAttr(attributes["sym_name"]).value
            if not decided.get(name, True):
                attributes["no_inline"] = ir.UnitAttr.get(operation.context)
            if "sym_visibility" in attributes and (name == keep or name not in decided) and function.regions[0].blocks:
                del attributes["sym_visibility"]
        try:
            self._manager.run(operation)
        except ir.MLIRError:
            return
