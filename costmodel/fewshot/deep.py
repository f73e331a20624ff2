"""Learned cost columns: trained on known devices with PyTorch Geometric, served by onnxruntime alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from costmodel.fewshot.graphs import adjacency_of, nodes_of
from costmodel.regressors.base import Array
from costmodel.regressors.onnx_model import OnnxModel
from featurizers.network.nas_physics import OpIndices

_CHUNK = 4096


@dataclass(frozen=True)
class DeepCosts:
    """`onnx`: the exported network of one space."""

    space: str
    onnx: bytes = field(repr=False)

    @cached_property
    def _model(self) -> OnnxModel:
        return OnnxModel(self.onnx)

    def __call__(self, ops: OpIndices) -> Array:
        """Architectures -> positive columns (n, k)."""
        nodes, adjacency = nodes_of(self.space, ops), adjacency_of(self.space)[None]
        parts = [
            self._model.run({"nodes": nodes[i : i + _CHUNK], "adjacency": adjacency})[0]
            for i in range(0, len(nodes), _CHUNK)
        ]
        return np.concatenate(parts).astype(np.float64)


def train_deep(
    space: str, ops: OpIndices, latency_ms: Sequence[Array], seed: int = 0, *, columns: int = 24, hidden: int = 32,
    layers: int = 2, steps: int = 600, batch: int = 256,
) -> DeepCosts:  # fmt: skip
    """Learn columns of which every device's latencies (n,) are a positive sum, by the absolute error in log space
    (tables have outliers). Needs torch and PyTorch Geometric."""
    import torch

    from costmodel.regressors.onnx_export import exported, quiet, seeded

    with quiet():
        from costmodel.fewshot.deep_network import CostColumns, DeviceWeights
    nodes, adjacency = nodes_of(space, ops), adjacency_of(space)[None]
    log_latency = np.log(np.column_stack([one / np.median(one) for one in latency_ms])).astype(np.float32)
    sizes = (nodes.shape[1], nodes.shape[2], hidden, columns, layers)
    rng = np.random.default_rng(seed)
    with seeded(seed):
        network, devices = CostColumns(*sizes), DeviceWeights(log_latency.shape[1], columns)
        weights = [*network.parameters(), *devices.parameters()]
        optimiser = torch.optim.AdamW(weights, lr=1e-2, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
        edges = torch.from_numpy(adjacency)
        for _ in range(steps):
            rows = rng.choice(len(ops), min(batch, len(ops)), replace=False)
            found = devices(network(torch.from_numpy(nodes[rows]), edges))
            loss = (found - torch.from_numpy(log_latency[rows])).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            schedule.step()
        return DeepCosts(space, exported(CostColumns, sizes, network.state_dict()))
