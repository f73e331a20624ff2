"""Transport on grids: advection, shallow water, gases; several fields apart or together in memory."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.mlir.generators.code import Array, Code, Index
from costmodel.mlir.generators.structures import added
from costmodel.mlir.generators.values import Value

FLOATS = ("f32", "f32", "f64", "f64", "f16")


LARGEST = {1: 4000, 2: 150, 3: 32}


class Fields:
    """Several fields on one grid: a buffer each, or one buffer with the fields first or last."""

    def __init__(self, c: Code, shape: Sequence[int], count: int, kind: str, layout: str):
        self.layout = layout
        if layout == "apart":
            self.parts = c.arrays(count, shape, kind)
        else:
            self.parts = c.arrays(1, [count, *shape] if layout == "first" else [*shape, count], kind)

    def _place(self, field: int, at: Sequence[Index]) -> tuple[Array, tuple[Index, ...]]:
        if self.layout == "apart":
            return self.parts[field], tuple(at)
        return self.parts[0], (field, *at) if self.layout == "first" else (*at, field)

    def get(self, field: int, at: Sequence[Index]) -> Value:
        """A field's value in a cell."""
        array, place = self._place(field, at)
        return array[place]

    def put(self, field: int, at: Sequence[Index], value: Value) -> None:
        """The same, stored."""
        array, place = self._place(field, at)
        array[place] = value


def grid(c: Code, ranks: Sequence[int] = (1, 2, 2, 3)) -> list[int]:
    """Extents of a grid."""
    rank = c.pick(ranks)
    return [c.size(5, LARGEST[rank]) for _ in range(rank)]


def layout(c: Code) -> str:
    """How several fields lie in memory."""
    return c.pick(("apart", "apart", "first", "last"))


def shifted(at: Sequence[str], axis: int, offset: int) -> list[str]:
    """The neighbour along an axis."""
    return [f"{i} + {offset}" if n == axis and offset else i for n, i in enumerate(at)]


def _waters(c: Code) -> None:
    """Shallow water: heights and momenta by Lax-Friedrichs, Rusanov or central fluxes; gravity, friction, dry cells."""
    kind, (h, w), how = c.pick(("f32", "f32", "f64")), (c.size(4, 120), c.size(4, 120)), layout(c)
    what, dry, friction = c.pick(("central", "lax", "rusanov")), c.coin(0.4), c.coin(0.3)
    old, new = Fields(c, [h, w], 3, kind, how), Fields(c, [h, w], 3, kind, how)

    def state(at: Sequence[str]) -> list[Value]:
        return [old.get(q, at) for q in range(3)]

    def flux(s: list[Value], axis: int) -> list[Value]:
        speed = s[1 + axis] / (s[0].max(1e-3) if dry else s[0])
        out = [s[1 + axis], s[1] * speed, s[2] * speed]
        out[1 + axis] = out[1 + axis] + s[0] * s[0] * 4.905
        return out

    def between(a: list[Value], b: list[Value], axis: int) -> list[Value]:
        fastest = (a[1 + axis] / a[0]).abs().max((b[1 + axis] / b[0]).abs()) + (a[0].max(b[0]) * 9.81).math("sqrt")
        pairs = zip(flux(a, axis), flux(b, axis), a, b, strict=True)
        return [(f + g) * 0.5 - (v - u) * fastest * 0.5 for f, g, u, v in pairs]

    with c.nest(h, w, edge=1, reverse=c.alternative) as at:
        here = state(at)
        if what == "lax":
            sides = [state(shifted(at, axis, o)) for axis in (0, 1) for o in (-1, 1)]
            mean = [added(c, [s[q] for s in sides]) * 0.25 for q in range(3)]
        out = mean if what == "lax" else list(here)
        for axis in (0, 1):
            low, high = (state(shifted(at, axis, o)) for o in (-1, 1))
            if what == "rusanov":
                before, after = between(low, here, axis), between(here, high, axis)
            else:
                before, after = flux(low, axis), flux(high, axis)
            out = [v - (b - a) * 0.05 for v, a, b in zip(out, before, after, strict=True)]
        if friction:
            size_ = (out[1] * out[1] + out[2] * out[2] + 1e-3).math("sqrt")
            out[1:] = [v / (1 + size_ * 0.01) for v in out[1:]]
        for q, value in enumerate(out):
            new.put(q, at, value)


def _advection(c: Code) -> None:
    """Transport by a velocity: upwind by select, Lax-Wendroff, limited slopes, third order."""
    kind, shape = c.pick(FLOATS), grid(c)
    what, constant, conservative = (
        c.pick(("upwind", "upwind", "wendroff", "minmod", "leer", "superbee", "third")),
        c.coin(0.4),
        c.coin(),
    )
    rank, q, out = len(shape), c.array(shape, kind), c.array(shape, kind)
    velocity, reach = Fields(c, shape, rank, kind, layout(c)), 1 if what in ("upwind", "wendroff") else 2

    def limited(a: Value, b: Value) -> Value:
        zero = c.known(0, kind)
        if what == "minmod":
            return ((a * b) > 0).then((a.abs() < b.abs()).then(a, b), zero)
        if what == "leer":
            product = a * b
            return (product > 0).then(product * 2 / (a + b + 1e-3), zero)
        return ((a * b) > 0).then((a * 2).min(b).max(a.min(b * 2)), zero)

    def face(at: list[str], axis: int, offset: int, u: Value) -> Value:
        v = {k: q[tuple(shifted(at, axis, offset + k))] for k in range(-reach, reach + (1 if reach == 1 else 0))}
        low, high = v[-1], v[0]
        if what == "upwind":
            return u * (u > 0).then(low, high) if not c.alternative else u.max(0) * low + u.min(0) * high
        if what == "wendroff":
            return u * ((low + high) * 0.5 - u * (high - low) * 0.05)
        if what == "third":
            return u * (u > 0).then(
                low * 0.8333 + high * 0.3333 - v[-2] * 0.1667, high * 0.8333 + low * 0.3333 - v[1] * 0.1667
            )
        left, right = low + limited(low - v[-2], high - low) * 0.5, high - limited(high - low, v[1] - high) * 0.5
        return u * (u > 0).then(left, right)

    with c.nest(*shape, edge=reach, reverse=c.alternative) as at:
        total = q[tuple(at)]
        for axis in range(rank):
            speeds = (
                [c.known(0.3, kind)] * 2 if constant else [velocity.get(axis, shifted(at, axis, o)) for o in (0, 1)]
            )
            if conservative:
                total = total - (face(at, axis, 1, speeds[1]) - face(at, axis, 0, speeds[0])) * 0.1
            else:
                u, here = speeds[0], q[tuple(at)]
                back, ahead = here - q[tuple(shifted(at, axis, -1))], q[tuple(shifted(at, axis, 1))] - here
                total = total - u * (u > 0).then(back, ahead) * 0.1
        out[tuple(at)] = total


def _gas(c: Code) -> None:
    """Euler equations in one dimension, many rows: primitive values, sound speed, HLL or Lax fluxes at faces."""
    kind, n, rows, how = c.pick(("f32", "f64", "f64")), c.size(5, 2000), c.pick((1, 1, 20)), layout(c)
    old, new, what = (
        Fields(c, [rows, n], 3, kind, how),
        Fields(c, [rows, n], 3, kind, how),
        c.pick(("hll", "lax", "primitive", "speed")),
    )
    speeds = c.array([rows, n], kind)

    def primitive(at: Sequence[Index]) -> tuple[list[Value], Value, Value, Value]:
        u = [old.get(q, at) for q in range(3)]
        v = u[1] / u[0]
        p = (u[2] - u[1] * v * 0.5) * 0.4
        return u, v, p, (p * 1.4 / u[0]).abs().math("sqrt")

    def face(r: str, i: str) -> list[Value]:
        (u, v, p, s), (y, z, q, t) = primitive((r, i)), primitive((r, f"{i} + 1"))
        f, g = [u[1], u[1] * v + p, (u[2] + p) * v], [y[1], y[1] * z + q, (y[2] + q) * z]
        if what == "lax":
            top = (v.abs() + s).max(z.abs() + t)
            return [(a + b) * 0.5 - (d - e) * top * 0.5 for a, b, e, d in zip(f, g, u, y, strict=True)]
        low, high = (v - s).min(z - t), (v + s).max(z + t)
        middle = [(a * high - b * low + (d - e) * low * high) / (high - low + 1e-3)
                  for a, b, e, d in zip(f, g, u, y, strict=True)]  # fmt: skip
        return [(low >= 0).then(a, (high <= 0).then(b, m)) for a, b, m in zip(f, g, middle, strict=True)]

    with c.loop(0, rows) as r:
        if what in ("primitive", "speed"):
            with c.loop(0, n) as i:
                _, v, p, s = primitive((r, i))
                speeds[r, i] = v.abs() + s if what == "speed" else p
                new.put(0, (r, i), v)
        elif c.alternative:
            with c.carry(1, n - 1, *face(r, "0")) as loop:
                after = face(r, loop.index)
                for q in range(3):
                    change = (after[q] - loop.values[q]) * 0.1
                    new.put(q, (r, loop.index), old.get(q, (r, loop.index)) - change)
                loop.next = after
        else:
            with c.loop(1, n - 1) as i:
                before, after = face(r, f"{i} - 1"), face(r, i)
                for q in range(3):
                    new.put(q, (r, i), old.get(q, (r, i)) - (after[q] - before[q]) * 0.1)


KERNELS = {
    "advection": _advection,
    "waters": _waters,
    "gas": _gas,
}
