"""Values of a function that is being written, with operators that write the operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costmodel.mlir.generators.writer import is_float

if TYPE_CHECKING:
    from costmodel.mlir.generators.code import Code

Number = int | float

ARITH = {
    "add": ("addf", "addi", "addi"),
    "sub": ("subf", "subi", "subi"),
    "mul": ("mulf", "muli", "muli"),
    "div": ("divf", "divsi", "divui"),
    "rem": ("remf", "remsi", "remui"),
    "max": ("maximumf", "maxsi", "maxui"),
    "min": ("minimumf", "minsi", "minui"),
    "and": ("", "andi", "andi"),
    "or": ("", "ori", "ori"),
    "xor": ("", "xori", "xori"),
    "shl": ("", "shli", "shli"),
    "shr": ("", "shrsi", "shrui"),
}
"""Of floats, signed integers, unsigned ones."""


def plain(kind: str) -> str:
    """The type in MLIR, whose integers have no sign: ``u8`` is i8 on which operations are unsigned."""
    return kind.replace("u", "i")


def width(kind: str) -> int:
    """Bits of a number's type."""
    return int(kind[1:])


def sign(kind: str) -> int:
    """0 of floats, 1 of signed integers, 2 of unsigned ones."""
    return 0 if is_float(kind) else 2 if kind[0] == "u" or kind in ("index", "i1") else 1


class Value:
    """A value of the function that `code` writes; operators write the operation."""

    def __init__(self, code: Code, name: str, kind: str):
        self.code, self.name, self.kind = code, name, kind

    def __add__(self, other: Value | Number) -> Value:
        return self.code.binary("add", self, other)

    def __radd__(self, other: Number) -> Value:
        return self.code.binary("add", self, other)

    def __sub__(self, other: Value | Number) -> Value:
        return self.code.binary("sub", self, other)

    def __rsub__(self, other: Number) -> Value:
        return self.code.binary("sub", other, self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.code.binary("mul", self, other)

    def __rmul__(self, other: Number) -> Value:
        return self.code.binary("mul", self, other)

    def __truediv__(self, other: Value | Number) -> Value:
        return self.code.binary("div", self, other)

    def __rtruediv__(self, other: Number) -> Value:
        return self.code.binary("div", other, self)

    def __mod__(self, other: Value | Number) -> Value:
        return self.code.binary("rem", self, other)

    def __and__(self, other: Value | Number) -> Value:
        return self.code.binary("and", self, other)

    def __or__(self, other: Value | Number) -> Value:
        return self.code.binary("or", self, other)

    def __xor__(self, other: Value | Number) -> Value:
        return self.code.binary("xor", self, other)

    def __lshift__(self, other: Value | Number) -> Value:
        return self.code.binary("shl", self, other)

    def __rshift__(self, other: Value | Number) -> Value:
        return self.code.binary("shr", self, other)

    def __lt__(self, other: Value | Number) -> Value:
        return self.code.compare("lt", self, other)

    def __le__(self, other: Value | Number) -> Value:
        return self.code.compare("le", self, other)

    def __gt__(self, other: Value | Number) -> Value:
        return self.code.compare("gt", self, other)

    def __ge__(self, other: Value | Number) -> Value:
        return self.code.compare("ge", self, other)

    def same(self, other: Value | Number) -> Value:
        """Whether they are equal."""
        return self.code.compare("eq", self, other)

    def max(self, other: Value | Number) -> Value:
        """The larger."""
        return self.code.binary("max", self, other)

    def min(self, other: Value | Number) -> Value:
        """The smaller."""
        return self.code.binary("min", self, other)

    def clamp(self, low: Value | Number, high: Value | Number) -> Value:
        """Held between two bounds."""
        return self.max(low).min(high)

    def rotate(self, amount: int) -> Value:
        """Bits rotated to the left; of an unsigned type."""
        return (self << amount) | (self >> (width(self.kind) - amount))

    def then(self, yes: Value | Number, no: Value | Number) -> Value:
        """One of two values by this condition."""
        kind = next(v.kind for v in (yes, no) if isinstance(v, Value))
        chosen = ", ".join(self.code.known(v, kind).name for v in (yes, no))
        return self.code.new(f"arith.select {self.name}, {chosen} : {plain(kind)}", kind)

    def math(self, name: str, *others: Value) -> Value:
        """An operation of the math dialect."""
        operands = ", ".join(v.name for v in (self, *others))
        return self.code.new(f"math.{name} {operands} : {plain(self.kind)}", self.kind)

    def abs(self) -> Value:
        """The absolute value."""
        return self.math("absf" if is_float(self.kind) else "absi")

    def to(self, kind: str) -> Value:
        """Converted: extended by the sign of its own type, cut, rounded to the nearest or toward zero."""
        if plain(kind) == plain(self.kind):
            return Value(self.code, self.name, kind)
        name = _cast(self.kind, kind)
        return self.code.new(f"arith.{name} {self.name} : {plain(self.kind)} to {plain(kind)}", kind)

    def bits(self, kind: str) -> Value:
        """The same bits as another type."""
        return self.code.new(f"arith.bitcast {self.name} : {plain(self.kind)} to {plain(kind)}", kind)


def _cast(old: str, new: str) -> str:
    signed = "s" if sign(old) == 1 else "u"
    if "index" in (old, new):
        return "index_cast" if sign(old if new == "index" else new) == 1 else "index_castui"
    if is_float(old):
        if is_float(new):
            return "extf" if width(new) > width(old) else "truncf"
        return "fptosi" if sign(new) == 1 else "fptoui"
    if is_float(new):
        return f"{signed}itofp"
    return f"ext{signed}i" if width(new) > width(old) else "trunci"
