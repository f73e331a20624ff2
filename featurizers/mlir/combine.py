"""Whole numbers in the bodies of loops as instruction combining leaves them: values that come to others are these,
constants are constants, and what is needed no more is gone.

Source (LLVM 22): as of `folds`. A value stands for an earlier equal one where that is made on every way to it;
operations are only replaced by those that MLIR has a name for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from featurizers.mlir.factored import factor_out
from featurizers.mlir.folds import signed
from featurizers.mlir.module import Block, Op, count_uses
from featurizers.mlir.saturating import saturated
from featurizers.mlir.straight import INTEGER, Reader
from featurizers.mlir.terms import put_together
from featurizers.mlir.values import ARGUMENT, CONSTANT, Value

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

_LEAST, _MOST = 2, 4096
"""Operations on whole numbers from which on, and operations up to which a function is looked at."""
_BITS = frozenset((1, 8, 16, 32, 64))
_NAMES = {made: name for name, made in reversed(INTEGER.items()) if name.startswith(("arith.", "math."))}
_NAMES |= {"bswap": "llvm.intr.bswap", "bitreverse": "llvm.intr.bitreverse", "rotl": "llvm.intr.fshl"}
_NAMES |= {"icmp": "arith.cmpi", "select": "arith.select"}
_DEPTH = 2
"""Operations inside each other that one may become."""
_CASTS = frozenset(("arith.extsi", "arith.extui", "arith.trunci"))
_READ = frozenset([name for name in INTEGER if not name.startswith("index.") and "cast" not in name])
_CHOSEN = frozenset(("arith.cmpi", "arith.select"))
_PURE = ("arith.", "math.")
_CARRYING = frozenset(("affine.for", "scf.for"))
_ENDS = frozenset(("affine.yield", "scf.yield"))
_ABSORBED_BY = {"arith.muli": 2, "arith.andi": 2, "arith.minui": 2, "arith.shli": 1, "arith.shrui": 1, "arith.shrsi": 1}
"""Operations that are zero where one of their first operands is."""
_LOADED, _STORES = frozenset(("memref.load", "affine.load")), frozenset(("memref.store", "affine.store"))
_LOADS = frozenset(("memref.load", "affine.load", "affine.apply"))


class _Combiner(Reader):
    """source : of each value that is known, the one of the module that has it. gone : values that others stand for."""

    def __init__(self, b: Builder):
        super().__init__(b)
        self.source: dict[int, int] = {}
        self.gone: dict[int, int] = {}
        self.changed = False

    def number(self, value: int) -> int:
        """Of a value of the module, which may be anything."""
        found = self.of.get(value)
        if found is None:
            kind = self.b.type(value)
            found = self.of[value] = self.keep(Value(ARGUMENT, kind.bits or 64, (), value, kind.kind == "float"))
        if found not in self.source and self.values[found].number == value and self.values[found].op == ARGUMENT:
            self.source[found] = value
        return found

    def block(self, block: Block) -> None:
        """All operations of a block, in order, and those inside them."""
        inside, ops = self.source, []
        self.source = dict(inside)
        for op in block.ops:
            if self.gone:
                op.operands = [self.gone.get(value, value) for value in op.operands]
            if op.regions:
                loop = op.results and op.name in _CARRYING
                if loop:
                    self._stays_zero(op)
                    self._carried_twice(op)
                for region in op.regions:
                    for each in region:
                        self.block(each)
                if loop:
                    while self._carried_twice(op):
                        self.block(op.regions[0][0])
                ops.append(op)
            elif not self._combined(op, ops):
                ops.append(op)
        self.source = inside
        if len(ops) != len(block.ops):
            block.ops = ops

    def _stays_zero(self, loop: Op) -> None:
        """What a loop carries on that begins as zero, and is multiplied or masked by what it was, is that zero
        (`SCCPSolver`, which takes for constant what nothing speaks against)."""
        count, block = len(loop.results), loop.regions[0][0]
        *_, last = block.ops
        if len(last.operands) != count or len(block.arguments) < count:
            return
        for init, argument, carried, result in zip(
            loop.operands[-count:], block.arguments[-count:], last.operands, loop.results, strict=True
        ):
            known = self.values[self.of[init]] if init in self.of else None
            if known is None or known.op != CONSTANT or known.number or known.real:
                continue
            made = next((op for op in block.ops if carried in op.results), None)
            if made is not None and argument in made.operands[: _ABSORBED_BY.get(made.name, 0)]:
                for value in (argument, result):
                    self.gone[value], self.of[value] = init, self.of[init]
                self.changed = True

    def _carried_twice(self, loop: Op) -> bool:
        """What begins alike and goes on alike is carried once (`EliminateDuplicatePHINodes`). Whether anything was."""
        count, block = len(loop.results), loop.regions[0][0]
        last = block.ops[-1].operands
        if count < 2 or len(last) != count or len(block.arguments) < count:
            return False
        known: dict[tuple[int, int], tuple[int, int]] = {}
        found = False
        for init, argument, carried, result in zip(
            loop.operands[-count:], block.arguments[-count:], last, loop.results, strict=True
        ):
            key = self.of.get(init, -1 - init), self.gone.get(carried, carried)
            first = known.setdefault(key, (argument, result))
            if first[0] != argument and argument not in self.gone:
                self.gone[argument], self.gone[result] = first
                found = self.changed = True
        return found

    def _combined(self, op: Op, ops: list[Op]) -> bool:
        """Whether an operation is one of others now. What it needs besides goes to `ops`."""
        if op.name == "arith.constant":
            self._constant_of(op)
            return False
        if (op.name not in _READ and op.name not in _CHOSEN) or len(op.results) != 1:
            return False
        result = op.results[0]
        types, of = self.b.module.types, self.b.module.value_types
        for each in (result, *op.operands):
            kind = types[of[each]]
            if kind.kind != "int" or kind.bits not in _BITS:
                return False
        before = tuple([self.number(each) for each in op.operands])
        if not self.read(op):
            return False
        made = self.of[result]
        known = self.source.get(made)
        if known is not None:
            self.gone[result] = known
            self.changed = True
            return True
        self.source[made] = result
        value = self.values[made]
        upper = self._upper_half(value)
        if upper:
            op.name, op.operands = "arith.mului_extended", [self.source[each] for each in upper]
            self.changed = True
        elif (found := saturated(self.values, value)) and all(each in self.source for each in found[1]):
            op.name, op.operands = found[0], [self.source[each] for each in found[1]]
            self.changed = True
        elif value.op == CONSTANT:
            op.name, op.operands, op.attributes = "arith.constant", [], {"value": _written(value)}
            self.changed = True
        elif value.args != before or _NAMES.get(value.op, op.name) != op.name:
            self._renamed(op, value, before, ops)
        return False

    def _upper_half(self, value: Value) -> tuple[int, ...]:
        """The factors that a value is the upper half of the product of, both extended alike; empty where it is none. It
        is an operation of its own (``vpmulhuw``, ``umulh``) or lanes of longer ones (``umull``)."""
        if value.op != "trunc":
            return ()
        shift = self.values[value.args[0]]
        if shift.op not in ("lshr", "ashr") or shift.bits != 2 * value.bits:
            return ()
        product, by = (self.values[each] for each in shift.args)
        if product.op != "mul" or by.op != CONSTANT or by.number != value.bits:
            return ()
        one, other = (self.values[each] for each in product.args)
        extended = one.op == other.op and one.op in ("sext", "zext")
        factors = tuple([each.args[0] for each in (one, other) if extended])
        alike = all(self.values[each].bits == value.bits and each in self.source for each in factors)
        return factors if alike else ()

    def _renamed(self, op: Op, value: Value, before: tuple[int, ...], ops: list[Op]) -> None:
        """Make an operation the one that it comes to, if the module has its operands, or they are numbers."""
        name = _NAMES.get(value.op)
        if name is None or (name == op.name and sorted(value.args) == sorted(before)):
            return
        if not all(self._can_be_made(each, op) for each in value.args):
            return
        op.operands = [self._made(each, op, ops) for each in value.args]
        op.name = name
        if value.op == "icmp":
            op.attributes = {**op.attributes, "predicate": value.number}
        self.changed = True

    def _can_be_made(self, number: int, op: Op, depth: int = _DEPTH) -> bool:
        """Whether the module has a value, or it is made of such by few operations on what is as wide."""
        value = self.values[number]
        if number in self.source:
            return True
        if not any(self.b.type(each).bits == value.bits for each in (*op.results, *op.operands)):
            return False
        if value.op == CONSTANT:
            return not value.real
        named = depth > 0 and value.op in _NAMES and value.op not in ("icmp", "select")
        return named and all(self._can_be_made(each, op, depth - 1) for each in value.args)

    def _made(self, number: int, op: Op, ops: list[Op]) -> int:
        """The value of the module that a number of ours is; what is new is put before an operation."""
        found = self.source.get(number)
        if found is not None:
            return found
        module, value = self.b.module, self.values[number]
        like = next(each for each in (*op.results, *op.operands) if self.b.type(each).bits == value.bits)
        operands = [self._made(each, op, ops) for each in value.args]
        made = module.new_value(module.value_types[like])
        known = {"value": _written(value)} if value.op == CONSTANT else {}
        name = _NAMES.get(value.op, "arith.constant")
        ops.append(Op(name, operands, [made], known, [], [], op.line, op.column))
        self.source[number] = made
        self.of[made] = number
        return made

    def _constant_of(self, op: Op) -> None:
        kind = self.b.type(op.results[0])
        if kind.kind == "int" and kind.bits in _BITS and not kind.shape and self.read(op):
            self.source.setdefault(self.of[op.results[0]], op.results[0])


def _written(value: Value) -> int:
    """A constant as it stands in a module."""
    return value.number if value.bits == 1 else signed(value.number, value.bits)


def combine(b: Builder, blocks: Sequence[Block]) -> None:
    """Combine the operations of a function, in place."""
    if sum([_without_stored_back(block) for block in blocks]) + put_together(b, blocks):
        _clean(blocks)
    if not any(op.regions for block in blocks for op in block.ops) or not 0 < _count(blocks, 0) <= _MOST:
        return
    factor_out(b.module, blocks)
    combiner = _Combiner(b)
    for block in blocks:
        combiner.block(block)
    if combiner.changed:
        _clean(blocks)


def _without_stored_back(block: Block) -> bool:
    """Leave out stores of what was loaded from the same place, where no write lies between (`DSEState::storeIsNoop`).
    Whether there were any."""
    values = {op.results[0] for op in block.ops if op.name in _LOADED}
    found = bool(values) and any(op.operands[0] in values for op in block.ops if op.name in _STORES)
    if found:
        found = _stored_back_left_out(block)
    for op in block.ops:
        for region in op.regions:
            for inner in region:
                found = _without_stored_back(inner) or found
    return found


def _stored_back_left_out(block: Block) -> bool:
    """Of one block that stores what it loaded anywhere, not those inside."""
    loaded: dict[int, tuple[object, ...]] = {}
    kept = []
    for op in block.ops:
        if op.name in _STORES:
            value, *place = op.operands
            if value in loaded and loaded[value] == (*place, op.attributes.get("map")):
                continue
            loaded.clear()
        elif op.name in _LOADED:
            loaded[op.results[0]] = (*op.operands, op.attributes.get("map"))
        elif not op.name.startswith(_PURE):
            loaded.clear()
        kept.append(op)
    found = len(kept) < len(block.ops)
    block.ops = kept
    return found


def _clean(blocks: Sequence[Block]) -> None:
    uses: dict[int, int] = {}
    count_uses(blocks, uses)
    _without_unused(blocks, uses)


def _count(blocks: Sequence[Block], found: int) -> int:
    """Operations of a function; `found` where next to none of them is on whole numbers."""
    whole, total = _counts(blocks)
    return total if whole >= _LEAST else found


def _counts(blocks: Sequence[Block]) -> tuple[int, int]:
    whole = total = 0
    if len(blocks) > 1:  # whose order says nothing of what comes before
        return -_MOST, _MOST + 1
    for block in blocks:
        for op in block.ops:
            total += 1
            whole += (op.name in _READ and op.name not in _CASTS) or op.name == "arith.select"
            for region in op.regions:
                one, other = _counts(region)
                whole, total = whole + one, total + other
    return whole, total


def _without_unused(blocks: Sequence[Block], uses: dict[int, int]) -> None:
    """Leave out what nobody uses, the last first: operations, and loops that do nothing else (`LoopDeletion`)."""
    for block in reversed(blocks):
        kept = []
        for op in reversed(block.ops):
            if not any(uses.get(value) for value in op.results):
                if not op.regions and (op.name.startswith(_PURE) or op.name in _LOADS):
                    for value in op.operands:
                        uses[value] -= 1
                    continue
                if op.name in _CARRYING and _does_nothing(op):
                    _forget(op, uses)
                    continue
            for region in op.regions:
                _without_unused(region, uses)
            kept.append(op)
        block.ops = kept[::-1]


def _does_nothing(loop: Op) -> bool:
    """Whether all that is in a loop gives results alone."""
    for op in loop.regions[0][0].ops:
        if op.regions:
            if op.name not in _CARRYING or not _does_nothing(op):
                return False
        elif not op.name.startswith(_PURE) and op.name not in _LOADS and op.name not in _ENDS:
            return False
    return True


def _forget(op: Op, uses: dict[int, int]) -> None:
    """Take the operands of an operation, and of those inside, out of what is used."""
    for value in op.operands:
        uses[value] -= 1
    for region in op.regions:
        for block in region:
            for inner in block.ops:
                _forget(inner, uses)
