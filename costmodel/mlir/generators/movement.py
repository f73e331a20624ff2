"""Kernels that move data: transposes, permutations, reversals, gathers, scatters, histograms."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import ALL_KINDS, coin, kind, loop_variants, size
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.writer import Writer

_LARGEST = {1: 20000, 2: 500, 3: 80, 4: 24}


def transpose(rng: random.Random) -> Group:
    """Copies with permuted axes, some reversed, shifted, strided or blocked, with or without arithmetic on the way."""
    rank = rng.choice((1, 2, 2, 3, 3, 4))
    shape = [size(rng, 2, _LARGEST[rank]) for _ in range(rank)]
    order = list(range(rank))
    rng.shuffle(order)
    reverse = [coin(rng, 0.15) for _ in range(rank)]
    stride = [rng.choice((1, 1, 1, 2, 3)) for _ in range(rank)]
    element, noalias = kind(rng, ALL_KINDS), coin(rng)
    work = rng.choice(("", "", "scale", "add", "square"))
    w = Writer()
    source = w.buffer([n * s for n, s in zip(shape, stride, strict=True)], element)
    target = w.buffer([shape[axis] for axis in order], element)

    def inner(at: list[str]) -> None:
        where = [
            f"{(n - 1) * s} - {i} * {s}" if r else f"{i} * {s}"
            for i, n, s, r in zip(at, shape, stride, reverse, strict=True)
        ]
        place = [at[axis] for axis in order]
        value = w.load(source, *where)
        if work == "scale":
            value = w.op("mul", element, value, w.constant(3, element))
        elif work == "add":
            value = w.op("add", element, value, w.load(target, *place))
        elif work == "square":
            value = w.op("mul", element, value, value)
        w.store(value, target, *place)

    def over(at: list[str]) -> None:
        if len(at) == rank:
            inner(at)
            return
        with w.loop(0, shape[len(at)]) as index:
            over([*at, index])

    over([])
    signs = "".join("r" if r else str(s) for r, s in zip(reverse, stride, strict=True))
    key = f"{'x'.join(map(str, shape))}-{''.join(map(str, order))}-{signs}-{element}-{work}-{int(noalias)}"
    return Group("transpose", key, w.function("permute", noalias=noalias), loop_variants(rng, rank, 4))


def gather(rng: random.Random) -> Group:
    """Reads and writes through an index buffer: gather, scatter, histogram, embedding rows, sparse product."""
    what = rng.choice(("gather", "scatter", "scatter_add", "histogram", "rows", "csr", "permute_twice"))
    element, noalias = kind(rng, ALL_KINDS), coin(rng)
    index_kind = rng.choice(("i32", "i64", "i16"))
    count, table = size(rng, 4, 8000), size(rng, 8, 8000)
    width = size(rng, 2, 128)
    w = Writer()
    _GATHERS[what](w, element, index_kind, count, table, width)
    key = f"{what}-{count}-{table}-{width}-{element}-{index_kind}-{int(noalias)}"
    depth = 2 if what in ("rows", "csr") else 1
    return Group("gather", key, w.function("gather", noalias=noalias), loop_variants(rng, depth, 4))


def _index(w: Writer, buffer: str, index_kind: str, *at: str) -> str:
    raw = w.load(buffer, *at)
    return w.value(f"arith.index_cast {raw} : {index_kind} to index")


def _gather(w: Writer, element: str, index_kind: str, count: int, table: int, _: int) -> None:
    ids, x, y = w.buffer([count], index_kind), w.buffer([table], element), w.buffer([count], element)
    with w.loop(0, count) as i:
        w.store(w.load_at(x, _index(w, ids, index_kind, i)), y, i)


def _scatter(w: Writer, element: str, index_kind: str, count: int, table: int, _: int) -> None:
    ids, x, y = w.buffer([count], index_kind), w.buffer([count], element), w.buffer([table], element)
    with w.loop(0, count) as i:
        w.store_at(w.load(x, i), y, _index(w, ids, index_kind, i))


def _scatter_add(w: Writer, element: str, index_kind: str, count: int, table: int, _: int) -> None:
    ids, x, y = w.buffer([count], index_kind), w.buffer([count], element), w.buffer([table], element)
    with w.loop(0, count) as i:
        place = _index(w, ids, index_kind, i)
        w.store_at(w.op("add", element, w.load_at(y, place), w.load(x, i)), y, place)


def _histogram(w: Writer, element: str, index_kind: str, count: int, table: int, _: int) -> None:
    ids, y = w.buffer([count], index_kind), w.buffer([table], element)
    with w.loop(0, count) as i:
        place = _index(w, ids, index_kind, i)
        w.store_at(w.op("add", element, w.load_at(y, place), w.constant(1, element)), y, place)


def _rows(w: Writer, element: str, index_kind: str, count: int, table: int, width: int) -> None:
    ids, x, y = w.buffer([count], index_kind), w.buffer([table, width], element), w.buffer([count, width], element)
    with w.loop(0, count) as i:
        row = _index(w, ids, index_kind, i)
        with w.loop(0, width) as j:
            w.store(w.load_at(x, row, j), y, i, j)


def _csr(w: Writer, element: str, index_kind: str, count: int, table: int, width: int) -> None:
    """A sparse product with a fixed number of entries a row (ELLPACK)."""
    ids, values = w.buffer([count, width], index_kind), w.buffer([count, width], element)
    x, y = w.buffer([table], element), w.buffer([count], element)
    with w.loop(0, count) as i:
        with w.reduction(0, width, w.constant(0, element), element) as loop:
            reached = w.load_at(x, _index(w, ids, index_kind, i, loop.index))
            loop.result = w.op(
                "add", element, loop.carried, w.op("mul", element, w.load(values, i, loop.index), reached)
            )
        w.store(loop.out, y, i)


def _permute_twice(w: Writer, element: str, index_kind: str, count: int, table: int, _: int) -> None:
    first, second = w.buffer([count], index_kind), w.buffer([table], index_kind)
    x, y = w.buffer([table], element), w.buffer([count], element)
    with w.loop(0, count) as i:
        middle = _index(w, first, index_kind, i)
        raw = w.load_at(second, middle)
        place = w.value(f"arith.index_cast {raw} : {index_kind} to index")
        w.store(w.op("add", element, w.load_at(x, place), w.load_at(x, middle)), y, i)


_GATHERS = {
    "gather": _gather,
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "histogram": _histogram,
    "rows": _rows,
    "csr": _csr,
    "permute_twice": _permute_twice,
}
