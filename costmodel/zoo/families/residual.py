"""ResNet and ResNeXt, DenseNet, VGG and U-Net."""

from __future__ import annotations

import numpy as np

from costmodel.zoo.families.sampling import IMAGE_SIZES, Params, between, chance, log_between, pick, width
from costmodel.zoo.graph import GraphBuilder, Tensor
from costmodel.zoo.layers import activation, add, batch_norm, classifier, concat, conv_bn, pool

CLASSES = (10, 100, 200, 1000)


def sample_resnet(rng: np.random.Generator) -> Params:
    """He et al. 2016, Xie et al. 2017: basic, bottleneck and grouped bottleneck blocks."""
    size = pick(rng, IMAGE_SIZES)
    return {
        "resolution": size,
        "stem": "imagenet" if size >= 96 else pick(rng, ("cifar", "imagenet")),
        "block": pick(rng, ("basic", "basic", "bottleneck", "resnext")),
        "width": width(rng, 8, 80),
        "depths": [between(rng, 1, 4) for _ in range(between(rng, 3, 4))],
        "kernel": pick(rng, (3, 3, 3, 5)),
        "groups": pick(rng, (4, 8, 16, 32)),
        "classes": pick(rng, CLASSES),
    }


def build_resnet(g: GraphBuilder, p: Params) -> None:
    """Stem, stages that halve the resolution and double the width, classifier."""
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    if p["stem"] == "imagenet":
        x = pool(g, conv_bn(g, x, p["width"], 7, stride=2, name="stem/conv"), 3, 2, padding=1)
    else:
        x = conv_bn(g, x, p["width"], 3, name="stem/conv")
    for stage, depth in enumerate(p["depths"]):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            with g.scope(f"stage{stage + 1}"), g.scope(f"block{block + 1}"):
                x = _residual(g, x, p, p["width"] * 2**stage, stride)
    classifier(g, x, p["classes"])


def _residual(g: GraphBuilder, x: Tensor, p: Params, channels: int, stride: int) -> Tensor:
    expansion = {"basic": 1, "bottleneck": 4, "resnext": 2}[p["block"]]
    out, k = channels * expansion, p["kernel"]
    if p["block"] == "basic":
        y = conv_bn(g, x, channels, k, stride=stride, name="conv1")
        y = conv_bn(g, y, out, k, "none", name="conv2")
    else:
        groups = p["groups"] if p["block"] == "resnext" else 1
        groups = groups if channels % groups == 0 else 4
        y = conv_bn(g, x, channels, 1, name="conv1")
        y = conv_bn(g, y, channels, k, stride=stride, groups=groups, name="conv2")
        y = conv_bn(g, y, out, 1, "none", name="conv3")
    if stride != 1 or x.shape[1] != out:
        x = conv_bn(g, x, out, 1, "none", stride=stride, name="downsample/conv")
    return activation(g, add(g, y, x), "relu")


def sample_densenet(rng: np.random.Generator) -> Params:
    """Huang et al. 2017."""
    size = pick(rng, IMAGE_SIZES)
    return {
        "resolution": size,
        "stem": "imagenet" if size >= 96 else pick(rng, ("cifar", "imagenet")),
        "growth": log_between(rng, 4, 48, 4),
        "bottleneck": pick(rng, (0, 2, 4, 4)),
        "depths": [between(rng, 2, 9) for _ in range(between(rng, 3, 4))],
        "compression": pick(rng, (0.5, 0.5, 1.0)),
        "classes": pick(rng, CLASSES),
    }


def build_densenet(g: GraphBuilder, p: Params) -> None:
    """Pre-activation layers whose outputs are all concatenated, with pooling transitions."""
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    if p["stem"] == "imagenet":
        x = pool(g, conv_bn(g, x, 2 * p["growth"], 7, stride=2, name="stem/conv"), 3, 2, padding=1)
    else:
        x = g.conv(x, 2 * p["growth"], 3, bias=False, name="stem/conv")
    for stage, depth in enumerate(p["depths"]):
        features = [x]
        for layer in range(depth):
            with g.scope(f"dense{stage + 1}"), g.scope(f"layer{layer + 1}"):
                features.append(_dense_layer(g, concat(g, features, 1) if layer else x, p))
        x = concat(g, features, 1, f"dense{stage + 1}/concat")
        if stage < len(p["depths"]) - 1:
            with g.scope(f"transition{stage + 1}"):
                y = activation(g, batch_norm(g, x), "relu")
                y = g.conv(y, max(4, int(x.shape[1] * p["compression"])), 1, bias=False)
                x = pool(g, y, 2, 2, kind="AveragePool")
    classifier(g, activation(g, batch_norm(g, x, "head/bn"), "relu"), p["classes"])


def _dense_layer(g: GraphBuilder, x: Tensor, p: Params) -> Tensor:
    y = activation(g, batch_norm(g, x, "bn1"), "relu")
    if p["bottleneck"]:
        y = conv_bn(g, y, p["bottleneck"] * p["growth"], 1, name="conv1")
    return g.conv(y, p["growth"], 3, bias=False, name="conv2")


def sample_vgg(rng: np.random.Generator) -> Params:
    """Simonyan and Zisserman 2015."""
    return {
        "resolution": pick(rng, IMAGE_SIZES),
        "width": width(rng, 8, 64),
        "depths": [between(rng, 1, 4) for _ in range(between(rng, 3, 5))],
        "batch_norm": chance(rng, 0.6),
        "kernel": pick(rng, (3, 3, 3, 5)),
        "hidden": pick(rng, (0, 128, 256, 512, 1024, 2048)),
        "classes": pick(rng, CLASSES),
    }


def build_vgg(g: GraphBuilder, p: Params) -> None:
    """Plain convolutions with max pooling, then fully connected layers."""
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    for stage, depth in enumerate(p["depths"]):
        channels = p["width"] * 2 ** min(stage, 3)
        for layer in range(depth):
            with g.scope(f"stage{stage + 1}"):
                if p["batch_norm"]:
                    x = conv_bn(g, x, channels, p["kernel"], name=f"conv{layer + 1}")
                else:
                    x = activation(g, g.conv(x, channels, p["kernel"], name=f"conv{layer + 1}"), "relu")
        x = pool(g, x, 2, 2)
    if not p["hidden"]:
        classifier(g, x, p["classes"])
        return
    n, c, h, w = x.shape
    x = g.op("Flatten", [x], (n, c * h * w), "head/flatten", axis=1)
    for layer in range(2):
        x = activation(g, g.linear(x, p["hidden"], f"head/fc{layer + 1}"), "relu")
    g.output(g.linear(x, p["classes"], "head/fc3"))


def sample_unet(rng: np.random.Generator) -> Params:
    """Ronneberger et al. 2015."""
    return {
        "resolution": pick(rng, (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256)),
        "width": log_between(rng, 4, 48, 4),
        "levels": between(rng, 2, 4),
        "convs": between(rng, 1, 3),
        "upsample": pick(rng, ("transpose", "nearest", "linear")),
        "classes": pick(rng, (1, 2, 4, 20)),
    }


def build_unet(g: GraphBuilder, p: Params) -> None:
    """Encoder, decoder and the skips between them."""
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    skips = []
    for level in range(p["levels"]):
        with g.scope(f"down{level + 1}"):
            x = _double_conv(g, x, p["width"] * 2**level, p["convs"])
            skips.append(x)
            x = pool(g, x, 2, 2)
    with g.scope("middle"):
        x = _double_conv(g, x, p["width"] * 2 ** p["levels"], p["convs"])
    for level in reversed(range(p["levels"])):
        with g.scope(f"up{level + 1}"):
            channels = p["width"] * 2**level
            x = concat(g, [skips[level], _upsample(g, x, channels, p["upsample"])], 1)
            x = _double_conv(g, x, channels, p["convs"])
    g.output(g.conv(x, p["classes"], 1, name="head/conv"))


def _double_conv(g: GraphBuilder, x: Tensor, channels: int, convs: int) -> Tensor:
    for layer in range(convs):
        x = conv_bn(g, x, channels, 3, name=f"conv{layer + 1}")
    return x


def _upsample(g: GraphBuilder, x: Tensor, channels: int, mode: str) -> Tensor:
    if mode == "transpose":
        return g.conv_transpose(x, channels)
    n, c, h, w = x.shape
    scales = g.constant([1.0, 1.0, 2.0, 2.0], "resize.scales")
    nearest = mode == "nearest"
    y = g.op(
        "Resize", [x, None, scales], (n, c, 2 * h, 2 * w), "resize", mode=mode, nearest_mode="floor",
        coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
    )  # fmt: skip
    return g.conv(y, channels, 1, name="project")
