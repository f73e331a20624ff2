"""Just enough of LLVM's textual IR: blocks, branches and integer values as functions of the loops' iterations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from costmodel.mlir.labelling.scev import Iteration, Value, wrap

VSCALE = 2
"""Neoverse V1 has 256-bit SVE registers (2 x 128), SiFive P670 128-bit vector registers (2 x 64)."""

_NAME = r'%(?:"[^"]+"|[\w.$-]+)'
_DEFINE = re.compile(r'^define [^@]*@"?([\w.$-]+)"?\(')
_POINTER = re.compile(rf"ptr (?:[a-z_]+(?:\([^)]*\))? )*({_NAME})")
_BLOCK = re.compile(r'^"?([\w.$-]+)"?:')
_VALUE = re.compile(rf"^  ({_NAME}) = (.+)$")
_BRANCH = re.compile(rf"^  br i1 ({_NAME}|true|false), label ({_NAME}), label ({_NAME})")
_JUMP = re.compile(rf"^  br label ({_NAME})")
_INCOMING = re.compile(rf"\[ ([^,\]]+), ({_NAME}) \]")
_BINARY = re.compile(
    r"^(add|sub|mul|and|or|xor|shl|lshr|ashr|udiv|sdiv|urem|srem) ([a-z ]*?)(i\d+) ([^,]+), (\S+?)(?:,.*)?$"
)
_COMPARE = re.compile(r"^icmp (?:samesign )?(\w+) i\d+ ([^,]+), (\S+?)(?:,.*)?$")
_POINTER_COMPARE = re.compile(r"^icmp (?:samesign )?(\w+) ptr ([^,]+), (\S+?)(?:,.*)?$")
_OFFSET = re.compile(rf"^getelementptr [a-z ]*?(i\d+|half|float|double|ptr), ptr ({_NAME}), i64 (\S+?)(?:,.*)?$")
_TO_INT = re.compile(rf"^ptrtoint (ptr) ({_NAME}) to (i64)$")
_AFTER_REMAINDER = re.compile(r"\.unr\d*$")
"""Where the iterations that unrolling left over have been done first, the index that its copies start at."""
_BELOW = ("slt", "ult")
_BYTES = {"half": 2, "float": 4, "double": 8, "ptr": 8}
_FAR = 1 << 36
"""Distance of buffers: what a run-time alias check sees when it compares two of them."""
_SELECT = re.compile(rf"^select i1 ({_NAME}), i\d+ ([^,]+), i\d+ (\S+?)(?:,.*)?$")
_CAST = re.compile(r"^(zext|sext|trunc) (?:[a-z]+ )*(i\d+) (\S+) to (i\d+)$")
_MINMAX = re.compile(r"^(?:tail )?call .*@llvm\.([us])(min|max)\.i\d+\(i\d+ ([^,]+), i\d+ ([^)]+)\)")
_SATURATING = re.compile(r"^(?:tail )?call .*@llvm\.(usub)\.sat\.i\d+\(i\d+ ([^,]+), i\d+ ([^)]+)\)")
_VECTOR_LENGTH = re.compile(
    rf"@llvm\.experimental\.get\.vector\.length\.i\d+\(i\d+ ({_NAME}), i32 (\d+), i1 (true|false)\)"
)
_LANE_MASK = re.compile(rf"@llvm\.get\.active\.lane\.mask\.nxv(\d+)i1\.i\d+\(i\d+ ({_NAME}|\d+), i\d+ ({_NAME}|\d+)\)")


@dataclass
class IrFunction:
    """Definitions and two-way branches of one function; names without the percent sign."""

    values: dict[str, str] = field(default_factory=dict)
    phis: dict[str, tuple[str, list[tuple[str, str]]]] = field(default_factory=dict)
    """Name to (its block, [(incoming value, from block)])."""
    branches: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Block to (condition, block if true, block if false)."""
    jumps: dict[str, str] = field(default_factory=dict)
    """Block to the one block that it goes on to."""
    pointers: dict[str, int] = field(default_factory=dict)
    """Arguments that are buffers, numbered."""


def bare(name: str) -> str:
    """A value's or block's name without percent sign and quotes."""
    return name.strip().lstrip("%").strip('"')


def parse_ir(text: str) -> dict[str, IrFunction]:
    """Function to its definitions."""
    functions: dict[str, IrFunction] = {}
    function, block = IrFunction(), ""
    for line in text.splitlines():
        if not line.startswith("  "):
            if found := _DEFINE.match(line):
                function = functions.setdefault(found[1], IrFunction())
                function.pointers = {bare(name): n + 1 for n, name in enumerate(_POINTER.findall(line))}
            elif found := _BLOCK.match(line):
                block = found[1]
        elif found := _VALUE.match(line):
            name, body = bare(found[1]), found[2]
            if body.startswith("phi "):
                function.phis[name] = (block, [(v.strip(), bare(b)) for v, b in _INCOMING.findall(body)])
            elif not body.startswith(("load", "f")) or body.startswith("freeze"):
                function.values[name] = body
        elif found := _JUMP.match(line):
            function.jumps[block] = bare(found[1])
        elif found := _BRANCH.match(line):
            function.branches[block] = (bare(found[1]), bare(found[2]), bare(found[3]))
    return functions


class Evaluator:
    """Integer values of a function at given iterations of its loops. Unknown (None) for what depends on data."""

    def __init__(self, function: IrFunction, headers: set[str], iteration: Iteration):
        self._function = function
        self._headers = headers
        self._iteration = iteration
        self._cache: dict[str, Value | None] = {}

    def value(self, operand: str) -> Value | None:
        """Value of an operand: a literal or a name (with or without percent sign)."""
        operand = operand.strip()
        if re.fullmatch(r"-?\d+", operand):
            return int(operand)
        if operand in ("true", "false"):
            return int(operand == "true")
        if operand == "vscale":
            return VSCALE
        name = bare(operand)
        if name not in self._cache:
            self._cache[name] = None
            self._cache[name] = self._define(name)
        return self._cache[name]

    def _define(self, name: str) -> Value | None:
        if name in self._function.phis:
            return self._phi(name)
        if name in self._function.pointers:
            return self._function.pointers[name] * _FAR
        body = self._function.values.get(name)
        if body is None:
            return None
        for pattern, compute in _FORMS:
            if found := pattern.match(body):
                operands = [self.value(operand) for operand in found.groups()[-2:]]
                return compute(self, found, operands)
        if "@malloc(" in body or "@calloc(" in body or body.startswith("alloca "):
            return (len(self._function.pointers) + 1 + sorted(self._function.values).index(name)) * _FAR
        if "@llvm.vscale" in body:
            return VSCALE
        if body.startswith("freeze "):
            return self.value(body.rsplit(" ", 1)[1])
        return None

    def _phi(self, name: str) -> Value | None:
        block, incoming = self._function.phis[name]
        if block in self._headers:
            return self._induction(name, block, incoming)
        values = [value for value in (self.value(operand) for operand, _ in incoming) if value is not None]
        if len(values) == 1 and _AFTER_REMAINDER.search(name):
            return values[0]  # counts of what unrolling left, divided by the copies, are those of all that there was
        if len(values) != len(incoming):
            return None
        # Where a vectorised loop hands over to its remainder, the larger start is the one that was reached.
        return np.maximum.reduce(np.broadcast_arrays(*values)) if any(map(_is_array, values)) else max(values)

    def _induction(self, name: str, header: str, incoming: list[tuple[str, str]]) -> Value | None:
        index = self._iteration(header)
        if index is None:
            return None
        starts = [operand for operand, _ in incoming if self._step(name, operand) is None]
        steps = [step for step in (self._step(name, operand) for operand, _ in incoming) if step is not None]
        if len(starts) == 2 and not steps:
            return self._two_values(index, incoming)
        if len(starts) != 1 or len(steps) != 1:
            return None
        start = self.value(starts[0])
        return None if start is None else start + steps[0] * index

    def _two_values(self, index: Value, incoming: list[tuple[str, str]]) -> Value | None:
        """A counter of two iterations, whose next value was folded to a constant: it counts up."""
        low, high = (self.value(operand) for operand, _ in incoming)
        if not isinstance(low, int) or not isinstance(high, int):
            return None
        return min(low, high) + abs(high - low) * index

    def vector_length_trips(self, header: str) -> Value | None:
        """Back-edge count of a RISC-V loop that asks each time how many elements it may do (``get.vector.length``)."""
        for body in self._function.values.values():
            found = _VECTOR_LENGTH.search(body)
            if found is None:
                continue
            block, incoming = self._function.phis.get(bare(found[1]), ("", []))
            starts = [value for value in (self.value(operand) for operand, _ in incoming) if value is not None]
            if block == header and len(starts) == 1:
                lanes = int(found[2]) * (VSCALE if found[3] == "true" else 1)
                return (starts[0] + lanes - 1) // lanes - 1
        return None

    def masked_trips(self, header: str) -> Value | None:
        """Back-edge count of a loop over masked vectors (``get.active.lane.mask``): it ends when no lane is active."""
        for name, (block, incoming) in self._function.phis.items():
            if block != header:
                continue
            bodies = [self._function.values.get(bare(operand), "") for operand, _ in incoming]
            found = [match for match in map(_LANE_MASK.search, bodies) if match]
            entry = next((match for match in found if re.fullmatch(r"\d+", match[2])), None)
            if len(found) != 2 or entry is None or name is None:
                continue
            total = self.value(entry[3])
            lanes = int(entry[1]) * VSCALE
            return None if total is None else (total - int(entry[2]) + lanes - 1) // lanes - 1
        return None

    def counted_trips(self, header: str) -> Value | None:
        """Back-edge count of a loop that ends when its counter equals a bound (steps of a scalable vector's length), or
        is no longer below it."""
        for condition, if_true, if_false in self._function.branches.values():
            if header not in (if_true, if_false):
                continue
            found = _COMPARE.match(self._function.values.get(condition, ""))
            if found is None or not (found[1] in ("eq", "ne") or (found[1] in _BELOW and header == if_true)):
                continue
            for counter, bound in ((found[2], found[3]), (found[3], found[2]))[: 1 if found[1] in _BELOW else 2]:
                count = self._steps_to(header, bare(counter), bound, found[1] in _BELOW)
                if count is not None:
                    return count
        return None

    def _steps_to(self, header: str, counter: str, bound: str, below: bool) -> Value | None:
        for name, (block, incoming) in self._function.phis.items():
            if block != header or all(bare(operand) != counter for operand, _ in incoming):
                continue
            step, end = self._step(name, counter), self.value(bound)
            starts = [
                value
                for operand, _ in incoming
                if bare(operand) != counter and (value := self.value(operand)) is not None
            ]
            if step is not None and end is not None and len(starts) == 1 and not np.any(np.asarray(step) == 0):
                if below:
                    return np.maximum(-((starts[0] - end) // step) - 1, 0) if np.all(np.asarray(step) > 0) else None
                return (end - starts[0]) // step - 1
        return None

    def _step(self, name: str, operand: str) -> Value | None:
        moved = _OFFSET.match(self._function.values.get(bare(operand), ""))
        if moved is not None and bare(moved[2]) == name:
            step = self.value(moved[3])
            return None if step is None else step * _size(moved[1])
        found = _BINARY.match(self._function.values.get(bare(operand), ""))
        if found is None or found[1] not in ("add", "sub") or bare(found[4]) != name:
            return None
        step = self.value(found[5])
        if step is None:
            return None
        return step if found[1] == "add" else -step


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _binary(_: Evaluator, found: re.Match[str], operands: list[Value | None]) -> Value | None:
    left, right = operands
    if left is None or right is None:
        return None
    name = found[1]
    if name in ("udiv", "sdiv", "urem", "srem") and np.any(np.asarray(right) == 0):
        return None
    return _ARITHMETIC[name](left, right)


_ARITHMETIC: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "lshr": lambda a, b: a >> b,
    "ashr": lambda a, b: a >> b,
    "udiv": lambda a, b: a // b,
    "sdiv": lambda a, b: a // b,
    "urem": lambda a, b: a % b,
    "srem": lambda a, b: a % b,
}
_COMPARISONS: dict[str, Any] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def _compare(_: Evaluator, found: re.Match[str], operands: list[Value | None]) -> Value | None:
    left, right = operands
    if left is None or right is None:
        return None
    if found[1].startswith("u"):
        left, right = _unsigned(left), _unsigned(right)
    result = _COMPARISONS[found[1][-2:]](left, right)
    return result.astype(np.int64) if _is_array(result) else int(result)


def _unsigned(value: Value) -> Value:
    return value.astype(np.uint64) if _is_array(value) else value & ((1 << 64) - 1)


def _offset(_: Evaluator, found: re.Match[str], operands: list[Value | None]) -> Value | None:
    base, index = operands
    return None if base is None or index is None else base + index * _size(found[1])


def _size(kind: str) -> int:
    return _BYTES.get(kind) or max(int(kind[1:]) // 8, 1)


def _to_int(evaluator: Evaluator, found: re.Match[str], _: list[Value | None]) -> Value | None:
    return evaluator.value(found[2])


def _select(evaluator: Evaluator, found: re.Match[str], operands: list[Value | None]) -> Value | None:
    condition = evaluator.value(found[1])
    if condition is None or operands[0] is None or operands[1] is None:
        return None
    if any(map(_is_array, (condition, *operands))):
        return np.where(np.asarray(condition) != 0, *operands)
    return operands[0] if condition else operands[1]


def _cast(evaluator: Evaluator, found: re.Match[str], _: list[Value | None]) -> Value | None:
    value = evaluator.value(found[3])
    if value is None:
        return None
    return wrap(value, found[4] if found[1] == "trunc" else found[2], signed=found[1] == "sext")


def _minmax(_: Evaluator, found: re.Match[str], operands: list[Value | None]) -> Value | None:
    left, right = operands
    if left is None or right is None:
        return None
    if any(map(_is_array, operands)):
        return (np.minimum if found[2] == "min" else np.maximum)(left, right)
    return (min if found[2] == "min" else max)(left, right)


def _difference(_: Evaluator, found: re.Match[str], operands: list[Value | None]) -> Value | None:
    left, right = operands
    if left is None or right is None:
        return None
    return np.maximum(left - right, 0) if any(map(_is_array, operands)) else max(left - right, 0)


_FORMS: list[tuple[re.Pattern[str], Any]] = [
    (_BINARY, _binary),
    (_COMPARE, _compare),
    (_POINTER_COMPARE, _compare),
    (_OFFSET, _offset),
    (_TO_INT, _to_int),
    (_SELECT, _select),
    (_CAST, _cast),
    (_MINMAX, _minmax),
    (_SATURATING, _difference),
]
