"""Graphs of the StableHLO dialect, as a tracing front end would write them, with their linalg form and its variants."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from costmodel.mlir.generators.drawing import coin, kind, size
from costmodel.mlir.generators.graphs import graph_variants
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.tensors import TensorFunction
from costmodel.mlir.generators.writer import tensor
from costmodel.mlir.labelling.stablehlo import to_linalg

_UNARY = ("tanh", "exponential", "logistic", "rsqrt", "sqrt", "abs", "negate", "log_plus_one", "floor", "cosine")
_BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
ACTIVATIONS = ("relu", "relu", "leaky", "silu", "tanh", "logistic", "clamped")


class Hlo(TensorFunction):
    """Of StableHLO operations."""

    def number(self, value: float) -> str:
        """A scalar constant."""
        literal = f"stablehlo.constant dense<{value:.6e}> : tensor<{self.element}>"
        return self._known(self.w.value(literal), [])

    def unary(self, name: str, a: str) -> str:
        """Element by element."""
        return self._known(self.w.value(f"stablehlo.{name} {a} : {self.type(a)}"), self.shapes[a])

    def binary(self, name: str, a: str, b: str) -> str:
        """Element by element, of one shape."""
        return self._known(self.w.value(f"stablehlo.{name} {a}, {b} : {self.type(a)}"), self.shapes[a])

    def broadcast(self, a: str, dims: Sequence[int], shape: Sequence[int]) -> str:
        """`dims` say which axes of `shape` those of the operand are."""
        listed = ", ".join(map(str, dims))
        return self._to(f"broadcast_in_dim {a}, dims = [{listed}]", [a], shape)

    def like(self, value: float, a: str) -> str:
        """A constant of another value's shape."""
        return self.broadcast(self.number(value), [], self.shapes[a])

    def dot(self, a: str, b: str, contracted: tuple[int, int], batches: int = 0) -> str:
        """A product that sums over one axis of each; the first `batches` axes are shared."""
        left, right = self.shapes[a], self.shapes[b]
        kept = [n for axis, n in enumerate(left) if axis != contracted[0]]
        kept += [n for axis, n in enumerate(right) if axis != contracted[1] and axis >= batches]
        shared = ", ".join(map(str, range(batches)))
        batching = f"batching_dims = [{shared}] x [{shared}], " if batches else ""
        contracting = f"contracting_dims = [{contracted[0]}] x [{contracted[1]}]"
        return self._to(f"dot_general {a}, {b}, {batching}{contracting}", [a, b], kept)

    def reduce(self, name: str, a: str, axis: int, start: float) -> str:
        """Fold one axis away and broadcast what is left back over it."""
        shape, first = self.shapes[a], self.number(start)
        kept = [n for n in range(len(shape)) if n != axis]
        how = f"reduce({a} init: {first}) applies stablehlo.{name} across dimensions = [{axis}]"
        folded = self._to(how, [a, first], [shape[n] for n in kept])
        return self.broadcast(folded, kept, shape)

    def convolution(self, image: str, kernel: str, stride: int, groups: int = 1) -> str:
        """Channels last, no padding."""
        (n, h, w, _), (kh, kw, _, f) = self.shapes[image], self.shapes[kernel]
        window = f"window = {{stride = [{stride}, {stride}]}}"
        counts = f"{{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}}"
        how = f"convolution({image}, {kernel}) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], {window} {counts}"
        return self._to(how, [image, kernel], [n, (h - kh) // stride + 1, (w - kw) // stride + 1, f])

    def transpose(self, a: str, order: Sequence[int]) -> str:
        """Axes permuted."""
        listed = ", ".join(map(str, order))
        return self._to(f"transpose {a}, dims = [{listed}]", [a], [self.shapes[a][axis] for axis in order])

    def slice(self, a: str, axis: int, low: int, high: int) -> str:
        """Part of one axis."""
        shape = self.shapes[a]
        bounds = [(low, high) if n == axis else (0, extent) for n, extent in enumerate(shape)]
        listed = ", ".join(f"{first}:{last}" for first, last in bounds)
        return self._to(f"slice {a} [{listed}]", [a], [last - first for first, last in bounds])

    def concatenate(self, a: str, b: str, axis: int) -> str:
        """Along one axis."""
        shape = list(self.shapes[a])
        shape[axis] += self.shapes[b][axis]
        return self._to(f"concatenate {a}, {b}, dim = {axis}", [a, b], shape)

    def type(self, a: str) -> str:
        """A value's type."""
        return tensor(self.shapes[a], self.element) if self.shapes[a] else f"tensor<{self.element}>"

    def function(self, result: str) -> str:
        """The whole function's text."""
        return self.w.function("graph", returns=[(result, self.type(result))])

    def _to(self, how: str, operands: list[str], shape: Sequence[int]) -> str:
        out = tensor(shape, self.element) if shape else f"tensor<{self.element}>"
        kinds = ", ".join(self.type(name) for name in operands)
        return self._known(self.w.value(f"stablehlo.{how} : ({kinds}) -> {out}"), shape)


def _activated(g: Hlo, name: str, a: str) -> str:
    if name == "relu":
        return g.binary("maximum", a, g.like(0, a))
    if name == "leaky":
        return g.binary("maximum", a, g.binary("multiply", a, g.like(0.1, a)))
    if name == "silu":
        return g.binary("multiply", a, g.unary("logistic", a))
    if name == "clamped":
        return g.binary("minimum", g.binary("maximum", a, g.like(0, a)), g.like(6, a))
    return g.unary(name, a)


def _softmax(g: Hlo, a: str) -> str:
    axis = len(g.shapes[a]) - 1
    raised = g.unary("exponential", g.binary("subtract", a, g.reduce("maximum", a, axis, -1e4)))
    return g.binary("divide", raised, g.reduce("add", raised, axis, 0))


def _mean(g: Hlo, a: str) -> str:
    axis = len(g.shapes[a]) - 1
    total = g.reduce("add", a, axis, 0)
    return g.binary("divide", total, g.like(g.shapes[a][axis], total))


def _by_root(g: Hlo, a: str, power: str) -> str:
    return g.binary("multiply", a, g.unary("rsqrt", g.binary("add", power, g.like(1e-3, power))))


def _layer(g: Hlo, a: str) -> str:
    centred = g.binary("subtract", a, _mean(g, a))
    return _by_root(g, centred, _mean(g, g.binary("multiply", centred, centred)))


def _rms(g: Hlo, a: str) -> str:
    return _by_root(g, a, _mean(g, g.binary("multiply", a, a)))


def _row(g: Hlo, name: str, a: str) -> str:
    shape = g.shapes[a]
    return g.binary(name, a, g.broadcast(g.input(shape[-1:]), [len(shape) - 1], shape))


def _perceptron(g: Hlo, rng: random.Random) -> tuple[str, str]:
    widths = [size(rng, 4, 160) for _ in range(rng.choice((2, 2, 3)))]
    batch, names = size(rng, 1, 48), [rng.choice(ACTIVATIONS) for _ in widths[1:]]
    value = g.input([batch, widths[0]])
    for low, high, name in zip(widths, widths[1:], names, strict=False):
        value = _activated(g, name, _row(g, "add", g.dot(value, g.input([low, high]), (1, 0))))
    return value, f"{batch}-{'x'.join(map(str, widths))}-{'.'.join(names)}"


def _attention(g: Hlo, rng: random.Random) -> tuple[str, str]:
    heads, queries, keys, width = size(rng, 1, 6), size(rng, 2, 32), size(rng, 2, 32), size(rng, 4, 48)
    q, k, v = g.input([heads, queries, width]), g.input([heads, keys, width]), g.input([heads, keys, width])
    scores = g.dot(q, k, (2, 2), batches=1)
    scores = _softmax(g, g.binary("multiply", scores, g.like(width**-0.5, scores)))
    return g.dot(scores, v, (2, 1), batches=1), f"{heads}-{queries}-{keys}-{width}"


def _normalisation(g: Hlo, rng: random.Random) -> tuple[str, str]:
    rank, name = rng.choice((1, 2, 2, 3)), rng.choice(("softmax", "layer", "rms"))
    shape = [size(rng, 2, {1: 2000, 2: 120, 3: 30}[rank]) for _ in range(rank)]
    value = {"softmax": _softmax, "layer": _layer, "rms": _rms}[name](g, g.input(shape))
    scaled = coin(rng)
    if scaled:
        value = _row(g, "add", _row(g, "multiply", value))
    return value, f"{name}-{'x'.join(map(str, shape))}-{int(scaled)}"


def _convolution(g: Hlo, rng: random.Random) -> tuple[str, str]:
    window, stride, name = rng.choice((1, 3, 3, 5)), rng.choice((1, 1, 2)), rng.choice(ACTIVATIONS)
    h, w, c, f = size(rng, 4, 24), size(rng, 4, 24), size(rng, 1, 24), size(rng, 1, 24)
    deep = coin(rng, 0.3)
    image = g.input([1, h + window - 1, w + window - 1, c])
    kernel = g.input([window, window, 1, c] if deep else [window, window, c, f])
    value = g.convolution(image, kernel, stride, c if deep else 1)
    value = _activated(g, name, _row(g, "add", value))
    return value, f"{window}-{stride}-{h}x{w}-{c}-{f}-{name}-{int(deep)}"


def _elementwise(g: Hlo, rng: random.Random) -> tuple[str, str]:
    rank = rng.choice((1, 2, 2, 3))
    shape = [size(rng, 2, {1: 4000, 2: 150, 3: 32}[rank]) for _ in range(rank)]
    value, names = g.input(shape), []
    for _ in range(rng.randint(1, 7)):
        names.append(rng.choice((*_UNARY, *_BINARY, *_BINARY, "row", "slice", "join", "turn")))
        value = _step(g, rng, names[-1], value)
    return value, f"{'x'.join(map(str, shape))}-{'.'.join(names)}"


def _step(g: Hlo, rng: random.Random, name: str, value: str) -> str:
    shape = g.shapes[value]
    axis = rng.randrange(len(shape))
    if name in _UNARY:
        return g.unary(name, value)
    if name == "row":
        return _row(g, rng.choice(_BINARY), value)
    if name == "slice":
        return g.slice(value, axis, 0, max(1, shape[axis] // 2))
    if name == "join":
        return g.concatenate(value, g.unary("negate", value), axis) if shape[axis] < 64 else value
    if name == "turn":
        return g.transpose(value, rng.sample(range(len(shape)), len(shape)))
    return g.binary(name, value, g.input(shape))


_GRAPHS: tuple[Callable[[Hlo, random.Random], tuple[str, str]], ...] = (
    _perceptron,
    _attention,
    _normalisation,
    _convolution,
    _elementwise,
)


def stablehlo(rng: random.Random) -> Group:
    """Perceptrons, attention, norms, convolutions and element-wise chains of StableHLO, and their linalg forms."""
    draw, g = rng.choice(_GRAPHS), Hlo(kind(rng, ("f32", "f32", "f32", "f64", "f16")))
    result, key = draw(g, rng)
    text = g.function(result)
    return Group("stablehlo", f"{draw.__name__[1:]}-{g.element}-{key}", text, linalg_variants(to_linalg(text), rng))


def linalg_variants(linalg: str, rng: random.Random, count: int = 2) -> list[Variant]:
    """The linalg form as a variant, and some of what graphs of linalg are turned into."""
    further = [Variant({"level": "linalg", **v.what}, v.passes, linalg) for v in graph_variants(rng)[:count]]
    return [Variant({"level": "linalg"}, "", linalg), *further]
