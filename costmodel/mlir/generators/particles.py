"""Particles and points: forces, distances, clusters, densities, rays, rotations, orbits."""

from __future__ import annotations

import random

from costmodel.mlir.generators import geometry, pricing
from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.geometry import Points, dot, less
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.structures import added, drawn
from costmodel.mlir.generators.values import Value


def particles(rng: random.Random) -> Group:
    """Forces, distances, clusters, densities, rays, rotations, pricing, random paths, small systems in time."""
    return drawn("particles", _KERNELS, rng)


_FLOATS = ("f32", "f32", "f64", "f64", "f16")


def _forces(c: Code) -> None:
    """Gravity, Lennard-Jones, springs, Morse: of all pairs or half, with a cut-off by select or branch."""
    kind, n, axes = c.pick(_FLOATS), c.size(4, 500), c.pick((2, 3, 3))
    what = c.pick(("gravity", "gravity", "lennard_jones", "lennard_jones", "spring", "morse"))
    cut, periodic, masses = c.pick(("", "select", "branch")), c.coin(0.2), c.array(n, kind)
    position, force = Points(c, n, axes, kind), Points(c, n, axes, kind)
    half = c.alternative

    def strength(square: Value, i: str, j: str) -> Value:
        if what == "lennard_jones":
            inverse = 1 / square
            six = inverse * inverse * inverse
            return six * inverse * (six * 48 - 24)
        if what == "spring":
            return 1 - 0.7 / square.math("sqrt")
        if what == "morse":
            root = square.math("sqrt")
            power = (0.9 - root).math("exp")
            return (power * power - power) * 2 / root
        root = square.math("rsqrt") if half else 1 / square.math("sqrt")
        return masses[i] * masses[j] * root * root * root

    def pair(i: str, j: str, here: list[Value]) -> list[Value]:
        away = less(position.get(j), here)
        if periodic:
            away = [d - (d * 0.1).math("roundeven") * 10 for d in away]
        square = dot(away, away) + (0.01 if what != "lennard_jones" else 0.5)
        zero = c.known(0, kind)
        if cut == "branch":
            return c.branch(
                square < 6.25, lambda: [s * d for d in away for s in [strength(square, i, j)]], lambda: [zero] * axes
            )
        scale = strength(square, i, j)
        scale = (square < 6.25).then(scale, 0) if cut else scale
        return [scale * d for d in away]

    with c.loop(0, n) as i:
        here = position.get(i)
        high = f"affine_map<(d0) -> (d0)>({i})" if half else n
        with c.carry(0, high, *force.get(i)) as loop:
            moved = pair(i, loop.index, here)
            loop.next = [v + m for v, m in zip(loop.values, moved, strict=True)]
            if half:
                force.put(loop.index, less(force.get(loop.index), moved))
        force.put(i, loop.out)


def _neighbours(c: Code) -> None:
    """Forces or sums over lists of neighbours."""
    kind, n, near, axes = c.pick(_FLOATS), c.size(4, 800), c.size(2, 60), c.pick((2, 3))
    position, out, ids = Points(c, n, axes, kind), c.array(n, kind), c.array([n, near], c.pick(("i32", "u16", "i64")))
    what = c.pick(("density", "energy", "average"))
    with c.loop(0, n) as i:
        here = position.get(i)

        def term(k: str, v: Value) -> Value:
            other = position.get(_inside(ids[i, k], n))
            square = dot(less(other, here), less(other, here)) + 0.1
            if what == "average":
                return v + other[0]
            left = (1 - square * 0.25).max(0)
            return v + left * left * left if what == "density" else v + 1 / square

        out[i] = c.total(near, c.known(0, kind), term)


def _inside(raw: Value, n: int) -> Value:
    return (raw.to("u" + raw.kind[1:]) % min(n, 30000)).to("index")


def _distances(c: Code) -> None:
    """Matrices of distances: Euclidean, absolute, largest, cosine, by products; few axes are written out."""
    kind, n, m, what = (
        c.pick((*_FLOATS, "i32")),
        c.size(2, 300),
        c.size(2, 300),
        c.pick(("square", "absolute", "largest")),
    )
    what = what if kind == "i32" else c.pick((what, "root", "cosine", "product", "gauss"))
    axes = c.size(2, 96)
    x, y, out = c.array([n, axes], kind), c.array([m, axes] if c.coin() else [axes, m], kind), c.array([n, m], kind)
    turned = y.shape[0] == axes and axes != m
    symmetric = n == m and c.coin()

    def one(i: str, j: str, k: str | int, total: Value) -> Value:
        a, b = x[i, k], y[k, j] if turned else y[j, k]
        if what in ("cosine", "product"):
            return total + a * b
        away = a - b
        if what == "absolute":
            return total + away.abs()
        return total.max(away.abs()) if what == "largest" else total + away * away

    with c.loop(0, n) as i, c.loop(0, f"affine_map<(d0) -> (d0 + 1)>({i})" if symmetric else m) as j:
        total = c.known(0, kind)
        if axes <= 4 or (axes <= 12 and c.alternative):
            for k in range(axes):
                total = one(i, j, k, total)
        else:
            total = c.total(axes, total, lambda k, v: one(i, j, k, v))
        if what == "root":
            total = total.math("sqrt")
        elif what == "gauss":
            total = (total * -0.5).math("exp")
        out[i, j] = total


def _clusters(c: Code) -> None:
    """k-means: the nearest centre of each point, sums and counts by cluster, means; labels scattered or compared."""
    kind, n, k, axes = c.pick(("f32", "f32", "f64")), c.size(8, 1500), c.size(2, 24), c.pick((2, 3, 4, 16))
    x, centres, sums = c.array([n, axes], kind), c.array([k, axes], kind), c.array([k, axes], kind)
    labels, counts = c.array(n, "i32"), c.array(k, "i32")
    assign, update = c.pick(((True, False), (False, True), (True, True)))
    one_hot = c.alternative
    if assign:
        with c.loop(0, n) as i, c.carry(0, k, c.known(9999, kind), c.known(0, "i32")) as loop:
            total = c.known(0, kind)
            for axis_ in range(axes) if axes <= 4 else ():
                away = x[i, axis_] - centres[loop.index, axis_]
                total = total + away * away
            if axes > 4:

                def axis(a: str, v: Value) -> Value:
                    return v + (x[i, a] - centres[loop.index, a]) * (x[i, a] - centres[loop.index, a])

                total = c.total(axes, total, axis)
            closer = total < loop.values[0]
            this = c.position(loop.index).to("i32")
            loop.next = [closer.then(total, loop.values[0]), closer.then(this, loop.values[1])]
            labels[i] = loop.next[1]
    if update:
        if one_hot:
            with c.nest(k, axes) as (q, a):
                this = c.position(q).to("i32")
                sums[q, a] = c.total(n, sums[q, a], lambda i, v: v + labels[i].same(this).then(x[i, a], 0))
            with c.loop(0, k) as q:
                this = c.position(q).to("i32")
                counts[q] = c.total(n, counts[q], lambda i, v: v + labels[i].same(this).to("i32"))
        else:
            with c.loop(0, n) as i:
                own = _inside(labels[i], k)
                counts[own] = counts[own] + 1
                with c.loop(0, axes) as a:
                    sums[own, c.position(a)] = sums[own, c.position(a)] + x[i, a]
        with c.nest(k, axes) as (q, a):
            centres[q, a] = sums[q, a] / (counts[q].max(1)).to(kind)


def _densities(c: Code) -> None:
    """Kernel densities, radial histograms, mixtures of Gaussians by log-sum-exp, nearest neighbours, the best two."""
    kind, n, m, axes = c.pick(("f32", "f32", "f64")), c.size(4, 500), c.size(4, 500), c.pick((1, 2, 3))
    what = c.pick(("gauss", "parabola", "histogram", "mixture", "nearest", "two"))
    sources, targets = Points(c, n, axes, kind), Points(c, m, axes, kind)
    out, bins, ids = c.array(m, kind), c.array(64, "i32"), c.array(m, "i32")

    def square(here: list[Value], k: str) -> Value:
        away = less(sources.get(k), here)
        return dot(away, away)

    with c.loop(0, m) as i:
        here = targets.get(i)
        if what == "histogram":
            with c.loop(0, n) as k:
                bin_ = (square(here, k).math("sqrt") * 4).clamp(0, 63).to("u32").to("index")
                bins[bin_] = bins[bin_] + 1
        elif what in ("gauss", "parabola"):

            def term(k: str, v: Value) -> Value:
                d = square(here, k) * -0.5
                return v + (d.math("exp") if what == "gauss" else ((d + 1) > 0).then(d + 1, 0))

            out[i] = c.total(n, c.known(0, kind), term) * (1 / n)
        elif what == "mixture":
            most = c.total(n, c.known(-9999, kind), lambda k, v: v.max(0 - square(here, k)))
            total = c.total(n, c.known(0, kind), lambda k, v: v + (0 - square(here, k) - most).math("exp"))
            out[i] = total.math("log") + most
        else:
            starts = [c.known(9999, kind)] * (2 if what == "two" else 1)
            with c.carry(0, n, *starts, c.known(0, "i32")) as loop:
                d, best = square(here, loop.index), loop.values[0]
                closer = d < best
                this = closer.then(c.position(loop.index).to("i32"), loop.values[-1])
                more = [loop.values[1].min(best.max(d))] if what == "two" else []
                loop.next = [closer.then(d, best) if not c.alternative else d.min(best), *more, this]
            out[i], ids[i] = loop.out[0], loop.out[-1]


def _moves(c: Code) -> None:
    """Positions and velocities stepped: leapfrog, walls that reflect, periodic boxes, drag; energies summed."""
    kind, n, axes, steps = c.pick(_FLOATS), c.size(4, 4000), c.pick((1, 2, 3)), c.pick((1, 1, c.size(2, 40)))
    edge, drag, energy = c.pick(("", "wrap", "reflect", "clamp", "modulo")), c.coin(0.3), c.coin(0.3)
    x, v, f = (Points(c, n, axes, kind) for _ in range(3))
    total, masses = c.array(1, kind), c.array(n, kind)
    order = [n] if steps == 1 else [steps, n] if not c.alternative else [n, steps]
    with c.nest(*order) as at:
        i = at[0] if (order[0] == n and len(order) == 1) or (c.alternative and steps > 1) else at[-1]
        place, speed = x.get(i), v.get(i)
        inverse = 1 / masses[i] if c.coin() else c.known(0.5, kind)
        speed = [s + a * inverse * 0.01 for s, a in zip(speed, f.get(i), strict=True)]
        if drag:
            speed = [s * (1 - s.abs() * 0.01) for s in speed]
        place = [p + s * 0.01 for p, s in zip(place, speed, strict=True)]
        if edge == "wrap":
            place = [(p < 0).then(p + 10, (p >= 10).then(p - 10, p)) for p in place]
        elif edge == "reflect":
            out = [(p < 0) | (p > 10) for p in place]
            speed = [o.then(0 - s, s) for o, s in zip(out, speed, strict=True)]
        elif edge == "clamp":
            place = [p.clamp(0, 10) for p in place]
        elif edge == "modulo":
            place = [p - (p * 0.1).math("floor") * 10 for p in place]
        x.put(i, place)
        v.put(i, speed)
        if energy:
            total["0"] = total["0"] + dot(speed, speed) * masses[i]


def _deposits(c: Code) -> None:
    """Particles and grids: cells counted, weights deposited to corners, fields gathered at particles."""
    kind, n, h, w = c.pick(("f32", "f64")), c.size(8, 3000), c.size(4, 64), c.size(4, 64)
    what, charge = c.pick(("count", "deposit", "gather", "sort")), c.coin()
    position, grid, cells = Points(c, n, 2, kind), c.array([h + 1, w + 1], kind), c.array([h, w], "i32")
    values, ids = c.array(n, kind), c.array(n, "i32")

    def split(p: Value, size: int) -> tuple[Value, Value]:
        cell = p.math("floor").clamp(0, size - 1) if not c.alternative else p.clamp(0, size - 1)
        whole = cell.to("i32")
        return whole.to("u32").to("index"), p - whole.to(kind)

    with c.loop(0, n) as i:
        px, py = position.get(i)
        (x, fx), (y, fy) = split(px, h), split(py, w)
        if what == "count":
            cells[x, y] = cells[x, y] + 1
        elif what == "sort":
            ids[i] = (x * w + y).to("i32")
        else:
            weights = [(1 - fx) * (1 - fy), (1 - fx) * fy, fx * (1 - fy), fx * fy]
            corners = [(x, y), (x, y + 1), (x + 1, y), (x + 1, y + 1)]
            if what == "gather":
                values[i] = added(c, [grid[at] * weight for at, weight in zip(corners, weights, strict=True)])
            else:
                for at, weight in zip(corners, weights, strict=True):
                    grid[at] = grid[at] + (weight * values[i] if charge else weight)


_KERNELS = {
    **geometry.KERNELS,
    **pricing.KERNELS,
    "forces": _forces,
    "neighbours": _neighbours,
    "distances": _distances,
    "clusters": _clusters,
    "densities": _densities,
    "moves": _moves,
    "deposits": _deposits,
}
