"""The graph network of the `gnn` learner (torch and PyTorch Geometric: for training only)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import DenseGraphConv

_LARGEST = 6.0
"""Natural log of the largest and smallest cost of a node, in units of the average one."""


class CostColumns(nn.Module):  # type: ignore[misc]
    """Learned costs of an architecture: per column a positive cost of each node after message passing, summed.

    Columns are to a device's latency what physics columns are: it is a sum of them with weights of its own.
    """

    def __init__(self, nodes: int, features: int, hidden: int, columns: int, layers: int):
        super().__init__()
        self.sizes = (nodes, features)
        self.node = nn.Linear(features, hidden)
        self.along = nn.ModuleList([DenseGraphConv(hidden, hidden) for _ in range(layers)])
        self.against = nn.ModuleList([DenseGraphConv(hidden, hidden) for _ in range(layers)])
        self.cost = nn.Linear(hidden + features, columns)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """nodes : (n, nodes, features); adjacency : (1, nodes, nodes). Returns (n, columns)."""
        h = torch.relu(self.node(nodes))
        for along, against in zip(self.along, self.against, strict=True):
            h = h + torch.relu(along(h, adjacency) + against(h, adjacency.transpose(1, 2)))
        log_cost = self.cost(torch.cat([h, nodes], dim=2)).clamp(-_LARGEST, _LARGEST)
        executed = (nodes.abs().sum(dim=2, keepdim=True) > 0).to(nodes.dtype)
        return torch.as_tensor((log_cost.exp() * executed).sum(dim=1))

    def example(self) -> dict[str, Any]:
        """Inputs of the right shape, for the exporter."""
        nodes, features = self.sizes
        return {"nodes": torch.zeros(3, nodes, features), "adjacency": torch.zeros(1, nodes, nodes)}

    def dynamic(self) -> dict[str, dict[int, str]]:
        """Any number of architectures."""
        return {"nodes": {0: "architectures"}, "adjacency": {}}

    def outputs(self) -> tuple[str, ...]:
        """Names of what `forward` returns."""
        return ("columns",)


class DeviceWeights(nn.Module):  # type: ignore[misc]
    """The learned embeddings of the known devices: a positive weight per column, and a fixed cost."""

    def __init__(self, devices: int, columns: int):
        super().__init__()
        self.weight = nn.Parameter(torch.full((devices, columns), -3.0) + 0.5 * torch.randn(devices, columns))
        self.fixed = nn.Parameter(torch.full((devices,), -1.0))

    def forward(self, columns: Tensor) -> Tensor:
        """(n, columns) -> log latency over each device's typical one, (n, devices)."""
        positive = nn.functional.softplus
        return torch.log(columns @ positive(self.weight).T + positive(self.fixed) + 1e-6)
