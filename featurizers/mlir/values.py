"""Values of straight-line code, before any instruction is chosen for them."""

from __future__ import annotations

from typing import NamedTuple

CONSTANT, ARGUMENT = "constant", "argument"


class Value(NamedTuple):
    """op : without its dialect, of constants and arguments their kind. number : of constants their value, of
    comparisons their predicate, of arguments their position. real : of floating point."""

    op: str
    bits: int
    args: tuple[int, ...] = ()
    number: int = 0
    real: bool = False
