"""Nests with bounds that depend on outer loops: triangular solves, factorisations, triangular products."""

from __future__ import annotations

import random
from collections.abc import Callable

from costmodel.mlir.generators.drawing import coin, kind, nest_variants, size
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.writer import Writer

_HERE = "affine_map<(d0) -> (d0)>({})"
_NEXT = "affine_map<(d0) -> (d0 + 1)>({})"


def triangular(rng: random.Random) -> Group:
    """Solves with one or many right sides, LU, Cholesky-like updates, triangular and symmetric products, covariance."""
    what = rng.choice(list(_KERNELS))
    element = kind(rng, ("f32", "f32", "f64", "f64", "i32"))
    noalias, n, m = coin(rng), size(rng, 4, 200), size(rng, 2, 100)
    w = Writer()
    _KERNELS[what](w, element, n, m)
    return Group(
        "triangular",
        f"{what}-{n}-{m}-{element}-{int(noalias)}",
        w.function(what, noalias=noalias),
        nest_variants(rng, 2, 5),
    )


def _inner(w: Writer, element: str, low: str | int, high: str | int, start: str, a: Callable[[str], str]) -> str:
    """start minus the sum of `a(k)`."""
    with w.reduction(low, high, start, element) as loop:
        loop.result = w.op("sub", element, loop.carried, a(loop.index))
    return loop.out


def _forward_solve(w: Writer, element: str, n: int, _: int) -> None:
    a, b, x = w.buffer([n, n], element), w.buffer([n], element), w.buffer([n], element)
    with w.loop(0, n) as i:
        left = _inner(
            w, element, 0, _HERE.format(i), w.load(b, i), lambda k: w.op("mul", element, w.load(a, i, k), w.load(x, k))
        )
        w.store(w.op("div", element, left, w.load(a, i, i)), x, i)


def _many_solves(w: Writer, element: str, n: int, m: int) -> None:
    a, b = w.buffer([n, n], element), w.buffer([n, m], element)
    with w.loop(0, n) as i:
        with w.loop(0, _HERE.format(i)) as k, w.loop(0, m) as j:
            product = w.op("mul", element, w.load(a, i, k), w.load(b, k, j))
            w.store(w.op("sub", element, w.load(b, i, j), product), b, i, j)
        with w.loop(0, m) as j:
            w.store(w.op("div", element, w.load(b, i, j), w.load(a, i, i)), b, i, j)


def _lu(w: Writer, element: str, n: int, _: int) -> None:
    a = w.buffer([n, n], element)
    with w.loop(0, n) as k, w.loop(_NEXT.format(k), n) as i:
        w.store(w.op("div", element, w.load(a, i, k), w.load(a, k, k)), a, i, k)
        with w.loop(_NEXT.format(k), n) as j:
            product = w.op("mul", element, w.load(a, i, k), w.load(a, k, j))
            w.store(w.op("sub", element, w.load(a, i, j), product), a, i, j)


def _cholesky_update(w: Writer, element: str, n: int, _: int) -> None:
    a = w.buffer([n, n], element)
    with w.loop(0, n) as i, w.loop(0, _HERE.format(i)) as j:
        with w.loop(0, _HERE.format(j)) as k:
            product = w.op("mul", element, w.load(a, i, k), w.load(a, j, k))
            w.store(w.op("sub", element, w.load(a, i, j), product), a, i, j)
        w.store(w.op("div", element, w.load(a, i, j), w.load(a, j, j)), a, i, j)


def _triangular_product(w: Writer, element: str, n: int, m: int) -> None:
    a, b = w.buffer([n, n], element), w.buffer([n, m], element)
    with w.loop(0, n) as i, w.loop(0, m) as j, w.loop(_NEXT.format(i), n) as k:
        product = w.op("mul", element, w.load(a, k, i), w.load(b, k, j))
        w.store(w.op("add", element, w.load(b, i, j), product), b, i, j)


def _rank_update(w: Writer, element: str, n: int, m: int) -> None:
    a, c = w.buffer([n, m], element), w.buffer([n, n], element)
    with w.loop(0, n) as i, w.loop(0, _NEXT.format(i)) as j:
        with w.reduction(0, m, w.load(c, i, j), element) as loop:
            product = w.op("mul", element, w.load(a, i, loop.index), w.load(a, j, loop.index))
            loop.result = w.op("add", element, loop.carried, product)
        w.store(loop.out, c, i, j)


def _symmetric_product(w: Writer, element: str, n: int, m: int) -> None:
    a, b, c = w.buffer([n, n], element), w.buffer([n, m], element), w.buffer([n, m], element)
    with w.loop(0, n) as i, w.loop(0, m) as j, w.loop(0, _HERE.format(i)) as k:
        up = w.op("mul", element, w.load(a, i, k), w.load(b, i, j))
        w.store(w.op("add", element, w.load(c, k, j), up), c, k, j)
        down = w.op("mul", element, w.load(a, i, k), w.load(b, k, j))
        w.store(w.op("add", element, w.load(c, i, j), down), c, i, j)


def _covariance(w: Writer, element: str, n: int, m: int) -> None:
    data, mean, cov = w.buffer([m, n], element), w.buffer([n], element), w.buffer([n, n], element)
    with w.loop(0, m) as i, w.loop(0, n) as j:
        w.store(w.op("sub", element, w.load(data, i, j), w.load(mean, j)), data, i, j)
    with w.loop(0, n) as i, w.loop(_HERE.format(i), n) as j:
        with w.reduction(0, m, w.constant(0, element), element) as loop:
            product = w.op("mul", element, w.load(data, loop.index, i), w.load(data, loop.index, j))
            loop.result = w.op("add", element, loop.carried, product)
        w.store(loop.out, cov, i, j)
        w.store(loop.out, cov, j, i)


_KERNELS = {
    "forward_solve": _forward_solve,
    "many_solves": _many_solves,
    "lu": _lu,
    "cholesky_update": _cholesky_update,
    "triangular_product": _triangular_product,
    "rank_update": _rank_update,
    "symmetric_product": _symmetric_product,
    "covariance": _covariance,
}
