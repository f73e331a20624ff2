"""Fitting one network: masked robust loss in log space, stopped early on groups that it was not shown."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.distributed.ranks import ranks
from costmodel.regressors.base import Array
from costmodel.regressors.onnx_export import exported, seeded

_HUBER = 0.25
"""Residuals beyond this many natural-log units count linearly, since a few labels are noise."""
_CLIP = 1.0
_HALVE_AFTER = 4


@dataclass(frozen=True, slots=True)
class Examples:
    """batch : the network's inputs for the subjects of the given rows. y : (n, devices) in learning space, NaN where
    there is no label. weights : (n,)."""

    batch: Callable[[npt.NDArray[np.int64]], dict[str, npt.NDArray[Any]]]
    y: Array
    weights: Array

    def means(self, rows: npt.NDArray[np.bool_]) -> Array:
        """Mean label of each device (devices,); 0 where it has none."""
        y = self.y[rows]
        seen = np.isfinite(y)
        return np.asarray(np.where(seen, y, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))


@dataclass(frozen=True, slots=True)
class Schedule:
    """epochs : at most. patience : epochs without a better held-out error. batch : subjects per step."""

    epochs: int
    patience: int
    batch: int
    learning_rate: float


def fit_network(
    module_type: Any,
    arguments: tuple[Any, ...],
    examples: Examples,
    held_out: npt.NDArray[np.bool_],
    schedule: Schedule,
    seed: int,
    share: float = 1.0,
) -> bytes:
    """A network of these arguments as ONNX, at the epoch that was best on the subjects held out.

    Its first output is the estimate (batch, devices); the parameter `offset` (devices,) starts at the mean label times
    `share`: what one of the things that are summed has of it.
    """
    with seeded(seed) as torch:
        network = module_type(*arguments)
        offset = examples.means(~held_out) + np.log(share)
        network.offset.data = torch.tensor(offset, dtype=torch.float32)
        best = _best_state(network, examples, np.flatnonzero(~held_out), np.flatnonzero(held_out), schedule, seed)
        return exported(module_type, arguments, best)


def _best_state(
    network: Any,
    examples: Examples,
    train: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.int64],
    schedule: Schedule,
    seed: int,
) -> dict[str, Any]:
    import torch

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=schedule.learning_rate, weight_decay=1e-4)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=_HALVE_AFTER)
    rng, together = np.random.default_rng(seed), ranks()
    watched = held_out if len(held_out) else train
    least, since = np.inf, 0
    best: dict[str, Any] = copy.deepcopy(network.state_dict())
    for _ in range(schedule.epochs):
        network.train()
        order = rng.permutation(train)
        for start in range(0, len(order), schedule.batch):
            optimizer.zero_grad()
            total, weight = _loss(network, examples, together.share(order[start : start + schedule.batch]))
            (total / together.total(weight).clamp(min=1e-9)).backward()
            together.sum_gradients(trained)
            torch.nn.utils.clip_grad_norm_(trained, _CLIP)
            optimizer.step()
        error = together.agreed(_error(network, examples, watched, schedule.batch))
        plateau.step(error)
        since += 1
        if error < least:
            least, best, since = error, copy.deepcopy(network.state_dict()), 0
        if since >= schedule.patience:
            break
    return best


def _loss(network: Any, examples: Examples, rows: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """Sum of weighted losses of these subjects, and of the weights."""
    import torch

    inputs = {name: torch.from_numpy(array) for name, array in examples.batch(rows).items()}
    y = torch.tensor(examples.y[rows], dtype=torch.float32)
    weight = torch.isfinite(y) * torch.tensor(examples.weights[rows], dtype=torch.float32)[:, None]
    found = network(**inputs)[0]
    each = torch.nn.functional.huber_loss(found, torch.nan_to_num(y), reduction="none", delta=_HUBER)
    return (each * weight).sum(), weight.sum()


def _error(network: Any, examples: Examples, rows: npt.NDArray[np.int64], batch: int) -> float:
    import torch

    network.eval()
    with torch.no_grad():
        parts = [rows[start : start + 4 * batch] for start in range(0, len(rows), 4 * batch)]
        sums = [_loss(network, examples, part) for part in parts]
        return sum(float(total) for total, _ in sums) / max(sum(float(weight) for _, weight in sums), 1e-9)
