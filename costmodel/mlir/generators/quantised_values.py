"""Integers of networks by elements or rows: requantisation, scales from data, lookups, activations, norms."""

from __future__ import annotations

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.structures import added, mapped, saturated
from costmodel.mlir.generators.values import Value


class Output:
    """How sums of 32 bits leave: as they are, with a bias, requantised in fixed point or by a float's scale."""

    def __init__(self, c: Code, channels: int):
        self.how = c.pick(("plain", "bias", "fixed", "fixed", "float", "scale", "shift"))
        self.kind = {"plain": "i32", "bias": "i32", "scale": "f32"}.get(self.how, c.pick(("i8", "i8", "u8")))
        self.each, self.relu = c.coin(), c.coin(0.3)
        self.zero, self.multiplier, self.shift = (
            c.rng.randint(-20, 20),
            c.rng.randrange(1 << 29, 1 << 30),
            c.size(2, 12),
        )
        self.bias = c.array(channels, "i32") if self.how != "plain" else None
        self.factors = c.array(channels, "f32" if self.how in ("float", "scale") else "i32") if self.each else None

    def __call__(self, total: Value, channel: str) -> Value:
        """A sum as it is stored, of this channel."""
        factor: Value | float = self.multiplier
        total = total + self.bias[channel] if self.bias else total
        if self.relu:
            total = total.max(0)
        if self.how in ("plain", "bias"):
            return total
        if self.how in ("scale", "float"):
            factor = self.factors[channel] if self.factors else 0.0123
            scaled = total.to("f32") * factor
            if self.how == "scale":
                return scaled
            return (scaled.math("roundeven") + self.zero).clamp(-128, 127).to("i32").to(self.kind)
        if self.how == "shift":
            return saturated((total + (1 << (self.shift - 1))) >> self.shift, self.kind)
        factor = self.factors[channel].to("i64") if self.factors else factor
        product = (total.to("i64") * factor + (1 << (30 + self.shift))) >> (31 + self.shift)
        return saturated(product.to("i32") + self.zero, self.kind)


def _requantise(c: Code) -> None:
    """Sums to narrow types per tensor or per channel; quantising and dequantising of floats; bfloat16 by its bits."""
    what = c.pick(("sums", "sums", "quantise", "quantise", "dequantise", "channels", "bf16", "fake"))
    scale, zero, real = c.rng.uniform(0.005, 0.2), c.rng.randint(-30, 30), c.pick(("f32", "f32", "f16", "f64"))
    narrow, rounding = c.pick(("i8", "i8", "u8", "i16")), c.pick(("roundeven", "round", "floor"))
    span = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767)}[narrow]
    divide = c.coin() != c.alternative
    if what == "sums":
        rows, channels = c.size(2, 200), c.size(2, 200)
        output = Output(c, channels)
        sums, out = c.array([rows, channels], "i32"), c.array([rows, channels], output.kind)
        with c.nest(rows, channels) as (i, j):
            out[i, j] = output(sums[i, j], j)
        return

    def quantised_(x: Value, factor: Value | float = scale, add: Value | int = zero) -> Value:
        scaled = x / factor if divide else x * (1 / factor)
        return (scaled.math(rounding) + add).clamp(*span).to("i32").to(narrow)

    def to_bf16(x: Value) -> list[Value]:
        word = x.bits("u32")
        return [((word + (((word >> 16) & 1) + 0x7FFF)) >> 16).to("u16")]

    if what == "channels":
        rows, channels = c.size(2, 200), c.size(2, 200)
        x, scales, zeros = c.array([rows, channels], real), c.array(channels, real), c.array(channels, narrow)
        out = c.array([rows, channels], narrow)
        with c.nest(rows, channels) as (i, j):
            out[i, j] = quantised_(x[i, j], scales[j], zeros[j].to("i32").to(real))
    elif what == "bf16":
        mapped(c, ["f32"], to_bf16) if c.coin() else mapped(c, ["u16"], lambda x: [(x.to("u32") << 16).bits("f32")])
    elif what == "dequantise":
        mapped(c, [narrow], lambda x: [(x.to("i32") - zero).to(real) * scale])
    elif what == "fake":
        mapped(c, [real], lambda x: [(quantised_(x).to("i32") - zero).to(real) * scale])
    else:
        mapped(c, [real], lambda x: [quantised_(x)])


def _dynamic(c: Code) -> None:
    """Scales found from the data: the largest of a row or a block, then the row in narrow integers."""
    rows, n, real = c.size(1, 120), c.size(8, 400), c.pick(("f32", "f32", "f16", "f64"))
    asymmetric, bits = c.coin(0.3), c.pick((8, 8, 4))
    x, out, scales = c.array([rows, n], real), c.array([rows, n], "i8"), c.array(rows, real)
    with c.loop(0, rows) as i:
        zero = c.known(0, real)
        if asymmetric:
            with c.carry(0, n, zero, zero) as loop:
                value = x[i, loop.index]
                loop.next = [loop.values[0].max(value), loop.values[1].min(value)]
            span, low = loop.out[0] - loop.out[1], loop.out[1]
        else:
            span, low = c.total(n, zero, lambda k, v: v.max(x[i, k].abs())), zero
        scale = span * (1 / ((1 << bits) - 1 if asymmetric else (1 << (bits - 1)) - 1))
        scales[i] = scale
        inverse = 1 / scale.max(1e-4)
        with c.loop(0, n) as j:
            scaled = (x[i, j] - low) / scale.max(1e-4) if c.alternative else (x[i, j] - low) * inverse
            out[i, j] = scaled.math("roundeven").to("i32").to("i8")


def _embedding(c: Code) -> None:
    """Rows of a narrow table by index, scaled; alone or summed in bags, weighted or not."""
    kind, rows, width, count = c.pick(("i8", "u8", "i16", "f16")), c.size(16, 4000), c.size(4, 256), c.size(2, 120)
    bag, index, four = c.pick((1, 1, 4, 20)), c.pick(("i32", "i64", "u16")), c.coin(0.2) and kind == "u8"
    table, scales, out = (
        c.array([rows, width], kind),
        c.array([rows, 2], "f32"),
        c.array([count, width * (1 + four)], "f32"),
    )
    ids = c.array([count, bag], index)
    inner_first = c.alternative

    def row(i: str, b: str) -> tuple[Value, Value, Value]:
        at = (ids[i, b].to("u" + index[1:]) % min(rows, 30000)).to("index")
        return at, scales[at, 0], scales[at, 1]

    def entries(at: Value, j: str, scale: Value, low: Value) -> list[tuple[str, Value]]:
        raw = table[at, c.position(j)]
        pieces = [raw & 15, raw >> 4] if four else [raw]
        return [(f"{j} * {len(pieces)} + {n}", p.to("f32") * scale + low) for n, p in enumerate(pieces)]

    with c.loop(0, count) as i:
        if bag == 1 or not inner_first:
            with c.loop(0, bag) as b:
                at, scale, low = row(i, b)
                with c.loop(0, width) as j:
                    for place, value in entries(at, j, scale, low):
                        out[i, place] = value if bag == 1 else out[i, place] + value
            return
        with c.loop(0, width) as j:
            places = [f"{j} * {1 + four} + {n}" for n in range(1 + four)]
            with c.carry(0, bag, *(out[i, place] for place in places)) as loop:
                at, scale, low = row(i, loop.index)
                loop.next = [v + e for v, (_, e) in zip(loop.values, entries(at, j, scale, low), strict=True)]
            for place, total in zip(places, loop.out, strict=True):
                out[i, place] = total


def _activation(c: Code) -> None:
    """Activations of integers: by a table, a table with slopes, or clamps, shifts and products."""
    what, kind = (
        c.pick(("table", "slopes", "hard", "leaky", "swish", "exp", "relu6")),
        c.pick(("i8", "i8", "u8", "i16")),
    )
    zero, shift, limit = c.rng.randint(-20, 20), c.size(2, 7), c.rng.randint(20, 120)
    if what == "table":
        entries = c.array(256, c.pick(("i8", "i16", "f32")))
        mapped(c, [kind], lambda x: [entries[(x.to("u16") >> 8 if kind == "i16" else x.to("u8")).to("index")]])
        return
    table = c.array(520, "i16") if what in ("slopes", "exp") else None

    def body(x: Value) -> list[Value]:
        v = x.to("i32") - zero
        if table is not None:
            place = ((v >> 3) & 255).to("u32").to("index")
            low, high = table[place].to("i32"), table[place + 1].to("i32")
            v = low + (((high - low) * (v & 7)) >> 3)
        elif what == "hard":
            v = ((v * limit) >> shift) + 64
        elif what == "leaky":
            v = (v > 0).then(v, (v * limit) >> (shift + 4)) if not c.alternative else v.max((v * limit) >> (shift + 4))
        elif what == "swish":
            v = (v * (v + 3 * limit // 2).clamp(0, limit)) >> shift
        return [saturated(v.clamp(zero, limit) if what == "relu6" else v + zero, kind)]

    mapped(c, [kind], body)


def _arithmetic(c: Code) -> None:
    """Sums and products of tensors that have different scales, averages of windows, means, maxima."""
    what, kind = c.pick(("sum", "sum", "product", "average", "maximum", "mean")), c.pick(("i8", "u8", "i16"))
    zeros, shift = [c.rng.randint(-20, 20) for _ in range(3)], c.size(3, 12)
    factors = [c.rng.randint(50, 4000) for _ in range(2)]
    if what in ("sum", "product"):

        def body(a: Value, b: Value) -> list[Value]:
            x, y = a.to("i32") - zeros[0], b.to("i32") - zeros[1]
            value = x * factors[0] + y * factors[1] if what == "sum" else x * y * factors[0]
            return [saturated(((value + (1 << (shift - 1))) >> shift) + zeros[2], kind)]

        mapped(c, [kind, kind], body)
        return
    h, w, channels, reach, stride = c.size(2, 40), c.size(2, 40), c.size(1, 64), c.pick((2, 2, 3)), c.pick((1, 2))
    x, out = c.array([h * stride + reach, w * stride + reach, channels], kind), c.array([h, w, channels], kind)
    if what == "mean":
        means = c.array(channels, kind)
        with c.loop(0, channels) as f:
            total = c.total(h, c.known(0, "i32"), lambda i, v: c.total(w, v, lambda j, u: u + x[i, j, f].to("i32")))
            means[f] = (total / (h * w)).to(kind)
        return
    with c.nest(h, w, channels) as (i, j, f):
        cells = [x[f"{i} * {stride} + {p}", f"{j} * {stride} + {q}", f] for p in range(reach) for q in range(reach)]
        if what == "average":
            out[i, j, f] = saturated((added(c, [v.to("i32") for v in cells]) + reach) / reach**2, kind)
        else:
            value = cells[0]
            for cell in cells[1:]:
                value = value.max(cell)
            out[i, j, f] = value


def _normalised(c: Code) -> None:
    """Softmax and layer norm on integers: maxima, tables or shifts for exponentials, sums, integer divisions."""
    rows, n, what, kind = (
        c.size(1, 80),
        c.size(4, 300),
        c.pick(("softmax", "layer", "argmax", "ternary")),
        c.pick(("i8", "u8")),
    )
    x, out, table = c.array([rows, n], kind), c.array([rows, n], kind), c.array(256, "u16")
    powers, shifts = c.scratch(n, "u32") if what == "softmax" else None, c.coin(0.4)
    with c.loop(0, rows) as i:
        if powers:
            most = c.total(n, c.known(-128, "i32"), lambda k, v: v.max(x[i, k].to("i32")))

            def raised(k: str, v: Value) -> Value:
                down = most - x[i, k].to("i32")
                value = c.known(1 << 20, "u32") >> (down.to("u32") >> 3).min(20) if shifts else None
                value = value or table[(down & 255).to("u32").to("index")].to("u32")
                powers[k] = value
                return v + value

            total = c.total(n, c.known(1, "u32"), raised)
            with c.loop(0, n) as j:
                out[i, j] = ((powers[j] * 127) / total).to(kind)
        elif what == "layer":
            with c.carry(0, n, c.known(0, "i32"), c.known(0, "i32")) as loop:
                value = x[i, loop.index].to("i32")
                loop.next = [loop.values[0] + value, loop.values[1] + value * value]
            mean = loop.out[0] / n
            spread = (loop.out[1] / n - mean * mean + 1).to("f32").math("sqrt")
            factor = (16.0 / spread) if c.alternative else None
            with c.loop(0, n) as j:
                centred = (x[i, j].to("i32") - mean).to("f32")
                out[i, j] = (centred * factor if factor else centred * 16 / spread).to("i32").to(kind)
        elif what == "argmax":
            with c.carry(0, n, c.known(-1000, "i32"), c.known(0, "i32")) as loop:
                value = x[i, loop.index].to("i32")
                more = value > loop.values[0]
                place = c.position(loop.index).to("i32")
                loop.next = [more.then(value, loop.values[0]), more.then(place, loop.values[1])]
            out[i, 0] = loop.out[1].to(kind)
        else:
            signs = table

            def term(k: str, v: Value) -> Value:
                code, value = signs[f"{k} mod 256"] & 3, x[i, k].to("i32")
                return v + code.same(1).then(value, code.same(2).then(0 - value, 0))

            out[i, 0] = saturated(c.total(n, c.known(0, "i32"), term) >> 4, kind)


KERNELS = {
    "requantise": _requantise,
    "dynamic": _dynamic,
    "embedding": _embedding,
    "activation": _activation,
    "arithmetic": _arithmetic,
    "normalised": _normalised,
}
