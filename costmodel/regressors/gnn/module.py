"""The network itself (torch and PyTorch Geometric: for training only)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINEConv

_LARGEST = 20.0
"""Natural log of the largest and smallest share of the average cost that one node can have."""
_DROPPED_TYPES = 0.03
"""Share of nodes that are shown as of unknown type in training, so that an op never met has some meaning."""


class MessagePassing(nn.Module):  # type: ignore[misc]
    """One layer: GINE (Hu et al. 2020, with edge types) along the edges and against them, residual, normalised."""

    def __init__(self, hidden: int):
        super().__init__()
        self.along, self.against = (GINEConv(_perceptron(hidden), edge_dim=hidden) for _ in range(2))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, h: Tensor, sources: Tensor, targets: Tensor, edges: Tensor, owner: Tensor) -> Tensor:
        found = self.along(h, torch.stack([sources, targets]), edges)
        found = found + self.against(h, torch.stack([targets, sources]), edges)
        return h + torch.relu(self.norm(found))


class Attention(nn.Module):  # type: ignore[misc]
    """One layer of a Transformer (pre-norm, four heads) over the nodes of each graph, as in wa-hls4ml's surrogate.

    All graphs of a batch attend at once under a mask, so cost grows with the square of the batch's nodes: for graphs
    of tens of nodes.
    """

    def __init__(self, hidden: int, heads: int = 4):
        super().__init__()
        self.heads, self.hidden = heads, hidden
        self.project, self.merge = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.norm, self.norm_mlp = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.mlp = _perceptron(hidden)

    def forward(self, h: Tensor, sources: Tensor, targets: Tensor, edges: Tensor, owner: Tensor) -> Tensor:
        # (nodes, 3, heads, size of a head) -> three of (heads, nodes, size)
        split = self.project(self.norm(h)).reshape(-1, 3, self.heads, self.hidden // self.heads)
        query, key, value = split.permute(1, 2, 0, 3).unbind(0)
        scores = query @ key.transpose(1, 2) / (self.hidden // self.heads) ** 0.5
        same = owner[:, None] == owner[None, :]
        weights = torch.softmax(scores.masked_fill(~same, -1e9), dim=-1)
        h = h + self.merge((weights @ value).transpose(0, 1).reshape(-1, self.hidden))
        return h + self.mlp(self.norm_mlp(h))


ENCODERS = {"message-passing": MessagePassing, "attention": Attention}


def _perceptron(hidden: int) -> Any:
    return nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))


class CostNetwork(nn.Module):  # type: ignore[misc]
    """A cost per node and device, summed; and what the graph as a whole changes about the sum.

        log cost(graph, device) = log(base + sum over nodes of exp(u(node) . e(device))) + r(graph) . e'(device)

    u : from the node after `layers` rounds of message passing, and from its own columns once more. e, e' : learned
    embeddings of the devices. base : from the graph's columns (what a run costs beside its nodes). r : from the mean
    and maximum over the nodes, and the graph's columns. readout 'pooled' leaves the sum out: for targets that are none.
    """

    def __init__(
        self, node_types: int, edge_types: int, node_columns: int, columns: int, devices: int, hidden: int, layers: int,
        embedding: int, encoder: str, readout: str,
    ):  # fmt: skip
        super().__init__()
        self.sizes = (node_types, edge_types, node_columns, columns)
        self.is_sum = readout == "sum"
        self.node_type = nn.Embedding(node_types, hidden)
        self.reads_edges = encoder == "message-passing"
        if self.reads_edges:
            self.edge_type = nn.Embedding(edge_types, hidden)
        self.node = nn.Linear(node_columns, hidden)
        self.encoder = nn.ModuleList([ENCODERS[encoder](hidden) for _ in range(layers)])
        self.summary = nn.Sequential(nn.Linear(2 * hidden + columns, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.correction = nn.Linear(hidden, devices)
        self.offset = nn.Parameter(torch.zeros(devices), requires_grad=False)
        if self.is_sum:
            self.unit = nn.Sequential(nn.Linear(hidden + node_columns, hidden), nn.ReLU(), nn.Linear(hidden, embedding))
            self.device = nn.Linear(embedding, devices)
            self.base = nn.Linear(columns, devices)
            nn.init.constant_(self.base.bias, -3.0)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(
        self, types: Tensor, nodes: Tensor, sources: Tensor, targets: Tensor, edge_types: Tensor, owner: Tensor,
        vectors: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Log costs (graphs, devices) and what the network knows of each graph (graphs, hidden)."""
        if self.training:
            types = types.masked_fill(torch.rand(types.shape) < _DROPPED_TYPES, 0)
        h = torch.relu(self.node_type(types) + self.node(nodes))
        edges = self.edge_type(edge_types) if self.reads_edges else edge_types
        for layer in self.encoder:
            h = layer(h, sources, targets, edges, owner)
        known = self.summary(torch.cat([self._pooled(h, owner, vectors), vectors], dim=1))
        result = self.offset + self.correction(torch.relu(known))
        if self.is_sum:
            log_costs = self.device(self.unit(torch.cat([h, nodes], dim=1))).clamp(-_LARGEST, _LARGEST)
            total = torch.exp(self.base(vectors).clamp(-_LARGEST, _LARGEST)).index_add(0, owner, torch.exp(log_costs))
            result = result + torch.log(total)
        return result, known

    def _pooled(self, h: Tensor, owner: Tensor, vectors: Tensor) -> Tensor:
        zeros = vectors[:, :1] * 0.0
        count = zeros.index_add(0, owner, torch.ones_like(h[:, :1]))
        mean = (zeros + torch.zeros_like(h[:1])).index_add(0, owner, h) / count.clamp(min=1.0)
        index = owner[:, None].expand(-1, h.shape[1])
        return torch.cat([mean, torch.zeros_like(mean).scatter_reduce(0, index, h, "amax")], dim=1)

    def example(self) -> dict[str, Tensor]:
        node_types, edge_types, node_columns, columns = self.sizes
        owner = torch.tensor([0, 0, 0, 1, 1, 2, 2])
        return {
            "types": torch.arange(7) % node_types,
            "nodes": torch.ones(7, node_columns),
            "sources": torch.tensor([0, 1, 3, 5]),
            "targets": torch.tensor([1, 2, 4, 6]),
            "edge_types": torch.arange(4) % edge_types,
            "owner": owner,
            "vectors": torch.ones(3, columns),
        }

    def dynamic(self) -> dict[str, dict[int, str]]:
        counted = {"types": "nodes", "nodes": "nodes", "sources": "edges", "targets": "edges", "edge_types": "edges"}
        return {name: {0: what} for name, what in (counted | {"owner": "nodes", "vectors": "graphs"}).items()}

    def outputs(self) -> tuple[str, ...]:
        return ("log_costs", "graph_embedding")
