"""Solvers: tridiagonal systems, relaxation, multigrid, sparse products, conjugate gradients, finite elements."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.structures import added
from costmodel.mlir.generators.values import Value

_FLOATS = ("f32", "f32", "f64", "f64", "f16")


def _tridiagonal(c: Code) -> None:
    """Thomas' algorithm for many systems, along rows or down columns, with constant or varied coefficients."""
    kind, n, many = c.pick(("f32", "f64", "f64")), c.size(4, 300), c.pick((1, c.size(2, 200), c.size(2, 200)))
    down, constant, periodic = c.coin(), c.coin(0.3), c.coin(0.2)
    shape = [n, many] if down else [many, n]
    a, b, d, x, scratch = c.arrays(5, shape, kind)
    carried = c.alternative

    def at(m: str, i: str) -> tuple[str, str]:
        return (i, m) if down else (m, i)

    def coefficients(m: str, i: str) -> tuple[Value, Value, Value]:
        if constant:
            return c.known(-1, kind), c.known(4, kind), c.known(-1, kind)
        return a[at(m, i)], b[at(m, i)], a[at(m, f"{i} + 1")] if periodic else d[at(m, i)]

    def forward(m: str, i: str, upper: Value, right: Value) -> tuple[Value, Value]:
        low, middle, high = coefficients(m, i)
        inverse = 1 / (middle - low * upper)
        return high * inverse, (x[at(m, i)] - low * right) * inverse

    last = n - 1 if periodic else n
    if carried:
        with c.loop(0, many) as m:
            with c.carry(1, last, scratch[at(m, "0")], x[at(m, "0")]) as loop:
                upper, right = forward(m, loop.index, *loop.values[:2])
                scratch[at(m, loop.index)], x[at(m, loop.index)] = upper, right
                loop.next = [upper, right]
            with c.carry(1, last, loop.out[1]) as back:
                place = f"{last - 1} - {back.index}"
                back.next = [x[at(m, place)] - scratch[at(m, place)] * back.values[0]]
                x[at(m, place)] = back.next[0]
        return
    order = [(last, 1), (many, 0)] if down else [(many, 0), (last, 1)]

    def sweep(body: Callable[[str, str], None]) -> None:
        with c.loop(order[0][1], order[0][0]) as p, c.loop(order[1][1], order[1][0]) as q:
            body(*((q, p) if down else (p, q)))

    def eliminate(m: str, i: str) -> None:
        scratch[at(m, i)], x[at(m, i)] = forward(m, i, scratch[at(m, f"{i} - 1")], x[at(m, f"{i} - 1")])

    def substitute(m: str, i: str) -> None:
        place, after = f"{last - 1} - {i}", f"{last} - {i}"
        x[at(m, place)] = x[at(m, place)] - scratch[at(m, place)] * x[at(m, after)]

    sweep(eliminate)
    sweep(substitute)


def _relaxed(c: Code) -> None:
    """Jacobi with coefficients, red and black Gauss-Seidel, over-relaxation, Chebyshev; residuals and their norms."""
    kind, (n, m) = c.pick(_FLOATS), (c.size(6, 160), c.size(6, 160))
    what, varied, steps = (
        c.pick(("jacobi", "jacobi", "redblack", "redblack", "sor", "residual", "chebyshev")),
        c.coin(),
        c.pick((1, 1, 1, 8)),
    )
    x, y, f, norm = c.array([n, m], kind), c.array([n, m], kind), c.array([n, m], kind), c.array(1, kind)
    a = c.arrays(5 if varied else 1, [n, m], kind)

    def near(i: str, j: str) -> list[Value]:
        places = ((f"{i} - 1", j), (f"{i} + 1", j), (i, f"{j} - 1"), (i, f"{j} + 1"))
        values = [x[place] for place in places]
        return [v * k[i, j] for v, k in zip(values, a[1:], strict=True)] if varied else values

    def fresh(i: str, j: str) -> Value:
        total = f[i, j] + added(c, near(i, j))
        return total / a[0][i, j] if varied else total * 0.25

    largest, damped = c.coin(), c.coin(0.4)
    if what == "residual":
        with c.carry(1, n - 1, c.known(0, kind)) as rows:
            with c.carry(1, m - 1, rows.values[0]) as row:
                i, j = rows.index, row.index
                rest = f[i, j] + added(c, near(i, j)) - x[i, j] * (a[0][i, j] if varied else 4)
                y[i, j] = rest
                row.next = [row.values[0].max(rest.abs()) if largest else row.values[0] + rest * rest]
            rows.next = row.out
        norm[0] = rows.out[0].math("sqrt")
        return
    with c.nest(*([steps] if steps > 1 else [])):
        if what == "redblack":
            half = (min(m, 2 * (m // 2)) - 2) // 2
            for colour in (0, 1):
                with c.loop(0, (n - 2) // 2) as i2, c.loop(0, half) as j2:
                    for odd in (0, 1):
                        i, j = f"{i2} * 2 + {1 + odd}", f"{j2} * 2 + {1 + (odd + colour) % 2}"
                        x[i, j] = x[i, j] * 0.2 + fresh(i, j) * 0.8 if damped else fresh(i, j)
        else:
            with c.loop(1, n - 1) as i, c.loop(1, m - 1) as j:
                if what == "jacobi":
                    y[i, j] = fresh(i, j)
                elif what == "sor":
                    x[i, j] = x[i, j] + (fresh(i, j) - x[i, j]) * 1.7
                else:
                    y[i, j] = (fresh(i, j) - y[i, j]) * 1.3 + y[i, j]
            if what == "jacobi" and steps > 1:
                with c.loop(1, n - 1) as i, c.loop(1, m - 1) as j:
                    x[i, j] = y[i, j]


def _multigrid(c: Code) -> None:
    """Restriction to the coarse grid and prolongation back, by injection or weights, in one to three axes."""
    kind, rank, what = (
        c.pick(_FLOATS),
        c.pick((1, 2, 2, 3)),
        c.pick(("inject", "weigh", "average", "prolong", "prolong", "constant")),
    )
    shape = [c.size(3, {1: 3000, 2: 120, 3: 24}[rank]) for _ in range(rank)]
    coarse, fine = c.array(shape, kind), c.array([2 * n + 1 for n in shape], kind)
    add = c.coin()

    def around(at: list[str], offsets: list[tuple[float, int]]) -> list[tuple[float, tuple[str, ...]]]:
        out: list[tuple[float, tuple[str, ...]]] = [(1.0, ())]
        for i in at:
            out = [(w * v, (*p, f"{i} * 2 + {o}")) for w, p in out for v, o in offsets]
        return out

    if what in ("inject", "weigh", "average"):
        offsets = {"inject": [(1.0, 1)], "weigh": [(0.25, 0), (0.5, 1), (0.25, 2)], "average": [(0.5, 0), (0.5, 1)]}[
            what
        ]
        with c.nest(*shape) as at:
            terms = [fine[place] * weight if weight != 1 else fine[place] for weight, place in around(at, offsets)]
            coarse[tuple(at)] = added(c, terms)
        return
    with c.nest(*[n - 1 for n in shape]) as at:
        for number in range(1 << rank):
            odd = [(number >> k) & 1 for k in range(rank)]
            near: list[tuple[str, ...]] = [()]
            for i, o in zip(at, odd, strict=True):
                steps = [i, f"{i} + 1"] if o and what == "prolong" else [i]
                near = [(*p, s) for p in near for s in steps]
            value = added(c, [coarse[p] for p in near])
            value = value * (1 / len(near)) if len(near) > 1 else value
            place = tuple(f"{i} * 2 + {o}" for i, o in zip(at, odd, strict=True))
            fine[place] = fine[place] + value if add else value


def _sparse(c: Code) -> None:
    """Sparse products with rows of any length, by diagonals, blocks or coordinates; sweeps of triangular solves."""
    kind, rows, index = c.pick(_FLOATS), c.size(4, 1000), c.pick(("i32", "i64", "u16"))
    what, held = c.pick(("csr", "csr", "diagonals", "blocks", "coordinates", "solve", "jacobi")), c.size(4, 4000)
    x, y, values, ids = c.array(rows * 4, kind), c.array(rows * 4, kind), c.array(held * 16, kind), c.array(held, index)
    unsigned, starts = "u" + index[1:], c.array(rows + 1, index)

    def at(raw: Value, most: int) -> Value:
        return (raw.to(unsigned) % min(most, 30000)).to("index")

    if what == "diagonals":
        offsets = sorted(c.rng.sample(range(0, min(rows, 60)), min(rows, c.rng.randint(2, 9))))
        diagonals = c.array([len(offsets), rows], kind)
        with c.loop(0, rows) as i:
            terms = [diagonals[k, i] * x[f"{i} + {o}"] for k, o in enumerate(offsets)]
            y[i] = added(c, terms)
    elif what == "coordinates":
        others, symmetric = c.array(held, index), c.coin()
        with c.loop(0, held) as k:
            row, column = at(ids[k], rows), at(others[k], rows)
            y[row] = y[row] + values[k] * x[column]
            if symmetric:
                y[column] = y[column] + values[k] * x[row]
    elif what == "blocks":
        size_, near = c.pick((2, 3, 4)), c.size(1, 12)
        near = min(near, max(held * 16 // (rows * size_ * size_), 1))
        blocks, columns = c.array([rows, near, size_, size_], kind), c.array([rows, near], index)
        with c.loop(0, rows) as i, c.carry(0, near, *[c.known(0, kind)] * size_) as loop:
            column = at(columns[i, loop.index], rows) * size_
            part = [x[column + k] for k in range(size_)]
            loop.next = [
                v + added(c, [blocks[i, loop.index, r, k] * p for k, p in enumerate(part)])
                for r, v in enumerate(loop.values)
            ]
            for r, value in enumerate(loop.next):
                y[f"{i} * {size_} + {r}"] = value
    else:
        with c.loop(0, rows) as i:
            low, high = at(starts[i], held), at(starts[f"{i} + 1"], held)
            solving = what == "solve"

            def term(k: Value, v: Value) -> Value:
                product = values[k] * (y if solving else x)[at(ids[k], rows)]
                return v - product if solving else v + product

            total = c.folded(low, high, x[i] if solving else c.known(0, kind), term)
            y[i] = total if what == "csr" else total / values[i]


def _krylov(c: Code) -> None:
    """Steps of conjugate gradients and the like: products, dot products, updates, fused or one after another."""
    kind, n, what = c.pick(("f32", "f64", "f64")), c.size(8, 3000), c.pick(("gradients", "power", "bicg", "orthogonal"))
    x, r, p, q, s = c.arrays(5, n, kind)
    band, out, vectors = c.array([3, n], kind), c.array(4, kind), c.pick((2, 3, 6))
    fused = c.alternative
    zero = c.known(0, kind)

    def product(i: str) -> Value:
        return band[0, i] * p[f"{i} - 1"] + band[1, i] * p[i] + band[2, i] * p[f"{i} + 1"]

    if what == "orthogonal":
        basis = c.array([vectors, n], kind)
        with c.loop(0, vectors) as k:
            along = c.total(n, zero, lambda i, v: v + basis[k, i] * r[i])
            with c.loop(0, n) as i:
                r[i] = r[i] - along * basis[k, i]
        return
    if fused:
        with c.carry(1, n - 1, zero, zero) as loop:
            value = product(loop.index)
            q[loop.index] = value
            loop.next = [loop.values[0] + value * p[loop.index], loop.values[1] + r[loop.index] * r[loop.index]]
        curvature, square = loop.out
    else:
        with c.loop(1, n - 1) as i:
            q[i] = product(i)
        curvature = c.total(n - 1, zero, lambda i, v: v + p[i] * q[i], low=1)
        square = c.total(n - 1, zero, lambda i, v: v + r[i] * r[i], low=1)
    if what == "power":
        scale = 1 / (curvature.abs() + 1e-3).math("sqrt")
        with c.loop(0, n) as i:
            p[i] = q[i] * scale
        return
    alpha = square / curvature
    with c.carry(0, n, zero) as loop:
        i = loop.index
        x[i] = x[i] + alpha * p[i]
        rest = r[i] - alpha * q[i]
        r[i] = rest
        loop.next = [loop.values[0] + rest * (s[i] if what == "bicg" else rest)]
    beta = loop.out[0] / square
    with c.loop(0, n) as i:
        p[i] = r[i] + beta * p[i]
        if what == "bicg":
            s[i] = s[i] * beta + q[i]
    out[0] = beta


def _elements(c: Code) -> None:
    """Finite elements: values of nodes gathered, a small matrix applied or computed, results scattered."""
    kind, elements, nodes = c.pick(("f32", "f64", "f64")), c.size(2, 800), c.pick((2, 3, 4, 4, 8))
    what, index = c.pick(("apply", "apply", "area", "quadrature", "edges")), c.pick(("i32", "i64"))
    ids, x, y = c.array([elements, nodes], index), c.array(4000, kind), c.array(4000, kind)
    matrices, points = c.array([elements, nodes, nodes], kind), c.pick((1, 3, 4))
    shapes, shared, squared = c.array([points, nodes], kind), c.coin(0.4), c.coin()

    with c.loop(0, elements) as e:
        places = [(ids[e, k].to("u" + index[1:]) % 4000).to("index") for k in range(nodes)]
        local = [x[place] for place in places]
        if what == "edges":
            change = local[1] - local[0]
            flow = change * matrices[e, 0, 0]
            y[places[0]] = y[places[0]] + flow
            y[places[1]] = y[places[1]] - flow
            return
        if what == "area":
            out = [(local[k] - local[k - 1]) * (local[(k + 1) % nodes] + local[k]) * 0.5 for k in range(nodes)]
        elif what == "quadrature":
            out = [c.known(0, kind) for _ in range(nodes)]
            for point in range(points):
                row = [shapes[point, k] for k in range(nodes)]
                value = added(c, [a * b for a, b in zip(row, local, strict=True)])
                value = value * value + 1 if squared else value
                out = [o + value * shape for o, shape in zip(out, row, strict=True)]
        else:
            first = "0" if shared else e
            out = [added(c, [matrices[first, r, k] * v for k, v in enumerate(local)]) for r in range(nodes)]
        for place, value in zip(places, out, strict=True):
            y[place] = y[place] + value


KERNELS = {
    "tridiagonal": _tridiagonal,
    "relaxed": _relaxed,
    "multigrid": _multigrid,
    "sparse": _sparse,
    "krylov": _krylov,
    "elements": _elements,
}
