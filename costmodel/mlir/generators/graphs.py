"""Graphs of linalg on tensors: perceptrons, convolutional blocks, attention, normalisation, element-wise chains."""

from __future__ import annotations

import random

from costmodel.mlir.generators.drawing import coin, kind, size
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.generators.tensors import Body, Graph
from costmodel.mlir.generators.writer import Writer

_BUFFERS = (
    "one-shot-bufferize{bufferize-function-boundaries=1 function-boundary-type-conversion=identity-layout-map},"
    "buffer-results-to-out-params{hoist-static-allocs=1 modify-public-functions=1}"
)
_ELEMENTS = ("f32", "f32", "f32", "f64", "f16")


def graph_variants(rng: random.Random) -> list[Variant]:
    """Fused or not, at the level of tensors, of affine loops (fused, tiled, unrolled) or of scf loops."""
    tile, factor = rng.choice((8, 16, 32)), rng.choice((2, 4, 8))
    fuse = "linalg-fuse-elementwise-ops"
    affine = f"{_BUFFERS},func.func(convert-linalg-to-affine-loops"
    choices = [
        Variant({"fuse": "elementwise"}, f"func.func(linalg-generalize-named-ops),{fuse},canonicalize"),
        Variant({"level": "affine"}, f"{affine})"),
        Variant({"level": "affine", "fuse": "loops"}, f"{affine},affine-loop-fusion)"),
        Variant({"level": "affine", "tile": tile}, f"{affine},affine-loop-tile{{tile-size={tile}}})"),
        Variant({"level": "affine", "unroll": factor}, f"{affine},affine-loop-unroll{{unroll-factor={factor}}})"),
        Variant({"level": "scf", "fuse": "elementwise"}, f"{fuse},{_BUFFERS},func.func(convert-linalg-to-loops)"),
        Variant({"level": "affine", "fuse": "elementwise"}, f"{fuse},{affine},affine-scalrep)"),
    ]
    return rng.sample(choices, 4)


def _activation(g: Graph, name: str) -> Body:
    e = g.element

    def relu(w: Writer, v: list[str]) -> str:
        return w.op("max", e, v[0], w.constant(0, e))

    def sigmoid(w: Writer, v: list[str]) -> str:
        one = w.constant(1, e)
        return w.op("div", e, one, w.op("add", e, one, w.op("math.exp", e, w.op("arith.negf", e, v[0]))))

    def silu(w: Writer, v: list[str]) -> str:
        return w.op("mul", e, v[0], sigmoid(w, v))

    def hard(w: Writer, v: list[str]) -> str:
        shifted = w.op("add", e, w.op("mul", e, v[0], w.constant(0.2, e)), w.constant(0.5, e))
        return w.op("min", e, w.op("max", e, shifted, w.constant(0, e)), w.constant(1, e))

    def square(w: Writer, v: list[str]) -> str:
        return w.op("mul", e, v[0], v[0])

    def tanh(w: Writer, v: list[str]) -> str:
        return w.op("math.tanh", e, v[0])

    def root(w: Writer, v: list[str]) -> str:
        return w.op("math.sqrt", e, w.op("math.absf", e, v[0]))

    table = {"relu": relu, "sigmoid": sigmoid, "silu": silu, "hard": hard, "square": square, "tanh": tanh, "root": root}
    return table[name]


ACTIVATIONS = ("relu", "relu", "sigmoid", "silu", "hard", "square", "tanh", "root")


def _binary(g: Graph, name: str) -> Body:
    return lambda w, v: w.op(name, g.element, v[0], v[1])


def perceptron(rng: random.Random) -> Group:
    """One to three dense layers with bias and activation, some with a residual."""
    g = Graph(kind(rng, _ELEMENTS))
    layers, batch = rng.choice((1, 1, 2, 3)), size(rng, 1, 64)
    widths = [size(rng, 4, 256) for _ in range(layers + 1)]
    names = [rng.choice(ACTIVATIONS) for _ in range(layers)]
    bias = coin(rng, 0.7)
    value = g.input([batch, widths[0]])
    for low, high, name in zip(widths, widths[1:], names, strict=False):
        product = g.matmul(value, g.input([low, high]))
        if bias:
            product = g.map([product, g.input([high])], _binary(g, "add"), [[0, 1], [1]])
        product = g.map([product], _activation(g, name))
        value = g.map([product, value], _binary(g, "add")) if low == high else product
    key = f"{g.element}-{batch}-{'x'.join(map(str, widths))}-{'.'.join(names)}-{int(bias)}"
    return Group("perceptron", key, g.function("perceptron", [value]), graph_variants(rng))


def cnn_block(rng: random.Random) -> Group:
    """A convolution (full or depthwise then pointwise), bias, activation, sometimes pooling."""
    g = Graph(kind(rng, _ELEMENTS))
    window, c, f = rng.choice((1, 3, 3, 5)), size(rng, 1, 32), size(rng, 1, 32)
    h, w = size(rng, 4, 32), size(rng, 4, 32)
    style, name, pool = rng.choice(("full", "full", "depthwise")), rng.choice(ACTIVATIONS), coin(rng, 0.3)
    image = g.input([1, h + window - 1, w + window - 1, c])
    attributes = "{dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} "
    if style == "full":
        value = g.named("conv_2d_nhwc_hwcf", [image, g.input([window, window, c, f])], [1, h, w, f], 0, attributes)
    else:
        kernel = g.input([window, window, c])
        value = g.named("depthwise_conv_2d_nhwc_hwc", [image, kernel], [1, h, w, c], 0, attributes)
        f = c
    value = g.map([value, g.input([f])], _binary(g, "add"), [[0, 1, 2, 3], [3]])
    value = g.map([value], _activation(g, name))
    if pool:
        value = g.named("pooling_nhwc_max", [value, g.full([2, 2], 0)], [1, h - 1, w - 1, f], -100, attributes)
    key = f"{g.element}-{style}-{window}-{h}x{w}-{c}-{f}-{name}-{int(pool)}"
    return Group("cnn_block", key, g.function("block", [value]), graph_variants(rng))


def _softmax(g: Graph, value: str) -> str:
    axis = len(g.shapes[value]) - 1
    outer = list(range(axis))
    axes = [list(range(axis + 1)), outer]
    most = g.reduce(value, axis, -1e4, lambda w, v: w.op("max", g.element, v[0], v[1]))
    raised = g.map([value, most], lambda w, v: w.op("math.exp", g.element, w.op("sub", g.element, v[0], v[1])), axes)
    total = g.reduce(raised, axis, 0, lambda w, v: w.op("add", g.element, v[0], v[1]))
    return g.map([raised, total], _binary(g, "div"), axes)


def attention(rng: random.Random) -> Group:
    """Scaled dot-product attention, heads as a batch, scores through softmax, relu or nothing."""
    g = Graph(kind(rng, _ELEMENTS))
    heads, queries, keys, width = size(rng, 1, 8), size(rng, 2, 48), size(rng, 2, 48), size(rng, 4, 64)
    style = rng.choice(("softmax", "softmax", "relu", "linear"))
    q, k, v = g.input([heads, queries, width]), g.input([heads, keys, width]), g.input([heads, keys, width])
    scores = g.matmul(q, g.transpose(k, [0, 2, 1]))
    scores = g.map([scores], lambda w, e: w.op("mul", g.element, e[0], w.constant(width**-0.5, g.element)))
    if style == "softmax":
        scores = _softmax(g, scores)
    elif style == "relu":
        scores = g.map([scores], _activation(g, "relu"))
    value = g.matmul(scores, v)
    key = f"{g.element}-{heads}-{queries}-{keys}-{width}-{style}"
    return Group("attention", key, g.function("attention", [value]), graph_variants(rng))


def normalisation(rng: random.Random) -> Group:
    """Softmax, layer norm, RMS norm, batch norm at inference, min-max scaling; with or without scale and shift."""
    g = Graph(kind(rng, _ELEMENTS))
    rank = rng.choice((1, 2, 2, 3))
    shape = [size(rng, 2, {1: 4000, 2: 200, 3: 40}[rank]) for _ in range(rank)]
    style, affine = rng.choice(("softmax", "layer", "rms", "batch", "minmax", "l1")), coin(rng)
    value = _NORMS[style](g, g.input(shape))
    if affine:
        everywhere, last = list(range(rank)), [rank - 1]
        scale, shift = g.input(shape[-1:]), g.input(shape[-1:])
        value = g.map([value, scale], _binary(g, "mul"), [everywhere, last])
        value = g.map([value, shift], _binary(g, "add"), [everywhere, last])
    key = f"{g.element}-{style}-{'x'.join(map(str, shape))}-{int(affine)}"
    return Group("normalisation", key, g.function("normalise", [value]), graph_variants(rng))


def _rows(g: Graph, value: str) -> tuple[int, list[list[int]]]:
    axis = len(g.shapes[value]) - 1
    return axis, [list(range(axis + 1)), list(range(axis))]


def _mean(g: Graph, value: str, square: bool = False) -> str:
    axis = len(g.shapes[value]) - 1
    e, count = g.element, g.shapes[value][-1]

    def body(w: Writer, v: list[str]) -> str:
        return w.op("add", e, v[1], w.op("mul", e, v[0], v[0]) if square else v[0])

    total = g.reduce(value, axis, 0, body)
    return g.map([total], lambda w, v: w.op("mul", e, v[0], w.constant(1 / count, e)))


def _scaled_by_root(g: Graph, value: str, power: str) -> str:
    _, axes = _rows(g, value)
    e = g.element

    def body(w: Writer, v: list[str]) -> str:
        return w.op("div", e, v[0], w.op("math.sqrt", e, w.op("add", e, v[1], w.constant(1e-3, e))))

    return g.map([value, power], body, axes)


def _layer(g: Graph, value: str) -> str:
    _, axes = _rows(g, value)
    centred = g.map([value, _mean(g, value)], _binary(g, "sub"), axes)
    return _scaled_by_root(g, centred, _mean(g, centred, square=True))


def _rms(g: Graph, value: str) -> str:
    return _scaled_by_root(g, value, _mean(g, value, square=True))


def _batch(g: Graph, value: str) -> str:
    shape = g.shapes[value]
    axes = [list(range(len(shape))), [len(shape) - 1]]
    centred = g.map([value, g.input(shape[-1:])], _binary(g, "sub"), axes)
    return g.map([centred, g.input(shape[-1:])], _binary(g, "mul"), axes)


def _minmax(g: Graph, value: str) -> str:
    axis, axes = _rows(g, value)
    low = g.reduce(value, axis, 1e4, lambda w, v: w.op("min", g.element, v[0], v[1]))
    high = g.reduce(value, axis, -1e4, lambda w, v: w.op("max", g.element, v[0], v[1]))
    width = g.map([high, low], _binary(g, "sub"))
    return g.map([g.map([value, low], _binary(g, "sub"), axes), width], _binary(g, "div"), axes)


def _l1(g: Graph, value: str) -> str:
    axis, axes = _rows(g, value)
    e = g.element
    total = g.reduce(value, axis, 0, lambda w, v: w.op("add", e, v[1], w.op("math.absf", e, v[0])))
    return g.map([value, total], _binary(g, "div"), axes)


_NORMS = {"softmax": _softmax, "layer": _layer, "rms": _rms, "batch": _batch, "minmax": _minmax, "l1": _l1}


def elementwise(rng: random.Random) -> Group:
    """Chains and small trees of element-wise operations, some operands broadcast along rows."""
    g = Graph(kind(rng, _ELEMENTS))
    rank, length = rng.choice((1, 2, 2, 3, 4)), rng.randint(1, 8)
    shape = [size(rng, 2, {1: 8000, 2: 200, 3: 40, 4: 16}[rank]) for _ in range(rank)]
    values, names = [g.input(shape)], []
    for _ in range(length):
        if coin(rng):
            name = rng.choice(ACTIVATIONS)
            values.append(g.map([values[-1]], _activation(g, name)))
        else:
            name = rng.choice(("add", "sub", "mul", "max", "div"))
            if coin(rng, 0.4):
                axes = [list(range(rank)), [rank - 1]]
                values.append(g.map([values[-1], g.input(shape[-1:])], _binary(g, name), axes))
                name += "r"
            else:
                other = rng.choice(values) if coin(rng) else g.input(shape)
                values.append(g.map([values[-1], other], _binary(g, name)))
        names.append(name)
    key = f"{g.element}-{'x'.join(map(str, shape))}-{'.'.join(names)}-{rng.randrange(1000)}"
    return Group("elementwise", key, g.function("chain", [values[-1]]), graph_variants(rng))
