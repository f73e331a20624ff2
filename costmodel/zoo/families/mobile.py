"""Networks of depthwise convolutions: MobileNetV2 and V3, EfficientNet, ShuffleNetV2, ConvNeXt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from costmodel.zoo.families.sampling import IMAGE_SIZES, Params, between, chance, log_between, pick, rounded, width
from costmodel.zoo.graph import GraphBuilder, Tensor
from costmodel.zoo.layers import (
    activation,
    add,
    binary,
    classifier,
    concat,
    conv_bn,
    layer_norm,
    pool,
    reduce_mean,
    reshape,
    split,
    squeeze_excite,
    transpose,
)

CLASSES = (10, 100, 200, 1000)


def inverted_residual(
    g: GraphBuilder,
    x: Tensor,
    out: int,
    *,
    expand: float,
    kernel: int,
    stride: int,
    act: str,
    squeeze: int = 0,
    gate: str = "hardsigmoid",
) -> Tensor:
    """Expand 1x1, depthwise, optional squeeze-and-excite (`squeeze` channels), project 1x1, residual."""
    hidden = rounded(x.shape[1] * expand)
    y = x
    if expand != 1:
        y = conv_bn(g, y, hidden, 1, act, name="expand/conv")
    hidden = y.shape[1]
    y = conv_bn(g, y, hidden, kernel, act, stride=stride, groups=hidden, name="depthwise/conv")
    if squeeze:
        y = squeeze_excite(g, y, squeeze, gate, "silu" if act == "silu" else "relu")
    y = conv_bn(g, y, out, 1, "none", name="project/conv")
    return add(g, x, y) if stride == 1 and x.shape[1] == out else y


def _sample_stages(rng: np.random.Generator, kernels: tuple[int, ...], expands: tuple[int, ...]) -> list[Params]:
    base = [16, 24, 40, 80, 112, 192, 320]
    strides = pick(rng, ([1, 2, 2, 2, 1, 2, 1], [1, 1, 2, 2, 1, 2, 1], [1, 2, 2, 1, 2, 1, 1]))
    count = between(rng, 4, 7)
    return [
        {
            "channels": base[i],
            "depth": 1 if i == 0 else between(rng, 1, 4),
            "kernel": pick(rng, kernels),
            "expand": 1 if i == 0 else pick(rng, expands),
            "stride": strides[i],
            "squeeze": chance(rng, 0.5),
        }
        for i in range(count)
    ]


def _sample_mobile(rng: np.random.Generator, kernels: tuple[int, ...], expands: tuple[int, ...]) -> Params:
    return {
        "resolution": pick(rng, IMAGE_SIZES),
        "width": round(float(np.exp(rng.uniform(np.log(0.25), np.log(2.0)))), 2),
        "stages": _sample_stages(rng, kernels, expands),
        "head": pick(rng, (0, 320, 640, 1280)),
        "classes": pick(rng, CLASSES),
    }


def sample_mobilenetv2(rng: np.random.Generator) -> Params:
    """Sandler et al. 2018."""
    return _sample_mobile(rng, (3, 3, 5, 7), (3, 4, 6))


def sample_mobilenetv3(rng: np.random.Generator) -> Params:
    """Howard et al. 2019: squeeze-and-excite in some stages, ReLU first and hard swish later."""
    return {**_sample_mobile(rng, (3, 5, 7), (3, 4, 6)), "hardswish_from": between(rng, 0, 4)}


def sample_efficientnet(rng: np.random.Generator) -> Params:
    """Tan and Le 2019: squeeze-and-excite everywhere, SiLU."""
    return {**_sample_mobile(rng, (3, 5), (4, 6)), "reduction": pick(rng, (4, 8))}


def build_mobilenetv2(g: GraphBuilder, p: Params) -> None:
    """Inverted residuals with ReLU6."""
    _mobile(g, p, lambda stage: "relu6", lambda stage, cin, hidden: 0, "hardsigmoid", "relu6")


def build_mobilenetv3(g: GraphBuilder, p: Params) -> None:
    """Inverted residuals, some with squeeze-and-excite of a quarter of the hidden width."""
    _mobile(
        g, p, lambda stage: "hardswish" if stage >= p["hardswish_from"] else "relu",
        lambda stage, cin, hidden: rounded(hidden / 4) if p["stages"][stage]["squeeze"] else 0,
        "hardsigmoid", "hardswish",
    )  # fmt: skip


def build_efficientnet(g: GraphBuilder, p: Params) -> None:
    """Inverted residuals, all with squeeze-and-excite of a share of the block's input width."""
    _mobile(g, p, lambda stage: "silu", lambda stage, cin, hidden: max(1, cin // p["reduction"]), "sigmoid", "silu")


def _mobile(
    g: GraphBuilder,
    p: Params,
    act_of: Callable[[int], str],
    squeeze_of: Callable[[int, int, int], int],
    gate: str,
    outer: str,
) -> None:
    """`act_of`: activation of a stage. `squeeze_of`: squeezed channels from stage, input and hidden channels."""
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    x = conv_bn(g, x, rounded(32 * p["width"]), 3, outer, stride=2, name="stem/conv")
    for i, stage in enumerate(p["stages"]):
        out = rounded(stage["channels"] * p["width"])
        for block in range(stage["depth"]):
            with g.scope(f"stage{i + 1}"), g.scope(f"block{block + 1}"):
                cin = x.shape[1]
                x = inverted_residual(
                    g, x, out, expand=stage["expand"], kernel=stage["kernel"],
                    stride=stage["stride"] if block == 0 else 1, act=act_of(i),
                    squeeze=squeeze_of(i, cin, rounded(cin * stage["expand"])), gate=gate,
                )  # fmt: skip
    if p["head"]:
        x = conv_bn(g, x, p["head"], 1, outer, name="head/conv")
    classifier(g, x, p["classes"])


def sample_shufflenet(rng: np.random.Generator) -> Params:
    """Ma et al. 2018 (version 2)."""
    return {
        "resolution": pick(rng, IMAGE_SIZES),
        "stem": pick(rng, (8, 16, 24, 32)),
        "width": log_between(rng, 16, 256, 4),
        "depths": [between(rng, 1, 8) for _ in range(3)],
        "kernel": pick(rng, (3, 3, 5)),
        "pool": chance(rng, 0.8),
        "head": pick(rng, (0, 512, 1024)),
        "classes": pick(rng, CLASSES),
    }


def build_shufflenet(g: GraphBuilder, p: Params) -> None:
    """Channel split, depthwise branch, concatenation and channel shuffle by two transposes."""
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    x = conv_bn(g, x, p["stem"], 3, stride=2, name="stem/conv")
    if p["pool"]:
        x = pool(g, x, 3, 2, padding=1)
    for stage, depth in enumerate(p["depths"]):
        for block in range(depth):
            with g.scope(f"stage{stage + 1}"), g.scope(f"block{block + 1}"):
                x = _shuffle_block(g, x, p["width"] * 2**stage, p["kernel"], down=block == 0)
    if p["head"]:
        x = conv_bn(g, x, p["head"], 1, name="head/conv")
    n = x.shape[0]
    x = reshape(g, reduce_mean(g, reduce_mean(g, x, 3, keep=False), 2, keep=False), (n, x.shape[1]), "head/flatten")
    g.output(g.linear(x, p["classes"], "head/fc"))


def _shuffle_block(g: GraphBuilder, x: Tensor, out: int, kernel: int, *, down: bool) -> Tensor:
    half, stride = out // 2, 2 if down else 1
    if down:
        c = x.shape[1]
        left = conv_bn(g, x, c, kernel, "none", stride=2, groups=c, name="left/conv1")
        left, right = conv_bn(g, left, half, 1, name="left/conv2"), x
    else:
        left, right = split(g, x, [half, half], 1)
    right = conv_bn(g, right, half, 1, name="right/conv1")
    right = conv_bn(g, right, half, kernel, "none", stride=stride, groups=half, name="right/conv2")
    right = conv_bn(g, right, half, 1, name="right/conv3")
    y = concat(g, [left, right], 1)
    n, c, h, w = y.shape
    with g.scope("shuffle"):
        y = reshape(g, y, (n, 2, c // 2, h, w), "group")
        return reshape(g, transpose(g, y, (0, 2, 1, 3, 4)), (n, c, h, w), "ungroup")


def sample_convnext(rng: np.random.Generator) -> Params:
    """Liu et al. 2022."""
    return {
        "resolution": pick(rng, (32, 64, 96, 128, 160, 192, 224, 256)),
        "patch": pick(rng, (2, 4, 4)),
        "width": width(rng, 8, 96),
        "depths": [between(rng, 1, 4) for _ in range(between(rng, 2, 4))],
        "kernel": pick(rng, (3, 5, 7, 7, 9)),
        "ratio": pick(rng, (2, 4, 4)),
        "layer_scale": chance(rng, 0.7),
        "classes": pick(rng, CLASSES),
    }


def build_convnext(g: GraphBuilder, p: Params) -> None:
    """Depthwise convolution, then a channels-last perceptron between two transposes."""
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    x = _norm_channels(g, g.conv(x, p["width"], p["patch"], stride=p["patch"], padding=0, name="stem/conv"), "stem")
    for stage, depth in enumerate(p["depths"]):
        with g.scope(f"stage{stage + 1}"):
            if stage:
                y = _norm_channels(g, x, "down")
                x = g.conv(y, p["width"] * 2**stage, 2, stride=2, padding=0, name="down/conv")
            for block in range(depth):
                with g.scope(f"block{block + 1}"):
                    x = _convnext_block(g, x, p)
    n, c = x.shape[:2]
    x = g.op("GlobalAveragePool", [x], (n, c, 1, 1), "head/pool")
    x = layer_norm(g, g.op("Flatten", [x], (n, c), "head/flatten", axis=1), "head/norm")
    g.output(g.linear(x, p["classes"], "head/fc"))


def _norm_channels(g: GraphBuilder, x: Tensor, name: str) -> Tensor:
    with g.scope(name):
        return transpose(g, layer_norm(g, transpose(g, x, (0, 2, 3, 1))), (0, 3, 1, 2))


def _convnext_block(g: GraphBuilder, x: Tensor, p: Params) -> Tensor:
    c = x.shape[1]
    y = g.conv(x, c, p["kernel"], groups=c, name="depthwise")
    y = layer_norm(g, transpose(g, y, (0, 2, 3, 1)))
    y = activation(g, g.linear(y, c * p["ratio"], "expand"), "gelu")
    y = g.linear(y, c, "project")
    if p["layer_scale"]:
        y = binary(g, "Mul", g.weight((c,), "gamma", scale=0.1), y, "scale")
    return add(g, x, transpose(g, y, (0, 3, 1, 2)))
