"""Several nests after one another, as polyhedral benchmark suites have them; written anew from the formulas."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import coin, kind, nest_variants, size
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.writer import Writer


def polyhedral(rng: random.Random) -> Group:
    """Products of matrices and vectors in chains, two products, rank updates, relaxation sweeps, shortest paths."""
    what = rng.choice(list(_KERNELS))
    element = kind(rng, ("f32", "f32", "f64", "f64", "f16", "i32"))
    noalias = coin(rng)
    n, m, k = (size(rng, 4, 120 if what in ("two_products", "three_products") else 250) for _ in range(3))
    steps = size(rng, 2, 30)
    w = Writer()
    _KERNELS[what](w, element, n, m, k, steps)
    key = f"{what}-{n}x{m}x{k}t{steps}-{element}-{int(noalias)}"
    return Group("polyhedral", key, w.function(what, noalias=noalias), nest_variants(rng, 2, 5))


def _scaled(w: Writer, element: str, value: str, factor: int) -> str:
    return w.op("mul", element, value, w.constant(factor, element))


def _matvec(w: Writer, element: str, a: str, x: str, y: str, n: int, m: int, *, transposed: bool = False) -> None:
    """y += A x, or its transpose."""
    with w.loop(0, n) as i, w.loop(0, m) as j:
        row, column = (j, i) if transposed else (i, j)
        product = w.op("mul", element, w.load(a, i, j), w.load(x, column))
        w.store(w.op("add", element, w.load(y, row), product), y, row)


def _product(w: Writer, element: str, a: str, b: str, c: str, n: int, m: int, k: int) -> None:
    with w.loop(0, n) as i, w.loop(0, m) as j:
        w.store(w.constant(0, element), c, i, j)
        with w.loop(0, k) as p:
            product = w.op("mul", element, w.load(a, i, p), w.load(b, p, j))
            w.store(w.op("add", element, w.load(c, i, j), product), c, i, j)


def _normal_equations(w: Writer, element: str, n: int, m: int, _: int, __: int) -> None:
    a, x, t, y = (w.buffer(s, element) for s in ([n, m], [m], [n], [m]))
    _matvec(w, element, a, x, t, n, m)
    _matvec(w, element, a, t, y, n, m, transposed=True)


def _two_directions(w: Writer, element: str, n: int, m: int, _: int, __: int) -> None:
    a, p, q, r, s = (w.buffer(shape, element) for shape in ([n, m], [m], [n], [n], [m]))
    with w.loop(0, n) as i, w.loop(0, m) as j:
        value = w.load(a, i, j)
        w.store(w.op("add", element, w.load(s, j), w.op("mul", element, w.load(r, i), value)), s, j)
        w.store(w.op("add", element, w.load(q, i), w.op("mul", element, value, w.load(p, j))), q, i)


def _two_vectors(w: Writer, element: str, n: int, _: int, __: int, ___: int) -> None:
    a = w.buffer([n, n], element)
    x, y, u, v = (w.buffer([n], element) for _ in range(4))
    _matvec(w, element, a, x, u, n, n)
    _matvec(w, element, a, y, v, n, n, transposed=True)


def _rank_two(w: Writer, element: str, n: int, _: int, __: int, ___: int) -> None:
    a = w.buffer([n, n], element)
    u, v, p, q, x, y, z = (w.buffer([n], element) for _ in range(7))
    with w.loop(0, n) as i, w.loop(0, n) as j:
        first = w.op("mul", element, w.load(u, i), w.load(v, j))
        second = w.op("mul", element, w.load(p, i), w.load(q, j))
        w.store(w.op("add", element, w.op("add", element, w.load(a, i, j), first), second), a, i, j)
    _matvec(w, element, a, y, x, n, n, transposed=True)
    with w.loop(0, n) as i:
        w.store(w.op("add", element, w.load(x, i), w.load(z, i)), x, i)
    _matvec(w, element, a, x, z, n, n)


def _scaled_sum(w: Writer, element: str, n: int, m: int, _: int, __: int) -> None:
    a, b, x, y = (w.buffer(s, element) for s in ([n, m], [n, m], [m], [n]))
    with w.loop(0, n) as i:
        with w.reduction(0, m, w.constant(0, element), element) as one:
            one.result = w.op(
                "add", element, one.carried, w.op("mul", element, w.load(a, i, one.index), w.load(x, one.index))
            )
        with w.reduction(0, m, w.constant(0, element), element) as two:
            two.result = w.op(
                "add", element, two.carried, w.op("mul", element, w.load(b, i, two.index), w.load(x, two.index))
            )
        w.store(w.op("add", element, _scaled(w, element, one.out, 3), _scaled(w, element, two.out, 2)), y, i)


def _two_products(w: Writer, element: str, n: int, m: int, k: int, _: int) -> None:
    a, b, t, c, d = (w.buffer(s, element) for s in ([n, k], [k, m], [n, m], [m, n], [n, n]))
    _product(w, element, a, b, t, n, m, k)
    _product(w, element, t, c, d, n, n, m)


def _three_products(w: Writer, element: str, n: int, m: int, k: int, _: int) -> None:
    a, b, e = (w.buffer(s, element) for s in ([n, k], [k, m], [n, m]))
    c, d, f, g = (w.buffer(s, element) for s in ([m, k], [k, n], [m, n], [n, n]))
    _product(w, element, a, b, e, n, m, k)
    _product(w, element, c, d, f, m, n, k)
    _product(w, element, e, f, g, n, n, m)


def _relaxation(w: Writer, element: str, n: int, m: int, _: int, steps: int) -> None:
    """Gauss-Seidel: reads what this sweep already wrote."""
    a = w.buffer([n, m], element)
    with w.loop(0, steps, name="t"), w.loop(1, n - 1) as i, w.loop(1, m - 1) as j:
        total = w.load(a, f"{i} - 1", f"{j} - 1")
        for row, column in (("-1", "0"), ("-1", "1"), ("0", "-1"), ("0", "0"), ("0", "1"), ("1", "0")):
            total = w.op("add", element, total, w.load(a, f"{i} + {row}", f"{j} + {column}"))
        w.store(w.op("div", element, total, w.constant(7, element)), a, i, j)


def _fields(w: Writer, element: str, n: int, m: int, _: int, steps: int) -> None:
    """Two coupled fields on staggered grids, step by step."""
    ex, ey, hz = (w.buffer([n, m], element) for _ in range(3))
    with w.loop(0, steps, name="t"):
        for field, row, column in ((ey, "1", "0"), (ex, "0", "1")):
            with w.loop(int(row), n) as i, w.loop(int(column), m) as j:
                change = w.op("sub", element, w.load(hz, i, j), w.load(hz, f"{i} - {row}", f"{j} - {column}"))
                w.store(w.op("sub", element, w.load(field, i, j), _scaled(w, element, change, 2)), field, i, j)
        with w.loop(0, n - 1) as i, w.loop(0, m - 1) as j:
            x = w.op("sub", element, w.load(ex, i, f"{j} + 1"), w.load(ex, i, j))
            y = w.op("sub", element, w.load(ey, f"{i} + 1", j), w.load(ey, i, j))
            w.store(w.op("sub", element, w.load(hz, i, j), w.op("add", element, x, y)), hz, i, j)


def _shortest_paths(w: Writer, element: str, n: int, _: int, __: int, ___: int) -> None:
    d = w.buffer([n, n], element)
    with w.loop(0, n) as k, w.loop(0, n) as i, w.loop(0, n) as j:
        through = w.op("add", element, w.load(d, i, k), w.load(d, k, j))
        w.store(w.op("min", element, w.load(d, i, j), through), d, i, j)


_KERNELS = {
    "normal_equations": _normal_equations,
    "two_directions": _two_directions,
    "two_vectors": _two_vectors,
    "rank_two": _rank_two,
    "scaled_sum": _scaled_sum,
    "two_products": _two_products,
    "three_products": _three_products,
    "relaxation": _relaxation,
    "fields": _fields,
    "shortest_paths": _shortest_paths,
}
