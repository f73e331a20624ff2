"""Transforms of signals: Fourier, cosine, Hadamard, wavelets by lifting; correlations, complex arithmetic."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

from costmodel.mlir.generators.code import Code, Index
from costmodel.mlir.generators.structures import added
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float

Pair = tuple[Value, Value]

_FLOATS = ("f32", "f32", "f64", "f16")


class Complexes:
    """Buffers of complex numbers: real and imaginary parts apart, or next to each other."""

    def __init__(self, c: Code, shape: Sequence[int], kind: str, *, apart: bool):
        self.parts = c.arrays(2, shape, kind) if apart else c.arrays(1, [*shape, 2], kind)

    def get(self, *at: Index) -> Pair:
        """The number at a place."""
        if len(self.parts) == 2:
            return self.parts[0][at], self.parts[1][at]
        return self.parts[0][(*at, 0)], self.parts[0][(*at, 1)]

    def put(self, value: Pair, *at: Index) -> None:
        """Stored at a place."""
        for n, part in enumerate(value):
            if len(self.parts) == 2:
                self.parts[n][at] = part
            else:
                self.parts[0][(*at, n)] = part


def c_multiply(a: Pair, b: Pair, *, three: bool = False) -> Pair:
    """A complex product, by four multiplications or three."""
    if three:
        k = b[0] * (a[0] + a[1])
        return k - a[1] * (b[0] + b[1]), k + a[0] * (b[1] - b[0])
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _plus(a: Pair, b: Pair) -> Pair:
    return a[0] + b[0], a[1] + b[1]


def _minus(a: Pair, b: Pair) -> Pair:
    return a[0] - b[0], a[1] - b[1]


def _turned(a: Pair, angle: float) -> Pair:
    """Times a number of length one, cheaply where it is a power of i."""
    w = cmath.exp(1j * angle)
    if abs(w - 1) < 1e-9:
        return a
    if abs(w + 1j) < 1e-9:
        return a[1], 0 - a[0]
    return a[0] * w.real - a[1] * w.imag, a[0] * w.imag + a[1] * w.real


def _fft(values: list[Pair]) -> list[Pair]:
    """By halves, written out."""
    if len(values) == 1:
        return values
    even, odd, half = _fft(values[::2]), _fft(values[1::2]), len(values) // 2
    turned = [_turned(v, -math.pi * k / half) for k, v in enumerate(odd)]
    return [_plus(a, b) for a, b in zip(even, turned, strict=True)] + [
        _minus(a, b) for a, b in zip(even, turned, strict=True)
    ]


def _small_fourier(c: Code) -> None:
    """Transforms of two to sixteen points written out, of many rows, down columns at times."""
    kind, points, rows = c.pick(_FLOATS), c.pick((2, 4, 4, 8, 8, 16)), c.pick((1, 16, c.size(2, 400)))
    down, apart = c.coin(0.4), c.coin()
    shape = [points, rows] if down else [rows, points]
    x = Complexes(c, shape, kind, apart=apart)
    y = x if c.coin(0.4) else Complexes(c, shape, kind, apart=apart)
    direct = c.alternative and points <= 4
    with c.loop(0, rows) as r:
        at = [(str(k), r) if down else (r, str(k)) for k in range(points)]
        values = [x.get(*place) for place in at]
        if direct:
            results = []
            for f in range(points):
                terms = [_turned(v, -2 * math.pi * f * k / points) for k, v in enumerate(values)]
                results.append((added(c, [t[0] for t in terms]), added(c, [t[1] for t in terms])))
        else:
            results = _fft(values)
        for place, value in zip(at, results, strict=True):
            y.put(value, *place)


def _fourier_stage(c: Code) -> None:
    """Stages of radix two or four with a table of twiddles, as groups of butterflies."""
    kind, radix, half = c.pick(_FLOATS), c.pick((2, 2, 4)), 1 << c.rng.randint(0, 7)
    groups, apart, three = 1 << c.rng.randint(0, 6), c.coin(), c.coin(0.3)
    stages, before = c.pick((1, 1, 1, c.rng.randint(2, 4))), c.coin(0.3)
    n = groups * half * radix << (stages - 1) * (radix // 2)
    x, w = Complexes(c, [n], kind, apart=apart), Complexes(c, [half * radix**stages], kind, apart=apart)
    for _ in range(stages):
        count = n // (half * radix)
        order = (count, half) if not c.alternative else (half, count)
        with c.nest(*order) as (first, second):
            g, k = (second, first) if c.alternative else (first, second)
            at = [f"{g} * {half * radix} + {k} + {half * p}" for p in range(radix)]
            v = [x.get(place) for place in at]
            if not before:
                v[1:] = [c_multiply(a, w.get(f"{k} * {p}"), three=three) for p, a in enumerate(v[1:], 1)]
            out = _fft(v)
            if before:
                out[1:] = [c_multiply(a, w.get(f"{k} * {p}"), three=three) for p, a in enumerate(out[1:], 1)]
            for place, value in zip(at, out, strict=True):
                x.put(value, place)
        half *= radix


def _goertzel(c: Code) -> None:
    """One or several bins by a recurrence, or by the sum as it is defined."""
    kind, n, bins = c.pick(("f32", "f32", "f64")), c.size(8, 2000), c.size(1, 12)
    x, powers, factors = c.array(n, kind), c.array(bins, kind), c.array(bins, kind)
    together = c.coin() != c.alternative and bins <= 4
    zero = c.known(0, kind)
    if c.coin(0.3):
        with c.loop(0, bins) as b:
            with c.carry(0, n, zero, zero) as loop:
                angle = factors[b] * c.position(loop.index).to("i32").to(kind)
                parts = (angle.math("cos"), angle.math("sin"))
                loop.next = [v + x[loop.index] * p for v, p in zip(loop.values, parts, strict=True)]
            powers[b] = loop.out[0] * loop.out[0] + loop.out[1] * loop.out[1]
        return

    def run(columns: list[str]) -> None:
        scale = [factors[b] for b in columns]
        with c.carry(0, n, *[zero] * (2 * len(columns))) as loop:
            after = []
            for k, factor in enumerate(scale):
                last, older = loop.values[2 * k : 2 * k + 2]
                after += [x[loop.index] + factor * last - older, last]
            loop.next = after
        for k, b in enumerate(columns):
            p, q = loop.out[2 * k : 2 * k + 2]
            powers[b] = p * p + q * q - scale[k] * p * q

    if together:
        run([str(b) for b in range(bins)])
    else:
        with c.loop(0, bins) as b:
            run([b])


def _cosine(c: Code) -> None:
    """Cosine transforms of eight: by butterflies written out, or by a matrix; rows, columns or both of blocks."""
    kind, blocks, what = (
        c.pick((*_FLOATS, "i32", "i16")),
        c.pick((1, 1, c.size(2, 300))),
        c.pick(("fast", "fast", "matrix", "full")),
    )
    integer, both = kind[0] == "i", c.coin()
    wide = "i32" if integer else kind
    x, y = c.array([blocks, 8, 8], kind), c.array([blocks, 8, 8], kind)

    def times(v: Value, factor: float) -> Value:
        return (v * round(factor * 256)) >> 8 if integer else v * factor

    def rotate(a: Value, b: Value, k: int) -> Pair:
        co, si = math.cos(k * math.pi / 16), math.sin(k * math.pi / 16)
        return times(a, co) + times(b, si), times(b, co) - times(a, si)

    def fast(v: list[Value]) -> list[Value]:
        s, d = [v[k] + v[7 - k] for k in range(4)], [v[k] - v[7 - k] for k in range(4)]
        e0, e1, o0, o1 = s[0] + s[3], s[1] + s[2], s[0] - s[3], s[1] - s[2]
        r2, r6 = rotate(o0, o1, 6)
        a, b = rotate(d[0], d[3], 3)
        p, q = rotate(d[1], d[2], 1)
        return [e0 + e1, a + p, r2, times(a - q, 1.414), e0 - e1, times(b + p, 1.414), r6, b - q]

    def line(get, put) -> None:  # type: ignore[no-untyped-def]
        if what == "fast":
            for k, value in enumerate(fast([get(k).to(wide) for k in range(8)])):
                put(k, value.to(kind))
            return
        values = [get(k).to(wide) for k in range(8)]
        for f in range(8):
            put(
                f, added(c, [times(v, math.cos((2 * k + 1) * f * math.pi / 16)) for k, v in enumerate(values)]).to(kind)
            )

    def put_row(b: str, r: str, k: int, value: Value) -> None:
        y[b, r, k] = value

    def put_column(b: str, r: str, k: int, value: Value) -> None:
        y[b, k, r] = value

    table = c.array([8, 8], kind)
    with c.nest(blocks) as (b,):
        if what == "full":
            with c.nest(8, 8) as (i, j):
                y[b, i, j] = c.total(8, c.known(0, kind), lambda k, v: v + table[i, k] * x[b, k, j])
            return
        with c.loop(0, 8) as r:
            line(lambda k: x[b, r, k], lambda k, value: put_row(b, r, k, value))
        if both:
            with c.loop(0, 8) as r:
                line(lambda k: y[b, k, r], lambda k, value: put_column(b, r, k, value))


def _wavelet(c: Code) -> None:
    """Haar and lifting steps (5/3, 9/7), forth or back, some levels, along rows or columns."""
    kind, n, rows = c.pick((*_FLOATS, "i16", "i32")), c.size(8, 600), c.pick((1, 1, c.size(2, 60)))
    what, levels, down = c.pick(("haar", "haar", "53", "97")), c.pick((1, 1, 2, 3)), c.coin(0.4)
    integer = kind[0] == "i"
    n = max(n >> levels, 2) << levels
    shape = [n, rows] if down else [rows, n]
    x, low, high = c.array(shape, kind), c.array(shape, kind), c.array(shape, kind)

    def at(r: str, k: str) -> tuple[str, str]:
        return (k, r) if down else (r, k)

    def fraction(v: Value, factor: float) -> Value:
        return (v * round(factor * 16)) >> 4 if integer else v * factor

    factors = {"haar": [], "53": [-0.5, 0.25], "97": [-1.586, -0.053, 0.883, 0.444]}[what]
    for level in range(levels):
        source, half = (x if level == 0 else low), n >> (level + 1)
        with c.loop(0, rows) as r:
            if not factors:
                with c.loop(0, half) as k:
                    a, b = source[at(r, f"{k} * 2")], source[at(r, f"{k} * 2 + 1")]
                    if c.alternative:
                        half_difference = fraction(a - b, 0.5)
                        low[at(r, k)], high[at(r, k)] = b + half_difference, half_difference
                    else:
                        low[at(r, k)], high[at(r, k)] = fraction(a + b, 0.5), fraction(a - b, 0.5)
                continue
            for number, factor in enumerate(factors):
                odd = 1 - number % 2
                with c.loop(1 - odd, half - 1) as k:
                    near = source[at(r, f"{k} * 2 + {odd - 1}")] + source[at(r, f"{k} * 2 + {odd + 1}")]
                    place = at(r, f"{k} * 2 + {odd}")
                    source[place] = source[place] + fraction(near, factor)
            with c.loop(0, half) as k:
                high[at(r, k)] = source[at(r, f"{k} * 2 + 1")]
                low[at(r, k)] = source[at(r, f"{k} * 2")]


def _butterflies(c: Code) -> None:
    """Hadamard transforms and transforms over residues: sums and differences, all stages or one."""
    residues, stages = c.coin(0.4), c.rng.randint(1, 7)
    kind = "u32" if residues else c.pick(("f32", "f64", "i32", "i16", "f16"))
    n, rows, modulus = 1 << max(stages, c.rng.randint(3, 9)), c.pick((1, 1, 20)), c.pick((998244353, 12289, 7681))
    x, table = c.array([rows, n], kind), c.array(n, kind)
    for stage in range(stages):
        half = 1 << stage
        with c.nest(rows, n // (2 * half), half, reverse=c.alternative) as (r, g, k):
            first, second = (r, f"{g} * {2 * half} + {k}"), (r, f"{g} * {2 * half} + {k} + {half}")
            a, b = x[first], x[second]
            if residues:
                b = ((b.to("u64") * table[f"{k} + {half}" if 2 * half <= n else k].to("u64")) % modulus).to("u32")
                total, difference = a + b, a + modulus - b
                x[first] = (total >= modulus).then(total - modulus, total)
                x[second] = (difference >= modulus).then(difference - modulus, difference)
            else:
                x[first], x[second] = a + b, a - b


def sample_types(c: Code) -> tuple[str, str]:
    """Of samples and of sums."""
    return c.pick((("f32", "f32"), ("f32", "f32"), ("f64", "f64"), ("f16", "f16"), ("f16", "f32"), ("i16", "i32"),
                   ("i8", "i32"), ("i16", "i64")))  # fmt: skip


def _correlation(c: Code) -> None:
    """Correlations over lags, with itself or another signal; normalised, or of signs."""
    (kind, wide), n, lags = sample_types(c), c.size(8, 1500), c.size(2, 120)
    itself, rows, squares = c.coin(), c.pick((1, 1, 6)), c.coin(0.3)
    x = c.array([rows, n + lags], kind)
    y, out = x if itself else c.array([rows, n + lags], kind), c.array([rows, lags], wide)
    short = c.coin(0.3)
    with c.nest(rows, lags) as (r, lag):
        if squares and is_float(wide):
            zero = c.known(0, wide)
            with c.carry(0, n, zero, zero, zero) as loop:
                a, b = x[r, loop.index].to(wide), y[r, f"{loop.index} + {lag}"].to(wide)
                loop.next = [v + t for v, t in zip(loop.values, (a * b, a * a, b * b), strict=True)]
            cross, first, second = loop.out
            out[r, lag] = cross / ((first * second).math("sqrt") + 0.001)
        else:
            high = f"affine_map<(d0) -> ({n} - d0)>({lag})" if short and lags < n else n
            out[r, lag] = c.total(
                high, c.known(0, wide), lambda k, v: v + x[r, k].to(wide) * y[r, f"{k} + {lag}"].to(wide)
            )


def _complex(c: Code) -> None:
    """Products, quotients, magnitudes, phases and polynomials of complex numbers, interleaved or apart."""
    kind, what = (
        c.pick(_FLOATS),
        c.pick(("product", "conjugate", "magnitude", "quotient", "phase", "polynomial", "sum")),
    )
    n, terms, apart = c.size(4, 4000), c.size(1, 6), c.coin()
    x, y, out = (Complexes(c, [n], kind, apart=apart) for _ in range(3))
    lengths, rooted = c.array(n, kind), c.coin()
    together = rooted != c.alternative
    zero = c.known(0, kind)
    if what == "sum":
        with c.carry(0, n, zero, zero) as loop:
            a, b = x.get(loop.index), y.get(loop.index)
            product = c_multiply(a, (b[0], 0 - b[1]), three=together)
            loop.next = [v + p for v, p in zip(loop.values, product, strict=True)]
        out.put((loop.out[0], loop.out[1]), "0")
        return
    with c.loop(0, n) as i:
        a, b = x.get(i), y.get(i)
        size_ = a[0] * a[0] + a[1] * a[1]
        if what == "magnitude":
            lengths[i] = size_.math("sqrt") if rooted else (size_ + 1e-3).math("log")
        elif what == "phase":
            lengths[i] = a[1].math("atan2", a[0])
        elif what == "quotient":
            product, scale = c_multiply(b, (a[0], 0 - a[1])), 1 / (size_ + 1e-3)
            out.put((product[0] * scale, product[1] * scale), i)
        elif what == "polynomial":
            total = a
            for k in range(terms):
                step = c_multiply(total, b, three=together)
                total = (step[0] + 0.1 * k, step[1] + a[1])
            out.put(total, i)
        else:
            b = (b[0], 0 - b[1]) if what == "conjugate" else b
            out.put(c_multiply(a, b, three=together), i)


KERNELS = {
    "correlation": _correlation,
    "complex": _complex,
    "small_fourier": _small_fourier,
    "fourier_stage": _fourier_stage,
    "goertzel": _goertzel,
    "cosine": _cosine,
    "wavelet": _wavelet,
    "butterflies": _butterflies,
}
