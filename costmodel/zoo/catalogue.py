"""Which families exist, how networks are sampled from them, and how one is built."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx

from costmodel.zoo.families import mobile, nasbench201, residual, sequence
from costmodel.zoo.families.sampling import Params, chance, pick
from costmodel.zoo.graph import GraphBuilder, Style

MIN_FLOPS, MAX_FLOPS = 1e6, 3e9
MAX_PARAMETERS = 16_000_000
"""Larger ones would make the artefacts of a campaign exceed the page cache, and loading would dominate it."""
_BINS = 15
_TRIES_PER_NETWORK = 60


@dataclass(frozen=True, slots=True)
class Family:
    """How a family draws its parameters and writes its graph."""

    sample: Callable[[np.random.Generator], Params]
    build: Callable[[GraphBuilder, Params], None]


FAMILIES: dict[str, Family] = {
    "resnet": Family(residual.sample_resnet, residual.build_resnet),
    "densenet": Family(residual.sample_densenet, residual.build_densenet),
    "vgg": Family(residual.sample_vgg, residual.build_vgg),
    "unet": Family(residual.sample_unet, residual.build_unet),
    "mobilenetv2": Family(mobile.sample_mobilenetv2, mobile.build_mobilenetv2),
    "mobilenetv3": Family(mobile.sample_mobilenetv3, mobile.build_mobilenetv3),
    "efficientnet": Family(mobile.sample_efficientnet, mobile.build_efficientnet),
    "shufflenet": Family(mobile.sample_shufflenet, mobile.build_shufflenet),
    "convnext": Family(mobile.sample_convnext, mobile.build_convnext),
    "vit": Family(sequence.sample_vit, sequence.build_vit),
    "mlp_mixer": Family(sequence.sample_mlp_mixer, sequence.build_mlp_mixer),
    "transformer_encoder": Family(sequence.sample_transformer_encoder, sequence.build_transformer_encoder),
    "transformer_decoder": Family(sequence.sample_transformer_decoder, sequence.build_transformer_decoder),
    "lstm": Family(sequence.sample_recurrent, sequence.build_lstm),
    "gru": Family(sequence.sample_recurrent, sequence.build_gru),
    "nasbench201": Family(nasbench201.sample_nasbench201, nasbench201.build_nasbench201),
}


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """All that is needed to write a network again: parameters are JSON, the seed gives the weights."""

    network_id: str
    family: str
    params: Params = field(hash=False)
    seed: int


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """Counts of one network at batch 1; `flops` is twice the multiply-accumulates."""

    flops: int
    parameters: int
    nodes: int


def _style(params: Params) -> Style:
    return Style(params.get("opset", 17), params.get("fold_batch_norm", False), params.get("layer_norm_op", True))


def _counted(spec: NetworkSpec) -> GraphBuilder:
    g = GraphBuilder(spec.network_id, 1, _style(spec.params), count_only=True)
    FAMILIES[spec.family].build(g, spec.params)
    return g


def build(spec: NetworkSpec, batch: int = 1, weights: bool = True) -> onnx.ModelProto:
    """Write the network.

    weights : False leaves large float initializers without data (dims and type stay), which is fast and enough
        for shape inference and featurising, not for running.
    """
    g = GraphBuilder(spec.network_id, batch, _style(spec.params), weights=weights, seed=spec.seed)
    FAMILIES[spec.family].build(g, spec.params)
    return g.model()


def size(spec: NetworkSpec) -> NetworkSize:
    """FLOPs, parameters and nodes of the network at batch 1."""
    g = _counted(spec)
    return NetworkSize(2 * g.macs, g.parameters, g.node_count)


def nasbench201_model(
    arch: str,
    *,
    channels: int = 16,
    cells: int = 5,
    resolution: int = 32,
    classes: int = 10,
    batch: int = 1,
    weights: bool = True,
) -> onnx.ModelProto:
    """A NAS-Bench-201 architecture string in its published skeleton."""
    params: Params = {
        "arch": arch, "channels": channels, "cells": cells, "resolution": resolution, "classes": classes,
    }  # fmt: skip
    return build(NetworkSpec("nasbench201", "nasbench201", params, 0), batch, weights)


def sample_specs(n: int, seed: int) -> list[NetworkSpec]:
    """Draw `n` networks, shared evenly among the families, FLOPs log-uniform from 1e6 to 3e9.

    Each family fills `_BINS` logarithmic bins of FLOPs evenly by rejection; what a family cannot reach within a
    bounded number of draws is filled with whatever it gives inside the limits.
    """
    return [spec for family in FAMILIES for spec in sample_family_of(family, n, seed)]


def sample_family_of(family: str, n: int, seed: int) -> list[NetworkSpec]:
    """The networks of one family among those that ``sample_specs(n, seed)`` draws."""
    index = list(FAMILIES).index(family)
    count = n // len(FAMILIES) + (index < n % len(FAMILIES))
    rng = np.random.default_rng([seed, index])
    quota = [count // _BINS + (i < count % _BINS) for i in rng.permutation(_BINS)]
    chosen: list[NetworkSpec] = []
    spare: list[NetworkSpec] = []
    for _ in range(count * _TRIES_PER_NETWORK):
        if len(chosen) == count:
            return chosen
        spec = _draw(family, len(chosen), rng)
        place = _flops_bin(spec)
        if place is None:
            continue
        if quota[place]:
            quota[place] -= 1
            chosen.append(spec)
        elif len(spare) < count:
            spare.append(spec)
    missing = count - len(chosen)
    if missing > len(spare):
        raise RuntimeError(f"The sampler of {family!r} gave only {len(chosen) + len(spare)} of {count} networks.")
    return chosen + [_renamed(s, len(chosen) + i) for i, s in enumerate(spare[:missing])]


def _draw(family: str, index: int, rng: np.random.Generator) -> NetworkSpec:
    params = FAMILIES[family].sample(rng)
    params["opset"] = pick(rng, (17, 18))
    params["fold_batch_norm"] = chance(rng, 0.35)
    params["layer_norm_op"] = chance(rng, 0.65)
    return NetworkSpec(f"{family}-{index:03d}", family, params, int(rng.integers(2**31)))


def _renamed(spec: NetworkSpec, index: int) -> NetworkSpec:
    return NetworkSpec(f"{spec.family}-{index:03d}", spec.family, spec.params, spec.seed)


def _flops_bin(spec: NetworkSpec) -> int | None:
    g = _counted(spec)
    flops = 2 * g.macs
    if not MIN_FLOPS <= flops < MAX_FLOPS or g.parameters > MAX_PARAMETERS or g.smallest_dimension < 1:
        return None
    return int(_BINS * math.log(flops / MIN_FLOPS) / math.log(MAX_FLOPS / MIN_FLOPS))
