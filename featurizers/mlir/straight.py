"""A function that is one block of scalars, as values that instruction combining has simplified.

What such a function costs depends on which values are left and in which registers they wait: its block is all that
there is. Sources (LLVM 22): `EarlyCSE`, `InstructionSimplify.cpp` and `InstCombine*.cpp` (what a value on itself, on
zero or on what it was made of comes to).
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import TYPE_CHECKING

import msgspec

from featurizers.mlir.branches import MOST_CHOICES, SPECULATED
from featurizers.mlir.folds import fold
from featurizers.mlir.intervals import Interval, interval
from featurizers.mlir.known_bits import zeros
from featurizers.mlir.module import Block, Op
from featurizers.mlir.patterns import turned
from featurizers.mlir.values import ARGUMENT, CONSTANT, Value

if TYPE_CHECKING:
    from featurizers.mlir.build import Builder

MOST = 256
"""Operations up to which a function is followed."""
_BITS = frozenset((0, 1, 8, 16, 32, 64))
_WAYS = 2
_DIVISIONS = frozenset(("arith.divui", "arith.divsi", "arith.remui", "arith.remsi", "arith.divf"))
"""Too dear to be computed for nothing."""
INTEGER = {
    "arith.addi": "add", "arith.subi": "sub", "arith.muli": "mul", "arith.andi": "and", "arith.ori": "or",
    "arith.xori": "xor", "arith.shli": "shl", "arith.shrui": "lshr", "arith.shrsi": "ashr", "arith.maxsi": "smax",
    "arith.minsi": "smin", "arith.maxui": "umax", "arith.minui": "umin", "arith.divui": "udiv", "arith.divsi": "sdiv",
    "arith.remui": "urem", "arith.remsi": "srem", "math.absi": "abs", "math.ctpop": "ctpop", "math.ctlz": "ctlz",
    "math.cttz": "cttz", "arith.extsi": "sext", "arith.extui": "zext", "arith.trunci": "trunc",
    "arith.index_cast": "sext", "arith.index_castui": "zext", "index.add": "add", "index.sub": "sub",
    "index.mul": "mul",
}  # fmt: skip
_REAL = {
    "arith.addf": "fadd", "arith.subf": "fsub", "arith.mulf": "fmul", "arith.divf": "fdiv", "arith.negf": "fneg",
    "math.fma": "fma", "math.absf": "fabs", "math.sqrt": "fsqrt", "arith.maximumf": "fmaximum",
    "arith.minimumf": "fminimum", "arith.maxnumf": "fmaxnum", "arith.minnumf": "fminnum", "arith.extf": "fext",
    "arith.truncf": "ftrunc", "arith.sitofp": "sitofp", "arith.uitofp": "uitofp", "arith.fptosi": "fptosi",
    "arith.fptoui": "fptoui", "math.floor": "fround", "math.ceil": "fround", "math.trunc": "fround",
    "math.roundeven": "fround",
}  # fmt: skip
COMMUTATIVE = frozenset(
    ("add", "mul", "and", "or", "xor", "smax", "smin", "umax", "umin", "fadd", "fmul", "fmaximum", "fminimum",
     "fmaxnum", "fminnum")
)  # fmt: skip


class Straight(msgspec.Struct):
    """values : each after those that it is of. arguments : bits and whether real, of each. results : what is returned.
    used : values that results need, in order."""

    values: list[Value] = msgspec.field(default_factory=list)
    arguments: list[tuple[int, bool]] = msgspec.field(default_factory=list)
    results: list[int] = msgspec.field(default_factory=list)
    used: list[int] = msgspec.field(default_factory=list)


class Reader:
    def __init__(self, b: Builder):
        self.b = b
        self.values: list[Value] = []
        self.zeros: list[int] = []
        self.intervals: list[Interval] = []
        self.known: dict[Value, int] = {}
        self.of: dict[int, int] = {}
        self.bits: dict[int, tuple[int, tuple[int, ...]]] = {}

    def constant(self, number: int, bits: int) -> int:
        return self.keep(Value(CONSTANT, bits, (), number & ((1 << bits) - 1)))

    def keep(self, value: Value) -> int:
        """The number of a value, the same for equal ones."""
        found = self.known.get(value)
        if found is None:
            found = self.known[value] = len(self.values)
            known = zeros(self.values, value, [self.zeros[argument] for argument in value.args])
            bounds = interval(self.values, value, [self.intervals[argument] for argument in value.args], known)
            if bounds[0] >= 0 and not value.real:
                known = max(known, value.bits - bounds[1].bit_length())
            self.zeros.append(known)
            self.intervals.append(bounds)
            self.values.append(value)
        return found

    def make(self, value: Value) -> int:
        """A value, or what it comes to."""
        op, bits, args, number, real = value
        if op in COMMUTATIVE and len(args) > 1:
            is_constant = self.values[args[0]].op == CONSTANT, self.values[args[1]].op == CONSTANT
            if (is_constant[0], args[0]) > (is_constant[1], args[1]):
                value = Value(op, bits, (args[1], args[0]), number, real)
        found = fold(self, value)
        if found is None and op == "or" and bits > 1:
            name = turned(self, self.bits, value)
            if name:
                value = Value(name, bits, (self.bits[value.args[0]][0],))
        return self.keep(value) if found is None else found

    def read(self, op: Op) -> bool:
        """Whether an operation is one that is known here."""
        name = op.name
        if name == "arith.constant":
            return self._constant(op)
        if name == "scf.if":
            return self._choice(op)
        if len(op.results) != 1:
            return False
        kind = self.b.type(op.results[0])
        if kind.kind not in ("int", "index", "float") or kind.element == "bf16" or kind.bits not in _BITS:
            return False
        if not all(value in self.of for value in op.operands):
            return False
        args = tuple([self.of[value] for value in op.operands])
        bits, real, number = kind.bits or 64, kind.kind == "float", 0
        if name in INTEGER:
            made = INTEGER[name]
            if made in ("sext", "zext") and self.values[args[0]].bits == bits:
                self.of[op.results[0]] = args[0]
                return True
            if made == "sext" and self.values[args[0]].bits > bits:
                made = "trunc"
        elif name in _REAL:
            made = _REAL[name]
        elif name == "arith.cmpi":
            made, number = "icmp", int(op.attributes.get("predicate") or 0)
            bits = 1
        elif name == "arith.cmpf":
            made = "fcmp"
        elif name == "arith.select":
            made = "select"
        else:
            return False
        self.of[op.results[0]] = self.make(Value(made, bits, args, number, real))
        return True

    def _choice(self, op: Op) -> bool:
        """A branch without effects that is computed always (`FoldTwoEntryPHINode`)."""
        condition = self.of.get(op.operands[0])
        if condition is None or not 0 < len(op.results) <= MOST_CHOICES or len(op.regions) != _WAYS:
            return False
        ways: list[list[int]] = []
        for blocks in op.regions:
            if len(blocks) != 1 or sum([each.name != "arith.constant" for each in blocks[0].ops]) - 1 > SPECULATED:
                return False
            *ops, last = blocks[0].ops
            if any(each.regions or each.name in _DIVISIONS or not self.read(each) for each in ops):
                return False
            if not all(value in self.of for value in last.operands):
                return False
            ways.append([self.of[value] for value in last.operands])
        for result, one, other in zip(op.results, *ways, strict=True):
            kind = self.b.type(result)
            made = Value("select", kind.bits or 64, (condition, one, other), 0, kind.kind == "float")
            self.of[result] = self.make(made)
        return True

    def _constant(self, op: Op) -> bool:
        kind, number = self.b.type(op.results[0]), op.attributes.get("value")
        if kind.kind == "float" and isinstance(number, (int, float)):
            self.of[op.results[0]] = self.keep(Value(CONSTANT, kind.bits, (), _pattern(float(number)), True))
            return True
        if kind.kind not in ("int", "index") or not isinstance(number, (int, bool)):
            return False
        self.of[op.results[0]] = self.constant(int(number), kind.bits or 64)
        return True


def _pattern(number: float) -> int:
    """A number of floating point as the bits of it."""
    return int.from_bytes(pack("<d", number), "little")


def straight(b: Builder, blocks: Sequence[Block]) -> Straight | None:
    """The values of a function's body; None where it is anything but scalars in one block."""
    if len(blocks) != 1 or not 0 < len(blocks[0].ops) <= MOST:
        return None
    reader = Reader(b)
    found = Straight(reader.values)
    for position, value in enumerate(blocks[0].arguments):
        kind = b.type(value)
        if kind.kind not in ("int", "index", "float") or value in b.forms or kind.bits not in _BITS:
            return None
        found.arguments.append((kind.bits or 64, kind.kind == "float"))
        reader.of[value] = reader.keep(Value(ARGUMENT, kind.bits or 64, (), position, kind.kind == "float"))
    *ops, last = blocks[0].ops
    for op in ops:
        if not reader.read(op):
            return None
    found.results = [reader.of[value] for value in last.operands]
    found.used = _used(reader.values, found.results)
    return found


def _used(values: Sequence[Value], results: Sequence[int]) -> list[int]:
    wanted, left = set(results), list(results)
    while left:
        for argument in values[left.pop()].args:
            if argument not in wanted:
                wanted.add(argument)
                left.append(argument)
    return sorted(wanted)
