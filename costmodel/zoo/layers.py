"""Layers that several families share, written in the operations that exporters write for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from costmodel.zoo.graph import GraphBuilder, Tensor


def unary(g: GraphBuilder, op_type: str, x: Tensor, name: str = "", **attributes: object) -> Tensor:
    """A node that keeps the shape of its only input."""
    return g.op(op_type, [x], x.shape, name, **attributes)


def binary(g: GraphBuilder, op_type: str, a: Tensor, b: Tensor, name: str = "") -> Tensor:
    """An elementwise node with numpy's broadcasting."""
    return g.op(op_type, [a, b], np.broadcast_shapes(a.shape, b.shape), name)


def add(g: GraphBuilder, a: Tensor, b: Tensor, name: str = "add") -> Tensor:
    """Elementwise sum."""
    return binary(g, "Add", a, b, name)


def scalar(g: GraphBuilder, value: float, name: str) -> Tensor:
    """A float constant without dimensions."""
    return g.constant(value, name)


def activation(g: GraphBuilder, x: Tensor, kind: str) -> Tensor:
    """One of relu, relu6, hardswish, silu, gelu (by Erf), gelu_tanh, sigmoid, hardsigmoid, tanh, none."""
    if kind == "none":
        return x
    if kind == "relu6":
        bounds = scalar(g, 0.0, "clip.min"), scalar(g, 6.0, "clip.max")
        return g.op("Clip", [x, *bounds], x.shape, "relu6")
    if kind == "silu":
        return binary(g, "Mul", x, unary(g, "Sigmoid", x, "silu/Sigmoid"), "silu/Mul")
    if kind == "gelu":
        return _gelu_erf(g, x)
    if kind == "gelu_tanh":
        return _gelu_tanh(g, x)
    if kind == "hardsigmoid":
        return unary(g, "HardSigmoid", x, "hardsigmoid", alpha=1 / 6, beta=0.5)
    op_type = {"relu": "Relu", "hardswish": "HardSwish", "sigmoid": "Sigmoid", "tanh": "Tanh"}[kind]
    return unary(g, op_type, x, kind)


def _gelu_erf(g: GraphBuilder, x: Tensor) -> Tensor:
    with g.scope("gelu"):
        y = unary(g, "Erf", binary(g, "Div", x, scalar(g, math.sqrt(2), "sqrt2")))
        y = binary(g, "Mul", x, binary(g, "Add", y, scalar(g, 1.0, "one")))
        return binary(g, "Mul", y, scalar(g, 0.5, "half"))


def _gelu_tanh(g: GraphBuilder, x: Tensor) -> Tensor:
    with g.scope("gelu_tanh"):
        half = binary(g, "Mul", x, scalar(g, 0.5, "half"))
        cube = binary(g, "Mul", binary(g, "Pow", x, scalar(g, 3.0, "three")), scalar(g, 0.044715, "cubic"))
        inner = binary(g, "Mul", binary(g, "Add", x, cube), scalar(g, math.sqrt(2 / math.pi), "scale"))
        return binary(g, "Mul", half, binary(g, "Add", unary(g, "Tanh", inner), scalar(g, 1.0, "one")))


def batch_norm(g: GraphBuilder, x: Tensor, name: str = "bn") -> Tensor:
    """BatchNormalization in inference mode."""
    c = (x.shape[1],)
    inputs = [x, g.positive(c, f"{name}.weight"), g.weight(c, f"{name}.bias")]
    inputs += [g.weight(c, f"{name}.running_mean"), g.positive(c, f"{name}.running_var")]
    return g.op("BatchNormalization", inputs, x.shape, name, epsilon=1e-5, momentum=0.9)


def conv_bn(
    g: GraphBuilder,
    x: Tensor,
    channels: int,
    kernel: int,
    act: str = "relu",
    *,
    stride: int = 1,
    groups: int = 1,
    name: str = "conv",
) -> Tensor:
    """Convolution, batch normalisation (a node, or folded into the convolution by the style), activation."""
    fold = g.style.fold_batch_norm
    y = g.conv(x, channels, kernel, stride=stride, groups=groups, bias=fold, name=name)
    if not fold:
        y = batch_norm(g, y, name.replace("conv", "bn") if "conv" in name else f"{name}_bn")
    return activation(g, y, act)


def pool(g: GraphBuilder, x: Tensor, kernel: int, stride: int, *, padding: int = 0, kind: str = "MaxPool") -> Tensor:
    """Two-dimensional pooling; `kind` is MaxPool or AveragePool."""
    n, c, h, w = x.shape
    shape = (n, c, (h + 2 * padding - kernel) // stride + 1, (w + 2 * padding - kernel) // stride + 1)
    extra: dict[str, object] = {"count_include_pad": 1} if kind == "AveragePool" else {}
    return g.op(kind, [x], shape, "pool", kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4, **extra)


def classifier(g: GraphBuilder, x: Tensor, classes: int) -> None:
    """Global average pooling, flatten, fully connected; marks the graph's output."""
    n, c = x.shape[:2]
    y = g.op("GlobalAveragePool", [x], (n, c, 1, 1), "head/pool")
    y = g.op("Flatten", [y], (n, c), "head/flatten", axis=1)
    g.output(g.linear(y, classes, "head/fc"))


def reshape(g: GraphBuilder, x: Tensor, shape: Sequence[int], name: str = "reshape") -> Tensor:
    """Reshape to `shape` (its size must agree)."""
    return g.op("Reshape", [x, g.constant(list(shape), f"{name}.shape", np.int64)], shape, name)


def transpose(g: GraphBuilder, x: Tensor, order: Sequence[int], name: str = "transpose") -> Tensor:
    """Permute the dimensions."""
    return g.op("Transpose", [x], [x.shape[i] for i in order], name, perm=list(order))


def concat(g: GraphBuilder, parts: Sequence[Tensor], axis: int, name: str = "concat") -> Tensor:
    """Join along `axis`."""
    shape = list(parts[0].shape)
    shape[axis] = sum(p.shape[axis] for p in parts)
    return g.op("Concat", parts, shape, name, axis=axis)


def split(g: GraphBuilder, x: Tensor, sizes: Sequence[int], axis: int, name: str = "split") -> list[Tensor]:
    """Split along `axis` into `sizes`."""
    shapes = [[s if i == axis else d for i, d in enumerate(x.shape)] for s in sizes]
    return g.ops("Split", [x, g.constant(list(sizes), f"{name}.sizes", np.int64)], shapes, name, axis=axis)


def reduce_mean(g: GraphBuilder, x: Tensor, axis: int, *, keep: bool, name: str = "ReduceMean") -> Tensor:
    """Mean over one dimension; its axes are an input from opset 18 on."""
    axis %= len(x.shape)
    shape = [1 if i == axis else d for i, d in enumerate(x.shape) if keep or i != axis]
    if g.style.opset >= 18:
        return g.op("ReduceMean", [x, g.constant([axis], f"{name}.axes", np.int64)], shape, name, keepdims=int(keep))
    return g.op("ReduceMean", [x], shape, name, keepdims=int(keep), axes=[axis])


def layer_norm(g: GraphBuilder, x: Tensor, name: str = "norm") -> Tensor:
    """Layer normalisation of the last dimension, as one node or decomposed, by the style."""
    width = (x.shape[-1],)
    scale, shift = g.positive(width, f"{name}.weight"), g.weight(width, f"{name}.bias")
    if g.style.layer_norm_op:
        return g.op("LayerNormalization", [x, scale, shift], x.shape, name, axis=-1, epsilon=1e-5)
    with g.scope(name):
        centred = binary(g, "Sub", x, reduce_mean(g, x, -1, keep=True))
        square = binary(g, "Pow", centred, scalar(g, 2.0, "two"))
        variance = binary(g, "Add", reduce_mean(g, square, -1, keep=True), scalar(g, 1e-5, "epsilon"))
        y = binary(g, "Div", centred, unary(g, "Sqrt", variance))
        return binary(g, "Add", binary(g, "Mul", y, scale), shift)


def rms_norm(g: GraphBuilder, x: Tensor, name: str = "norm") -> Tensor:
    """Root-mean-square normalisation (Zhang and Sennrich 2019), decomposed."""
    scale = g.positive((x.shape[-1],), f"{name}.weight")
    with g.scope(name):
        square = reduce_mean(g, binary(g, "Pow", x, scalar(g, 2.0, "two")), -1, keep=True)
        root = unary(g, "Sqrt", binary(g, "Add", square, scalar(g, 1e-6, "epsilon")))
        return binary(g, "Mul", scale, binary(g, "Div", x, root))


def squeeze_excite(g: GraphBuilder, x: Tensor, squeezed: int, gate: str, act: str) -> Tensor:
    """Squeeze-and-excitation (Hu et al. 2018) with 1x1 convolutions."""
    with g.scope("se"):
        y = g.op("GlobalAveragePool", [x], (*x.shape[:2], 1, 1), "pool")
        y = activation(g, g.conv(y, squeezed, 1, name="reduce"), act)
        y = activation(g, g.conv(y, x.shape[1], 1, name="expand"), gate)
        return binary(g, "Mul", x, y, "scale")
