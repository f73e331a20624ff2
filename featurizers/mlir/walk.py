"""A module of MLIR's bindings as plain values, in one walk over its bytecode.

Each call into the bindings costs 0.1-0.5 us, an operation needs a dozen of them, and the writer of bytecode is done
with one in 1.5 us: so the structure is read from there, and the bindings are asked for attributes, types and places
alone, for equal ones once.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from featurizers.errors import InputError
from featurizers.mlir.bytecode import IR, SIZES, names, section, skip_use_orders, varint, written
from featurizers.mlir.module import Block, Module, Op, Type
from featurizers.mlir.reading import read_attribute, read_type
from featurizers.mlir.wanted import wanted

_WITH_SUCCESSORS = frozenset({"cf.br", "cf.cond_br", "cf.switch", "llvm.br", "llvm.cond_br", "llvm.switch"})
_ATTRIBUTES, _RESULTS, _OPERANDS, _SUCCESSORS, _REGIONS, _USE_ORDERS, _PROPERTIES = (1 << bit for bit in range(7))
_REST = _SUCCESSORS | _USE_ORDERS | _REGIONS
_MISSING = object()
_MAX_NAMED = 256


class Walker:
    """Reads modules of one context, and remembers its types and attributes.

    They are unique in their context and live as long as it does, so they are known by their hash (that of their
    address, 61 bits): comparing them costs as much as reading them.
    """

    def __init__(self) -> None:
        self._types: dict[int, Type] = {}
        self._attributes: dict[int, Any] = {}
        self._named: dict[tuple[bytes, bytes], list[Named]] = {}

    def module(self, operation: Any) -> Module:
        """The module (or any operation with regions); ids of values go up in each region.

        Raises InputError where its bytecode is not what `bytecode` reads.
        """
        try:
            return _Walk(self, operation).run()
        except (ValueError, IndexError, KeyError) as error:
            rule = f"cannot be read back from MLIR's bytecode: {error}"
            raise InputError("The module", rule, where="line 1, column 1") from error

    def type(self, found: Any) -> Type:
        """A type of the bindings as plain values."""
        key = hash(found)
        known = self._types.get(key)
        if known is None:
            known = self._types[key] = read_type(found)
        return known

    def attribute(self, found: Any) -> Any:
        """An attribute of the bindings as plain values."""
        key = hash(found)
        known = self._attributes.get(key, _MISSING)
        if known is _MISSING:
            known = self._attributes[key] = read_attribute(found)
        return known

    def named(self, dialects: bytes, strings: bytes) -> list[Named]:
        """Operations by their number in bytecode that has these sections."""
        known = self._named.get((dialects, strings))
        if known is None:
            if len(self._named) >= _MAX_NAMED:
                self._named.clear()
            known = [Named(name, *wanted(name), name in _WITH_SUCCESSORS) for name in names(dialects, strings)]
            self._named[dialects, strings] = known
        return known


class Named(NamedTuple):
    """An operation's name, and what is read of it. branches : whether it ends a block by going on to others."""

    name: str
    attributes: tuple[str, ...]
    placed: bool
    branches: bool


def _flat(operation: Any) -> list[Any]:
    """An operation and all inside, each before those in its regions. A walk of the bindings makes no view class of each
    operation, which iterating over a block does (2 us)."""
    from iree.compiler.ir import WalkOrder, WalkResult

    found: list[Any] = []
    notes = _noting(found, WalkResult.ADVANCE)
    next(notes)
    operation.operation.walk(notes.send, WalkOrder.PRE_ORDER)
    return found


def _noting(found: list[Any], answer: Any) -> Generator[Any, Any, None]:
    """Keeps what it is sent: cheaper to call from C++ than a function."""
    while True:
        found.append((yield answer))


class _Walk:
    def __init__(self, walker: Walker, operation: Any):
        self.walker = walker
        self.data, self.start, dialects, strings = written(operation.operation)
        self.names = walker.named(dialects, strings)
        self.flat = _flat(operation)
        self.read = 0
        self.types: list[Type] = []
        self.type_ids: dict[int, int] = {}
        self.value_types: list[int] = []
        self.attributes: dict[tuple[str, bytes], dict[str, Any]] = {}

    def run(self) -> Module:
        _, at = varint(self.data, self.start)
        (root,), _, _ = self.ops(at, 1, [], 0)
        if self.read != len(self.flat):
            raise ValueError(f"{self.read} of {len(self.flat)} operations were found in the bytecode.")
        ops = [op for region in root.regions for block in region for op in block.ops]
        return Module(self.types, self.value_types, ops, self.read - 1)

    def region(self, at: int, scope: list[int], owner: int, position: int) -> tuple[list[Block], int]:
        """The blocks of a region, and where the next thing starts. scope : ids of the values that it may use; its own
        are added while it is read. owner : number of the operation that it belongs to."""
        data = self.data
        blocks, at = varint(data, at)
        if not blocks:
            return [], at
        values, at = varint(data, at)
        outside, first = len(scope), len(self.value_types)
        scope.extend(range(first, first + values))
        self.value_types.extend([0] * values)
        found = []
        for index in range(blocks):
            size, at = varint(data, at)
            arguments: list[int] = []
            if size & 1:
                arguments, at = self.arguments(at, first, (owner, position, index))
                first += len(arguments)
            ops, at, first = self.ops(at, size >> 1, scope, first)
            found.append(Block(arguments, ops))
        del scope[outside:]
        return found, at

    def arguments(self, at: int, first: int, place: tuple[int, int, int]) -> tuple[list[int], int]:
        """Ids of a block's arguments. place : operation, region and block."""
        data = self.data
        count, at = varint(data, at)
        for position in range(count):
            kind, at = varint(data, at)
            if kind & 1:
                at += SIZES[data[at]]  # its location
            known = self.type_ids.get(kind >> 1)
            if known is None:
                owner, region, block = place
                held = self.flat[owner].regions[region].blocks[block].arguments[position]
                known = self.new_type(kind >> 1, held.type)
            self.value_types[first + position] = known
        at += 1
        if data[at - 1]:
            at = skip_use_orders(data, at, count)
        return list(range(first, first + count)), at

    def ops(self, at: int, count: int, scope: list[int], first: int) -> tuple[list[Op], int, int]:
        """Operations one after the other, where the next thing starts, and the id of the next result. first : id of the
        first result.

        One long loop, without a call for each of the dozen numbers of an operation: it is where a walk's time goes.
        """
        data, named, ids, types, shared, sizes = (
            self.data, self.names, self.type_ids, self.value_types, self.attributes, SIZES,
        )  # fmt: skip
        found = []
        for _ in range(count):
            number = self.read
            self.read = number + 1
            start = at
            at += sizes[data[at]]
            key = data[start] >> 1 if at - start == 1 else varint(data, start)[0]
            name, wanted_here, placed, branches = named[key]
            mask = data[at]
            at += 1
            at += sizes[data[at]]  # its location
            start = at
            if mask & _ATTRIBUTES:
                at += sizes[data[at]]
            if mask & _PROPERTIES:
                at += sizes[data[at]]
            attributes = _NO_ATTRIBUTES
            if wanted_here:
                held = name, data[start:at]
                known = shared.get(held)
                attributes = self.read_attributes(held, wanted_here, number) if known is None else known
            results = _NO_VALUES
            if mask & _RESULTS:
                results = []
                start = at
                at += sizes[data[at]]
                made = data[start] >> 1 if at - start == 1 else varint(data, start)[0]
                for position in range(made):
                    start = at
                    at += sizes[data[at]]
                    kind = data[start] >> 1 if at - start == 1 else varint(data, start)[0]
                    if kind not in ids:
                        self.new_type(kind, self.flat[number].results[position].type)
                    types[first] = ids[kind]
                    results.append(first)
                    first += 1
            operands = _NO_VALUES
            if mask & _OPERANDS:
                operands = []
                start = at
                at += sizes[data[at]]
                used = data[start] >> 1 if at - start == 1 else varint(data, start)[0]
                for _ in range(used):
                    value = data[at]
                    if value & 1:
                        at += 1
                        operands.append(scope[value >> 1])
                    else:
                        value, at = varint(data, at)
                        operands.append(scope[value])
            successors, regions = _NO_VALUES, _NO_REGIONS
            if mask & _REST:
                successors, at = self.rest(at, mask, len(results))
                if mask & _REGIONS:
                    regions, at = self.regions(at, scope, number)
            line, column = _place(self.flat[number]) if placed else (0, 0)
            found.append(Op(name, operands, results, attributes, regions, successors if branches else [], line, column))
        return found, at, first

    def rest(self, at: int, mask: int, results: int) -> tuple[list[int], int]:
        """Blocks of its region to which an operation may go on."""
        successors = []
        if mask & _SUCCESSORS:
            count, at = varint(self.data, at)
            for _ in range(count):
                block, at = varint(self.data, at)
                successors.append(block)
        if mask & _USE_ORDERS:
            at = skip_use_orders(self.data, at, results)
        return successors, at

    def regions(self, at: int, scope: list[int], number: int) -> tuple[list[list[Block]], int]:
        """Regions of an operation. Those that use no value of the outside lie in one section, and start with none."""
        found = []
        count, at = varint(self.data, at)
        if count & 1:
            kind, at, _ = section(self.data, at)
            if kind != IR:
                raise ValueError(f"Regions lie in a section of kind {kind}.")
            scope = []
        for position in range(count >> 1):
            region, at = self.region(at, scope, number, position)
            found.append(region)
        return found, at

    def new_type(self, kind: int, found: Any) -> int:
        index = self.type_ids[kind] = len(self.types)
        self.types.append(self.walker.type(found))
        return index

    def read_attributes(self, key: tuple[str, bytes], names: tuple[str, ...], number: int) -> dict[str, Any]:
        """Attributes by name; operations of one name with equal ones share them. key : the name, and the numbers of
        its attributes and properties as they are written."""
        held = self.flat[number].attributes
        read = self.walker.attribute
        found = self.attributes[key] = {}
        for name in names:
            value = held.get(name)
            if value is not None:
                found[name] = read(value)
        return found


_NO_ATTRIBUTES: dict[str, Any] = {}
_NO_VALUES: list[int] = []
_NO_REGIONS: list[list[Block]] = []
"""Shared by all operations without: a module is not written to, and Python's collector counts lists."""


def _place(operation: Any) -> tuple[int, int]:
    location = operation.location
    try:
        return int(location.start_line), int(location.start_col)
    except AttributeError:  # not a place in a file
        return 0, 0
