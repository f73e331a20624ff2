"""Images of integers and floats: colours, filters, morphology, blending, resizing, histograms, matching."""

from __future__ import annotations

import random

from costmodel.mlir.generators import image_filters
from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.image_filters import as_pixel, fraction, frame, pixel_types, window
from costmodel.mlir.generators.structures import added, drawn, mapped
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float


def imaging(rng: random.Random) -> Group:
    """Colours, blurs, gradients, tone curves, resizing, blending, morphology, medians, histograms, block matching."""
    return drawn("imaging", _KERNELS, rng)


def _colour(c: Code) -> None:
    """A matrix on channels, with offsets: grey, luma and chroma, sepia; channels as records or as planes."""
    (kind, wide), inputs, outputs = pixel_types(c), c.pick((3, 3, 4)), c.pick((1, 3, 3, 4))
    matrix = [[c.rng.uniform(-0.6, 1.0) for _ in range(inputs)] for _ in range(outputs)]
    offset = c.pick((0, 16, 128))

    def body(*x: Value) -> list[Value]:
        wides = [value.to(wide) for value in x]
        rows = [added(c, [fraction(v, f, 6) for v, f in zip(wides, row, strict=True)]) for row in matrix]
        return [as_pixel(row + offset if offset else row, kind) for row in rows]

    mapped(c, [kind] * inputs, body, forms=("line", "plane", "records", "records", "strided", "scalar"))


def _hue(c: Code) -> None:
    """To hue, saturation and value, or the reverse: maxima, selects, divisions."""
    kind, forth = c.pick(("f32", "f32", "f64", "f16")), c.coin(0.6)

    def body(r: Value, g: Value, b: Value) -> list[Value]:
        if forth:
            most, least = r.max(g).max(b), r.min(g).min(b)
            chroma = most - least
            safe = (chroma > 0).then(chroma, 1)
            red, green = (g - b) / safe, (b - r) / safe + 2
            hue = most.same(r).then(red, most.same(g).then(green, (r - g) / safe + 4))
            return [hue * 60, chroma / most.max(1e-3), most]
        chroma, sector = g * b, r * 6
        parts = [(((sector + n) % 6.0 - 3).abs() - 1).clamp(0, 1) for n in (0, 2, 4)]
        return [b - chroma * part for part in parts]

    mapped(c, [kind] * 3, body)


def _pointwise(c: Code) -> None:
    """Thresholds, levels, contrast, gamma by a polynomial, tone mapping, posterising, inverting; in chains."""
    (kind, wide), steps = pixel_types(c), []
    names = ("threshold", "band", "levels", "invert", "polynomial", "tone", "posterise", "solarise", "curve")
    for _ in range(c.size(1, 5)):
        steps.append((c.pick(names), c.rng.randint(2, 120), c.size(2, 8)))
    coefficients = [c.rng.uniform(-0.5, 0.9) for _ in range(9)]

    def step(name: str, x: Value, number: int, small: int) -> Value:
        if name == "threshold":
            return (x > number).then(c.known(250, wide), x if small % 2 else 0)
        if name == "band":
            return ((x > number) & (x < number + 90)).then(x, 0)
        if name == "levels":
            return fraction(x - number, 1 + small / 8, 4).max(0)
        if name == "invert":
            return 255 - x
        if name == "polynomial":
            total = c.known(coefficients[small] if is_float(wide) else small, wide)
            for k in range(small):
                total = fraction(total * x, 1 / 256, 8) + (coefficients[k] if is_float(wide) else k)
            return total
        if name == "tone":
            return x / (x + number) if is_float(wide) else (x * 64) / (x + number).max(1)
        if name == "posterise":
            return (x * (1 / small)).math("floor") * small if is_float(wide) else x - x % small
        if name == "solarise":
            return (x < number).then(x, 255 - x)
        return ((x.abs() + 0.01).math("sqrt") if small % 2 else x.math("exp")) if is_float(wide) else x.min(number)

    def body(x: Value) -> list[Value]:
        value = x.to(wide)
        for name, number, small in steps:
            value = step(name, value, number, small)
        return [as_pixel(value, kind)]

    mapped(c, [kind], body)


def _blend(c: Code) -> None:
    """Alpha blending and the modes of layers, by integers (dividing by 255 or shifting) or floats."""
    (kind, wide), mode = (
        pixel_types(c),
        c.pick(("over", "over", "multiply", "screen", "overlay", "difference", "dodge", "premultiply")),
    )
    channels, exact = c.pick((1, 3, 3, 4)), c.coin()

    def unit(value: Value) -> Value:
        if is_float(wide):
            return value * (1 / 255)
        if exact:
            return value / 255
        value = value + 128
        return (value + (value >> 8)) >> 8

    def mix(a: Value, b: Value, alpha: Value) -> Value:
        if mode == "over":
            return unit(a * alpha + b * (255 - alpha)) if not c.alternative else b + unit((a - b) * alpha)
        if mode == "overlay":
            return (b < 128).then(unit(a * b) * 2, 255 - unit((255 - a) * (255 - b)) * 2)
        if mode == "dodge":
            return (b * 255 / (255 - a).max(1)).min(255)
        return {
            "multiply": lambda: unit(a * b),
            "screen": lambda: a + b - unit(a * b),
            "difference": lambda: (a - b).abs(),
            "premultiply": lambda: unit(a * alpha),
        }[mode]()

    def body(alpha: Value, *x: Value) -> list[Value]:
        wides = [value.to(wide) for value in x]
        return [as_pixel(mix(a, b, alpha.to(wide)), kind) for a, b in zip(wides[::2], wides[1::2], strict=True)]

    mapped(c, [kind] * (1 + 2 * channels), body)


def _resize(c: Code) -> None:
    """Nearest, bilinear or averaging: by a whole factor, or by positions in fixed point."""
    (kind, wide), (h, w) = pixel_types(c), frame(c, 4, 120)
    what, factor = c.pick(("nearest", "bilinear", "bilinear", "average", "double", "max")), c.pick((2, 2, 3, 4))
    if what in ("average", "max", "double"):
        large, small = c.array([h * factor, w * factor], kind), c.array([h, w], kind)
        if what == "double":
            with c.nest(*large.shape) as (i, j):
                value = small[f"{i} floordiv {factor}", f"{j} floordiv {factor}"]
                large[i, j] = value if c.coin() else as_pixel(value.to(wide) + 3, kind)
            return
        with c.nest(h, w) as (i, j):
            cells = [large[f"{i} * {factor} + {di}", f"{j} * {factor} + {dj}"].to(wide)
                     for di in range(factor) for dj in range(factor)]  # fmt: skip
            if what == "average":
                total = added(c, cells)
                small[i, j] = as_pixel(fraction(total, 1 / factor**2, 8 if wide != "i16" else 4), kind)
            else:
                value = cells[0]
                for cell in cells[1:]:
                    value = value.max(cell)
                small[i, j] = value.to(kind)
        return
    step, source = c.rng.randint(20, 500), c.array([h * 2 + 2, w * 2 + 2], kind)
    target = c.array([h, w], kind)

    def part(index: str) -> tuple[Value, Value]:
        place = (c.position(index).to("i32") * step) >> 8
        return place.min(h + w), (c.position(index).to("i32") * step) & 255

    with c.loop(0, h) as i:
        y, fy = part(i)
        y = y.clamp(0, 2 * h)
        with c.loop(0, w) as j:
            x, fx = part(j)
            x = x.clamp(0, 2 * w)
            if what == "nearest":
                target[i, j] = source[y, x]
                return
            corners = [source[y + di, x + dj].to(wide) for di in (0, 1) for dj in (0, 1)]
            wx, wy = ((f.to(wide) * (1 / 256) if is_float(wide) else f.to(wide)) for f in (fx, fy))

            def between(a: Value, b: Value, f: Value) -> Value:
                return a + ((b - a) * f if is_float(wide) else ((b - a) * f) >> 8)

            above, below = between(corners[0], corners[1], wx), between(corners[2], corners[3], wx)
            target[i, j] = as_pixel(between(above, below, wy), kind)


def _histogram(c: Code) -> None:
    """Histograms, their running sums and the lookup that equalises; also each alone."""
    kind, (h, w), bins, wide = (
        c.pick(("u8", "u8", "u16")),
        frame(c),
        c.pick((16, 64, 256, 256)),
        c.pick(("u32", "i32", "u64")),
    )
    image, table, out = c.array([h, w], kind), c.array(bins, wide), c.array([h, w], "u8")
    steps, shift = c.pick(((1, 1, 1), (1, 0, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1))), 8 - bins.bit_length() + 1
    if steps[0]:
        with c.loop(0, bins) as b:
            table[b] = 0
        with c.nest(h, w) as (i, j):
            place = ((image[i, j] >> shift) & (bins - 1) if shift else image[i, j] & (bins - 1)).to("index")
            table[place] = table[place] + 1
    if steps[1]:
        with c.carry(0, bins, c.known(0, wide)) as loop:
            loop.next = [loop.values[0] + table[loop.index]]
            table[loop.index] = (loop.next[0] * 255) / (h * w) if c.coin() else loop.next[0]
    if steps[2]:
        with c.nest(h, w) as (i, j):
            out[i, j] = table[((image[i, j] >> shift) & (bins - 1)).to("index")].to("u8")


def _integral(c: Code) -> None:
    """Summed-area tables, and means of boxes by four corners."""
    (kind, _), (h, w), reach = pixel_types(c), frame(c, 12, 160), c.size(1, 4)
    wide = {"f32": "f32", "f64": "f64", "f16": "f32"}.get(kind, c.pick(("i32", "u32", "i64")))
    source, table, target = c.array([h, w], kind), c.array([h + 1, w + 1], wide), c.array([h, w], kind)
    squares, boxes = c.coin(0.3), c.coin(0.6)
    with c.loop(0, h) as i:
        if c.alternative:
            with c.loop(0, w) as j:
                value = source[i, j].to(wide)
                rest = table[i, f"{j} + 1"] + table[f"{i} + 1", j] - table[i, j]
                table[f"{i} + 1", f"{j} + 1"] = rest + (value * value if squares else value)
        else:
            with c.carry(0, w, c.known(0, wide)) as row:
                value = source[i, row.index].to(wide)
                row.next = [row.values[0] + (value * value if squares else value)]
                table[f"{i} + 1", f"{row.index} + 1"] = row.next[0] + table[i, f"{row.index} + 1"]
    if boxes:
        area = (2 * reach + 1) ** 2
        with c.loop(reach, h - reach) as i, c.loop(reach, w - reach) as j:
            low, high = f"- {reach}", f"+ {reach + 1}"
            total = table[f"{i} {high}", f"{j} {high}"] - table[f"{i} {low}", f"{j} {high}"]
            total = total - table[f"{i} {high}", f"{j} {low}"] + table[f"{i} {low}", f"{j} {low}"]
            target[i, j] = (total * (1 / area) if is_float(wide) else total / area).to(kind)


def _mosaic(c: Code) -> None:
    """Colours of a raw sensor's cells of two by two, planes subsampled, lines of pixels dithered by their error."""
    (kind, wide), (h, w), what = pixel_types(c), frame(c, 4, 100), c.pick(("cells", "subsample", "dither", "border"))
    if what == "dither":
        source, target = c.array([h, w], kind), c.array([h, w], kind)
        with c.loop(0, h) as i, c.carry(0, w, c.known(0, wide)) as row:
            value = source[i, row.index].to(wide) + row.values[0]
            level = (value > 127).then(c.known(255 if is_float(wide) or wide == "i32" else 250, wide), 0)
            target[i, row.index] = as_pixel(level, kind)
            row.next = [fraction(value - level, 0.4375, 4)]
        return
    if what == "border":
        source, target, reach = c.array([h, w], kind), c.array([h, w], kind), 1
        guarded = c.coin()
        with c.nest(h, w) as (i, j):
            if guarded:
                edges = " , ".join(f"d{n} - {reach} >= 0, {m - 1 - reach} - d{n} >= 0" for n, m in enumerate((h, w)))
                with c.within(edges, i, j):
                    target[i, j] = as_pixel(fraction(added(c, [*window(source, i, j, wide)[0]]), 0.33, 6), kind)
            else:
                x = c.position(j).to("i32")
                cells = [source[c.position(i), (x + d).clamp(0, w - 1)].to(wide) for d in (-1, 0, 1)]
                target[i, j] = as_pixel(fraction(added(c, cells), 0.33, 6), kind)
        return
    raw, planes = c.array([2 * h, 2 * w], kind), c.arrays(3 if what == "cells" else 1, [h, w], kind)
    with c.nest(h, w) as (i, j):
        a, b, d, e = (raw[f"{i} * 2 + {p}", f"{j} * 2 + {q}"].to(wide) for p in (0, 1) for q in (0, 1))
        if what == "cells":
            planes[0][i, j], planes[1][i, j], planes[2][i, j] = (
                a.to(kind),
                as_pixel(fraction(b + d, 0.5, 1), kind),
                e.to(kind),
            )
        else:
            planes[0][i, j] = as_pixel(fraction(added(c, [a, b, d, e]), 0.25, 2), kind)


_KERNELS = {
    **image_filters.KERNELS,
    "colour": _colour,
    "hue": _hue,
    "pointwise": _pointwise,
    "blend": _blend,
    "resize": _resize,
    "histogram": _histogram,
    "integral": _integral,
    "mosaic": _mosaic,
}
