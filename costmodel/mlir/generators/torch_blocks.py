"""Blocks of networks as they are built today, through torch-mlir: transformers, gated and residual blocks, cells."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from costmodel.mlir.generators.drawing import coin, size, sizes
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.torch_parts import ACTIVATIONS, Drawn, by_x, functional, torch_group


def torch_block(rng: random.Random) -> Group:
    """Transformer layers, gated and residual blocks, convolutions of every kind, cells, pools, gathers, reshaping.

    Raises
    ------
    costmodel.mlir.labelling.ToolError
        torch-mlir is missing or of another version.
    """
    return torch_group("torch_block", _BLOCKS, rng)


def _transformer(rng: random.Random, e: str) -> Drawn:
    heads, length, each = rng.choice((1, 2, 2, 4)), size(rng, 2, 16), size(rng, 2, 12)
    name, first, root = rng.choice(ACTIVATIONS), coin(rng), coin(rng)
    width, hidden = heads * each, size(rng, 4, 64)

    def norm(value: Any, scale: Any) -> Any:
        t = functional()
        return t.rms_norm(value, (width,), scale, 1e-5) if root else t.layer_norm(value, (width,), scale)

    def attend(value: Any, mixing: Any, out: Any) -> Any:
        import torch

        q, k, v = (value @ mixing).reshape(length, 3, heads, each).permute(1, 2, 0, 3).unbind(0)
        mixed = torch.softmax(q @ k.transpose(-1, -2) * each**-0.5, -1) @ v
        return mixed.transpose(0, 1).reshape(length, width) @ out

    def forward(x: Any, mixing: Any, out: Any, up: Any, down: Any, scale: Any) -> Any:
        x = x + attend(norm(x, scale), mixing, out) if first else norm(x + attend(x, mixing, out), scale)
        return x + getattr(functional(), name)(norm(x, scale) @ up) @ down

    weights = [([width, 3 * width], e), ([width, width], e), ([width, hidden], e), ([hidden, width], e), ([width], e)]
    key = f"{heads}-{length}-{each}-{hidden}-{name}-{int(first)}-{int(root)}"
    return Drawn(key, [([length, width], e), *weights], forward)


def _gated(rng: random.Random, e: str) -> Drawn:
    batch, width, hidden, name = size(rng, 1, 48), size(rng, 4, 96), size(rng, 4, 128), rng.choice(ACTIVATIONS)
    residual, bias = coin(rng), coin(rng)

    def forward(x: Any, gate: Any, up: Any, down: Any, shift: Any) -> Any:
        t = functional()
        mixed = t.linear(getattr(t, name)(t.linear(x, gate)) * t.linear(x, up), down, shift if bias else None)
        return x + mixed if residual else mixed * shift

    weights = [([hidden, width], e), ([hidden, width], e), ([width, hidden], e), ([width], e)]
    key = f"{batch}-{width}-{hidden}-{name}-{int(residual)}-{int(bias)}"
    return Drawn(key, [([batch, width], e), *weights], forward)


def _residual_net(rng: random.Random, e: str) -> Drawn:
    h, w, c, window = size(rng, 4, 14), size(rng, 4, 14), size(rng, 2, 12), rng.choice((1, 3, 3))
    groups, dilation = rng.choice([n for n in (1, 1, 2, 4) if c % n == 0]), rng.choice((1, 1, 2))
    name, project = rng.choice(ACTIVATIONS), coin(rng, 0.4)

    def forward(image: Any, one: Any, two: Any, point: Any, mean: Any, spread: Any) -> Any:
        t = functional()
        value = t.conv2d(image, one, None, 1, "same", dilation, groups)
        value = getattr(t, name)(t.batch_norm(value, mean, spread.abs()))
        value = t.conv2d(value, two, mean, 1, "same")
        return getattr(t, name)(value + (t.conv2d(image, point) if project else image))

    kernels = [([c, c // groups, window, window], e), ([c, c, window, window], e), ([c, c, 1, 1], e)]
    key = f"{h}x{w}-{c}-{window}-{groups}-{dilation}-{name}-{int(project)}"
    return Drawn(key, [([1, c, h, w], e), *kernels, ([c], e), ([c], e)], forward)


def _windowed(rng: random.Random, e: str) -> Drawn:
    """Convolutions in one dimension or two, strided, padded, dilated, grouped, with a norm over groups of channels."""
    flat, window, stride, dilation = (
        coin(rng, 0.4),
        rng.choice((1, 2, 3, 5)),
        rng.choice((1, 1, 2, 3)),
        rng.choice((1, 1, 2)),
    )
    groups = rng.choice((1, 1, 2, 3))
    c, f, n = groups * size(rng, 1, 6), groups * size(rng, 1, 6), rng.choice((1, 1, 2, 3))
    extents = [size(rng, 12, 96)] if flat else sizes(rng, 2, 10, 18)
    norm, pad = rng.choice(("group", "instance", "")), rng.randint(0, 2)

    def forward(image: Any, kernel: Any, bias: Any) -> Any:
        t = functional()
        convolve = t.conv1d if flat else t.conv2d
        value = convolve(image, kernel, bias, stride, pad, dilation, groups)
        if norm == "group":
            return t.group_norm(value, groups, bias, bias)
        return t.relu(t.instance_norm(value) if norm else value)

    key = f"{n}-{by_x(extents)}-{c}-{f}-{window}-{stride}-{dilation}-{groups}-{pad}-{norm}"
    kernel = [f, c // groups, *([window] * len(extents))]
    return Drawn(key, [([n, c, *extents], e), (kernel, e), ([f], e)], forward)


def _cell(rng: random.Random, e: str) -> Drawn:
    steps, batch, inputs, hidden = rng.randint(1, 3), size(rng, 1, 8), size(rng, 2, 32), size(rng, 2, 24)
    kind = rng.choice(("gru", "lstm"))
    gates = 3 if kind == "gru" else 4

    def gru(x: Any, h: Any, w: Any, u: Any) -> Any:
        import torch

        (a, b, c), (p, q, r) = (x @ w).chunk(3, -1), (h @ u).chunk(3, -1)
        update = torch.sigmoid(b + q)
        return update * h + (1 - update) * torch.tanh(c + torch.sigmoid(a + p) * r)

    def lstm(x: Any, h: Any, cell: Any, w: Any, u: Any) -> tuple[Any, Any]:
        import torch

        a, f, g, o = (x @ w + h @ u).chunk(4, -1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(a) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell

    def forward(sequence: Any, h: Any, cell: Any, w: Any, u: Any) -> Any:
        for step in range(steps):
            if kind == "gru":
                h = gru(sequence[step], h, w, u)
            else:
                h, cell = lstm(sequence[step], h, cell, w, u)
        return h + cell if kind == "gru" else h

    state = ([batch, hidden], e)
    weights = [([inputs, gates * hidden], e), ([hidden, gates * hidden], e)]
    return Drawn(
        f"{kind}-{steps}-{batch}-{inputs}-{hidden}", [([steps, batch, inputs], e), state, state, *weights], forward
    )


def _pool(rng: random.Random, e: str) -> Drawn:
    c, h, w, window = size(rng, 1, 24), size(rng, 6, 28), size(rng, 6, 28), rng.choice((2, 2, 3))
    name, stride, pad, log = (
        rng.choice(("max", "avg", "both")),
        rng.choice((1, 2, 3)),
        rng.randint(0, 1),
        coin(rng, 0.3),
    )

    def forward(image: Any, scale: Any) -> Any:
        import torch

        t = functional()
        value = t.avg_pool2d(image, window, stride, pad) if name != "max" else t.max_pool2d(image, window, stride, pad)
        if name == "both":
            value = value - t.max_pool2d(image, window, stride, pad)
        value = value * scale[:, None, None]
        return torch.log1p(value.abs()) if log else t.relu(value)

    return Drawn(f"{name}-{c}-{h}x{w}-{window}-{stride}-{pad}-{int(log)}", [([1, c, h, w], e), ([c], e)], forward)


def _folds(rng: random.Random, e: str) -> Drawn:
    """Reductions over some axes, each subtracted or divided by."""
    rank = rng.choice((2, 3, 3, 4))
    shape = sizes(rng, rank, 2, {2: 72, 3: 20, 4: 10}[rank])
    names = [rng.choice(("sum", "mean", "amax", "amin", "var", "norm", "logsumexp")) for _ in range(rng.randint(1, 3))]
    axes = [sorted(rng.sample(range(rank), rng.randint(1, rank - 1))) for _ in names]
    joined = [rng.choice(("sub", "mul", "maximum")) for _ in names]
    kept = coin(rng)

    def forward(value: Any) -> Any:
        import torch

        for name, where, join in zip(names[:-1], axes, joined, strict=False):
            value = getattr(torch, join)(value, fold(name, value, where, True))
        return fold(names[-1], value, axes[-1], kept)

    def fold(name: str, value: Any, where: list[int], keep: bool) -> Any:
        import torch

        if name == "norm":
            return (value * value).sum(where, keepdim=keep).sqrt()
        return getattr(torch, name)(value, dim=where, keepdim=keep)

    steps = ".".join(f"{n}{''.join(map(str, a))}{j}" for n, a, j in zip(names, axes, joined, strict=True))
    return Drawn(f"{by_x(shape)}-{steps}-{int(kept)}", [(shape, e)], forward)


def _products(rng: random.Random, e: str) -> Drawn:
    """A chain of products of matrices or of batches of them, some operands transposed, some scaled or added."""
    batches = [size(rng, 2, 6)] if coin(rng, 0.4) else []
    widths = sizes(rng, rng.randint(3, 5), 2, 28 if batches else 56)
    turned = [coin(rng) for _ in widths[2:]]
    after = [rng.choice(("", "", "relu", "scale", "square")) for _ in turned]

    def forward(value: Any, scale: Any, *factors: Any) -> Any:
        for factor, turn, name in zip(factors, turned, after, strict=True):
            value = value @ (factor.transpose(-1, -2) if turn else factor)
            if name:
                value = {"relu": value.relu(), "scale": value * scale, "square": value * value}[name]
        return value

    pairs = list(pairwise(widths[1:]))
    factors = [[*batches, *((b, a) if turn else (a, b))] for (a, b), turn in zip(pairs, turned, strict=True)]
    key = f"{by_x([*batches, *widths])}-{''.join(str(int(t)) for t in turned)}-{'.'.join(after)}"
    return Drawn(key, [([*batches, *widths[:2]], e), ([1], e), *((shape, e) for shape in factors)], forward)


def _picking(rng: random.Random, e: str) -> Drawn:
    """Rows looked up in one or two tables, by themselves or against a query, summed or kept."""
    rows, width, length = size(rng, 8, 150), size(rng, 2, 64), size(rng, 2, 40)
    style, both = rng.choice(("sum", "score", "max", "keep")), coin(rng)

    def forward(indices: Any, table: Any, other: Any, query: Any) -> Any:
        import torch

        found = torch.index_select(table, 0, indices)
        if both:
            found = found * torch.index_select(other, 0, indices)
        if style == "score":
            return torch.softmax(found @ query, 0)
        return {"sum": found.sum(0) * query, "max": found.amax(0) + query, "keep": found + query}[style]

    key = f"{rows}-{width}-{length}-{style}-{int(both)}"
    return Drawn(key, [([length], "i64"), ([rows, width], e), ([rows, width], e), ([width], e)], forward)


def _reshaping(rng: random.Random, e: str) -> Drawn:
    """Transposes, joins, paddings, slices and reversals, with arithmetic between them."""
    rank = rng.choice((2, 2, 3))
    shape = sizes(rng, rank, 3, {2: 40, 3: 14}[rank])
    names = [rng.choice(("turn", "join", "pad", "slice", "flip", "stack", "flat")) for _ in range(rng.randint(2, 4))]
    scale = coin(rng)

    def forward(value: Any) -> Any:
        import torch

        for name in names:
            moved = {
                "turn": lambda v: v.transpose(0, -1),
                "join": lambda v: torch.cat((v, v * 0.5), -1),
                "pad": lambda v: functional().pad(v, (1, 2)),
                "slice": lambda v: v[..., : max(1, v.shape[-1] // 2)],
                "flip": lambda v: torch.flip(v, (-1,)),
                "stack": lambda v: torch.stack((v, -v), 0).sum(-1) if v.dim() > 1 else torch.stack((v, -v), 0),
                "flat": lambda v: v.reshape(v.shape[0], -1),
            }[name](value)
            value = moved * 1.5 + 0.25 if scale else moved.relu()
        return value

    return Drawn(f"{by_x(shape)}-{'.'.join(names)}-{int(scale)}", [(shape, e)], forward)


_BLOCKS = (
    _transformer,
    _gated,
    _residual_net,
    _windowed,
    _cell,
    _pool,
    _folds,
    _products,
    _picking,
    _reshaping,
)
