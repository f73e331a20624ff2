"""Networks in integers: products of narrow types, requantisation, packed weights with scales of blocks, tables."""

from __future__ import annotations

import random

from costmodel.mlir.generators import quantised_values
from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.quantised_values import Output
from costmodel.mlir.generators.structures import added, drawn
from costmodel.mlir.generators.values import Value


def quantised(rng: random.Random) -> Group:
    """Dot products, products and convolutions of int8, requantisation, int4 blocks with scales, embeddings, tables."""
    return drawn("quantised", _KERNELS, rng)


_PAIRS = (("i8", "i8"), ("i8", "i8"), ("u8", "i8"), ("u8", "u8"), ("i16", "i8"), ("i16", "i16"))


def _offsets(c: Code) -> tuple[int, int]:
    """Zero points of two operands."""
    return c.pick(((0, 0), (0, 0), (c.rng.randint(1, 128), 0), (c.rng.randint(1, 128), c.rng.randint(1, 100))))


def _times(a: Value, b: Value, zeros: tuple[int, int], wide: str = "i32") -> Value:
    x, y = a.to(wide), b.to(wide)
    return (x - zeros[0] if zeros[0] else x) * (y - zeros[1] if zeros[1] else y)


def _dot(c: Code) -> None:
    """One or many dot products; by halves in 16 bits at times."""
    (a, b), n, rows, zeros = c.pick(_PAIRS), c.size(8, 4000), c.pick((1, 1, 4, 40)), _offsets(c)
    narrow, lanes = c.coin(0.2) and a == b == "i8", c.pick((1, 1, 2, 4))
    x, y = c.array([rows, n], a), c.array([n] if c.coin() else [rows, n], b)
    output = Output(c, rows)
    out = c.array(rows, output.kind)
    n = n // lanes * lanes
    if c.alternative:
        lanes = lanes * 2 if n % (2 * lanes) == 0 else max(lanes // 2, 1)

    def term(i: str, k: str) -> Value:
        left, right = x[i, k], y[k] if len(y.shape) == 1 else y[i, k]
        return (left.to("i16") * right.to("i16")).to("i32") if narrow else _times(left, right, zeros)

    with c.loop(0, rows) as i:
        with c.carry(0, n // lanes * lanes, *[c.known(0, "i32")] * lanes, step=lanes) as loop:
            loop.next = [v + term(i, f"{loop.index} + {k}" if k else loop.index) for k, v in enumerate(loop.values)]
        out[i] = output(added(c, loop.out), i)


def _product(c: Code) -> None:
    """Matrix products: operand layouts, loop orders, packed fours, zero points corrected by sums of rows."""
    (a, b), zeros = c.pick(_PAIRS), _offsets(c)
    m, n, k = (c.size(2, 160) for _ in range(3))
    transposed, packed, order = c.coin(), c.coin(0.25), c.pick(("ijk", "ikj", "ijk"))
    if c.alternative:
        order = "ikj" if order == "ijk" else "ijk"
    k = max(k // 4, 1) * 4
    x = c.array([m, k], a)
    y = c.array([k // 4, n, 4] if packed else [n, k] if transposed else [k, n], b)
    output = Output(c, n)
    out, sums = c.array([m, n], output.kind), c.array([m, n], "i32") if order == "ikj" else None

    def weight(p: str, j: str, q: int = 0) -> Value:
        return y[p, j, q] if packed else y[j, p] if transposed else y[p, j]

    def term(i: str, p: str, j: str) -> Value:
        if not packed:
            return _times(x[i, p], weight(p, j), zeros)
        return added(c, [_times(x[i, f"{p} * 4 + {q}"], weight(p, j, q), zeros) for q in range(4)])

    deep = k // 4 if packed else k
    if sums is None:
        with c.nest(m, n) as (i, j):
            out[i, j] = output(c.total(deep, c.known(0, "i32"), lambda p, v: v + term(i, p, j)), j)
        return
    with c.loop(0, m) as i:
        with c.loop(0, n) as j:
            sums[i, j] = 0
        with c.loop(0, deep) as p, c.loop(0, n) as j:
            sums[i, j] = sums[i, j] + term(i, p, j)
        with c.loop(0, n) as j:
            out[i, j] = output(sums[i, j], j)


def _convolution(c: Code) -> None:
    """Convolutions in one or two dimensions: full, depthwise or by single pixels."""
    (a, b), zeros, what = c.pick(_PAIRS), _offsets(c), c.pick(("line", "full", "full", "depthwise", "pixel"))
    taps, stride = c.pick((1, 2, 3, 3, 5)), c.pick((1, 1, 2))
    if what == "line":
        n, count = c.size(8, 4000), c.size(2, 40)
        x, w, out = c.array(n * stride + count, a), c.array(count, b), c.array(n, "i8")
        output = Output(c, 1)
        out = c.array(n, output.kind)
        with c.loop(0, n) as i:
            sum_ = c.total(count, c.known(0, "i32"), lambda p, v: v + _times(x[f"{i} * {stride} + {p}"], w[p], zeros))
            out[i] = output(sum_, "0")
        return
    h, w_, channels, filters = c.size(3, 30), c.size(3, 30), c.size(1, 48), c.size(1, 32)
    taps = 1 if what == "pixel" else max(taps, 2)
    filters = channels if what == "depthwise" else filters
    x = c.array([h * stride + taps, w_ * stride + taps, channels], a)
    w = c.array([taps, taps, channels] if what == "depthwise" else [filters, taps, taps, channels], b)
    output = Output(c, filters)
    out = c.array([h, w_, filters], output.kind)
    with c.nest(h, w_, filters) as (i, j, f):

        def cell(p: str | int, q: str | int, value: Value) -> Value:
            where = (f"{i} * {stride} + {p}", f"{j} * {stride} + {q}")
            if what == "depthwise":
                return value + _times(x[(*where, f)], w[p, q, f], zeros)
            return c.total(channels, value, lambda k, v: v + _times(x[(*where, k)], w[f, p, q, k], zeros))

        value = c.known(0, "i32")
        if c.alternative and taps < 4:
            for p in range(taps):
                for q in range(taps):
                    value = cell(p, q, value)
        else:
            value = c.total(taps, value, lambda p, v: c.total(taps, v, lambda q, u: cell(p, q, u)))
        out[i, j, f] = output(value, f)


def _nibbles(c: Code, byte: Value, signed: bool) -> tuple[Value, Value]:
    if signed:
        return ((byte << 4) >> 4), byte >> 4
    word = byte.to("u8")
    return (word & 15).to("i8") - 8, (word >> 4).to("i8") - 8


def _blocks(c: Code) -> None:
    """Weights of 8, 4 or 2 bits in blocks with a scale each (and a minimum): unpacked, or multiplied by activations."""
    bits, block, real = c.pick((8, 4, 4, 4, 2)), c.pick((16, 32, 32, 64)), c.pick(("f32", "f32", "f16"))
    rows, count, what = c.size(1, 100), c.size(1, 40), c.pick(("unpack", "float", "integer", "integer"))
    minima, signed, together = c.coin(0.3), c.coin(), c.coin()
    held = 8 // bits
    weights = c.array([rows, count, block // held], "i8")
    scales = c.array([rows, count], real)
    lows = c.array([rows, count], real) if minima else None

    def fields(byte: Value) -> list[Value]:
        if bits == 8:
            return [byte]
        if bits == 4:
            return list(_nibbles(c, byte, signed))
        return [((byte.to("u8") >> (2 * k)) & 3).to("i8") - (0 if signed else 2) for k in range(4)]

    def place(b: str, p: str, k: int) -> tuple[str, str]:
        return (b, f"{p} + {k * (block // held)}") if together else (b, f"{p} * {held} + {k}")

    if what == "unpack":
        out = c.array([rows, count, block], "f32")
        with c.nest(rows, count) as (i, b):
            scale = scales[i, b].to("f32")
            with c.loop(0, block // held) as p:
                for k, value in enumerate(fields(weights[i, b, p])):
                    real_ = value.to("f32") * scale
                    out[(i, *place(b, p, k))] = real_ + lows[i, b].to("f32") if lows else real_
        return
    x = c.array([count, block], "f32" if what == "float" else "i8")
    steps = c.array(count, real) if what == "integer" else None
    out, sum_kind = c.array(rows, "f32"), "f32" if what == "float" else "i32"
    with c.loop(0, rows) as i:

        def part(b: str, value: Value) -> Value:
            def term(p: str, inner: Value) -> Value:
                pieces = [
                    f.to(sum_kind) * x[place(b, p, k)].to(sum_kind) for k, f in enumerate(fields(weights[i, b, p]))
                ]
                return (
                    inner + added(c, pieces) if what == "integer" or not c.alternative else added(c, [inner, *pieces])
                )

            inner = c.total(block // held, c.known(0, sum_kind), term).to("f32")
            scale = scales[i, b].to("f32")
            scale = scale * steps[b].to("f32") if steps else scale
            return value + (inner * scale + lows[i, b].to("f32") if lows else inner * scale)

        out[i] = c.total(count, c.known(0, "f32"), part)


_KERNELS = {
    **quantised_values.KERNELS,
    "dot": _dot,
    "product": _product,
    "convolution": _convolution,
    "blocks": _blocks,
}
