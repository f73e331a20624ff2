"""Kernels of the vector dialect: transfers, fused multiply-adds, outer products, contractions, reductions, shuffles."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import coin, kind, size
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.writer import Writer, is_float, memref


def vector(rng: random.Random) -> Group:
    """A kernel on vectors of two to thirty-two elements in a loop over a buffer."""
    what = rng.choice(list(_KERNELS))
    element = kind(rng, ("f32", "f32", "f64", "f16", "i32", "i16") if what != "micro_kernel" else ("f32", "f64"))
    lanes, count = rng.choice((2, 4, 8, 8, 16, 32)), size(rng, 2, 200)
    rows, deep, noalias = rng.randint(1, 8), size(rng, 2, 64), coin(rng)

    def write(width: int, high: int) -> str:
        w = Writer()
        _KERNELS[what](w, element, width, count, high, deep)
        return w.function(what, noalias=noalias)

    variants = [
        Variant({"unroll": 4}, "func.func(affine-loop-unroll{unroll-factor=4})"),
        Variant({"lanes": lanes * 2}, text=write(lanes * 2, rows)),
        Variant({"rows": rows + 2}, text=write(lanes, rows + 2)),
        Variant({"level": "llvm-vector"}, "func.func(convert-vector-to-scf,lower-affine,canonicalize)"),
    ]
    key = f"{what}-{element}-{lanes}-{count}-{rows}-{deep}-{int(noalias)}"
    return Group("vector", key, write(lanes, rows), variants)


def _vector(lanes: int, element: str) -> str:
    return f"vector<{lanes}x{element}>"


def _read(w: Writer, buffer: str, shape: list[int], element: str, lanes: int, *at: str) -> str:
    kind_ = f"{memref(shape, element)}, {_vector(lanes, element)}"
    where = ", ".join(at)
    return w.value(f"vector.transfer_read {buffer}[{where}], {w.constant(0, element)} {{in_bounds = [true]}} : {kind_}")


def _write(w: Writer, value: str, buffer: str, shape: list[int], element: str, lanes: int, *at: str) -> None:
    kinds = f"{_vector(lanes, element)}, {memref(shape, element)}"
    w.line(f"vector.transfer_write {value}, {buffer}[{', '.join(at)}] {{in_bounds = [true]}} : {kinds}")


def _fma(w: Writer, element: str, lanes: int, a: str, b: str, c: str) -> str:
    kind_ = _vector(lanes, element)
    if is_float(element):
        return w.value(f"vector.fma {a}, {b}, {c} : {kind_}")
    product = w.value(f"arith.muli {a}, {b} : {kind_}")
    return w.value(f"arith.addi {product}, {c} : {kind_}")


def _axpy(w: Writer, element: str, lanes: int, count: int, rows: int, _: int) -> None:
    shape = [count * lanes]
    x, y = w.buffer(shape, element), w.buffer(shape, element)
    factor = w.value(f"vector.broadcast {w.constant(3, element)} : {element} to {_vector(lanes, element)}")
    with w.loop(0, count * lanes, lanes) as i:
        value = _read(w, y, shape, element, lanes, i)
        for _ in range(rows):
            value = _fma(w, element, lanes, factor, _read(w, x, shape, element, lanes, i), value)
        _write(w, value, y, shape, element, lanes, i)


def _dot(w: Writer, element: str, lanes: int, count: int, rows: int, _: int) -> None:
    shape, kind_ = [count * lanes], _vector(lanes, element)
    x, y, out = w.buffer(shape, element), w.buffer(shape, element), w.buffer([rows], element)
    start = w.value(f"vector.broadcast {w.constant(0, element)} : {element} to {kind_}")
    for row in range(rows):
        total = w.fresh("t")
        carried = w.fresh("c")
        index = w.fresh("i")
        head = f"{total} = affine.for {index} = 0 to {count * lanes} step {lanes * (row + 1)}"
        with w.block(f"{head} iter_args({carried} = {start}) -> ({kind_}) {{"):
            a, b = _read(w, x, shape, element, lanes, index), _read(w, y, shape, element, lanes, index)
            w.line(f"affine.yield {_fma(w, element, lanes, a, b, carried)} : {kind_}")
        w.store(w.value(f"vector.reduction <add>, {total} : {kind_} into {element}"), out, str(row))


def _micro_kernel(w: Writer, element: str, lanes: int, _: int, rows: int, deep: int) -> None:
    """rows x lanes of a matrix product by outer products."""
    a, b, c = w.buffer([deep, rows], element), w.buffer([deep, lanes], element), w.buffer([rows, lanes], element)
    tile, column = f"vector<{rows}x{lanes}x{element}>", f"vector<{rows}x{element}>"
    w.line("%o = arith.constant 0 : index")
    zero = w.constant(0, element)
    whole = f"{{in_bounds = [true, true]}} : {memref([rows, lanes], element)}, {tile}"
    start = w.value(f"vector.transfer_read {c}[%o, %o], {zero} {whole}")
    with w.block(f"%all = affine.for %k = 0 to {deep} iter_args(%acc = {start}) -> ({tile}) {{"):
        one = f"{{in_bounds = [true]}} : {memref([deep, rows], element)}, {column}"
        left = w.value(f"vector.transfer_read {a}[%k, %o], {zero} {one}")
        right = _read(w, b, [deep, lanes], element, lanes, "%k", "%o")
        product = w.value(f"vector.outerproduct {left}, {right}, %acc : {column}, {_vector(lanes, element)}")
        w.line(f"affine.yield {product} : {tile}")
    back = f"{{in_bounds = [true, true]}} : {tile}, {memref([rows, lanes], element)}"
    w.line(f"vector.transfer_write %all, {c}[%o, %o] {back}")


def _row_reduce(w: Writer, element: str, lanes: int, count: int, rows: int, _: int) -> None:
    shape = [count, lanes]
    x, y = w.buffer(shape, element), w.buffer([count], element)
    name = {True: "maximumf", False: "maxsi"}[is_float(element)] if rows % 2 else "add"
    w.line("%o = arith.constant 0 : index")
    with w.loop(0, count) as i:
        value = _read(w, x, shape, element, lanes, i, "%o")
        w.store(w.value(f"vector.reduction <{name}>, {value} : {_vector(lanes, element)} into {element}"), y, i)


def _shuffle(w: Writer, element: str, lanes: int, count: int, rows: int, _: int) -> None:
    shape, kind_ = [count * lanes], _vector(lanes, element)
    x, y = w.buffer(shape, element), w.buffer(shape, element)
    reverse = ", ".join(str((rows * (lanes - 1 - n)) % (2 * lanes)) for n in range(lanes))
    with w.loop(0, count * lanes, lanes) as i:
        a, b = _read(w, x, shape, element, lanes, i), _read(w, y, shape, element, lanes, i)
        mixed = w.value(f"vector.shuffle {a}, {b} [{reverse}] : {kind_}, {kind_}")
        op = "arith.addf" if is_float(element) else "arith.addi"
        _write(w, w.value(f"{op} {mixed}, {a} : {kind_}"), y, shape, element, lanes, i)


def _small_matrices(w: Writer, element: str, lanes: int, count: int, rows: int, _: int) -> None:
    """Many small products by `vector.contract`."""
    n, k = rows, min(lanes, 8)
    a, b, c = (w.buffer([count, *s], element) for s in ([n, k], [k, n], [n, n]))
    w.line("%o = arith.constant 0 : index")
    zero = w.constant(0, element)
    maps = "affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>"
    kinds = [f"vector<{p}x{q}x{element}>" for p, q in ((n, k), (k, n), (n, n))]
    buffers = [memref([count, *s], element) for s in ([n, k], [k, n], [n, n])]
    with w.loop(0, count) as i:
        x, y, z = (
            w.value(f"vector.transfer_read {buf}[{i}, %o, %o], {zero} {{in_bounds = [true, true]}} : {held}, {kind_}")
            for buf, held, kind_ in zip((a, b, c), buffers, kinds, strict=True)
        )
        head = f'vector.contract {{indexing_maps = [{maps}], iterator_types = ["parallel", "parallel", "reduction"]}}'
        out = w.value(f"{head} {x}, {y}, {z} : {kinds[0]}, {kinds[1]} into {kinds[2]}")
        w.line(f"vector.transfer_write {out}, {c}[{i}, %o, %o] {{in_bounds = [true, true]}} : {kinds[2]}, {buffers[2]}")


_KERNELS = {
    "axpy": _axpy,
    "dot": _dot,
    "micro_kernel": _micro_kernel,
    "row_reduce": _row_reduce,
    "shuffle": _shuffle,
    "small_matrices": _small_matrices,
}
