"""Loop nests drawn at random: imperfect, several after one another, with affine accesses, guards and expressions."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from math import prod

from costmodel.mlir.generators.code import Array, Code
from costmodel.mlir.generators.drawing import ALL_KINDS
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.structures import drawn
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float


def nests(rng: random.Random) -> Group:
    """Random loop nests: imperfect, triangular, guarded, fused or not, over buffers that are shared and shifted."""
    return drawn("nests", {"affine": _affine, "structured": _structured}, rng, often=("affine",) * 3)


_FLOAT_OPS = ("add", "add", "sub", "mul", "mul", "max", "min", "div", "root", "select", "fma", "abs", "exp", "round")
_INT_OPS = ("add", "add", "sub", "mul", "max", "min", "and", "or", "xor", "shift", "select", "half", "abs", "rest")
_FOLDS = ("add", "add", "add", "max", "min", "mul")
_MOST_RUNS = 500_000
"""Iterations of the innermost bodies of one nest."""


@dataclass
class _Scope:
    """Indices in scope with their extents, and values that were computed at this depth."""

    extents: dict[str, int] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)

    def inside(self, index: str, extent: int) -> _Scope:
        return _Scope({**self.extents, index: extent}, list(self.values))

    @property
    def runs(self) -> int:
        return prod(self.extents.values())


class _Program:
    """A program as it is drawn: its buffers and types, and what it is written with."""

    def __init__(self, c: Code):
        self.c = c
        self.kind = c.pick(ALL_KINDS)
        rank = c.pick((1, 2, 2, 3, 3, 4))
        self.sizes = [c.size(3, {1: 6000, 2: 260, 3: 60, 4: 24}[rank]) for _ in range(rank)]
        self.margin = c.pick((0, 0, 1, 2, 4))
        self.other = c.pick((*ALL_KINDS, self.kind, self.kind)) if c.coin(0.3) else self.kind
        self.arrays = [self._array() for _ in range(c.rng.randint(1, 6))]
        self.ids = c.array(max(self.sizes), "u16") if c.coin(0.15) else None
        self.deepest = c.pick((0, 1, 1, 2, 2, 3, 4))
        ops = list(_FLOAT_OPS if is_float(self.kind) else _INT_OPS)
        self.ops = [c.pick(ops) for _ in range(c.rng.randint(2, 7))]

    def _array(self) -> Array:
        rank = min(self.c.pick((1, 1, 2, 2, 3)), len(self.sizes) + 1)
        double = self.c.pick((1, 1, 1, 2))
        shape = [self.c.pick(self.sizes) * (double if n == 0 else 1) + self.margin for n in range(rank)]
        return self.c.array(shape, self.c.pick((self.kind, self.kind, self.kind, self.other)))

    def place(self, array: Array, scope: _Scope) -> tuple[str, ...]:
        """An access that stays inside."""
        return tuple(self._index(size, scope) for size in array.shape)

    def _index(self, size: int, scope: _Scope) -> str:
        c = self.c
        for _ in range(8):
            if not scope.extents:
                break
            index, extent = c.pick(list(scope.extents.items())[-3:])
            form, offset = (
                c.pick(("plain",) * 8 + ("shift",) * 4 + ("stride", "reverse", "sum", "half", "rest")),
                c.rng.randint(1, 4),
            )
            stride = c.pick((2, 2, 3))
            if form == "plain" and extent <= size:
                return index
            if form == "shift" and extent + offset <= size:
                return f"{index} + {offset}"
            if form == "stride" and (extent - 1) * stride < size:
                return f"{index} * {stride}"
            if form == "reverse" and extent <= size:
                return f"{extent - 1} - {index}"
            if form == "half" and (extent - 1) // 2 < size:
                return f"{index} floordiv 2"
            if form == "rest" and offset < size:
                return f"{index} mod {offset + 1}"
            second, more = c.pick(list(scope.extents.items()))
            if form == "sum" and second != index and extent + more - 1 <= size:
                return f"{index} + {second}"
        return str(c.rng.randrange(min(size, 4)))

    def load(self, scope: _Scope) -> Value:
        """Some buffer's element, or the one that an index buffer says."""
        array = self.c.pick(self.arrays)
        if self.ids is not None and self.c.coin(0.2) and scope.extents:
            at: list[str | Value] = [*self.place(array, scope)]
            at[0] = (self.ids[self._index(self.ids.shape[0], scope)] % array.shape[0]).to("index")
            value = array[tuple(at)]
        else:
            value = array[self.place(array, scope)]
        return value.to(self.kind)

    def expression(self, scope: _Scope, depth: int) -> Value:
        """A tree of operations on elements, constants, arguments and what was computed before."""
        c = self.c
        if depth == 0 or c.coin(0.15):
            if scope.values and c.coin(0.35):
                return c.pick(scope.values[-6:])
            if c.coin(0.1):
                return c.known(c.rng.randint(1, 9), self.kind)
            if scope.extents and c.coin(0.05):
                return c.position(c.pick(list(scope.extents))).to("i64").to(self.kind)
            return self.load(scope)
        a, name = self.expression(scope, depth - 1), c.pick(self.ops)
        if name in ("root", "abs", "exp", "round", "half"):
            return self._unary(name, a)
        b = self.expression(scope, depth - 1) if c.coin(0.8) else c.known(c.rng.randint(1, 9), self.kind)
        if name == "fma":
            return a.math("fma", b, self.expression(scope, depth - 1))
        if name == "select":
            return (a < b).then(self.expression(scope, depth - 1), a)
        if name == "shift":
            return a << c.rng.randint(1, 6)
        if name == "rest":
            return a % c.rng.randint(3, 60)
        return c.binary(name, a, b)

    def _unary(self, name: str, a: Value) -> Value:
        if name == "root":
            return (a.abs() + 1).math("sqrt")
        if name == "half":
            return a >> self.c.rng.randint(1, 6)
        if name == "round":
            return a.math(self.c.pick(("floor", "ceil", "roundeven")))
        return a.abs() if name == "abs" else a.math(self.c.pick(("exp", "tanh", "log1p", "sin")))

    def statement(self, scope: _Scope, *, last: bool) -> None:
        """A store, an update, a fold over another loop, or a value for later (but for the last)."""
        c = self.c
        what, depth = (
            c.pick(("store", "update", "fold", "store", "update", "fold", "value")),
            c.pick((0, 1, 1, 2, 2, 3, 4)),
        )
        what = "store" if last and what == "value" else what
        if what == "value":
            scope.values.append(self.expression(scope, depth))
            return
        target = c.pick(self.arrays)
        at = self.place(target, scope)
        if what == "store":
            target[at] = self.expression(scope, depth).to(target.kind)
        elif what == "update":
            target[at] = c.binary(c.pick(_FOLDS), target[at], self.expression(scope, depth).to(target.kind))
        else:
            self._fold(scope, depth, target, at)

    def _fold(self, scope: _Scope, depth: int, target: Array, at: tuple[str, ...]) -> None:
        c = self.c
        extent, how, count = self._extent(scope), c.pick(_FOLDS), c.pick((1, 1, 1, 2, 3))
        starts = [c.known(0, self.kind) if c.coin() else target[at].to(self.kind) for _ in range(count)]
        with c.carry(0, extent, *starts) as loop:
            inner = scope.inside(loop.index, extent)
            loop.next = [c.binary(how, v, self.expression(inner, depth)) for v in loop.values]
        total = loop.out[0]
        for other in loop.out[1:]:
            total = total + other
        scope.values.append(total)
        target[at] = total.to(target.kind)

    def _extent(self, scope: _Scope) -> int:
        most = max(_MOST_RUNS // scope.runs, 2)
        return min(self.c.pick(self.sizes), most)

    def guard(self, scope: _Scope) -> AbstractContextManager[None]:
        """A condition on indices or on data, at times."""
        c = self.c
        if not scope.extents or c.coin(0.88):
            return nullcontext()
        index, extent = c.pick(list(scope.extents.items()))
        if c.coin(0.6):
            bound = c.rng.randint(1, max(extent - 1, 1))
            forms = (f"d0 - {bound} >= 0", f"{bound} - d0 >= 0", "d0 mod 2 == 0", f"d0 - {bound} == 0")
            return c.within(c.pick(forms), index)
        return c.when(self.load(scope) > c.rng.randint(1, 9))

    def body(self, scope: _Scope, depth: int) -> None:
        """Statements, and loops among them."""
        count = self.c.pick((1, 1, 1, 2, 3))
        for number in range(count):
            if depth > 0 and self.c.coin(0.85):
                self.loops(scope, depth)
            elif number < count - 1:
                self.statement(scope, last=False)
            else:
                with self.guard(scope):
                    self.statement(_Scope(scope.extents, list(scope.values)), last=True)

    def loops(self, scope: _Scope, depth: int) -> None:
        """One loop, or several perfectly nested ones."""
        c = self.c
        count = c.rng.randint(1, depth)
        extents: list[int] = []
        for _ in range(count):
            extents.append(min(self._extent(scope), max(_MOST_RUNS // (scope.runs * prod(extents)), 2)))
        if count == 1 and scope.extents and c.coin(0.15):
            outer, extent = c.pick(list(scope.extents.items()))
            with c.loop(0, f"affine_map<(d0) -> (d0 + 1)>({outer})") as index:
                self.body(scope.inside(index, extent), depth - 1)
            return
        step = c.pick((1,) * 8 + (2, 4))
        with ExitStack() as stack:
            for n, extent in enumerate(extents):
                index = stack.enter_context(c.loop(0, extent, step if n == count - 1 else 1))
                scope = scope.inside(index, extent)
            self.body(scope, depth - count)


def _affine(c: Code) -> None:
    """Nests after one another."""
    program = _Program(c)
    for _ in range(c.pick((1, 1, 1, 2, 2, 3, 4))):
        program.loops(_Scope(), max(program.deepest, 1))


def _structured(c: Code) -> None:
    """A nest around loops of scf whose lengths are arguments' elements or that end when the data says so."""
    program = _Program(c)
    lengths, n = c.array(8, "u16"), program.sizes[0]
    what = c.pick(("length", "while", "branch", "switch"))
    source, target = c.array(n, program.kind), c.array(n, program.kind)
    with c.loop(0, n) as i:
        scope = _Scope({i: n})
        start = program.expression(scope, 2)
        scope.values.append(start)
        if what == "length":
            high = (lengths[f"{i} mod 8"] % min(n, 200)).to("index")
            with c.count(0, high) as k:
                target[c.position(i)] = target[c.position(i)] + program.expression(scope, 2) * source[k]
        elif what == "while":
            most, step = c.known(c.size(4, 60), "i32"), c.pick(program.arrays)

            def advance(v: list[Value]) -> list[Value]:
                inner = _Scope(scope.extents, [*scope.values, v[0]])
                return [program.expression(inner, 2), v[1] + 1]

            out = c.repeat([start, c.known(0, "i32")], lambda v: (v[0] < 90) & (v[1] < most), advance)
            target[i] = out[0]
            step[program.place(step, scope)] = out[1].to("i64").to(step.kind) if not is_float(step.kind) else 1
        elif what == "branch":
            yes, no = (lambda: [program.expression(scope, 3)]), (lambda: [program.expression(scope, 1)])
            target[i] = c.branch(source[i] < 3, yes, no)[0]
        else:
            cases = [lambda: program.expression(scope, 2) for _ in range(c.rng.randint(2, 6))]
            target[i] = c.switch(lengths[f"{i} mod 8"], cases, program.kind)
    for _ in range(c.pick((0, 0, 1))):
        program.loops(_Scope(), max(program.deepest, 1))
