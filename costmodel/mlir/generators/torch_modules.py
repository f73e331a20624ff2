"""Small torch modules, exported and imported by torch-mlir's fx importer: as linalg, as tosa and as StableHLO.

Needs ``torch-mlir`` and torch beside the project (datasets/mlir_programs/README.md says which). Weights are arguments,
so that no constant is in the texts.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from costmodel.mlir.generators.drawing import coin, size
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.torch_parts import ACTIVATIONS, Drawn, by_x, functional, torch_group


def torch_graph(rng: random.Random) -> Group:
    """Perceptrons, convolutions with pooling, attention, norms, chains, embeddings and recurrences written in torch.

    Raises
    ------
    costmodel.mlir.labelling.ToolError
        torch-mlir is missing or of another version.
    """
    return torch_group("torch_graph", _MODULES, rng)


def _perceptron(rng: random.Random, e: str) -> Drawn:
    widths = [size(rng, 4, 128) for _ in range(rng.choice((2, 2, 3)))]
    batch, names = size(rng, 1, 32), [rng.choice(ACTIVATIONS) for _ in widths[1:]]
    arguments = [([batch, widths[0]], e)]
    for low, high in pairwise(widths):
        arguments += [([high, low], e), ([high], e)]

    def forward(value: Any, *weights: Any) -> Any:
        f = functional()
        for name, weight, bias in zip(names, weights[::2], weights[1::2], strict=True):
            value = getattr(f, name)(f.linear(value, weight, bias))
        return value

    return Drawn(f"{batch}-{by_x(widths)}-{'.'.join(names)}", arguments, forward)


def _convolution(rng: random.Random, e: str) -> Drawn:
    window, stride, name = rng.choice((1, 3, 3, 5)), rng.choice((1, 1, 2)), rng.choice(ACTIVATIONS)
    h, w, c, f = size(rng, 6, 20), size(rng, 6, 20), size(rng, 1, 16), size(rng, 1, 16)
    deep, pool, norm = coin(rng, 0.3), rng.choice(("max", "avg", "global", "")), coin(rng, 0.4)
    f = c if deep else f
    arguments = [([1, c, h, w], e), ([f, 1 if deep else c, window, window], e)]
    arguments += [([f], e)] * (5 if norm else 1)

    def forward(image: Any, kernel: Any, bias: Any, *statistics: Any) -> Any:
        t = functional()
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

        t = functional()
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

    return Drawn(f"{by_x(shape)}-{'.'.join(names)}", arguments, forward)


def _embedding(rng: random.Random, e: str) -> Drawn:
    rows, width, length, pooled = size(rng, 8, 200), size(rng, 4, 96), size(rng, 1, 48), coin(rng)

    def forward(indices: Any, table: Any, scale: Any) -> Any:
        found = functional().embedding(indices, table) * scale
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


_MODULES = (_perceptron, _convolution, _attention, _normalisation, _chain, _embedding, _recurrence)
