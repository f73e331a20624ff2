"""Attention and recurrence: ViT, MLP-Mixer, transformer encoder and decoder stacks, LSTM, GRU."""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from costmodel.zoo.families.sampling import Params, between, chance, log_between, pick
from costmodel.zoo.graph import GraphBuilder, Tensor
from costmodel.zoo.layers import (
    activation,
    add,
    binary,
    concat,
    layer_norm,
    reduce_mean,
    reshape,
    rms_norm,
    scalar,
    transpose,
    unary,
)

CLASSES = (10, 100, 1000)


def _heads(g: GraphBuilder, x: Tensor, heads: int, name: str) -> Tensor:
    n, s, d = x.shape
    return transpose(g, reshape(g, x, (n, s, heads, d // heads), f"{name}/split"), (0, 2, 1, 3), f"{name}/transpose")


def _fused_qkv(g: GraphBuilder, x: Tensor, heads: int, bias: bool) -> list[Tensor]:
    n, s, d = x.shape
    qkv = reshape(g, g.linear(x, 3 * d, "qkv", bias=bias), (n, s, 3, heads, d // heads), "qkv/split")
    qkv = transpose(g, qkv, (2, 0, 3, 1, 4), "qkv/transpose")
    parts = []
    for i, part in enumerate("qkv"):
        index = g.constant(i, f"{part}.index", np.int64)
        parts.append(g.op("Gather", [qkv, index], qkv.shape[1:], part, axis=0))
    return parts


def attention(g: GraphBuilder, x: Tensor, memory: Tensor, heads: int, p: Params, mask: Tensor | None = None) -> Tensor:
    """Multi-head attention of `x` over `memory` (itself for self-attention), `mask` added to the scores."""
    bias = bool(p.get("bias", True))
    if p["fused_qkv"] and memory is x:
        q, k, v = _fused_qkv(g, x, heads, bias)
        k = transpose(g, k, (0, 1, 3, 2), "k/transpose")
    else:
        q = _heads(g, g.linear(x, x.shape[2], "q", bias=bias), heads, "q")
        k = transpose(g, _heads(g, g.linear(memory, x.shape[2], "k", bias=bias), heads, "k"), (0, 1, 3, 2), "k/flip")
        v = _heads(g, g.linear(memory, x.shape[2], "v", bias=bias), heads, "v")
    scores = binary(g, "Div", g.matmul(q, k, "scores"), scalar(g, math.sqrt(q.shape[3]), "sqrt_dim"), "scale")
    if mask is not None:
        scores = add(g, scores, mask, "mask")
    y = transpose(g, g.matmul(unary(g, "Softmax", scores, "softmax", axis=-1), v, "mix"), (0, 2, 1, 3), "merge")
    return g.linear(reshape(g, y, x.shape, "join"), x.shape[2], "out", bias=bias)


def _mlp(g: GraphBuilder, x: Tensor, hidden: int, act: str, *, bias: bool = True) -> Tensor:
    return g.linear(activation(g, g.linear(x, hidden, "fc1", bias=bias), act), x.shape[-1], "fc2", bias=bias)


def _gated_mlp(g: GraphBuilder, x: Tensor, hidden: int) -> Tensor:
    gate = activation(g, g.linear(x, hidden, "gate", bias=False), "silu")
    return g.linear(binary(g, "Mul", gate, g.linear(x, hidden, "up", bias=False)), x.shape[-1], "down", bias=False)


def _patches(g: GraphBuilder, p: Params) -> Tensor:
    x = g.input((g.batch, 3, p["resolution"], p["resolution"]))
    x = g.conv(x, p["width"], p["patch"], stride=p["patch"], padding=0, name="patch/conv")
    n, d, h, w = x.shape
    return transpose(g, reshape(g, x, (n, d, h * w), "patch/flatten"), (0, 2, 1), "patch/transpose")


def _sample_attention(rng: np.random.Generator) -> Params:
    heads = pick(rng, (1, 2, 3, 4, 6, 8))
    return {
        "heads": heads,
        "width": heads * log_between(rng, 16, 72, 8),
        "layers": between(rng, 1, 12),
        "ratio": pick(rng, (2, 4, 4)),
        "fused_qkv": chance(rng, 0.5),
    }


def sample_vit(rng: np.random.Generator) -> Params:
    """Dosovitskiy et al. 2021."""
    patch = pick(rng, (4, 8, 14, 16, 16, 32))
    grid = between(rng, 3, 16)
    return {**_sample_attention(rng), "patch": patch, "resolution": patch * grid, "classes": pick(rng, CLASSES)}


def build_vit(g: GraphBuilder, p: Params) -> None:
    """Patches, class token, pre-normalised encoder blocks, classifier on the token."""
    x = _patches(g, p)
    n, s, d = x.shape
    token = g.op("Expand", [g.weight((1, 1, d), "token"), g.constant([n, 1, d], "token.shape", np.int64)], (n, 1, d))
    x = add(g, concat(g, [token, x], 1), g.weight((1, s + 1, d), "positions"), "add_positions")
    for layer in range(p["layers"]):
        with g.scope(f"block{layer + 1}"):
            x = _pre_norm_block(g, x, p, "gelu")
    x = layer_norm(g, x, "head/norm")
    x = g.op("Gather", [x, g.constant(0, "head/index", np.int64)], (n, d), "head/token", axis=1)
    g.output(g.linear(x, p["classes"], "head/fc"))


def _pre_norm_block(g: GraphBuilder, x: Tensor, p: Params, act: str, mask: Tensor | None = None) -> Tensor:
    with g.scope("attention"):
        y = layer_norm(g, x)
        x = add(g, x, attention(g, y, y, p["heads"], p, mask))
    with g.scope("mlp"):
        return add(g, x, _mlp(g, layer_norm(g, x), p["ratio"] * x.shape[2], act))


def sample_mlp_mixer(rng: np.random.Generator) -> Params:
    """Tolstikhin et al. 2021."""
    patch = pick(rng, (4, 8, 16, 16, 32))
    return {
        "patch": patch,
        "resolution": patch * between(rng, 3, 16),
        "width": log_between(rng, 16, 512, 8),
        "layers": between(rng, 1, 12),
        "token_hidden": log_between(rng, 16, 384, 8),
        "ratio": pick(rng, (2, 4, 4)),
        "classes": pick(rng, CLASSES),
    }


def build_mlp_mixer(g: GraphBuilder, p: Params) -> None:
    """Perceptrons over the tokens and over the channels in turn."""
    x = _patches(g, p)
    for layer in range(p["layers"]):
        with g.scope(f"block{layer + 1}"):
            with g.scope("tokens"):
                y = _mlp(g, transpose(g, layer_norm(g, x), (0, 2, 1)), p["token_hidden"], "gelu")
                x = add(g, x, transpose(g, y, (0, 2, 1)))
            with g.scope("channels"):
                x = add(g, x, _mlp(g, layer_norm(g, x), p["ratio"] * p["width"], "gelu"))
    x = reduce_mean(g, layer_norm(g, x, "head/norm"), 1, keep=False, name="head/pool")
    g.output(g.linear(x, p["classes"], "head/fc"))


def _tokens(g: GraphBuilder, p: Params) -> Tensor:
    shape = (g.batch, p["sequence"])
    if not p["vocabulary"]:
        return g.input((*shape, p["width"]))
    ids = g.input(shape, TensorProto.INT64, "input_ids")
    table = g.weight((p["vocabulary"], p["width"]), "embedding.weight", scale=1.0)
    x = g.op("Gather", [table, ids], (*shape, p["width"]), "embedding", axis=0)
    return add(g, x, g.weight((1, p["sequence"], p["width"]), "positions"), "add_positions")


def sample_transformer_encoder(rng: np.random.Generator) -> Params:
    """Vaswani et al. 2017, Devlin et al. 2019."""
    return {
        **_sample_attention(rng),
        "sequence": log_between(rng, 8, 384),
        "vocabulary": pick(rng, (0, 0, 1000, 4000)),
        "pre_norm": chance(rng, 0.5),
        "activation": pick(rng, ("gelu", "gelu", "relu")),
        "classes": pick(rng, (2, 10, 100)),
    }


def build_transformer_encoder(g: GraphBuilder, p: Params) -> None:
    """Encoder blocks, normalised before (GPT-2 style) or after (BERT style) each sublayer."""
    x = _tokens(g, p)
    for layer in range(p["layers"]):
        with g.scope(f"block{layer + 1}"):
            if p["pre_norm"]:
                x = _pre_norm_block(g, x, p, p["activation"])
                continue
            with g.scope("attention"):
                x = layer_norm(g, add(g, x, attention(g, x, x, p["heads"], p)))
            with g.scope("mlp"):
                x = layer_norm(g, add(g, x, _mlp(g, x, p["ratio"] * p["width"], p["activation"])))
    x = reduce_mean(g, x, 1, keep=False, name="head/pool")
    g.output(g.linear(x, p["classes"], "head/fc"))


def sample_transformer_decoder(rng: np.random.Generator) -> Params:
    """Radford et al. 2019 ('gpt'), Touvron et al. 2023 ('llama'), Vaswani et al. 2017 ('cross')."""
    return {
        **_sample_attention(rng),
        "sequence": log_between(rng, 8, 384),
        "memory": log_between(rng, 8, 128),
        "vocabulary": pick(rng, (0, 256, 1000, 4000)),
        "variant": pick(rng, ("gpt", "llama", "cross")),
    }


def build_transformer_decoder(g: GraphBuilder, p: Params) -> None:
    """Causal blocks; the head gives logits of every position when there is a vocabulary."""
    x = _tokens(g, p)
    s = p["sequence"]
    mask = g.constant(np.triu(np.full((s, s), -1e4, np.float32), 1), "causal_mask")
    memory = g.input((g.batch, p["memory"], p["width"]), name="memory") if p["variant"] == "cross" else None
    for layer in range(p["layers"]):
        with g.scope(f"block{layer + 1}"):
            if p["variant"] == "llama":
                x = _llama_block(g, x, p, mask)
                continue
            if memory is not None:
                with g.scope("cross"):
                    x = add(g, x, attention(g, layer_norm(g, x), memory, p["heads"], p))
            x = _pre_norm_block(g, x, p, "gelu_tanh" if memory is None else "relu", mask)
    x = rms_norm(g, x, "head/norm") if p["variant"] == "llama" else layer_norm(g, x, "head/norm")
    g.output(g.linear(x, p["vocabulary"], "head/fc", bias=False) if p["vocabulary"] else x)


def _llama_block(g: GraphBuilder, x: Tensor, p: Params, mask: Tensor) -> Tensor:
    with g.scope("attention"):
        y = rms_norm(g, x)
        x = add(g, x, attention(g, y, y, p["heads"], {**p, "bias": False}, mask))
    with g.scope("mlp"):
        return add(g, x, _gated_mlp(g, rms_norm(g, x), p["ratio"] * x.shape[2]))


def sample_recurrent(rng: np.random.Generator) -> Params:
    """Hochreiter and Schmidhuber 1997 (LSTM), Cho et al. 2014 (GRU)."""
    return {
        "sequence": log_between(rng, 4, 400),
        "features": log_between(rng, 8, 256, 4),
        "hidden": log_between(rng, 16, 512, 4),
        "layers": between(rng, 1, 3),
        "bidirectional": chance(rng, 0.3),
        "batch_first": chance(rng, 0.5),
        "classes": pick(rng, (2, 10, 100, 1000)),
    }


def build_lstm(g: GraphBuilder, p: Params) -> None:
    """Stacked LSTM layers and a classifier on the last step."""
    _recurrent(g, p, "LSTM", 4)


def build_gru(g: GraphBuilder, p: Params) -> None:
    """Stacked GRU layers and a classifier on the last step."""
    _recurrent(g, p, "GRU", 3)


def _recurrent(g: GraphBuilder, p: Params, cell: str, gates: int) -> None:
    s, n = p["sequence"], g.batch
    x = g.input((n, s, p["features"]) if p["batch_first"] else (s, n, p["features"]))
    if p["batch_first"]:
        x = transpose(g, x, (1, 0, 2))
    for layer in range(p["layers"]):
        with g.scope(f"layer{layer + 1}"):
            x = _recurrent_layer(g, x, p, cell, gates)
    last = g.op("Gather", [x, g.constant(-1, "head/index", np.int64)], (n, x.shape[2]), "head/last", axis=0)
    g.output(g.linear(last, p["classes"], "head/fc"))


def _recurrent_layer(g: GraphBuilder, x: Tensor, p: Params, cell: str, gates: int) -> Tensor:
    s, n, width = x.shape
    h, d = p["hidden"], 2 if p["bidirectional"] else 1
    weights = [g.weight((d, gates * h, c), f"{cell}.{name}", scale=h**-0.5) for name, c in (("W", width), ("R", h))]
    bias = g.weight((d, 2 * gates * h), f"{cell}.B")
    g.macs += s * n * d * gates * h * (width + h)
    states = [g.constant(np.zeros((d, n, h), np.float32), f"{cell}.h0")]
    extra: dict[str, object] = {"linear_before_reset": 1}
    if cell == "LSTM":
        states.append(g.constant(np.zeros((d, n, h), np.float32), f"{cell}.c0"))
        extra = {}
    direction = "bidirectional" if p["bidirectional"] else "forward"
    inputs = [x, *weights, bias, None, *states]
    y = g.op(cell, inputs, (s, d, n, h), cell, hidden_size=h, direction=direction, **extra)
    if d == 1:
        return g.op("Squeeze", [y, g.constant([1], "squeeze.axes", np.int64)], (s, n, h), "squeeze")
    return reshape(g, transpose(g, y, (0, 2, 1, 3)), (s, n, 2 * h), "join")
