"""Images by their neighbourhoods: separable filters, gradients, morphology, medians, corners, matching of blocks."""

from __future__ import annotations

from costmodel.mlir.generators.code import Array, Code
from costmodel.mlir.generators.structures import added, saturated
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float


def pixel_types(c: Code) -> tuple[str, str]:
    """A pixel's type, and the one that is computed in."""
    return c.pick((("u8", "i16"), ("u8", "i32"), ("u8", "i32"), ("u8", "f32"), ("u16", "i32"), ("i16", "i32"),
                   ("f32", "f32"), ("f32", "f32"), ("f16", "f32"), ("f64", "f64")))  # fmt: skip


def as_pixel(value: Value, kind: str) -> Value:
    """Back to a pixel, saturated."""
    if is_float(kind):
        return value.to(kind)
    if is_float(value.kind):
        return value.clamp(0, 255 if kind == "u8" else 32767).to(kind)
    return saturated(value, kind)


def fraction(value: Value, factor: float, shift: int) -> Value:
    """Times a fraction, in fixed point where the type is an integer's."""
    return value * factor if is_float(value.kind) else (value * round(factor * (1 << shift))) >> shift


def frame(c: Code, low: int = 6, high: int = 160) -> tuple[int, int]:
    return c.size(low, high), c.size(low, high)


def _filtered(c: Code) -> None:
    """A separable filter in two passes, or in one by its whole window."""
    (kind, wide), (h, w), taps = pixel_types(c), frame(c), c.pick((3, 3, 5, 7))
    weights = [c.rng.uniform(0.05, 0.5) for _ in range(taps)]
    box, one = c.coin(0.3), c.coin(0.4) != c.alternative
    source, target = c.array([h, w], kind), c.array([h, w], kind)

    def line(values: list[Value]) -> Value:
        if box:
            return fraction(added(c, values), 1 / taps, 8)
        return added(c, [fraction(v, f, 6) for v, f in zip(values, weights, strict=True)])

    def across(i: str, j: str) -> Value:
        return line([source[i, f"{j} + {k}"].to(wide) for k in range(taps)])

    if one:
        with c.loop(0, h - taps + 1) as i, c.loop(0, w - taps + 1) as j:
            target[i, j] = as_pixel(line([across(f"{i} + {k}", j) for k in range(taps)]), kind)
        return
    middle = c.array([h, w], wide)
    with c.loop(0, h) as i, c.loop(0, w - taps + 1) as j:
        middle[i, j] = across(i, j)
    with c.loop(0, h - taps + 1) as i, c.loop(0, w - taps + 1) as j:
        target[i, j] = as_pixel(line([middle[f"{i} + {k}", j] for k in range(taps)]), kind)


def window(a: Array, i: str, j: str, wide: str, reach: int = 1) -> list[list[Value]]:
    offsets = range(-reach, reach + 1)
    return [[a[f"{i} + {di}", f"{j} + {dj}"].to(wide) for dj in offsets] for di in offsets]


def _gradients(c: Code) -> None:
    """Sobel, Prewitt, Scharr, Laplace, sharpening: magnitude, thresholded or with a direction."""
    (kind, wide), (h, w) = pixel_types(c), frame(c)
    what, after, edge = (
        c.pick(("sobel", "prewitt", "scharr", "laplace", "sharpen", "emboss")),
        c.pick(range(4)),
        c.size(4, 90),
    )
    low, high = {"sobel": (1, 2), "prewitt": (1, 1)}.get(what, (3, 10))
    source, target = c.array([h, w], kind), c.array([h, w], kind)
    angle = c.array([h, w], "u8") if after == 3 else None
    with c.loop(1, h - 1) as i, c.loop(1, w - 1) as j:
        p = window(source, i, j, wide)
        cross = added(c, [p[0][1], p[1][0], p[1][2], p[2][1]])
        if what in ("laplace", "sharpen"):
            value = p[1][1] * 4 - cross
            value = p[1][1] + (fraction(value, 0.25, 2)) if what == "sharpen" else value.abs()
        elif what == "emboss":
            value = (p[2][2] + p[2][1] + p[1][2]) - (p[0][0] + p[0][1] + p[1][0]) + p[1][1]
        else:
            x = (p[0][2] + p[2][2] - p[0][0] - p[2][0]) * low + (p[1][2] - p[1][0]) * high
            y = (p[2][0] + p[2][2] - p[0][0] - p[0][2]) * low + (p[2][1] - p[0][1]) * high
            squared = x * x + y * y
            value = squared.math("sqrt") if is_float(wide) and after == 0 else x.abs() + y.abs()
            value = squared if after == 2 and wide == "i32" else value
            if angle is not None:
                steep, rising = x.abs() < y.abs(), (x * y) > 0
                angle[i, j] = steep.then(rising.then(c.known(1, "u8"), 2), rising.then(c.known(3, "u8"), 0))
        if after == 1:
            target[i, j] = (value > edge).then(c.known(200 if kind != "i16" else 255, kind), 0)
        else:
            target[i, j] = as_pixel(value, kind)


def _morphology(c: Code) -> None:
    """Erosion, dilation, opening, gradient; by the window, or row by row then column by column."""
    kind, (h, w), reach = c.pick(("u8", "u8", "u16", "i16", "f32")), frame(c), c.pick((1, 1, 2))
    what, split = c.pick(("erode", "dilate", "open", "gradient", "hat")), c.coin() != c.alternative
    source, first, second = c.arrays(3, [h, w], kind)

    def fold(values: list[Value], name: str) -> Value:
        total = values[0]
        for value in values[1:]:
            total = c.binary(name, total, value)
        return total

    def sweep(a: Array, b: Array, name: str, other: str = "") -> None:
        if split and not other:
            rows = c.scratch([h, w], kind) if h * w < 4000 else c.array([h, w], kind)
            with c.loop(0, h) as i, c.loop(reach, w - reach) as j:
                rows[i, j] = fold([a[i, f"{j} + {d}"] for d in range(-reach, reach + 1)], name)
            with c.loop(reach, h - reach) as i, c.loop(reach, w - reach) as j:
                b[i, j] = fold([rows[f"{i} + {d}", j] for d in range(-reach, reach + 1)], name)
            return
        with c.loop(reach, h - reach) as i, c.loop(reach, w - reach) as j:
            cells = [value for row in window(a, i, j, kind, reach) for value in row]
            value = fold(cells, name)
            b[i, j] = value - fold(cells, other) if other == "min" else value

    sweep(source, first, "max" if what == "dilate" else "min") if what != "gradient" else sweep(
        source, first, "max", "min"
    )
    if what in ("open", "hat"):
        sweep(first, second, "max")
    if what == "hat":
        with c.nest(h, w) as (i, j):
            second[i, j] = source[i, j] - second[i, j]


_MEDIANS = {
    3: "01 12 01",
    5: "01 34 03 14 12 23 12",
    9: "12 45 78 01 34 67 12 45 78 03 58 47 36 14 25 47 42 64 42",
}
"""Exchanges of two places each, after which the middle one is the median."""


def _median(c: Code) -> None:
    """Medians of three, five or nine neighbours by networks of minima and maxima."""
    kind, (h, w), count = c.pick(("u8", "u8", "u16", "i16", "f32", "f64", "i32")), frame(c), c.pick((3, 5, 9, 9))
    offsets = {3: [(0, d) for d in (-1, 0, 1)], 5: [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]}
    by_select = c.alternative
    source, target = c.array([h, w], kind), c.array([h, w], kind)
    with c.loop(1, h - 1) as i, c.loop(1, w - 1) as j:
        places = offsets.get(count, [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)])
        cells = [source[f"{i} + {a}", f"{j} + {b}"] for a, b in places]
        for low, high in (map(int, pair) for pair in _MEDIANS[count].split()):
            a, b = cells[low], cells[high]
            smaller = a < b if by_select else None
            cells[low] = smaller.then(a, b) if smaller else a.min(b)
            cells[high] = smaller.then(b, a) if smaller else a.max(b)
        target[i, j] = cells[count // 2]


def _matching(c: Code) -> None:
    """Absolute or squared differences of blocks over a range of shifts; the best one kept, or all."""
    kind, wide = c.pick((("u8", "i32"), ("u8", "u16"), ("i16", "i32"), ("f32", "f32")))
    block, shifts, squares, best = c.pick((4, 8, 8, 16)), c.size(2, 16), c.coin(0.3), c.coin()
    this, other = c.array([block, block], kind), c.array([block + shifts, block + shifts], kind)
    out, where = c.array([shifts, shifts], wide), c.array(1, "i32")

    def cost(y: str, x: str) -> Value:
        def row(i: str, total: Value) -> Value:
            def cell(j: str, value: Value) -> Value:
                a, b = this[i, j].to(wide), other[f"{i} + {y}", f"{j} + {x}"].to(wide)
                difference = a.max(b) - a.min(b) if wide == "u16" or c.alternative else (a - b).abs()
                return value + (difference * difference if squares else difference)

            return c.total(block, total, cell)

        return c.total(block, c.known(0, wide), row)

    with c.carry(0, shifts, c.known(30000, wide), c.known(0, "i32")) as rows:
        with c.carry(0, shifts, *rows.values) as columns:
            value = cost(rows.index, columns.index)
            if best:
                better = value < columns.values[0]
                place = c.position(f"{rows.index} * {shifts} + {columns.index}").to("i32")
                columns.next = [better.then(value, columns.values[0]), better.then(place, columns.values[1])]
            else:
                out[rows.index, columns.index] = value
        rows.next = columns.out
    where[0] = rows.out[1]


def _corners(c: Code) -> None:
    """Products of gradients summed over a window, and a response (Harris); or differences weighted by closeness."""
    kind, (h, w), what = (
        c.pick(("f32", "f32", "f64", "f16")),
        frame(c, 8, 120),
        c.pick(("harris", "bilateral", "census")),
    )
    source, target = c.array([h, w], kind), c.array([h, w], kind if what != "census" else "u8")
    if what == "harris":
        xx, xy, yy = c.arrays(3, [h, w], kind)
        with c.loop(1, h - 1) as i, c.loop(1, w - 1) as j:
            x = source[i, f"{j} + 1"] - source[i, f"{j} - 1"]
            y = source[f"{i} + 1", j] - source[f"{i} - 1", j]
            xx[i, j], xy[i, j], yy[i, j] = x * x, x * y, y * y
        with c.loop(2, h - 2) as i, c.loop(2, w - 2) as j:
            a, b, d = (added(c, [v for row in window(m, i, j, kind) for v in row]) for m in (xx, xy, yy))
            trace = a + d
            target[i, j] = a * d - b * b - trace * trace * 0.04
        return
    with c.loop(1, h - 1) as i, c.loop(1, w - 1) as j:
        rows = window(source, i, j, kind)
        centre, cells = rows[1][1], [v for row in rows for v in row]
        if what == "census":
            word = c.known(0, "u8")
            for n, cell in enumerate(cells[:4] + cells[5:]):
                word = word | ((cell > centre).to("u8") << n)
            target[i, j] = word
            return
        weights = [(0 - (cell - centre) * (cell - centre)).math("exp") for cell in cells]
        target[i, j] = added(c, [a * b for a, b in zip(weights, cells, strict=True)]) / added(c, weights)


KERNELS = {
    "filtered": _filtered,
    "gradients": _gradients,
    "morphology": _morphology,
    "median": _median,
    "matching": _matching,
    "corners": _corners,
}
