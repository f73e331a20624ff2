"""Words of the token streams and of graph nodes: fixed lists, append only, since models hold positions."""

from __future__ import annotations

from functools import cache
from importlib import resources

UNKNOWN = "<unknown>"
STREAMS = ("ops", "ops_operands")
_SPECIAL = (UNKNOWN, "<open>", "<close>", "<argument>")
_ELEMENTS = ("f64", "f32", "f16", "bf16", "tf32", "i64", "i32", "i16", "i8", "i4", "i1", "index", "complex", "other")
_SHAPES = ("scalar", "vector", "memref", "tensor")
_EXACT = 64
_LARGEST = 40
_VALUES = 256


@cache
def op_words() -> tuple[str, ...]:
    """Special words, then operations."""
    text = (resources.files("featurizers.mlir") / "tables/ops.txt").read_text()
    return (*_SPECIAL, *(line for line in text.splitlines() if line and not line.startswith("#")))


@cache
def words(stream: str) -> tuple[str, ...]:
    """The vocabulary of a token stream, of graph ``nodes`` or of graph ``edges``. KeyError for another name."""
    if stream == "nodes":
        return op_words()
    if stream == "edges":
        return ("data", "nest")
    if stream not in STREAMS:
        raise KeyError(stream)
    numbers = [f"#{n}" for n in range(_EXACT + 1)]
    numbers += [f"#2^{k}" for k in range(6, _LARGEST)] + [f"#1.5*2^{k}" for k in range(6, _LARGEST)]
    common = (*op_words(), *_ELEMENTS, *_SHAPES, *numbers)
    if stream == "ops":
        return common
    return (*common, *(f"%{n}" for n in range(_VALUES)), "%more")


@cache
def index(stream: str) -> dict[str, int]:
    """Word -> position."""
    return {word: position for position, word in enumerate(words(stream))}


@cache
def number_word(number: int) -> str:
    """Small numbers by themselves, others by size to a factor of at most 1.5."""
    number = abs(number)
    if number <= _EXACT:
        return f"#{number}"
    power = min(number.bit_length() - 1, _LARGEST - 1)
    return f"#1.5*2^{power}" if number >= 3 << (power - 1) else f"#2^{power}"


def value_word(number: int) -> str:
    """A value by its number in the module."""
    return f"%{number}" if number < _VALUES else "%more"
