"""Fields on grids in time: lattices, waves, diffusion, cellular automata, and what transports and solves."""

from __future__ import annotations

import random
from collections.abc import Sequence

from costmodel.mlir.generators import solvers, transport
from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.structures import added, drawn
from costmodel.mlir.generators.transport import FLOATS, LARGEST, Fields, grid, layout, shifted
from costmodel.mlir.generators.values import Value


def simulation(rng: random.Random) -> Group:
    """Lattice Boltzmann, automata, FDTD, shallow water, advection, diffusion, gases, solvers, multigrid, elements."""
    return drawn("simulation", _KERNELS, rng)


_LATTICES: dict[str, list[tuple[int, ...]]] = {
    "d1q3": [(0,), (1,), (-1,)],
    "d2q5": [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)],
    "d2q9": [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)],
    "d3q7": [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)],
}


def _lattice(c: Code) -> None:
    """Lattice Boltzmann: moments, equilibria, collision; streaming by pulling or pushing; walls by a mask."""
    kind, directions = c.pick(("f32", "f64", "f64")), c.pick(list(_LATTICES.values()))
    rank = len(directions[0])
    shape, how, what = (
        [c.size(4, LARGEST[rank]) for _ in range(rank)],
        layout(c),
        c.pick(("collide", "pull", "push", "stream")),
    )
    source = Fields(c, shape, len(directions), kind, how)
    target = source if what == "collide" else Fields(c, shape, len(directions), kind, how)
    omega, walls, mask = c.rng.uniform(0.5, 1.9), c.coin(0.3), c.array(shape, "i8")
    weights = [{0: 4 / 9, 1: 1 / 9}.get(sum(map(abs, d)), 1 / 36) for d in directions]

    def moved(at: list[str], d: Sequence[int], sign: int) -> list[str]:
        return [f"{i} + {sign * o}" if o else i for i, o in zip(at, d, strict=True)]

    def collided(f: list[Value]) -> list[Value]:
        density = added(c, f)
        speeds = []
        for axis in range(rank):
            plus = added(c, [v for v, d in zip(f, directions, strict=True) if d[axis] > 0])
            minus = added(c, [v for v, d in zip(f, directions, strict=True) if d[axis] < 0])
            speeds.append((plus - minus) / density)
        square = added(c, [u * u for u in speeds]) * 1.5
        out = []
        for value, d, weight in zip(f, directions, weights, strict=True):
            along = [u if o > 0 else 0 - u for u, o in zip(speeds, d, strict=True) if o]
            project = added(c, along) if along else None
            series = 1 - square if project is None else project * 3 + project * project * 4.5 + 1 - square
            out.append(value + (density * weight * series - value) * omega)
        return out

    with c.nest(*shape, edge=1, reverse=c.alternative) as at:
        pulled = [
            source.get(q, moved(at, d, -1) if what in ("pull", "stream") else at) for q, d in enumerate(directions)
        ]
        values = pulled if what == "stream" else collided(pulled)
        if walls and what != "stream":
            solid = mask[tuple(at)] > 0
            values = [solid.then(old, new) for old, new in zip(pulled, values, strict=True)]
        for q, (value, d) in enumerate(zip(values, directions, strict=True)):
            target.put(q, moved(at, d, 1) if what == "push" else at, value)


def _automaton(c: Code) -> None:
    """Life and its like by comparisons, a table or bits; rules of lines; Ising spins with random numbers."""
    kind, (h, w), what = (
        c.pick(("u8", "i8", "i32", "u16")),
        (c.size(4, 200), c.size(4, 200)),
        c.pick(("life", "table", "bits", "ising", "rule")),
    )
    a, b, table = c.array([h, w], kind), c.array([h, w], kind), c.array(32, kind)
    if what == "bits":
        words, out = c.array([h, w], "u64"), c.array([h, w], "u64")
        with c.loop(1, h - 1) as i, c.loop(0, w) as j:
            rows = [words[f"{i} + {d}", j] for d in (-1, 0, 1)]
            sides = [v for row in rows for v in (row << 1, row >> 1)] + [rows[0], rows[2]]
            ones, twos, fours = sides[0], c.known(0, "u64"), c.known(0, "u64")
            for bit in sides[1:]:
                carry = ones & bit
                ones, fours, twos = ones ^ bit, fours | (twos & carry), twos ^ carry
            out[i, j] = (twos & (ones | rows[1])) & (fours ^ -1)
        return
    if what == "rule":
        with c.loop(0, h - 1) as t, c.loop(1, w - 1) as j:
            left, middle, right = (a[t, f"{j} + {d}"] for d in (-1, 0, 1))
            a[f"{t} + 1", j] = left ^ (middle | right)
        return
    if what == "ising":
        spins, seeds = c.array([h, w], "i32"), c.array([h], "u32")
        with c.loop(1, h - 1) as i, c.carry(1, w - 1, seeds[i]) as row:
            near = added(c, [spins[f"{i} + {p}", f"{row.index} + {q}"] for p, q in ((0, 1), (0, -1), (1, 0), (-1, 0))])
            state = row.values[0] * 1664525 + 1013904223
            chance = (state >> 24).to("i32")
            flip = (near * spins[i, row.index] * 40) < chance
            spins[i, row.index] = flip.then(0 - spins[i, row.index], spins[i, row.index])
            row.next = [state]
        return
    with c.nest(h, w, edge=1, reverse=c.alternative) as (i, j):
        cells = [a[f"{i} + {p}", f"{j} + {q}"] for p in (-1, 0, 1) for q in (-1, 0, 1) if (p, q) != (0, 0)]
        total, alive = added(c, cells), a[i, j]
        if what == "table":
            b[i, j] = table[((total.to("u" + kind[1:]) * 2 + alive.to("u" + kind[1:])) & 31).to("index")]
        else:
            three, two = total.same(3), total.same(2) & alive.same(1)
            b[i, j] = (three | two).then(c.known(1, kind), 0)


def _waves(c: Code) -> None:
    """FDTD: fields on staggered grids in one to three dimensions, with constants or coefficients."""
    kind, shape, steps = c.pick(FLOATS), grid(c), c.pick((1, 1, 1, c.size(2, 20)))
    rank, varied, how, damped = len(shape), c.coin(), layout(c), c.coin(0.3)
    count = {1: 1, 2: 2, 3: 3}[rank]
    e, h = Fields(c, shape, count, kind, how), Fields(c, shape, 1 if rank < 3 else 3, kind, how)
    coefficients, losses = c.array(shape, kind), c.array(shape, kind)

    def change(field: Fields, q: int, at: list[str], axis: int, offset: int) -> Value:
        return field.get(q, shifted(at, axis, max(offset, 0))) - field.get(q, shifted(at, axis, min(offset, 0)))

    def curl(field: Fields, q: int, at: list[str], offset: int) -> Value:
        if rank == 1:
            return change(field, 0, at, 0, offset)
        if rank == 2 and field is h:
            return change(field, 0, at, 1 - q, offset)
        a, b = ((q + 1) % 3, (q + 2) % 3) if rank == 3 else (0, 1)
        return change(field, b, at, a, offset) - change(field, a, at, b, offset)

    def sweep(field: Fields, other: Fields, number: int, offset: int) -> None:
        with c.nest(*shape, edge=1, reverse=c.alternative) as at:
            for q in range(number):
                step = curl(other, q, at, offset) * (coefficients[tuple(at)] if varied else 0.5)
                old = field.get(q, at)
                field.put(q, at, (old * losses[tuple(at)] if damped else old) + step)

    with c.nest(*([steps] if steps > 1 else [])):
        sweep(e, h, count, -1)
        sweep(h, e, 1 if rank < 3 else 3, 1)


def _diffusion(c: Code) -> None:
    """Heat and waves of second to eighth order, coefficients, reactions of two species, guards at boundaries."""
    kind, shape, reach = c.pick(FLOATS), grid(c), c.pick((1, 1, 1, 2, 4))
    what, varied, edges = c.pick(("heat", "wave", "react", "burgers", "anisotropic", "phase")), c.coin(), c.coin(0.25)
    shape = [max(n, 2 * reach + 3) for n in shape]
    species = 2 if what == "react" else 1
    how = layout(c)
    old, new, coefficients = (Fields(c, shape, species, kind, how) for _ in range(3))
    weights = {1: (1.0,), 2: (1.3333, -0.0833), 4: (1.6, -0.2, 0.0254, -0.0018)}[reach]

    def spread(q: int, at: list[str], axis: int) -> Value:
        here = old.get(q, at)
        terms = []
        for k, weight in enumerate(weights, 1):
            pair = old.get(q, shifted(at, axis, -k)) + old.get(q, shifted(at, axis, k)) - here * 2
            terms.append(pair * weight if weight != 1 else pair)
        return added(c, terms)

    def faces(at: list[str], axis: int) -> Value:
        k, here = coefficients.get(0, at), old.get(0, at)
        high = (k + coefficients.get(0, shifted(at, axis, 1))) * (old.get(0, shifted(at, axis, 1)) - here)
        low = (k + coefficients.get(0, shifted(at, axis, -1))) * (here - old.get(0, shifted(at, axis, -1)))
        return (high - low) * 0.5

    def cell(at: list[str]) -> None:
        values, sums = [old.get(q, at) for q in range(species)], []
        for q in range(species):
            parts = [faces(at, a) if what == "anisotropic" else spread(q, at, a) for a in range(len(shape))]
            sums.append(added(c, parts) * (coefficients.get(q, at) if varied and what != "anisotropic" else 0.1))
        u = values[0]
        if what == "react":
            uvv = u * values[1] * values[1]
            results = [u + sums[0] - uvv + (1 - u) * 0.04, values[1] + sums[1] + uvv - values[1] * 0.1]
        elif what == "wave":
            results = [u * 2 - new.get(0, at) + sums[0]]
        elif what == "burgers":
            results = [u + sums[0] - u * (u - old.get(0, shifted(at, 0, -1))) * 0.1]
        elif what == "phase":
            results = [u + sums[0] - (u * u * u - u) * 0.1]
        else:
            results = [u + sums[0]]
        for q, value in enumerate(results):
            new.put(q, at, value)

    if edges and len(shape) <= 2:
        with c.nest(*shape) as at:
            inside = ", ".join(f"d{n} - {reach} >= 0, {m - 1 - reach} - d{n} >= 0" for n, m in enumerate(shape))
            with c.within(inside, *at):
                cell(at)
    else:
        with c.nest(*shape, edge=reach, reverse=c.alternative) as at:
            cell(at)


_KERNELS = {
    **solvers.KERNELS,
    **transport.KERNELS,
    "lattice": _lattice,
    "automaton": _automaton,
    "waves": _waves,
    "diffusion": _diffusion,
}
