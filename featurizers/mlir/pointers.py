"""Pointers that outlive calls: which of a function's buffers wait in registers that calls leave alone, and which on the
stack.

A function is taken as the row of nests that it runs one after the other. Spilled is what is needed again last (Belady
1966), which is close to what LLVM's greedy allocator does: it weighs a value by its uses and by how long it lives.
"""

from __future__ import annotations

from heapq import nlargest

import msgspec

from featurizers.mlir import opclass
from featurizers.mlir.addresses import apart
from featurizers.mlir.copied import Lanes, copied_pointers
from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import VECTORISABLE, Loop
from featurizers.mlir.nest import Moving, Nest

_SAVED = {"x86": 6, "aarch64": 11, "riscv": 12, "amdgpu": 0}
"""Registers for pointers that a call leaves alone."""


class Stage(msgspec.Struct, frozen=True):
    """A nest of a function. buffers : that it touches. calling : indices and pointers that it has around a call of
    the mathematical library, -1 where it makes none. own : indices and pointers that it has at once. tiled : those of
    loops over tiles beside them."""

    buffers: frozenset[int]
    calling: float
    own: float
    tiled: float


class Kept(msgspec.Struct, frozen=True):
    """A value that waits. first, last : stages between which it does; first is negative for an argument. made : what
    malloc gives."""

    first: int
    last: int
    made: bool


def stages(root: Loop, cpu: Cpu, lanes: Lanes) -> list[Stage]:
    """Of a function's body, in order; buffers that nothing reads any more are in none."""
    alive = {access.base for loop in root.walk() for access in (*loop.accesses, *loop.lifted)}
    left = {id(loop.nest): loop for loop in root.children}
    found = []
    for nest in root.nest.children:
        inside = nest.walk()
        touched = {access.base for one in inside for access in one.accesses} & alive
        calling = any(one.counts[opclass.LIBM] for one in inside)
        loops = [left[id(one)] for one in inside if id(one) in left]
        own = max([waiting_around(loop, cpu, lanes) for loop in loops], default=0.0)
        around = max([_around_calls(loop)[0] for loop in loops], default=0.0) if calling else 0.0
        begun = frozenset().union(*[one.starts for one in inside])
        tiled = max([_begun_from(loop, lanes, begun) for loop in loops], default=0.0) if begun else 0.0
        found.append(Stage(frozenset(touched), around if calling else -1.0, own, tiled))
    return found


Pointer = tuple[int, Moving | None]


def _around_calls(loop: Loop) -> tuple[float, set[Pointer], bool]:
    """Indices and pointers of the loops around a call at its deepest (0 where there is none), all of the pointers, and
    whether there is a call. Of each loop its index, and a pointer for each way in which a buffer is gone through, but
    that targets with scaled addressing need none in the innermost one."""
    found, calls = 0.0, loop.counts[opclass.LIBM] > 0
    pointers: set[Pointer] = {(access.base, access.moving) for access in loop.accesses}
    for child in loop.children:
        inner, others, called = _around_calls(child)
        found, calls = max(found, inner), calls or called
        pointers |= others
    if calls:
        iv = loop.nest.iv
        moving = sum([any(key == iv for key, _ in shape) for _, shape in pointers if shape])
        found += 1.0 + (moving if loop.children or loop.isa == "riscv" else 0)
    return found, pointers, calls


def held_addresses(loop: Loop) -> float:
    """Indices and pointers that are alive at once at the deepest point of a nest: of each loop around it, its index and
    the ways in which accesses move with it, and the results of checks that were made before it."""
    iv = loop.nest.iv
    own = 0.0
    if loop.nest.depth:
        own = 1.0 + sum([iv in dict(shape) for shape in loop.shapes if shape])
        if not loop.exact:
            own += _BOUND if loop.children else _BOUND + _LENGTHS
        own += sum([child.factor for child in loop.children if child.checks and child.legality == VECTORISABLE])
    return own + max([held_addresses(child) for child in loop.children], default=float(loop.live_int))


def waiting_around(loop: Loop, cpu: Cpu, lanes: Lanes) -> float:
    """Whole numbers that wait around the deepest point of a nest, beside the pointers that came from outside: what a
    body computes with, `_levels`, and what copies of loops inside go through."""
    return _BODY[cpu.isa] + _levels(loop, cpu, lanes) + copied_pointers(loop, cpu, lanes)


def _levels(loop: Loop, cpu: Cpu, lanes: Lanes) -> float:
    """Of each loop around, its index with its end or what its addresses start from; ways in which accesses move mostly
    share those. A vector loop has the ends of its parts beside it."""
    own, vf = 0.0, lanes.get(id(loop), 1)
    if loop.nest.depth:
        iv = loop.nest.iv
        own = _LEVEL + _WAY * sum([iv in dict(shape) for shape in loop.shapes if shape])
        if not loop.exact:
            own += _UNKNOWN if loop.children else 2.0 * _UNKNOWN
    if loop.children:
        return own + max([_levels(child, cpu, lanes) for child in loop.children])
    if vf:
        own += apart(loop, cpu, vf)
    return own + (_PARTS if vf > 1 else 0.0)


def _begun_from(loop: Loop, lanes: Lanes, tiles: frozenset[int]) -> float:
    """Pointers that the points of tiles begin from: `LoopStrengthReduce` has one in the loop over tiles for each way in
    which a body moves with the points, all of which wait around these. tiles : loops that others begin with."""
    found = max([_begun_from(child, lanes, tiles) for child in loop.children], default=0.0)
    if loop.nest.iv not in tiles or not loop.children or not lanes.get(id(loop), 1):
        return found
    iv, inside = loop.nest.iv, loop.walk()
    points = {one.nest.iv for one in inside if iv in one.nest.starts and lanes.get(id(one), 1)}
    if not points:
        return found
    bodies = [one.accesses for one in inside if not one.children]
    ways = [{(a.base, a.moving) for a in body if not points.isdisjoint(dict(a.moving or ()))} for body in bodies]
    return found + max([len(way) for way in ways], default=0)


_BODY = {"x86": 3.5, "aarch64": 9.0, "riscv": 9.0, "amdgpu": 3.5}
_LEVEL, _WAY, _UNKNOWN, _PARTS = 1.7, 0.25, 0.9, 3.0
"""Chosen by whether labels of `train` and `validation` have spills (a logistic regression on programs of x86 without
calls; of AArch64 and RISC-V, it is much the same, but for what is in a body)."""

_BOUND, _LENGTHS = 2.0, 2.0
"""Of a loop whose length is not known: where it ends, and what that is found from. Of an innermost one, what is left
for each of its parts."""


def kept(root: Nest, row: list[Stage]) -> list[Kept]:
    """The values that wait for a stage, or for the end: a buffer that the function makes is freed there. Where the
    pointer that malloc gives is aligned by arithmetic, both wait."""
    span: dict[int, tuple[int, int]] = {}
    for number, stage in enumerate(row):
        for base in stage.buffers:
            span[base] = span.get(base, (number, 0))[0], number
    end = len(row)
    found = []
    for base, (first, last) in span.items():
        if base in root.given:
            found.append(Kept(-1, last, False))
        elif base in root.owned:
            found.append(Kept(first, end, True))
        else:
            found += [Kept(first, last, False), Kept(first, end, True)]
    return found


class Spilled(msgspec.Struct, frozen=True):
    """waiting : values that wait on the stack. calls, loops : most values beyond the registers that a call leaves
    alone, and beyond all of them in a nest, with what loops over tiles have (of which some wait, but not all: addresses
    share them); negative where registers are left."""

    waiting: float
    calls: float
    loops: float


def spilled(root: Loop, cpu: Cpu, lanes: Lanes) -> Spilled:
    """What of a function's pointers and indices is on the stack."""
    row = stages(root, cpu, lanes)
    stack = _Stack(kept(root.nest, row), [number for number, stage in enumerate(row) if stage.calling >= 0])
    saved = _SAVED[cpu.isa]
    calls = loops = -float(cpu.int_registers)
    inner = 0.0
    for number, stage in enumerate(row):
        stack.leave(number - 1)
        stack.enter(number)
        if stack.crossing:
            calls = max(calls, stack.pressed(0.0, saved, crossing=True))
        if stage.calling >= 0:
            calls = max(calls, stack.pressed(stage.calling, saved))
        loops = max(loops, stack.pressed(stage.own, cpu.int_registers) + stage.tiled)
        inner = max(inner, stage.own - cpu.int_registers)
    return Spilled(stack.taken + max(inner, 0.0), calls, loops)


class _Stack:
    """taken : values that wait on the stack, or did. crossing : those that live across a call, which need a register
    that calls leave alone as long as they live, also where there is no call (`RAGreedy` gives one to all of a value,
    and puts those of few uses on the stack before it divides others). calling : stages with a call in them."""

    def __init__(self, values: list[Kept], calling: list[int]):
        self.taken = 0
        made = sorted({value.first for value in values if value.made})
        self._values = values
        self.crossing = {
            index
            for index, value in enumerate(values)
            if any(value.first < number <= value.last for number in made)
            or any(value.first <= number <= value.last for number in calling)
            or (value.made and len(made) > 1)
        }
        self._first: dict[int, list[int]] = {}
        self._last: dict[int, list[int]] = {}
        for index, value in enumerate(values):
            self._first.setdefault(value.first, []).append(index)
            self._last.setdefault(value.last, []).append(index)
        self._waiting: set[int] = set()
        self._left: set[int] = set()
        self.enter(-1)

    def enter(self, number: int) -> None:
        """Values that wait from a stage on."""
        begun = self._first.get(number, ())
        self._waiting.update(begun)
        self._left.update(begun)

    def leave(self, number: int) -> None:
        """Values that nothing needs after a stage."""
        gone = self._last.get(number, ())
        self._waiting.difference_update(gone)
        self._left.difference_update(gone)

    def pressed(self, own: float, registers: int, crossing: bool = False) -> float:
        """Values beyond the registers; as many as are not there yet go to the stack."""
        left = self._left & self.crossing if crossing else self._left
        away = min(int(len(left) + own - registers), len(left))
        if away > 0:
            self.taken += away
            ends = [(self._values[index].last, index) for index in left]
            self._left.difference_update([index for _, index in nlargest(away, ends)])
        return len(self._waiting & self.crossing if crossing else self._waiting) + own - registers
