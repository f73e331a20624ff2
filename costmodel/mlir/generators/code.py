"""Writing kernels as expressions: arrays that are indexed, loops and branches that give values."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from costmodel.mlir.generators import drawing
from costmodel.mlir.generators.values import ARITH, Number, Value, plain, sign, width
from costmodel.mlir.generators.writer import Writer, is_float

Drawn = TypeVar("Drawn")

_SSA = re.compile(r"%\w+")


Index = str | int | Value


class Array:
    """A buffer. Indices that are numbers or affine expressions make affine accesses, one that is a value any."""

    def __init__(self, code: Code, name: str, shape: Sequence[int], kind: str):
        self.code, self.name, self.shape, self.kind = code, name, list(shape), kind

    def __getitem__(self, at: Index | tuple[Index, ...]) -> Value:
        place, affine = self._place(at)
        read = self.code.load if affine else self.code.load_at
        return Value(self.code, read(self.name, *place), self.kind)

    def __setitem__(self, at: Index | tuple[Index, ...], value: Value | Number) -> None:
        place, affine = self._place(at)
        write = self.code.store if affine else self.code.store_at
        write(self.code.known(value, self.kind).name, self.name, *place)

    def _place(self, at: Index | tuple[Index, ...]) -> tuple[list[str], bool]:
        indices = at if isinstance(at, tuple) else (at,)
        if not any(isinstance(index, Value) for index in indices):
            return [str(index) for index in indices], True
        return [self.code.position(index).name for index in indices], False


class Carried:
    """Values that a loop carries: `values` at an iteration's start, `next` to be set in it, `out` after the loop."""

    def __init__(self, index: str, values: list[Value], out: list[Value]):
        self.index, self.values, self.next, self.out = index, values, values, out


class Code(Writer):
    """One function as it is written, and the draws that make it: the same seed writes the same function.

    `alternative` asks for the function's other evaluation order, which a kernel may have.
    """

    def __init__(self, seed: int, *, alternative: bool = False):
        super().__init__()
        self.rng = random.Random(seed)
        self.alternative = alternative
        self.results: list[Value] = []

    def pick(self, choices: Sequence[Drawn]) -> Drawn:
        """One of these."""
        return self.rng.choice(choices)

    def coin(self, probability: float = 0.5) -> bool:
        """True with this probability."""
        return drawing.coin(self.rng, probability)

    def size(self, low: int, high: int) -> int:
        """A log-uniform size."""
        return drawing.size(self.rng, low, high)

    def scalar(self, kind: str) -> Value:
        """An argument that is a number."""
        return Value(self, self.argument(plain(kind)), kind)

    def array(self, shape: Sequence[int] | int, kind: str) -> Array:
        """An argument that is a buffer."""
        shape = [shape] if isinstance(shape, int) else shape
        return Array(self, self.buffer(shape, plain(kind)), shape, kind)

    def arrays(self, count: int, shape: Sequence[int] | int, kind: str) -> list[Array]:
        """So many of them."""
        return [self.array(shape, kind) for _ in range(count)]

    def scratch(self, shape: Sequence[int] | int, kind: str) -> Array:
        """A buffer on the stack."""
        shape = [shape] if isinstance(shape, int) else shape
        return Array(self, self.local(shape, plain(kind)), shape, kind)

    def known(self, value: Value | Number, kind: str) -> Value:
        """The value, or this number as a constant of the type."""
        if isinstance(value, Value):
            return value
        if not is_float(kind) and kind != "index":
            half = 1 << (width(kind) - 1)
            value = (int(value) + half) % (2 * half) - half if kind != "i1" else int(value)
        return Value(self, self.constant(value, plain(kind)), kind)

    def new(self, text: str, kind: str) -> Value:
        """A line that defines a value of this type."""
        return Value(self, self.value(text), kind)

    def binary(self, name: str, a: Value | Number, b: Value | Number) -> Value:
        """An operation of two operands of one type, one of which may be a number."""
        kind = a.kind if isinstance(a, Value) else b.kind if isinstance(b, Value) else "i32"
        operands = ", ".join(self.known(v, kind).name for v in (a, b))
        return self.new(f"arith.{ARITH[name][sign(kind)]} {operands} : {plain(kind)}", kind)

    def compare(self, name: str, a: Value, b: Value | Number) -> Value:
        """lt, le, gt, ge or eq, by the first operand's type."""
        how = f"cmpf o{name}" if is_float(a.kind) else f"cmpi {name if name == 'eq' else 'isu'[sign(a.kind)] + name}"
        return self.new(f"arith.{how}, {a.name}, {self.known(b, a.kind).name} : {plain(a.kind)}", "i1")

    def position(self, index: Index) -> Value:
        """An index as a value: of a number, an affine expression or an integer (taken as unsigned where it says so)."""
        if isinstance(index, Value):
            return index if index.kind == "index" else index.to("index")
        if isinstance(index, int):
            return self.known(index, "index")
        names = sorted(set(_SSA.findall(index)))
        if names == [index]:
            return Value(self, index, "index")
        listed = ", ".join(f"d{n}" for n in range(len(names)))
        expression = _SSA.sub(lambda found: f"d{names.index(found[0])}", index)
        return self.new(f"affine.apply affine_map<({listed}) -> ({expression})>({', '.join(names)})", "index")

    @contextmanager
    def nest(self, *extents: int, edge: int = 0, reverse: bool = False) -> Iterator[list[str]]:
        """Perfectly nested loops over all but `edge` places at both ends, the last one outermost if `reverse`."""
        order = range(len(extents))
        with ExitStack() as stack:
            found = {
                n: stack.enter_context(self.loop(edge, extents[n] - edge))
                for n in (reversed(order) if reverse else order)
            }
            yield [found[n] for n in order]

    @contextmanager
    def carry(self, low: int | str, high: int | str, *starts: Value, step: int = 1) -> Iterator[Carried]:
        """An ``affine.for`` that carries values."""
        carried, out, kinds = self._carrying(starts)
        by = f" step {step}" if step != 1 else ""
        entries = ", ".join(f"{v.name} = {s.name}" for v, s in zip(carried.values, starts, strict=True))
        with self.block(
            f"{out} = affine.for {carried.index} = {low} to {high}{by} iter_args({entries}) -> ({kinds}) {{"
        ):
            yield carried
            self.line(f"affine.yield {_names(carried.next)} : {kinds}")

    def _carrying(self, starts: Sequence[Value]) -> tuple[Carried, str, str]:
        values = [Value(self, self.fresh("s"), start.kind) for start in starts]
        name = self.fresh("r")
        out = self._several(name, [start.kind for start in starts])
        return Carried(self.fresh("k"), values, out), _left(name, len(out)), _kinds(starts)

    def _several(self, name: str, kinds: Sequence[str]) -> list[Value]:
        names = [name] if len(kinds) == 1 else [f"{name}#{n}" for n in range(len(kinds))]
        return [Value(self, one, kind) for one, kind in zip(names, kinds, strict=True)]

    def total(self, high: int | str, start: Value, term: Callable[[str, Value], Value], low: int = 0) -> Value:
        """Folded over a loop: `term` gives the next value of an index and the value so far."""
        with self.carry(low, high, start) as loop:
            loop.next = [term(loop.index, loop.values[0])]
        return loop.out[0]

    @contextmanager
    def count(self, low: Index, high: Index, step: int = 1) -> Iterator[Value]:
        """An ``scf.for``, whose bounds may be any values."""
        bounds = [self.position(bound).name for bound in (low, high, step)]
        index = self.fresh("n")
        with self.block(f"scf.for {index} = {bounds[0]} to {bounds[1]} step {bounds[2]} {{"):
            yield Value(self, index, "index")

    def folded(self, low: Index, high: Index, start: Value, term: Callable[[Value, Value], Value]) -> Value:
        """Folded over an ``scf.for``: `term` gives the next value of an index and the value so far."""
        low_, high_ = self.position(low).name, self.position(high).name
        index, so_far, out = self.fresh("n"), self.fresh("s"), self.fresh("r")
        kind, one = plain(start.kind), self.position(1).name
        head = (
            f"{out} = scf.for {index} = {low_} to {high_} step {one} iter_args({so_far} = {start.name}) -> ({kind}) {{"
        )
        with self.block(head):
            self.line(f"scf.yield {term(Value(self, index, 'index'), Value(self, so_far, start.kind)).name} : {kind}")
        return Value(self, out, start.kind)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """What is done only if the condition holds."""
        with self.block(f"scf.if {condition.name} {{"):
            yield

    @contextmanager
    def within(self, constraint: str, *indices: str) -> Iterator[None]:
        """``affine.if``: a constraint on d0, d1, ... such as ``d0 - 1 >= 0``."""
        listed = ", ".join(f"d{n}" for n in range(len(indices)))
        with self.block(f"affine.if affine_set<({listed}) : ({constraint})>({', '.join(indices)}) {{"):
            yield

    def branch(
        self, condition: Value, yes: Callable[[], Sequence[Value]], no: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        """``scf.if`` that gives values."""
        name, place = self.fresh("r"), len(self._lines)
        with self.block("", "} else {"):
            first = yes()
            self.line(f"scf.yield {_names(first)} : {_kinds(first)}")
        self._lines[place] = self._indented(
            f"{_left(name, len(first))} = scf.if {condition.name} -> ({_kinds(first)}) {{"
        )
        self._depth += 1
        second = no()
        self.line(f"scf.yield {_names(second)} : {_kinds(second)}")
        self._depth -= 1
        self.line("}")
        return self._several(name, [value.kind for value in first])

    def switch(self, case: Value, cases: Sequence[Callable[[], Value]], kind: str) -> Value:
        """``scf.index_switch``: the last case is for every other value."""
        name = self.fresh("r")
        self.line(f"{name} = scf.index_switch {self.position(case).name} -> {plain(kind)}")
        for number, make in enumerate(cases):
            with self.block("default {" if number == len(cases) - 1 else f"case {number} {{"):
                self.line(f"scf.yield {make().name} : {plain(kind)}")
        return Value(self, name, kind)

    def repeat(
        self,
        starts: Sequence[Value],
        holds: Callable[[list[Value]], Value],
        step: Callable[[list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """``scf.while``: a condition of the values, and their next ones."""
        carried, out, kinds = self._carrying(starts)
        entries = ", ".join(f"{v.name} = {s.name}" for v, s in zip(carried.values, starts, strict=True))
        with self.block(f"{out} = scf.while ({entries}) : ({kinds}) -> ({kinds}) {{", "} do {"):
            self.line(f"scf.condition({holds(carried.values).name}) {_names(carried.values)} : {kinds}")
        inner = [Value(self, self.fresh("s"), start.kind) for start in starts]
        with self.block("^bb0(" + ", ".join(f"{v.name}: {plain(v.kind)}" for v in inner) + "):"):
            self.line(f"scf.yield {_names(step(inner))} : {kinds}")
        return carried.out

    def written(self, name: str, *, noalias: bool = False) -> str:
        """The whole function's text; it returns `results`."""
        return self.function(name, noalias=noalias, returns=[(v.name, plain(v.kind)) for v in self.results])

    def _indented(self, text: str) -> str:
        return "  " * self._depth + text


def _names(values: Sequence[Value]) -> str:
    return ", ".join(value.name for value in values)


def _kinds(values: Sequence[Value]) -> str:
    return ", ".join(plain(value.kind) for value in values)


def _left(name: str, count: int) -> str:
    return name if count == 1 else f"{name}:{count}"
