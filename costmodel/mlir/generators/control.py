"""Kernels of scf, arith and memref with branches and loops that end when the data says so."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import coin, kind, size
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.writer import Writer, is_float


def control(rng: random.Random) -> Group:
    """Escape times, checksums, sorting, searching, branches, dynamic programming, Newton steps, fixed point."""
    what = rng.choice(list(_KERNELS))
    element = kind(rng, _KINDS[what])
    noalias, n, m = coin(rng), size(rng, 4, 2000), size(rng, 3, 60)
    choice = rng.randint(1, 9)
    w = Writer()
    _KERNELS[what](w, element, n, m, choice)
    variants = [
        Variant({"unroll": 4}, "func.func(affine-loop-unroll{unroll-factor=4})"),
        Variant({"tile": [16]}, "func.func(affine-loop-tile{tile-sizes=16})"),
        Variant({"level": "scf"}, "func.func(lower-affine,canonicalize)"),
        Variant(
            {"level": "scf", "unroll": 2}, "func.func(affine-loop-unroll{unroll-factor=2},lower-affine,canonicalize)"
        ),
    ]
    key = f"{what}-{n}-{m}-{choice}-{element}-{int(noalias)}"
    return Group("control", key, w.function(what, noalias=noalias), variants)


def _escape(w: Writer, element: str, n: int, m: int, choice: int) -> None:
    cr, ci, out = w.buffer([n], element), w.buffer([n], element), w.buffer([n], "i32")
    zero, four = w.constant(0, element), w.constant(4, element)
    none, one, most = w.constant(0, "i32"), w.constant(1, "i32"), w.constant(16 * choice, "i32")
    with w.loop(0, n) as i:
        x0, y0 = w.load(cr, i), w.load(ci, i)
        head = f"%r:3 = scf.while (%x = {zero}, %y = {zero}, %t = {none}) : ({element}, {element}, i32)"
        with w.block(f"{head} -> ({element}, {element}, i32) {{", "} do {"):
            xx, yy = w.op("mul", element, "%x", "%x"), w.op("mul", element, "%y", "%y")
            inside = w.value(f"arith.cmpf olt, {w.op('add', element, xx, yy)}, {four} : {element}")
            left = w.value(f"arith.cmpi slt, %t, {most} : i32")
            both = w.value(f"arith.andi {inside}, {left} : i1")
            w.line(f"scf.condition({both}) %x, %y, %t : {element}, {element}, i32")
        with w.block(f"^bb0(%x: {element}, %y: {element}, %t: i32):", "}"):
            square = w.op("sub", element, w.op("mul", element, "%x", "%x"), w.op("mul", element, "%y", "%y"))
            product = w.op("mul", element, "%x", "%y")
            x1, y1 = w.op("add", element, square, x0), w.op("add", element, w.op("add", element, product, product), y0)
            w.line(f"scf.yield {x1}, {y1}, {w.op('arith.addi', 'i32', '%t', one)} : {element}, {element}, i32")
        w.store("%r#2", out, i)


def _checksum(w: Writer, element: str, n: int, _: int, choice: int) -> None:
    data, out = w.buffer([n], element), w.buffer([1], element)
    one, zero, polynomial = w.constant(1, element), w.constant(0, element), w.constant(18 + 2 * choice + 1, element)
    with w.reduction(0, n, w.constant(-1, element), element) as loop:
        mixed = w.op("arith.xori", element, loop.carried, w.load(data, loop.index))
        with w.reduction(0, 8, mixed, element) as bits:
            low = w.op("arith.andi", element, bits.carried, one)
            shifted = w.op("arith.shrui", element, bits.carried, one)
            odd = w.value(f"arith.cmpi ne, {low}, {zero} : {element}")
            mask = w.value(f"arith.select {odd}, {polynomial}, {zero} : {element}")
            bits.result = w.op("arith.xori", element, shifted, mask)
        loop.result = bits.out
    w.store(loop.out, out, "0")


def _less(w: Writer, element: str, a: str, b: str) -> str:
    return w.value(f"arith.{'cmpf olt' if is_float(element) else 'cmpi slt'}, {a}, {b} : {element}")


def _exchange_sort(w: Writer, element: str, _: int, m: int, __: int) -> None:
    x = w.buffer([m], element)
    with w.loop(0, m - 1), w.loop(0, m - 1) as j:
        a, b = w.load(x, j), w.load(x, f"{j} + 1")
        with w.block(f"scf.if {_less(w, element, b, a)} {{"):
            w.store(b, x, j)
            w.store(a, x, f"{j} + 1")


def _thresholds(w: Writer, element: str, n: int, _: int, choice: int) -> None:
    x, y = w.buffer([n], element), w.buffer([n], element)
    low, high = w.constant(choice, element), w.constant(10 * choice, element)
    with w.loop(0, n) as i:
        value = w.load(x, i)
        with w.block(f"%small = scf.if {_less(w, element, value, low)} -> ({element}) {{", "} else {"):
            w.line(f"scf.yield {w.op('mul', element, value, low)} : {element}")
        with w.block(f"// {choice}", "}"):
            with w.block(f"%mid = scf.if {_less(w, element, value, high)} -> ({element}) {{", "} else {"):
                w.line(f"scf.yield {w.op('add', element, w.op('mul', element, value, value), low)} : {element}")
            with w.block("// large", "}"):
                w.line(f"scf.yield {w.op('sub', element, value, high)} : {element}")
            w.line(f"scf.yield %mid : {element}")
        w.store("%small", y, i)


def _search(w: Writer, element: str, n: int, m: int, _: int) -> None:
    """Binary search of many keys in a sorted table."""
    table, keys, out = w.buffer([n], element), w.buffer([m], element), w.buffer([m], "i64")
    w.line("%zero = arith.constant 0 : index")
    w.line("%one = arith.constant 1 : index")
    w.line(f"%size = arith.constant {n} : index")
    with w.loop(0, m) as i:
        key = w.load(keys, i)
        with w.block("%r:2 = scf.while (%l = %zero, %h = %size) : (index, index) -> (index, index) {", "} do {"):
            w.line("%more = arith.cmpi ult, %l, %h : index")
            w.line("scf.condition(%more) %l, %h : index, index")
        with w.block("^bb0(%l: index, %h: index):", "}"):
            w.line("%sum = arith.addi %l, %h : index")
            w.line("%mid = arith.shrui %sum, %one : index")
            below = _less(w, element, w.load_at(table, "%mid"), key)
            w.line("%next = arith.addi %mid, %one : index")
            w.line(f"%l2 = arith.select {below}, %next, %l : index")
            w.line(f"%h2 = arith.select {below}, %h, %mid : index")
            w.line("scf.yield %l2, %h2 : index, index")
        w.store(w.value("arith.index_cast %r#0 : index to i64"), out, i)


def _alignment(w: Writer, element: str, n: int, m: int, choice: int) -> None:
    """Edit distance (or common subsequence) table."""
    rows = max(3, n // 20)
    a, b, table = w.buffer([rows], element), w.buffer([m], element), w.buffer([rows + 1, m + 1], element)
    one, zero = w.constant(1, element), w.constant(0, element)
    with w.loop(1, rows + 1) as i, w.loop(1, m + 1) as j:
        same = w.value(f"arith.cmpi eq, {w.load(a, f'{i} - 1')}, {w.load(b, f'{j} - 1')} : {element}")
        up, left = w.load(table, f"{i} - 1", j), w.load(table, i, f"{j} - 1")
        corner = w.load(table, f"{i} - 1", f"{j} - 1")
        if choice % 2:
            cost = w.value(f"arith.select {same}, {zero}, {one} : {element}")
            step = w.op("add", element, w.op("min", element, up, left), one)
            w.store(w.op("min", element, step, w.op("add", element, corner, cost)), table, i, j)
        else:
            longer = w.op("max", element, up, left)
            grown = w.op("add", element, corner, one)
            w.store(w.value(f"arith.select {same}, {grown}, {longer} : {element}"), table, i, j)


def _newton(w: Writer, element: str, n: int, _: int, choice: int) -> None:
    x, y = w.buffer([n], element), w.buffer([n], element)
    half = w.constant(0.5, element)
    with w.loop(0, n) as i:
        value = w.load(x, i)
        with w.reduction(0, choice, value, element) as loop:
            quotient = w.op("div", element, value, loop.carried)
            loop.result = w.op("mul", element, half, w.op("add", element, loop.carried, quotient))
        w.store(loop.out, y, i)


def _fixed_point(w: Writer, element: str, n: int, m: int, choice: int) -> None:
    """A fixed-point filter: wide products, a rounding shift, saturation."""
    wide = {"i8": "i32", "i16": "i32", "i32": "i64"}[element]
    x, taps, y = w.buffer([n + m], element), w.buffer([m], element), w.buffer([n], element)
    bits = int(element[1:])
    top, bottom = w.constant((1 << (bits - 1)) - 1, wide), w.constant(-(1 << (bits - 1)), wide)
    shift, rounding = w.constant(choice, wide), w.constant(1 << (choice - 1), wide)
    with w.loop(0, n) as i:
        with w.reduction(0, m, rounding, wide) as loop:
            a = w.value(f"arith.extsi {w.load(x, f'{i} + {loop.index}')} : {element} to {wide}")
            b = w.value(f"arith.extsi {w.load(taps, loop.index)} : {element} to {wide}")
            loop.result = w.op("add", wide, loop.carried, w.op("mul", wide, a, b))
        scaled = w.op("arith.shrsi", wide, loop.out, shift)
        clamped = w.op("arith.minsi", wide, w.op("arith.maxsi", wide, scaled, bottom), top)
        w.store(w.value(f"arith.trunci {clamped} : {wide} to {element}"), y, i)


_KERNELS = {
    "escape": _escape,
    "checksum": _checksum,
    "exchange_sort": _exchange_sort,
    "thresholds": _thresholds,
    "search": _search,
    "alignment": _alignment,
    "newton": _newton,
    "fixed_point": _fixed_point,
}
_KINDS = {
    "escape": ("f32", "f64"),
    "checksum": ("i8", "i16", "i32", "i64"),
    "exchange_sort": ("f32", "f64", "i8", "i16", "i32", "i64"),
    "thresholds": ("f32", "f64", "i16", "i32", "i64"),
    "search": ("f32", "f64", "i32", "i64"),
    "alignment": ("i16", "i32", "i64"),
    "newton": ("f32", "f64"),
    "fixed_point": ("i8", "i16", "i16", "i32"),
}
