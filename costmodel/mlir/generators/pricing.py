"""Prices, random paths and small systems in time: formulas with exponentials and roots, trees, Runge-Kutta steps."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.structures import added, mapped
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float

_FLOATS = ("f32", "f32", "f64", "f64", "f16")


def _normal(c: Code, x: Value, how: str) -> Value:
    """The normal distribution, by the error function or by a polynomial."""
    if how == "erf":
        return (x * 0.70710678).math("erf") * 0.5 + 0.5
    if how == "tanh":
        return ((x * (0.7978845 + x * x * 0.035677)).math("tanh") + 1) * 0.5
    t = 1 / (1 + x.abs() * 0.2316419)
    series = c.known(1.330274429, x.kind)
    for factor in (-1.821255978, 1.781477937, -0.356563782, 0.31938153):
        series = series * t + factor
    tail = series * t * (x * x * -0.5).math("exp") * 0.39894228
    return (x < 0).then(tail, 1 - tail)


def _options(c: Code) -> None:
    """Prices of options in closed form, calls and puts, with sensitivities; bonds, annuities, discounting."""
    kind, what = (
        c.pick(("f32", "f32", "f64", "f64")),
        c.pick(("call", "call", "both", "greeks", "bond", "binary", "forward")),
    )
    how, fixed, terms = c.pick(("polynomial", "polynomial", "erf", "tanh")), c.coin(), c.size(2, 30)

    def body(spot: Value, strike: Value, time: Value, rate: Value, vol: Value) -> list[Value]:
        if fixed:
            rate, vol = c.known(0.02, kind), c.known(0.3, kind)
        if what == "bond":
            factor = 1 / (1 + rate)
            return [c.total(terms, strike, lambda _, v: (v + spot) * factor)]
        discount = (0 - rate * time).math("exp")
        if what == "forward":
            return [(spot - strike * discount).max(0)]
        root = vol * (time.abs() + 1e-3).math("sqrt")
        d1 = ((spot / strike).math("log") + (rate + vol * vol * 0.5) * time) / root
        d2 = d1 - root
        n1, n2 = _normal(c, d1, how), _normal(c, d2, how)
        if what == "binary":
            return [n2 * discount]
        call = spot * n1 - strike * discount * n2
        if what == "call":
            return [call]
        if what == "both":
            put = call - spot + strike * discount
            return [call, put if not c.alternative else strike * discount * (1 - n2) - spot * (1 - n1)]
        density = (d1 * d1 * -0.5).math("exp") * 0.39894228
        return [n1, density / (spot * root), spot * density * root / vol]

    mapped(c, [kind] * 5, body, largest=3000)


def _trees(c: Code) -> None:
    """Binomial and trinomial trees from the leaves back, American exercise or not; many at once, or one."""
    kind, n, many = c.pick(("f32", "f64", "f64")), c.size(4, 300), c.pick((1, 1, c.size(2, 40)))
    three, american = c.coin(0.4), c.coin()
    width = 2 * n + 1 if three else n + 1
    values, spots = c.array([many, width], kind), c.array([many, width], kind)
    down = c.coin() != c.alternative
    with c.nest(many) as (m,), c.loop(0, n) as t:
        high = f"affine_map<(d0) -> ({2 * n - 1} - 2 * d0)>({t})" if three else f"affine_map<(d0) -> ({n} - d0)>({t})"
        with c.loop(0, high if down else width - 2) as i:
            parts = [values[m, f"{i} + {k}"] * f for k, f in enumerate((0.2, 0.6, 0.19) if three else (0.48, 0.51))]
            held = added(c, parts)
            values[m, i] = held.max(4 - spots[m, i]) if american else held


def _random_paths(c: Code) -> None:
    """Monte Carlo with a generator of its own: areas, walks, paths of prices with their means, rejections."""
    kind, n, paths = c.pick(("f32", "f32", "f64")), c.size(4, 400), c.size(1, 300)
    what, generator = c.pick(("area", "walk", "price", "average", "barrier")), c.pick(("lcg", "xor"))
    out, seeds = c.array(paths, kind), c.array(paths, "u32")

    def advance(state: Value) -> Value:
        if generator == "lcg":
            return state * 1664525 + 1013904223
        for amount, left in ((13, True), (17, False), (5, True)):
            state = state ^ (state << amount if left else state >> amount)
        return state

    def uniform(state: Value) -> Value:
        return (state >> 8).to("i32").to(kind) * 5.9604645e-08

    with c.loop(0, paths) as p, c.carry(0, n, seeds[p], c.known(1, kind), c.known(0, kind)) as loop:
        state, value, total = loop.values
        state = advance(state)
        u = uniform(state)
        if what == "area":
            state = advance(state)
            v = uniform(state)
            inside = (u * u + v * v) <= 1
            value = value + (inside.then(c.known(1, kind), 0) if not c.alternative else inside.to("u32").to(kind))
        elif what == "walk":
            value = (u < 0.5).then(value - 1, value + 1)
            total = total.max(value.abs())
        else:
            state = advance(state)
            noise = u + uniform(state) - 1
            value = value * (noise * 0.05 + 0.001).math("exp")
            total = total + value if what == "average" else (value < 0.8).then(c.known(-1, kind), total + 0.1)
        loop.next = [state, value, total]
        out[p] = loop.next[1] if what in ("area", "price") else loop.next[2]


def _lorenz(s: Sequence[Value]) -> list[Value]:
    x, y, z = s
    return [(y - x) * 10, x * (28 - z) - y, x * y - z * 2.6667]


def _oscillator(s: Sequence[Value]) -> list[Value]:
    x, v = s
    return [v, (1 - x * x) * v * 1.5 - x]


def _pendulum(s: Sequence[Value]) -> list[Value]:
    return [s[1], s[0].math("sin") * -9.81 - s[1] * 0.1]


def _hunters(s: Sequence[Value]) -> list[Value]:
    return [s[0] * (1.1 - s[1] * 0.4), s[1] * (s[0] * 0.1 - 0.4)]


def _reaction(s: Sequence[Value]) -> list[Value]:
    a, b, d = s
    fast = b * b * 3.0
    return [b * d * 1.2 - a * 0.04, a * 0.04 - b * d * 1.2 - fast, fast]


def _neuron(s: Sequence[Value]) -> list[Value]:
    v, w = s
    return [v - v * v * v * 0.333 - w + 0.5, (v + 0.7 - w * 0.8) * 0.08]


def _epidemic(s: Sequence[Value]) -> list[Value]:
    new, out = s[0] * s[1] * 0.3, s[1] * 0.1
    return [0 - new, new - out, out]


def _orbit(s: Sequence[Value]) -> list[Value]:
    x, y, u, v = s
    square = x * x + y * y + 0.01
    pull = -1 / (square * square.math("sqrt"))
    return [u, v, x * pull, y * pull]


_SYSTEMS = {
    _lorenz: 3,
    _oscillator: 2,
    _pendulum: 2,
    _hunters: 2,
    _reaction: 3,
    _neuron: 2,
    _epidemic: 3,
    _orbit: 4,
}
_TABLEAUS: dict[str, tuple[tuple[float, ...], ...]] = {
    "euler": ((1.0,),),
    "midpoint": ((0.5,), (0.0, 1.0)),
    "heun": ((1.0,), (0.5, 0.5)),
    "kutta3": ((0.5,), (-1.0, 2.0), (1 / 6, 2 / 3, 1 / 6)),
    "classic": ((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
    "bogacki": ((0.5,), (0.0, 0.75), (2 / 9, 1 / 3, 4 / 9)),
}


def _systems(c: Code) -> None:
    """Runge-Kutta methods on small systems of equations: many at once, some steps in a loop or written out."""
    kind, system, method = c.pick(_FLOATS), c.pick(list(_SYSTEMS)), c.pick(list(_TABLEAUS))
    steps, h, looped = c.pick((1, 1, 2, 3, c.size(4, 300))), c.rng.uniform(0.001, 0.05), c.coin(0.3)

    def once(state: Sequence[Value]) -> list[Value]:
        slopes: list[list[Value]] = []
        point = list(state)
        for row in _TABLEAUS[method]:
            slopes.append(system(point))
            point = []
            for k, value in enumerate(state):
                terms = [slope[k] * (factor * h) for slope, factor in zip(slopes, row, strict=True) if factor]
                point.append(value + added(c, terms))
        return point

    def body(*state: Value) -> list[Value]:
        if steps > 3 or looped != c.alternative:
            with c.carry(0, steps, *state) as loop:
                loop.next = once(loop.values)
            return loop.out
        values = list(state)
        for _ in range(steps):
            values = once(values)
        return values

    mapped(c, [kind] * _SYSTEMS[system], body, largest=2000)


def _iterations(c: Code) -> None:
    """Newton's and fixed-point iterations: Kepler, roots, inverses, means, bisection, series, continued fractions."""
    kind, what = (
        c.pick(("f32", "f32", "f64", "f64")),
        c.pick(("kepler", "cube", "inverse", "series", "mean", "bisect", "fraction")),
    )
    rounds, written = c.size(2, 24), (c.coin(0.3)) != c.alternative
    factors = [c.rng.uniform(-1, 1) for _ in range(24)]

    def step(k: int, x: Value, a: Value, b: Value) -> tuple[Value, Value]:
        if what == "kepler":
            return x - (x - b * x.math("sin") - a) / (1 - b * x.math("cos")), b
        if what == "cube":
            return x - (x - a / (x * x + 1e-3)) * 0.3333, b
        if what == "inverse":
            return x * (2 - a * x), b
        if what == "mean":
            return (x + b) * 0.5, (x * b).abs().math("sqrt")
        if what == "bisect":
            middle = (x + b) * 0.5
            low = (middle * middle) < a
            return low.then(middle, x), low.then(b, middle)
        return (x * a + factors[k], b) if what == "series" else (a / (x + 2) + 1, b)

    def body(a: Value, b: Value) -> list[Value]:
        x = a
        if (written and rounds <= 10) or what == "series":
            for k in range(rounds):
                x, b = step(k, x, a, b)
            return [x]
        with c.carry(0, rounds, x, b) as loop:
            loop.next = list(step(1, loop.values[0], a, loop.values[1]))
        return [loop.out[0]]

    mapped(c, [kind] * 2, body, largest=3000)


def _formulas(c: Code) -> None:
    """Random straight-line code of floats with calls of the mathematical library, as physics has it."""
    kind = c.pick((*_FLOATS, "f32"))
    calls = ("exp", "log", "sqrt", "sin", "cos", "tanh", "floor", "rsqrt", "abs", "atan", "cbrt", "erf", "exp2", "log2")
    names = ("add", "sub", "mul", "add", "mul", "mul", "div", "max", "min", "select", "fma", "square", "call", "cast")
    used = c.rng.sample(calls, 3)
    bits, inputs = c.rng.getrandbits, c.rng.randint(1, 7)
    steps = [(c.pick(names), bits(20), bits(20), bits(20)) for _ in range(c.size(3, 80))]

    def body(*x: Value) -> list[Value]:
        values = list(x)
        for name, first, second, number in steps:
            a, b = values[-1 - first % min(5, len(values))], values[second % len(values)]
            if name == "call":
                called = used[number % 3]
                values.append(
                    (a.abs() + 0.1).math(called) if called in ("log", "sqrt", "rsqrt", "log2") else _called(a, called)
                )
            elif name == "select":
                values.append((a < b).then(values[number % len(values)], a))
            elif name == "fma":
                values.append(a.math("fma", b, values[number % len(values)]))
            elif name == "square":
                values.append(a * a)
            elif name == "cast":
                values.append(a.clamp(-99, 99).to("i32").to(kind) if number % 4 == 0 else a + number % 9)
            else:
                values.append(c.binary(name, a, b if number % 3 else 1 + number % 9))
        return [added(c, values[-3:])]

    mapped(c, [kind] * inputs, body)


def _called(a: Value, name: str) -> Value:
    return a.abs() if name == "abs" and is_float(a.kind) else a.math(name)


KERNELS = {
    "options": _options,
    "trees": _trees,
    "random_paths": _random_paths,
    "systems": _systems,
    "iterations": _iterations,
    "formulas": _formulas,
}
