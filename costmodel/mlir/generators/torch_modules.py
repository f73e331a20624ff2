"""Small torch modules, exported and imported by torch-mlir's fx importer: as linalg, as tosa and as StableHLO.

Needs ``torch-mlir`` and torch beside the project (datasets/mlir_programs/README.md says which). Weights are arguments,
so that no constant is in the texts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any

from costmodel.mlir.generators.drawing import coin, kind, size
from costmodel.mlir.generators.graphs import graph_variants
from costmodel.mlir.generators.groups import Group, Variant
from costmodel.mlir.labelling.tools import ToolError

TORCH_MLIR = "20261001"
INSTALL = f"pip install torch-mlir=={TORCH_MLIR}  # with torch 2.13; wheels for CPython 3.11 on PyPI"
_ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "hardtanh", "leaky_relu", "elu")


@dataclass(frozen=True)
class Drawn:
    """A module as a function of its arguments' tensors, shapes and types ("f32", "i64") of which come along."""

    key: str
    arguments: list[tuple[list[int], str]]
    forward: Callable[..., Any]


def importer_version() -> str | None:
    """Of the torch-mlir that is installed, None without one."""
    try:
        return version("torch-mlir")
    except PackageNotFoundError:
        return None


def torch_graph(rng: random.Random) -> Group:
    """Perceptrons, convolutions with pooling, attention, norms, chains, embeddings and recurrences written in torch.

    Raises
    ------
    ToolError
        torch-mlir is missing or of another version.
    """
    if importer_version() != TORCH_MLIR:
        raise ToolError("torch-mlir", f"version {TORCH_MLIR} is needed, found {importer_version()}. {INSTALL}")
    texts: dict[str, str] = {}
    while "linalg-on-tensors" not in texts:
        draw, element = rng.choice(_MODULES), kind(rng, ("f32", "f32", "f32", "f64"))
        drawn = draw(rng, element)
        texts = imported(drawn)
    linalg = texts.pop("linalg-on-tensors")
    others = [Variant({"level": level}, "", text) for level, text in texts.items()]
    further = [Variant({"level": "linalg", **v.what}, v.passes) for v in graph_variants(rng)[:2]]
    return Group("torch_graph", f"{draw.__name__[1:]}-{element}-{drawn.key}", linalg, [*others, *further])


def imported(drawn: Drawn) -> dict[str, str]:
    """Text per output type (linalg-on-tensors, tosa, stablehlo), of those that torch-mlir can write it as."""
    import torch
    from torch_mlir import fx
    from torch_mlir.compiler_utils import TorchMlirCompilerError

    class Module(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *tensors: Any) -> Any:
            return drawn.forward(*tensors)

    exported = torch.export.export(Module(), tuple(_tensor(*argument) for argument in drawn.arguments))
    texts = {}
    for level in ("linalg-on-tensors", "tosa", "stablehlo"):
        with suppress(TorchMlirCompilerError):
            text = str(fx.export_and_import(exported, output_type=level))
            if "dense_resource" not in text:
                texts[level] = text
    return texts


def _tensor(shape: list[int], element: str) -> Any:
    import torch

    if element == "i64":
        return torch.zeros(shape, dtype=torch.int64)
    return torch.zeros(shape, dtype={"f32": torch.float32, "f64": torch.float64}[element])


def _functional() -> Any:
    import torch.nn.functional as functional

    return functional


def _perceptron(rng: random.Random, e: str) -> Drawn:
    widths = [size(rng, 4, 128) for _ in range(rng.choice((2, 2, 3)))]
    batch, names = size(rng, 1, 32), [rng.choice(_ACTIVATIONS) for _ in widths[1:]]
    arguments = [([batch, widths[0]], e)]
    for low, high in pairwise(widths):
        arguments += [([high, low], e), ([high], e)]

    def forward(value: Any, *weights: Any) -> Any:
        f = _functional()
        for name, weight, bias in zip(names, weights[::2], weights[1::2], strict=True):
            value = getattr(f, name)(f.linear(value, weight, bias))
        return value

    return Drawn(f"{batch}-{_x(widths)}-{'.'.join(names)}", arguments, forward)


def _convolution(rng: random.Random, e: str) -> Drawn:
    window, stride, name = rng.choice((1, 3, 3, 5)), rng.choice((1, 1, 2)), rng.choice(_ACTIVATIONS)
    h, w, c, f = size(rng, 6, 20), size(rng, 6, 20), size(rng, 1, 16), size(rng, 1, 16)
    deep, pool, norm = coin(rng, 0.3), rng.choice(("max", "avg", "global", "")), coin(rng, 0.4)
    f = c if deep else f
    arguments = [([1, c, h, w], e), ([f, 1 if deep else c, window, window], e)]
    arguments += [([f], e)] * (5 if norm else 1)

    def forward(image: Any, kernel: Any, bias: Any, *statistics: Any) -> Any:
        t = _functional()
        value = t.conv2d(image, kernel, bias, stride, window // 2, 1, c if deep else 1)
        if norm:
            value = t.batch_norm(value, statistics[0], statistics[1], statistics[2], statistics[3])
        value = getattr(t, name)(value)
        pools = {"max": t.max_pool2d, "avg": t.avg_pool2d}
        return value.mean((2, 3)) if pool == "global" else pools[pool](value, 2) if pool else value

    return Drawn(f"{window}-{stride}-{h}x{w}-{c}-{f}-{name}-{pool}-{int(norm)}-{int(deep)}", arguments, forward)


def _attention(rng: random.Random, e: str) -> Drawn:
    heads, length, width, causal = rng.choice((1, 2, 4)), size(rng, 2, 24), size(rng, 4, 32), coin(rng, 0.3)
    shape = [1, heads, length, width]

    def forward(q: Any, k: Any, v: Any, out: Any) -> Any:
        import torch

        scores = (q @ k.transpose(-1, -2)) * width**-0.5
        if causal:
            scores = scores + torch.triu(torch.full_like(scores, -1e4), 1)
        mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(1, length, heads * width)
        return mixed @ out

    arguments = [*[(shape, e)] * 3, ([heads * width, width], e)]
    return Drawn(f"{heads}-{length}-{width}-{int(causal)}", arguments, forward)


def _normalisation(rng: random.Random, e: str) -> Drawn:
    name, rows, width = rng.choice(("layer", "softmax", "rms", "log_softmax")), size(rng, 2, 48), size(rng, 8, 96)
    arguments = [([rows, width], e), ([width], e), ([width], e)]

    def forward(value: Any, scale: Any, shift: Any) -> Any:
        import torch

        t = _functional()
        if name == "layer":
            return t.layer_norm(value, (width,), scale, shift)
        if name == "rms":
            return value * torch.rsqrt((value * value).mean(-1, keepdim=True) + 1e-3) * scale + shift
        return getattr(t, name)(value * scale + shift, -1)

    return Drawn(f"{name}-{rows}-{width}", arguments, forward)


def _chain(rng: random.Random, e: str) -> Drawn:
    shape = [size(rng, 2, 64) for _ in range(rng.choice((1, 2, 2, 3)))]
    single = ("abs", "exp", "sigmoid", "tanh", "neg", "square", "cos", "floor", "sqrt", "relu", "erf")
    double = ("add", "sub", "mul", "maximum", "minimum", "div")
    names = [rng.choice((*single, *double, *double, "clamp", "where")) for _ in range(rng.randint(2, 8))]
    arguments = [(shape, e)] * (1 + sum(name in double for name in names))

    def forward(value: Any, *others: Any) -> Any:
        import torch

        waiting = list(others)
        for name in names:
            if name == "clamp":
                value = torch.clamp(value, 0.1, 3.0)
            elif name == "where":
                value = torch.where(value > 0.5, value, value * 0.5)
            else:
                value = getattr(torch, name)(value, waiting.pop()) if name in double else getattr(torch, name)(value)
        return value

    return Drawn(f"{_x(shape)}-{'.'.join(names)}", arguments, forward)


def _embedding(rng: random.Random, e: str) -> Drawn:
    rows, width, length, pooled = size(rng, 8, 200), size(rng, 4, 96), size(rng, 1, 48), coin(rng)

    def forward(indices: Any, table: Any, scale: Any) -> Any:
        found = _functional().embedding(indices, table) * scale
        return found.mean(0) if pooled else found

    arguments = [([length], "i64"), ([rows, width], e), ([width], e)]
    return Drawn(f"{rows}-{width}-{length}-{int(pooled)}", arguments, forward)


def _recurrence(rng: random.Random, e: str) -> Drawn:
    steps, batch, inputs, hidden = rng.randint(2, 5), size(rng, 1, 8), size(rng, 2, 32), size(rng, 2, 32)
    gated = coin(rng)

    def forward(sequence: Any, state: Any, w: Any, u: Any, v: Any, z: Any) -> Any:
        import torch

        for step in range(steps):
            fresh = torch.tanh(sequence[step] @ w + state @ u)
            gate = torch.sigmoid(sequence[step] @ v + state @ z) if gated else None
            state = fresh if gate is None else gate * state + (1 - gate) * fresh
        return state if gated else state * torch.sigmoid(v.sum() + z.sum())

    w, u = ([inputs, hidden], e), ([hidden, hidden], e)
    arguments = [([steps, batch, inputs], e), ([batch, hidden], e), w, u, w, u]
    return Drawn(f"{steps}-{batch}-{inputs}-{hidden}-{int(gated)}", arguments, forward)


def _x(numbers: Sequence[int]) -> str:
    return "x".join(map(str, numbers))


_MODULES = (_perceptron, _convolution, _attention, _normalisation, _chain, _embedding, _recurrence)
