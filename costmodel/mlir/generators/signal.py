"""Signal processing: filters, transforms, wavelets, correlation, oscillators, resampling, complex arithmetic."""

from __future__ import annotations

import math
import random

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.structures import added, drawn, mapped, saturated
from costmodel.mlir.generators.transforms import KERNELS, sample_types
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float


def signal(rng: random.Random) -> Group:
    """Filters, biquads, Fourier and cosine transforms, wavelets, correlation, windows, oscillators, resampling."""
    return drawn("signal", _KERNELS, rng)


_FLOATS = ("f32", "f32", "f64", "f16")


def _sample(value: Value, kind: str) -> Value:
    return value.to(kind) if is_float(kind) else saturated(value >> 7, kind)


def _fir(c: Code) -> None:
    """Filters of finite response: symmetric, decimating, interpolating, of complex taps, with several channels."""
    (kind, wide), n = sample_types(c), c.size(8, 6000)
    taps, what = c.size(3, 64), c.pick(("plain", "symmetric", "decimate", "interpolate", "channels", "constants"))
    step, unrolled = c.pick((2, 3, 4)), (taps <= 16 and c.coin(0.4)) != c.alternative
    if what == "constants":
        taps = min(taps, 17)
        factors = [c.rng.uniform(-1, 1) if is_float(wide) else c.rng.randint(-60, 60) for _ in range(taps)]
        x, y = c.array(n + taps, kind), c.array(n, kind)
        with c.loop(0, n) as i:
            y[i] = _sample(added(c, [x[f"{i} + {k}"].to(wide) * f for k, f in enumerate(factors)]), kind)
        return
    channels = c.pick((2, 4, 8)) if what == "channels" else 1
    stride = step if what == "decimate" else 1
    x, h = c.array([n * stride + taps, channels], kind), c.array([taps, step], kind)
    y = c.array([n, step if what == "interpolate" else channels], kind)

    def term(i: str, k: str | int, lane: str | int) -> Value:
        phase, channel = (lane, 0) if what == "interpolate" else (0, lane)
        value = x[f"{i} * {stride} + {k}", channel].to(wide)
        if what == "symmetric":
            value = value + x[f"{i} * {stride} + {taps - 1} - {k}", channel].to(wide)
        return value * h[k, phase].to(wide)

    count = taps // 2 if what == "symmetric" else taps
    with c.nest(n, y.shape[1]) as (i, lane):
        if unrolled and count <= 32:
            total = added(c, [term(i, k, lane) for k in range(count)])
        else:
            total = c.total(count, c.known(0, wide), lambda k, v: v + term(i, k, lane))
        y[i, lane] = _sample(total, kind)


def _biquads(c: Code) -> None:
    """Cascades of second-order sections in direct form, states carried or in memory, for one or many channels."""
    kind, n, stages = c.pick(_FLOATS), c.size(8, 4000), c.pick((1, 2, 2, 3, 4))
    transposed, constants, channels = c.coin(), c.coin(0.4), c.pick((1, 1, 2, 16))
    factors = [[c.rng.uniform(-1, 1) for _ in range(5)] for _ in range(stages)]
    table = c.array([stages, 5], kind)
    x, y, states = c.array([channels, n], kind), c.array([channels, n], kind), c.array([channels, stages, 4], kind)
    width = 2 if transposed else 4

    def section(s: int, value: Value, state: list[Value]) -> tuple[Value, list[Value]]:
        b0, b1, b2, a1, a2 = (c.known(f, kind) if constants else table[s, k] for k, f in enumerate(factors[s]))
        if transposed:
            out = b0 * value + state[0]
            return out, [b1 * value - a1 * out + state[1], b2 * value - a2 * out]
        parts = [b0 * value, b1 * state[0], b2 * state[1]]
        out = added(c, parts) - a1 * state[2] - a2 * state[3]
        return out, [value, state[0], out, state[2]]

    with c.loop(0, channels) as ch:
        held = [states[ch, s, k] for s in range(stages) for k in range(width)]
        with c.carry(0, n, *held) as loop:
            value, after = x[ch, loop.index], []
            for s in range(stages):
                value, state = section(s, value, loop.values[s * width : (s + 1) * width])
                after += state
            y[ch, loop.index], loop.next = value, after
        for s in range(stages):
            for k in range(width):
                states[ch, s, k] = loop.out[s * width + k]


def _frames(c: Code) -> None:
    """Overlapping frames with a window, from a table or computed; energies, crossings of zero, peaks, mel bands."""
    kind, size_, count = c.pick(_FLOATS), c.size(8, 512), c.size(2, 60)
    hop, what = (
        max(size_ // c.pick((1, 2, 4)), 1),
        c.pick(("table", "cosine", "energy", "crossings", "peak", "bands", "overlap")),
    )
    x = c.array(hop * count + size_, kind)
    window, frames, out = c.array(size_, kind), c.array([count, size_], kind), c.array(count, kind)
    if what in ("table", "cosine", "overlap"):
        with c.nest(count, size_) as (f, k):
            place = f"{f} * {hop} + {k}"
            if what == "cosine":
                angle = c.position(k).to("i32").to(kind) * (2 * math.pi / size_)
                factor = 0.54 - 0.46 * angle.math("cos")
            else:
                factor = window[k]
            if what == "overlap":
                x[place] = x[place] + frames[f, k] * factor
            else:
                frames[f, k] = x[place] * factor
        return
    bands = c.size(2, 40)
    low, mel = c.array([bands], "u16"), c.array([count, bands], kind)

    def term(f: str, k: str, v: Value) -> Value:
        value = x[f"{f} * {hop} + {k}"]
        if what == "energy":
            return v + value * value
        if what == "peak":
            return v.max(value.abs())
        return v + ((value * x[f"{f} * {hop} + {k} + 1"]) < 0).then(c.known(1, kind), 0)

    with c.loop(0, count) as f:
        if what == "bands":
            with c.loop(0, bands) as b:
                start = (low[b] % max(size_ // 2, 1)).to("index")

                def weighed(k: str, v: Value) -> Value:
                    return v + frames[c.position(f), start + c.position(k)] * window[k]

                mel[f, b] = (c.total(max(size_ // 2, 1), c.known(1e-3, kind), weighed)).math("log")
        else:
            total = c.total(size_ - 1, c.known(0, kind), lambda k, v: term(f, k, v))
            out[f] = total * (1 / size_)


def _resample(c: Code) -> None:
    """Values between samples: by lines, cubics or short kernels, at positions that advance by a fraction."""
    (kind, wide), n, what = (
        sample_types(c),
        c.size(8, 5000),
        c.pick(("linear", "linear", "cubic", "hermite", "polyphase")),
    )
    step, bits = c.rng.randint(100, 2000), c.pick((8, 10, 16))
    x, y = c.array(n * 8 + 8, kind), c.array(n, kind)
    table = c.array([1 << min(bits, 8), 4], wide)

    def value(place: Value, fraction: Value) -> Value:
        p = [x[place + k].to(wide) for k in range(2 if what == "linear" else 4)]
        t = fraction.to(wide) * (2.0**-bits) if is_float(wide) else fraction.to(wide)
        if what == "polyphase":
            row = (fraction & 255).to("index") if bits >= 8 else fraction.to("index")
            return added(c, [v * table[row, k] for k, v in enumerate(p)])
        if what == "linear" or not is_float(wide):
            return p[0] + (t * (p[1] - p[0]) if is_float(wide) else (t * (p[1] - p[0])) >> bits)
        if what == "hermite":
            half = (p[2] - p[0]) * 0.5
            c2 = p[0] - p[1] * 2.5 + p[2] * 2 - p[3] * 0.5
            c3 = (p[3] - p[0]) * 0.5 + (p[1] - p[2]) * 1.5
            return ((c3 * t + c2) * t + half) * t + p[1]
        square = t * t
        weights = [1 - t, t * (1 - square), square * (t - 1), square * t]
        return added(c, [w * v for w, v in zip(weights, p, strict=True)])

    carried = c.coin()

    def at_phase(phase: Value) -> Value:
        whole = (phase >> bits) & 1023 if carried else phase >> bits
        return _out(value(whole.min(n).to("index"), phase & ((1 << bits) - 1)), kind)

    if carried != c.alternative:
        with c.carry(0, n, c.known(0, "u32")) as loop:
            y[loop.index] = at_phase(loop.values[0])
            loop.next = [loop.values[0] + step]
        return
    with c.loop(0, n) as i:
        y[i] = at_phase(c.position(i).to("u32") * step)


def _out(value: Value, kind: str) -> Value:
    return value.to(kind) if is_float(kind) else saturated(value, kind)


def _oscillators(c: Code) -> None:
    """Sines by rotation, by a table or a polynomial, phases accumulated; sums of partials, modulation."""
    kind, n, what = (
        c.pick(_FLOATS),
        c.size(8, 4000),
        c.pick(("rotate", "table", "polynomial", "call", "modulate", "saw")),
    )
    partials, rate = c.pick((1, 1, 2, 4, 8)), c.rng.uniform(0.001, 0.2)
    y, table, amplitudes = c.array(n, kind), c.array(256, kind), c.array(8, kind)
    if what == "rotate":
        starts = [c.known(v, kind) for p in range(partials) for v in (1.0, 0.0)]
        with c.carry(0, n, *starts) as loop:
            after, outs = [], []
            for p in range(partials):
                turn = rate * (p + 1)
                re, im = loop.values[2 * p : 2 * p + 2]
                re, im = re * math.cos(turn) - im * math.sin(turn), re * math.sin(turn) + im * math.cos(turn)
                after += [re, im]
                outs.append(im * amplitudes[p])
            y[loop.index], loop.next = added(c, outs), after
        return

    def wave(phase: Value) -> Value:
        if what == "table":
            return table[(phase >> 24).to("index")]
        t = phase.to("i32").to("f32") * 4.656e-10
        real = t.to(kind)
        if what == "polynomial":
            square = real * real
            return real * (3.1415 + square * (-5.1677 + square * (2.5502 + square * -0.5993)))
        return (
            real.math("sin")
            if what == "call"
            else real.abs() * 2 - 1
            if what == "saw"
            else (real * 3).math("cos") * real
        )

    with c.carry(0, n, *[c.known(p, "u32") for p in range(partials)]) as loop:
        outs = [wave(phase) * amplitudes[p] for p, phase in enumerate(loop.values)]
        y[loop.index] = added(c, outs)
        loop.next = [phase + round(rate * (p + 1) * 2**31) for p, phase in enumerate(loop.values)]


def _levels(c: Code) -> None:
    """Envelopes, compression, clipping, gates; adaptive filters (LMS); running means by sums that slide; combs."""
    kind, n = c.pick(_FLOATS), c.size(8, 4000)
    what, taps = c.pick(("envelope", "compress", "clip", "lms", "slide", "comb", "dc", "kalman")), c.size(2, 40)
    attack, release = c.rng.uniform(0.01, 0.5), c.rng.uniform(0.001, 0.1)
    if what == "clip":
        style = c.pick(("hard", "cubic", "tanh", "rational"))

        def clipped(x: Value) -> list[Value]:
            x = x * (1 + attack)
            bounded = x.clamp(-1, 1)
            return [{"hard": lambda: bounded, "cubic": lambda: bounded * 1.5 - bounded * bounded * bounded * 0.5,
                     "tanh": lambda: x.math("tanh"), "rational": lambda: x / (1 + x.abs())}[style]()]  # fmt: skip

        mapped(c, [kind], clipped)
        return
    x, y, history = c.array(n + taps, kind), c.array(n, kind), c.array(taps, kind)
    if what == "lms":
        with c.loop(0, n) as i:
            guess = c.total(taps, c.known(0, kind), lambda k, v: v + history[k] * x[f"{i} + {k}"])
            error = (y[i] - guess) * release
            with c.loop(0, taps) as k:
                history[k] = history[k] + error * x[f"{i} + {k}"]
        return
    zero = c.known(0, kind)
    with c.carry(0, n, zero, c.known(1, kind)) as loop:
        a, b = loop.values
        value = x[loop.index]
        if what in ("envelope", "compress"):
            level = value.abs()
            rate = (level > a).then(c.known(attack, kind), release)
            a = a + rate * (level - a)
            y[loop.index] = a if what == "envelope" else value * ((a.max(0.1)).math("log") * -release).math("exp")
        elif what == "slide":
            a = a + x[f"{loop.index} + {taps}"] - value
            y[loop.index] = a * (1 / taps)
        elif what == "comb":
            a, b = value + a * attack, a
            y[loop.index] = b + x[f"{loop.index} + {taps}"]
        elif what == "dc":
            a, b = value - b + a * (1 - release), value
            y[loop.index] = a
        else:
            spread = b + release
            gain = spread / (spread + attack)
            a, b = a + gain * (value - a), (1 - gain) * spread
            y[loop.index] = a
        loop.next = [a, b]


def _companded(c: Code) -> None:
    """Integer codecs: mu-law, differences with adaptive steps, cascaded integrators and combs, running differences."""
    what, n, kind = c.pick(("mulaw", "adaptive", "cic", "delta", "stereo")), c.size(8, 4000), c.pick(("i16", "i32"))
    forth = c.coin()
    if what in ("mulaw", "stereo"):

        def encoded(x: Value) -> list[Value]:
            negative = x < 0
            size_ = x.to("i32").abs().min(32635) + 132
            exponent = c.known(0, "i32")
            for k in range(1, 8):
                exponent = exponent + (size_ >= (132 << k) // 1).to("i32")
            code = (exponent << 4) | ((size_ >> (exponent + 3)) & 15)
            return [(negative.then(code, code | 128) ^ 127).to("u8")]

        def mixed(left: Value, right: Value) -> list[Value]:
            middle, side = (left + right) >> 1, left - right
            return [middle, side] if forth else [middle + ((side + (side & 1)) >> 1), middle - (side >> 1)]

        mapped(c, ["i16"], encoded) if what == "mulaw" else mapped(c, [kind, kind], mixed)
        return
    x, y, steps, stages = c.array(n + 4, kind), c.array(n, kind), c.array(128, "i32"), c.rng.randint(1, 5)
    starts = [c.known(0, "i32") for _ in range({"adaptive": 2, "delta": stages}.get(what, 2 * stages))]
    with c.carry(0, n, *starts) as loop:
        value, after = x[loop.index].to("i32"), list(loop.values)
        if what == "adaptive":
            guess, index = loop.values
            step = steps[index.to("u32").to("index")]
            difference = value - guess
            size_, code = difference.abs(), c.known(0, "i32")
            for bit in (4, 2, 1):
                big = size_ >= step
                code, size_ = big.then(code + bit, code), big.then(size_ - step, size_)
                step = step >> 1
            moved = (code * steps[index.to("u32").to("index")]) >> 2
            after = [(difference < 0).then(guess - moved, guess + moved), (index + code - 3).clamp(0, 88)]
            value = code
        elif what == "delta":
            for k in range(stages):
                after[k], value = value, value - loop.values[k]
        else:
            for k in range(stages):
                value = after[k] = loop.values[k] + value
            for k in range(stages):
                after[stages + k], value = value, value - loop.values[stages + k]
        y[loop.index], loop.next = value.to(kind), after


_KERNELS = {
    **KERNELS,
    "fir": _fir,
    "biquads": _biquads,
    "frames": _frames,
    "resample": _resample,
    "oscillators": _oscillators,
    "levels": _levels,
    "companded": _companded,
}
