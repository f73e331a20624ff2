"""A parsed module as plain values: what leaves the C++ parser, and all that the rest of this package reads.

Structs of msgspec, so that a worker process hands them over as MessagePack (typed, no pickle) in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

DYNAMIC = -1
"""A dimension, stride or offset that is not known at compile time."""


class Type(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A type. kind : memref, tensor, vector, float, int, index, complex, function, other.

    element : of a shaped type its element, e.g. ``f32``; otherwise the type itself. bits : of one element; 0 where it
    has none. shape : dims, DYNAMIC where unknown. strides : of a memref in elements, empty where not strided.
    """

    kind: str
    element: str
    bits: int
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    space: int = 0

    @property
    def is_float(self) -> bool:
        """Whether one element is a floating-point number."""
        return self.element[0] in "fb" and self.bits > 0

    @property
    def size(self) -> int:
        """Number of elements, DYNAMIC dims counted as one."""
        total = 1
        for dim in self.shape:
            total *= max(dim, 1)
        return total


class Op(msgspec.Struct, array_like=True, gc=False):
    """One operation. operands, results : value ids. attributes : those that `wanted.ATTRIBUTES` names, as plain values.
    successors : indices of blocks of the same region, of a terminator that has them. line, column : 0 when unknown."""

    name: str
    operands: list[int]
    results: list[int]
    attributes: dict[str, Any]
    regions: list[list[Block]]
    successors: list[int]
    line: int
    column: int


class Block(msgspec.Struct, array_like=True, gc=False):
    """A basic block. arguments : value ids."""

    arguments: list[int]
    ops: list[Op]


EMPTY = "tensor.empty"


class Module(msgspec.Struct, array_like=True, gc=False):
    """A module. value_types : of each value id, the index into `types`. size : number of operations. merged : whether
    empty tensors that the source has apart are one value here."""

    types: list[Type]
    value_types: list[int]
    ops: list[Op]
    size: int
    merged: bool = False

    def empty(self) -> int:
        """Empty tensors in the bodies of its functions."""
        bodies = [block for op in self.ops for region in op.regions for block in region]
        return sum([op.name == EMPTY for block in bodies for op in block.ops])

    def new_value(self, kind: int) -> int:
        """The id of one more value. kind : the index of its type."""
        self.value_types.append(kind)
        return len(self.value_types) - 1

    def type_of(self, value: int) -> Type:
        """The type of a value."""
        return self.types[self.value_types[value]]


def count_uses(blocks: Sequence[Block], uses: dict[int, int]) -> None:
    """Add up how many operands each value is, in these blocks and those inside."""
    for block in blocks:
        for op in block.ops:
            for value in op.operands:
                uses[value] = uses.get(value, 0) + 1
            for region in op.regions:
                count_uses(region, uses)
