"""How the perceptron on columns is trained (torch: for training only)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from costmodel.mlir.loop_network import LoopColumns, LoopNetwork, LoopScaling
from costmodel.mlir.network import ColumnNetwork, ColumnScaling, Layers, rounded, short, signed_logs
from costmodel.regressors.base import Array
from costmodel.regressors.onnx_export import seeded
from featurizers.core import FloatArray

Loss = Callable[[Any, Any], Any]
_MANY = 10_000
"""From so many rows on, a network is twice as wide, and more of it is dropped at a time."""
_CONTEXT, _LOOP_HIDDEN, _LOOP_DROPPED = 24, (96, 48), 0.1
_LEAST_SCALE = 0.02
_BATCH = 128
_LEARNING_RATE, _FIRST_RATE, _DECAY = 3e-3, 1e-3, 0.02
_TOLERANCE, _OF_FEW = 0.3, 0.15
"""Errors beyond so many standard deviations of the labels count by their logarithm (Cauchy's loss): where the estimate
missed a decision of the compiler it is wrong by a factor, and halfway between two decisions is never right. With fewer
rows than `_MANY` (the second) a network that bends towards large errors learns their noise."""


def fit_columns(
    x: FloatArray, y: Array, w: Array, epochs: int, members: int, seed: int, logistic: bool = False
) -> ColumnNetwork:
    """Learn y (n,) of columns x (n, columns), weighted by w (n,): the mean of `members` networks.

    logistic : y is 0 or 1, and log odds are learned.
    """
    scaling = ColumnScaling.fit(x)
    centre, scale = (0.0, 1.0) if logistic else (float(np.median(y)), max(float(np.std(y)), 1e-6))
    z, target = scaling(x), ((y - centre) / scale).astype(np.float32)
    weights = (w / w.mean()).astype(np.float32)
    loss = _log_loss if logistic else _robust_loss(len(y))
    layers = [_trained(z, target, weights, loss, epochs, seed + member) for member in range(members)]
    return ColumnNetwork(scaling, tuple(rounded(_in_units(own, centre, scale)) for own in layers))


def fit_loops(x: FloatArray, y: Array, w: Array, columns: LoopColumns, epochs: int, seed: int) -> LoopNetwork:
    """Learn y (n,), logs of a cost over its estimate, as a sum over loops."""
    scaling, own = ColumnScaling.fit(x), x[:, columns.own]
    logs = signed_logs(own).reshape(-1, own.shape[2])
    loops = LoopScaling(short(logs.mean(axis=0)), short(np.maximum(logs.std(axis=0), _LEAST_SCALE)))
    spread, loss = max(float(np.std(y)), 1e-6), _robust_loss(len(y))
    inputs = [scaling(x), loops(own), columns.log_shares(x), y, w / w.mean()]
    tensors = [torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for values in inputs]
    with seeded(seed):
        network = _Loops(tensors[0].shape[1], own.shape[2], len(y))
        _descend(network, tensors, lambda said, wanted: loss(said / spread, wanted / spread), epochs, seed)
    return LoopNetwork(
        columns, scaling, loops, rounded(_layers(network.first, network.second)),
        rounded(_layers(network.context))[0], rounded(_layers(network.loop)),
    )  # fmt: skip


def _shape(rows: int) -> tuple[tuple[int, int], tuple[float, float]]:
    """Widths of the hidden layers, and what share of each is dropped while it learns."""
    return ((256, 128), (0.3, 0.2)) if rows >= _MANY else ((128, 64), (0.2, 0.1))


class _Loops(nn.Module):  # type: ignore[misc]
    """See `LoopNetwork`."""

    def __init__(self, columns: int, own: int, rows: int):
        super().__init__()
        (wide, narrow), dropped = _shape(rows)
        self.first = nn.Sequential(nn.Linear(columns, wide), nn.SiLU(), nn.Dropout(dropped[0]))
        self.second = nn.Sequential(nn.Linear(wide, narrow), nn.SiLU(), nn.Dropout(dropped[1]), nn.Linear(narrow, 2))
        self.context = nn.Linear(wide, _CONTEXT)
        steps: list[nn.Module] = [nn.Linear(own + _CONTEXT, _LOOP_HIDDEN[0]), nn.SiLU(), nn.Dropout(_LOOP_DROPPED)]
        steps += [nn.Linear(*_LOOP_HIDDEN), nn.SiLU(), nn.Linear(_LOOP_HIDDEN[1], 1)]
        self.loop = nn.Sequential(*steps)

    def forward(self, z: Any, own: Any, shares: Any) -> Any:
        """(batch,) from scaled columns, those of the loops, and the logs of shares."""
        hidden = self.first(z)
        common = self.second(hidden)
        context = self.context(hidden)[:, None].expand(-1, own.shape[1], -1)
        factors = torch.cat([self.loop(torch.cat([own, context], 2))[:, :, 0], common[:, 1:]], 1)
        return torch.logsumexp(shares + factors, 1) + common[:, 0]


def _layers(*modules: nn.Module) -> Layers:
    linear = [layer for module in modules for layer in module.modules() if isinstance(layer, nn.Linear)]
    return tuple((layer.weight.detach().double().numpy().T, layer.bias.detach().double().numpy()) for layer in linear)


def _trained(z: Any, y: Any, w: Any, loss: Loss, epochs: int, seed: int) -> Layers:
    with seeded(seed):
        network = _network(*z.shape)
        _descend(network, [torch.from_numpy(np.ascontiguousarray(values)) for values in (z, y, w)], loss, epochs, seed)
    return _layers(network)


def _descend(network: nn.Module, tensors: list[Any], loss: Loss, epochs: int, seed: int) -> None:
    """tensors : what the network takes, then labels and weights."""
    optimiser = torch.optim.AdamW(network.parameters(), _FIRST_RATE, weight_decay=_DECAY)
    steps = epochs * -(-len(tensors[0]) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        _epoch(network, tensors, loss, order.permutation(len(tensors[0])), optimiser, schedule)


def _robust_loss(rows: int) -> Loss:
    tolerance = _TOLERANCE if rows >= _MANY else _OF_FEW
    return lambda said, y: tolerance**2 * torch.log1p(((said - y) / tolerance) ** 2)


def _log_loss(said: Any, y: Any) -> Any:
    return nn.functional.binary_cross_entropy_with_logits(said, y, reduction="none")


def _epoch(network: nn.Module, tensors: list[Any], loss: Loss, order: Any, optimiser: Any, schedule: Any) -> None:
    for start in range(0, len(order), _BATCH):
        *inputs, y, w = (values[order[start : start + _BATCH]] for values in tensors)
        optimiser.zero_grad()
        (loss(network(*inputs).reshape(-1), y) * w).mean().backward()
        optimiser.step()
        schedule.step()


def _network(rows: int, columns: int) -> nn.Sequential:
    hidden, drops = _shape(rows)
    layers: list[nn.Module] = []
    for wide, narrow, dropped in zip((columns, *hidden), hidden, drops, strict=False):
        layers += [nn.Linear(wide, narrow), nn.SiLU(), nn.Dropout(dropped)]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], 1))


def _in_units(layers: Layers, centre: float, scale: float) -> Layers:
    """With the last layer in the units of the labels."""
    weights, bias = layers[-1]
    return (*layers[:-1], (weights * scale, bias * scale + centre))
