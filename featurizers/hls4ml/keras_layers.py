"""Keras and QKeras layer classes -> layers as hls4ml splits them, with their shapes.

Shapes here are without the batch dimension, channels last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from featurizers.errors import InputError, UnknownNameError
from featurizers.hls4ml.keras_site import (
    Built,
    Shape,
    Site,
    activation_part,
    matrix_layer,
    with_activation,
)
from featurizers.hls4ml.quantizers import parse_quantizer

_GATES = {"gru": 3, "lstm": 4, "simple_rnn": 1}


def build_keras_layer(site: Site) -> Built:
    """The hls4ml layers of one Keras layer, and the shape that leaves. Raises UnknownNameError for a class unknown."""
    handler = HANDLERS.get(site.class_name)
    if handler is None:
        raise UnknownNameError("layer class", site.class_name, HANDLERS, where=site.where)
    return handler(site)


def _dense(site: Site) -> Built:
    units = site.size("units", "neurons")
    out = (*site.shape[:-1], units)
    layer = matrix_layer(site, "dense", site.shape[-1] if site.shape else 1, units, prod(site.shape[:-1]), out)
    return with_activation(site, [layer], out)


def _spatial(site: Site, rank: int) -> Shape:
    if len(site.shape) != rank + 1:
        raise InputError(
            f"The shape that enters {site.where}", f"must have {rank + 1} dimensions", site.shape, where=site.where
        )
    return site.shape[:-1]


def _windowed(site: Site, rank: int, size_key: str, stride_default: Shape | None = None) -> tuple[Shape, Shape]:
    """(window, output pixels) of a convolution or pooling."""
    window = site.sizes(size_key, rank)
    stride = stride_default if stride_default and site.config.get("strides") is None else site.sizes("strides", rank)
    dilation = site.sizes("dilation_rate", rank)
    padding = str(site.config.get("padding", "valid")).lower()
    pixels = []
    for length, k, s, d in zip(_spatial(site, rank), window, stride, dilation, strict=True):
        reach = (k - 1) * d + 1
        size = -(-length // s) if padding in ("same", "causal") else (length - reach) // s + 1
        if size < 1:
            raise InputError(
                f"The window {window} of {site.where}", "must fit into its input", site.shape, where=site.where
            )
        pixels.append(size)
    return window, tuple(pixels)


def _padded(site: Site, rank: int, window: Shape, pixels: Shape) -> int:
    """Elements that enter once the edges are padded, 0 where they are not."""
    if str(site.config.get("padding", "valid")).lower() not in ("same", "causal"):
        return 0
    reach = [(k - 1) * d + 1 for k, d in zip(window, site.sizes("dilation_rate", rank), strict=True)]
    steps = site.sizes("strides", rank)
    needed = [(out - 1) * s + r for out, s, r in zip(pixels, steps, reach, strict=True)]
    return prod(max(n, own) for n, own in zip(needed, site.shape[:-1], strict=True)) * site.shape[-1]


def _conv(rank: int) -> Callable[[Site], Built]:
    def build(site: Site) -> Built:
        filters = site.size("filters", "n_filter")
        window, pixels = _windowed(site, rank, "kernel_size")
        out = (*pixels, filters)
        n_in = prod(window) * site.shape[-1]
        layer = matrix_layer(site, f"conv{rank}d", n_in, filters, prod(pixels), out, prod(window))
        layer.padded = _padded(site, rank, window, pixels)
        return with_activation(site, [layer], out)

    return build


def _depthwise(rank: int) -> Callable[[Site], Built]:
    def build(site: Site) -> Built:
        channels = site.shape[-1] * int(site.config.get("depth_multiplier") or 1)
        window, pixels = _windowed(site, rank, "kernel_size")
        out = (*pixels, channels)
        kind = f"depthwise_conv{rank}d"
        layer = matrix_layer(site, kind, prod(window), channels, prod(pixels), out, prod(window))
        layer.padded = _padded(site, rank, window, pixels)
        return with_activation(site, [layer], out)

    return build


def _separable(rank: int) -> Callable[[Site], Built]:
    def build(site: Site) -> Built:
        filters = site.size("filters", "n_filter")
        window, pixels = _windowed(site, rank, "kernel_size")
        channels = site.shape[-1] * int(site.config.get("depth_multiplier") or 1)
        out, middle = (*pixels, filters), (*pixels, channels)
        depth = matrix_layer(site, f"depthwise_conv{rank}d", prod(window), channels, prod(pixels), middle, prod(window))
        depth.name, depth.name_in_config = f"{site.name}/depthwise", site.name
        depth.padded = _padded(site, rank, window, pixels)
        point = matrix_layer(site, f"conv{rank}d", channels, filters, prod(pixels), out)
        point.inputs, point.in_elements = (depth.name,), prod(middle)
        return with_activation(site, [depth, point], out)

    return build


def _pooling(rank: int) -> Callable[[Site], Built]:
    def build(site: Site) -> Built:
        window, pixels = _windowed(site, rank, "pool_size", site.sizes("pool_size", rank, 2))
        out = (*pixels, site.shape[-1])
        layer = matrix_layer(site, "pooling", 0, 0, prod(pixels), out, prod(window))
        layer.function = "max" if site.class_name.startswith("Max") else "average"
        return [layer], out

    return build


def _global_pooling(rank: int) -> Callable[[Site], Built]:
    def build(site: Site) -> Built:
        pixels = _spatial(site, rank)
        keep = bool(site.config.get("keepdims"))
        out = (*(1 for _ in pixels), site.shape[-1]) if keep else (site.shape[-1],)
        layer = matrix_layer(site, "global_pooling", 0, 0, prod(pixels), out, prod(pixels))
        layer.function = "max" if "Max" in site.class_name else "average"
        return [layer], out

    return build


def _batch_norm(site: Site) -> Built:
    layer = matrix_layer(site, "batch_norm", 0, 0, prod(site.shape[:-1]), site.shape)
    layer.types = ("batchnormalization",)
    return [layer], site.shape


def _activation_layer(site: Site) -> Built:
    function = {"ReLU": "relu", "Softmax": "softmax"}.get(site.class_name)
    precision = None
    if function is None:
        default = None if site.class_name == "Activation" else site.class_name.lower()
        function, precision = parse_quantizer(site.config.get("activation", default), site.where)
    positions = prod(site.shape[:-1])
    layer = activation_part(site.name, function, precision, site.inputs, prod(site.shape))
    layer.positions = positions
    return [layer], site.shape


def _merge(site: Site) -> Built:
    shapes = site.shapes
    if len(shapes) < 2:
        raise InputError(f"The inputs of {site.where}", "must be at least two", len(shapes), where=site.where)
    out = max(shapes, key=prod)
    layer = matrix_layer(site, "merge", 0, 0, 1, out, len(shapes))
    layer.function = site.class_name.lower()
    layer.types = ("merge", site.class_name.lower())
    layer.in_elements = sum(prod(shape) for shape in shapes)
    return [layer], out


def _concat(site: Site) -> Built:
    shapes = site.shapes
    axis = int(site.config.get("axis", -1))
    rank = len(site.shape)
    place = axis - 1 if axis > 0 else rank + axis
    if any(len(shape) != rank for shape in shapes) or not 0 <= place < rank:
        raise InputError(
            f"The inputs of {site.where}", "must have the same rank, and an axis of it", shapes, where=site.where
        )
    out = tuple(sum(s[i] for s in shapes) if i == place else site.shape[i] for i in range(rank))
    layer = matrix_layer(site, "concat", 0, 0, 1, out)
    layer.in_elements = prod(out)
    return [layer], out


def _dot(site: Site) -> Built:
    layer = matrix_layer(site, "dot", 0, 0, 1, (1,))
    layer.in_elements = sum(prod(shape) for shape in site.shapes)
    return [layer], (1,)


def _recurrent(kind: str) -> Callable[[Site], Built]:
    def build(site: Site) -> Built:
        units = site.size("units")
        steps, width = _spatial(site, 1)[0], site.shape[-1]
        out = (steps, units) if site.config.get("return_sequences") else (units,)
        gates = _GATES[kind] * units
        first = matrix_layer(site, kind, width, gates, steps, (steps, gates))
        first.name, first.name_in_config = f"{site.name}/input", site.name
        second = matrix_layer(site, kind, units, gates, steps, out)
        second.inputs, second.in_elements = (first.name,), units
        second.function = "tanh"
        return [first, second], out

    return build


def _embedding(site: Site) -> Built:
    rows, width = site.size("input_dim"), site.size("output_dim")
    out = (*site.shape, width)
    layer = matrix_layer(site, "embedding", 0, 0, prod(site.shape), out, rows)
    layer.table_size = rows
    return [layer], out


def _same(site: Site) -> Built:
    return [], site.shape


def _flatten(site: Site) -> Built:
    out = (prod(site.shape),)
    return [matrix_layer(site, "reshape", 0, 0, 1, out)], out


def _reshape(site: Site) -> Built:
    target = site.config.get("target_shape") or site.config.get("output_shape_no_batch")
    if not isinstance(target, (list, tuple)):
        raise InputError(f"The 'target_shape' of {site.where}", "must be a list", target, where=site.where)
    whole = prod(site.shape)
    known = prod(int(d) for d in target if int(d) > 0)
    out = tuple(int(d) if int(d) > 0 else whole // known for d in target)
    if prod(out) != whole:
        raise InputError(f"The 'target_shape' of {site.where}", f"must hold {whole} elements", target, where=site.where)
    return [matrix_layer(site, "reshape", 0, 0, 1, out)], out


def _permute(site: Site) -> Built:
    out = tuple(site.shape[int(d) - 1] for d in site.config.get("dims", ()))
    return [matrix_layer(site, "reshape", 0, 0, 1, out)], out


def _grown(rank: int, kind: str) -> Callable[[Site], Built]:
    def build(site: Site) -> Built:
        pixels = _spatial(site, rank)
        if kind == "resize":
            new = tuple(p * s for p, s in zip(pixels, site.sizes("size", rank, 2), strict=True))
        else:
            new = tuple(p + a for p, a in zip(pixels, _paddings(site, rank), strict=True))
        out = (*new, site.shape[-1])
        return [matrix_layer(site, kind, 0, 0, prod(new), out)], out

    return build


def _paddings(site: Site, rank: int) -> list[int]:
    padding = site.config.get("padding", 1)
    pairs: Sequence[Any] = padding if isinstance(padding, (list, tuple)) else [padding] * rank
    if rank == 1 and len(pairs) == 2 and not isinstance(pairs[0], (list, tuple)):
        return [int(pairs[0]) + int(pairs[1])]
    return [sum(map(int, pair)) if isinstance(pair, (list, tuple)) else 2 * int(pair) for pair in pairs]


HANDLERS: dict[str, Callable[[Site], Built]] = {
    "Dense": _dense,
    "Conv1D": _conv(1),
    "Conv2D": _conv(2),
    "DepthwiseConv1D": _depthwise(1),
    "DepthwiseConv2D": _depthwise(2),
    "SeparableConv1D": _separable(1),
    "SeparableConv2D": _separable(2),
    "MaxPooling1D": _pooling(1),
    "MaxPooling2D": _pooling(2),
    "AveragePooling1D": _pooling(1),
    "AveragePooling2D": _pooling(2),
    "GlobalMaxPooling1D": _global_pooling(1),
    "GlobalMaxPooling2D": _global_pooling(2),
    "GlobalAveragePooling1D": _global_pooling(1),
    "GlobalAveragePooling2D": _global_pooling(2),
    "BatchNormalization": _batch_norm,
    "Activation": _activation_layer,
    "ReLU": _activation_layer,
    "LeakyReLU": _activation_layer,
    "PReLU": _activation_layer,
    "ELU": _activation_layer,
    "ThresholdedReLU": _activation_layer,
    "Softmax": _activation_layer,
    "Add": _merge,
    "Subtract": _merge,
    "Multiply": _merge,
    "Average": _merge,
    "Maximum": _merge,
    "Minimum": _merge,
    "Dot": _dot,
    "Concatenate": _concat,
    "GRU": _recurrent("gru"),
    "LSTM": _recurrent("lstm"),
    "SimpleRNN": _recurrent("simple_rnn"),
    "Embedding": _embedding,
    "Dropout": _same,
    "GaussianNoise": _same,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "UpSampling1D": _grown(1, "resize"),
    "UpSampling2D": _grown(2, "resize"),
    "ZeroPadding1D": _grown(1, "padding"),
    "ZeroPadding2D": _grown(2, "padding"),
}
"""Class name without the Q of QKeras -> its handler."""
