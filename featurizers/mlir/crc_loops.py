"""Loops that divide polynomials bit by bit, the remainder of a cyclic redundancy check: LLVM looks eight bits at a time
up in a table.

Source (LLVM 22): `HashRecognize.cpp` (a known length of whole bytes, no longer than the value; one value carried on,
which is shifted by one and, by a choice on the bit that leaves it, combined with a number) and
`LoopIdiomRecognize::optimizeCRCLoop`. The loop over the bytes is unrolled altogether.
"""

from __future__ import annotations

from typing import Any

from featurizers.mlir.module import Module, Op, Type
from featurizers.mlir.rewritten import Rewritten, without_constants

_ENTRIES = 256
_BYTE = 8
_EQUAL, _NOT_EQUAL, _LESS = 0, 1, 2
"""Predicates of ``arith.cmpi``; the highest bit is the sign."""
_LOWEST, _HIGHEST = "arith.shrui", "arith.shli"
"""Shifts, by which bit leaves."""


def looked_up(module: Module, op: Op, numbers: dict[int, Any]) -> list[Op]:
    """What stands for a loop, empty if it stays. numbers : constants by their ids."""
    if len(op.results) != 1 or [len(region) for region in op.regions] != [1]:
        return []
    block = op.regions[0][0]
    body, value = without_constants(block), block.arguments[-1]
    kind = module.type_of(value)
    length = _length(op, numbers)
    if len(body) < 5 or kind.kind != "int" or kind.shape or length % _BYTE or not 0 < length <= kind.bits:
        return []
    shift = _step(body, value, numbers)
    return _written(module, op, shift, length // _BYTE, kind) if shift else []


def _length(op: Op, numbers: dict[int, Any]) -> int:
    """How often it runs; 0 if that is not a number here."""
    if op.name == "affine.for":
        maps = op.attributes.get("lowerBoundMap"), op.attributes.get("upperBoundMap")
        low, high = (_bound(each) for each in maps)
        step = op.attributes.get("step")
    else:
        low, high, step = (numbers.get(value) for value in op.operands[:3])
    if type(low) is not int or type(high) is not int or step != 1:
        return 0
    return high - low


def _bound(bound: Any) -> int | None:
    """The number that an affine map without operands is."""
    dims, symbols, results, *_ = bound
    return int(results[0][0]) if not dims and not symbols and len(results) == 1 and results[0] else None


def _step(body: list[Op], value: int, numbers: dict[int, Any]) -> str:
    """The shift of a body that divides by one bit of `value`; empty for other bodies."""
    defined = {op.results[0]: op for op in body[:-1] if len(op.results) == 1}
    choice = defined.get(body[-1].operands[0]) if len(body[-1].operands) == 1 else None
    if choice is None or choice.name != "arith.select":
        return ""
    test = defined.get(choice.operands[0])
    if test is None or test.name != "arith.cmpi" or numbers.get(test.operands[1]) != 0:
        return ""
    predicate, tested = test.attributes.get("predicate"), test.operands[0]
    leaves, stays = choice.operands[1:] if predicate != _EQUAL else choice.operands[:0:-1]
    shift, combined = defined.get(stays), defined.get(leaves)
    if shift is None or combined is None or shift.operands[0] != value or numbers.get(shift.operands[1]) != 1:
        return ""
    if combined.name != "arith.xori" or combined.operands[0] != stays or combined.operands[1] not in numbers:
        return ""
    if shift.name == _HIGHEST:
        return _HIGHEST if (tested, predicate, len(body)) == (value, _LESS, 5) else ""
    lowest = defined.get(tested)
    if shift.name != _LOWEST or lowest is None or lowest.name != "arith.andi" or len(body) != 6:
        return ""
    one = lowest.operands[0] == value and numbers.get(lowest.operands[1]) == 1
    return _LOWEST if one and predicate in (_EQUAL, _NOT_EQUAL) else ""


def _written(module: Module, op: Op, shift: str, count: int, kind: Type) -> list[Op]:
    """The operations for so many bytes."""
    made, value = Rewritten(module, op), op.operands[-1]
    own = module.value_types[value]
    place = made.kind(Type("index", "index", 64))
    table = made.kind(Type("memref", kind.element, kind.bits, (_ENTRIES,), (1,)))
    numbers = made.new("memref.get_global", [], table, name=f".crctable{len(module.value_types)}")
    for _ in range(count):
        at = value
        if shift == _HIGHEST and kind.bits > _BYTE:
            at = made.new(_LOWEST, [value, made.constant(kind.bits - _BYTE, own)], own)
        elif kind.bits > _BYTE:
            at = made.new("arith.andi", [value, made.constant(_ENTRIES - 1, own)], own)
        at = made.new("arith.index_castui", [at], place)
        read = made.new("memref.load", [numbers, at], own)
        if kind.bits > _BYTE:
            rest = made.new(shift, [value, made.constant(_BYTE, own)], own)
            read = made.new("arith.xori", [rest, read], own)
        value = read
    return made.ending_in(op.results[0])
