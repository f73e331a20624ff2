"""Loop nests of a function, alone in a module of their own and back: MLIR's Python bindings of iree-base-compiler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

LOOP = "affine.for"
_READS_AND_WRITES = ("affine.load", "affine.store", "affine.vector_load", "affine.vector_store")
_WITHOUT_MEMORY = frozenset({"affine", "arith", "complex", "index", "math", "scf"})
"""Dialects of which no operations but `_READS_AND_WRITES` reach memory."""
_FUNCTION = "nest"
_PLAIN = re.compile(r"d(\d+)( [+-] \d+)?")
_CONSTANT_MAP = re.compile(r"<\(\) -> \((-?\d+)\)>")


def nests_of(function: Any) -> list[Any]:
    """The outermost loops of a function that are in no other operation."""
    blocks = [block for region in function.regions for block in region.blocks]
    return [op.operation for block in blocks for op in block.operations if op.operation.name == LOOP]


def inside(nest: Any) -> list[Any]:
    """The operation and all in it, innermost first."""
    from iree.compiler import ir

    found: list[Any] = []

    def visit(op: Any) -> Any:
        found.append(op)
        return ir.WalkResult.ADVANCE

    nest.walk(visit)
    return found


def depth(nest: Any) -> int:
    """Loops on the deepest path, the nest's own included."""
    inner = [depth(op.operation) for op in nest.regions[0].blocks[0].operations if op.operation.name == LOOP]
    return 1 + max(inner, default=0)


def may_jam(nest: Any) -> bool:
    """Whether iterations of the outermost loop may run interleaved, by a rule that is sufficient.

    MLIR's unroll-and-jam does not check. Here: the loop carries no values, holds another loop, and whatever is written
    is read and written at one and the same place only, of which the outermost index is one coordinate.
    """
    if len(nest.results) or depth(nest) < 2:
        return False
    index = nest.regions[0].blocks[0].arguments[0]
    places: dict[Any, set[tuple[str, ...]]] = {}
    written: list[Any] = []
    for op in inside(nest):
        if op.name in _READS_AND_WRITES:
            at = 1 if "store" in op.name else 0
            buffer, indices = op.operands[at], list(op.operands)[at + 1 :]
            coordinates = _coordinates(op.attributes["map"], [value == index for value in indices])
            key = _key(buffer)
            places.setdefault(key, set()).add((*coordinates, *(str(_key(value)) for value in indices)))
            if at and "outermost" not in coordinates:
                return False
            if at:
                written.append(key)
        elif _unseen(op):
            return False
    return all(len(places[key]) == 1 for key in written)


def _unseen(op: Any) -> bool:
    """Whether an operation may read or write what its place in the nest does not say."""
    return op.name.partition(".")[0] not in _WITHOUT_MEMORY or op.name.startswith("affine.dma")


def may_tile(nest: Any) -> bool:
    """Whether the loops that are perfectly nested may run tile by tile, by a rule that is sufficient.

    `affine-loop-tile` does not check. Here: no operation reads or writes unseen, and each buffer that is written is met
    again by iterations that lie a known distance ahead in every loop (in none behind), or along a single loop. Distinct
    buffers are taken to be apart, as MLIR's affine passes do.
    """
    band = [nest]
    while (
        len(inner := [op.operation for op in band[-1].regions[0].blocks[0].operations]) == 2 and inner[0].name == LOOP
    ):
        band.append(inner[0])
    if len(band) < 2 or any(len(loop.results) for loop in band):
        return False
    loops = {_key(loop.regions[0].blocks[0].arguments[0]): position for position, loop in enumerate(band)}
    places: dict[Any, list[tuple[bool, list[_Subscript]]]] = {}
    for op in inside(nest):
        if op.name in ("affine.load", "affine.store"):
            at = 1 if op.name == "affine.store" else 0
            subscripts = _subscripts(op.attributes["map"], list(op.operands)[at + 1 :], loops)
            places.setdefault(_key(op.operands[at]), []).append((bool(at), subscripts))
        elif op.name in _READS_AND_WRITES or _unseen(op):
            return False
    return all(
        _forward(one, other, len(band))
        for same in places.values()
        for written, one in same
        if written
        for _, other in same
    )


_Subscript = tuple[int | None, int] | None
"""Of one dimension: a loop of the band (None: no loop) and what is added to its index; None for anything else."""


def _subscripts(map_attribute: Any, indices: list[Any], loops: dict[Any, int]) -> list[_Subscript]:
    found: list[_Subscript] = []
    for expression in _expressions(str(map_attribute)):
        plain = _PLAIN.fullmatch(expression)
        if plain is None:
            found.append((None, int(expression)) if expression.lstrip("-").isdigit() else None)
            continue
        position = loops.get(_key(indices[int(plain[1])]))
        found.append(None if position is None else (position, int((plain[2] or "0").replace(" ", ""))))
    return found


def _forward(store: list[_Subscript], other: list[_Subscript], depth: int) -> bool:
    """Whether iterations that meet a place of a store lie ahead of it in every loop, or differ in one loop alone."""
    distance: dict[int, int] = {}
    for one, two in zip(store, other, strict=True):
        if one is None or two is None:
            continue
        if one[0] != two[0]:
            return False
        if one[0] is None:
            if one[1] != two[1]:
                return True  # two places
        elif distance.setdefault(one[0], one[1] - two[1]) != one[1] - two[1]:
            return True
    steps = [distance[loop] for loop in sorted(distance)]
    if len(distance) < depth:
        return not any(steps) and len(distance) == depth - 1
    return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


def may_unroll(module: Any, factor: int) -> bool:
    """Whether `affine-loop-unroll` keeps the values apart that the innermost loops of a module carry.

    Where iterations are left over, MLIR (22, and before) goes on from the last of several values for all of them.
    """
    return all(
        len(loop.results) < 2 or _length(loop) % factor == 0
        for loop in inside(module)
        if loop.name == LOOP and depth(loop) == 1
    )


def _length(loop: Any) -> int:
    """Iterations of a loop of constant bounds; 1, which no factor divides, for others."""
    lower, upper = (_CONSTANT_MAP.search(str(loop.attributes[name])) for name in ("lowerBoundMap", "upperBoundMap"))
    if lower is None or upper is None:
        return 1
    return max(-(-(int(upper[1]) - int(lower[1])) // int(str(loop.attributes["step"]).split()[0])), 0)


def _key(value: Any) -> Any:
    return hash(value)


@lru_cache(maxsize=4096)
def _expressions(text: str) -> tuple[str, ...]:
    """``affine_map<(d0, d1)[s0] -> (d0 + 1, d1)>`` -> its results as text."""
    inner = text[text.index("->") + 2 :].strip().rstrip(">").strip()[1:-1]
    return tuple(part.strip() for part in inner.split(","))


def _coordinates(map_attribute: Any, is_outermost: list[bool]) -> list[str]:
    found = list(_expressions(str(map_attribute)))
    for i, expression in enumerate(found):
        if expression[:1] == "d" and expression[1:].isdigit() and is_outermost[int(expression[1:])]:
            found[i] = "outermost"
    return found


@dataclass(frozen=True, slots=True)
class Alone:
    """A nest as the body of a function of its own: first in its block, as MLIR's unroll-and-jam wants it.

    module : that holds the function. captured : values of the original function that its arguments stand for.
    """

    module: Any
    captured: tuple[Any, ...]

    def changed_by(self, pipeline: str, unroll: int = 1) -> Any | None:
        """A copy of the module after these passes, its innermost loops unrolled by a factor; None where that would make
        another function of it, see `may_unroll`."""
        from iree.compiler import ir

        with self.module.context, ir.Location.unknown():
            copy = self.module.operation.clone()
            if pipeline:
                _manager(self.module.context, pipeline).run(copy)
            if unroll > 1:
                if not may_unroll(copy, unroll):
                    return None
                _manager(self.module.context, f"affine-loop-unroll{{unroll-factor={unroll}}}").run(copy)
            self._constants(copy)
        return copy

    def _constants(self, copy: Any) -> None:
        """Captured constants are constants again, and not arguments whose value nobody knows."""
        from iree.compiler import ir

        block = _body(copy)
        for argument, value in zip(block.arguments, self.captured, strict=True):
            if _is_constant(value):
                same = value.owner.operation.clone(ip=ir.InsertionPoint.at_block_begin(block))
                argument.replace_all_uses_with(same.results[0])


def _manager(context: Any, pipeline: str) -> Any:
    from iree.compiler import passmanager

    manager = passmanager.PassManager.parse(f"builtin.module(func.func({pipeline}))", context=context)
    manager.enable_verifier(False)
    return manager


def _body(module: Any) -> Any:
    function = module.regions[0].blocks[0].operations[0].operation
    return function.regions[0].blocks[0]


def _is_constant(value: Any) -> bool:
    from iree.compiler import ir

    return not isinstance(value.owner, ir.Block) and value.owner.operation.name == "arith.constant"


def alone(nest: Any) -> Alone:
    """A copy of `nest` in a module of its own. The original is not touched."""
    from iree.compiler import ir
    from iree.compiler.dialects import func

    captured = list(_captured(nest))
    with nest.context, ir.Location.unknown():
        module = ir.Module.create()
        kinds = [value.type for value in captured], [result.type for result in nest.results]
        with ir.InsertionPoint(module.body):
            function = func.FuncOp(_FUNCTION, ir.FunctionType.get(*kinds))
        function.attributes["arg_attrs"] = _argument_attributes(nest, captured)
        block = function.add_entry_block()
        with ir.InsertionPoint(block):
            copy = nest.clone(ip=ir.InsertionPoint(block))
            func.ReturnOp(list(copy.results))
        place = {_key(value): block.arguments[i] for i, value in enumerate(captured)}
        for op in inside(copy):
            for i, value in enumerate(op.operands):
                if _key(value) in place:
                    op.operands[i] = place[_key(value)]
    return Alone(module, tuple(captured))


def _captured(nest: Any) -> Iterator[Any]:
    """Values that a nest reads and does not make, each once."""
    everything = inside(nest)
    known = {_key(result) for op in everything for result in op.results}
    known |= {_key(a) for op in everything for region in op.regions for block in region.blocks for a in block.arguments}
    for op in everything:
        for value in op.operands:
            if _key(value) not in known:
                known.add(_key(value))
                yield value


def _argument_attributes(nest: Any, captured: list[Any]) -> Any:
    """What the original function says of its arguments (``llvm.noalias``) goes with them."""
    from iree.compiler import ir

    function = nest.parent
    given = ir.ArrayAttr(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else ()
    arguments = {_key(argument): i for i, argument in enumerate(function.regions[0].blocks[0].arguments)}
    none = ir.DictAttr.get({})
    return ir.ArrayAttr.get([given[arguments[_key(v)]] if given and _key(v) in arguments else none for v in captured])


def put_back(nest: Any, changed: Any, captured: tuple[Any, ...]) -> list[Any]:
    """Replace `nest` by the body of `changed`; the outermost loops that stand there now."""
    block = _body(changed)
    operations = [op.operation for op in block.operations]
    for argument, value in zip(block.arguments, captured, strict=True):
        argument.replace_all_uses_with(value)
    for op in operations[:-1]:
        op.move_before(nest)
    for old, new in zip(nest.results, operations[-1].operands, strict=True):
        old.replace_all_uses_with(new)
    nest.erase()
    return [op for op in operations[:-1] if op.name == LOOP]
