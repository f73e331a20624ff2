"""Graphs of many subjects as the arrays that the network reads; numpy only, for training and serving alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.scaling import Scaling
from featurizers.core import Features, FloatArray, IntArray
from featurizers.errors import InputError

UNKNOWN = 0
"""Code of a node's or an edge's type that was in no training graph."""

Batch = dict[str, npt.NDArray[Any]]
"""Per node: types, nodes (N, columns), owner. Per edge: sources, targets, edge_types. Per graph: vectors."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One graph, scaled; edges (2, E) index its own nodes."""

    types: IntArray
    nodes: FloatArray
    edges: IntArray
    edge_types: IntArray


@dataclass(frozen=True, slots=True)
class Encoding:
    """How graphs become numbers: fitted once, kept with the model.

    node_types, edge_types : codes of the featurizer that training graphs had, in ascending order; their place here
    plus 1 is the code that the network reads.
    """

    node_types: IntArray
    edge_types: IntArray
    nodes: Scaling
    vectors: Scaling

    @classmethod
    def fit(cls, features: Features) -> Self:
        """From training subjects. InputError where the kind has no graphs."""
        graphs = graphs_of(features)
        kinds = [graph.edge_types for graph in graphs if graph.edge_types is not None]
        return cls(
            np.unique(np.concatenate([graph.node_types for graph in graphs])),
            np.unique(np.concatenate(kinds)) if kinds else np.empty(0, dtype=np.int64),
            Scaling.fit(np.concatenate([graph.nodes for graph in graphs])),
            Scaling.fit(features.vectors),
        )

    def encode(self, features: Features) -> tuple[list[Encoded], FloatArray]:
        """Each graph and the graph-level columns (n, columns), scaled."""
        graphs = graphs_of(features)
        ends = np.cumsum([len(graph.nodes) for graph in graphs], dtype=np.int64)[:-1]
        stacked = np.concatenate([graph.nodes for graph in graphs]) if graphs else np.empty((0, len(self.nodes.center)))
        scaled = np.split(self.nodes(stacked.astype(np.float32, copy=False)), ends)
        encoded = [
            Encoded(_codes(self.node_types, g.node_types), rows, g.edges, self._edge_codes(g.edge_types, g.edges))
            for g, rows in zip(graphs, scaled, strict=False)
        ]
        return encoded, self.vectors(features.vectors)

    def _edge_codes(self, types: IntArray | None, edges: IntArray) -> IntArray:
        return np.zeros(edges.shape[1], dtype=np.int64) if types is None else _codes(self.edge_types, types)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "node_types": self.node_types.tolist(),
            "edge_types": self.edge_types.tolist(),
            "nodes": self.nodes.to_json(),
            "vectors": self.vectors.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(
            np.asarray(content["node_types"], dtype=np.int64),
            np.asarray(content["edge_types"], dtype=np.int64),
            Scaling.from_json(content["nodes"]),
            Scaling.from_json(content["vectors"]),
        )


def graphs_of(features: Features) -> tuple[Any, ...]:
    """The graphs of all subjects. InputError where there are none: the kind has none, or nobody asked for them."""
    if len(features.graphs) != len(features):
        raise InputError("The learner 'gnn'", "needs a kind whose featurizer gives graphs", len(features.graphs))
    return features.graphs


def _codes(known: IntArray, types: IntArray) -> IntArray:
    if not len(known):
        return np.zeros(len(types), dtype=np.int64)
    place = np.minimum(np.searchsorted(known, types), len(known) - 1)
    return np.where(known[place] == types, place + 1, UNKNOWN).astype(np.int64)


def collate(graphs: Sequence[Encoded], vectors: FloatArray) -> Batch:
    """One disconnected graph of all."""
    sizes = np.array([len(graph.types) for graph in graphs], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    edges = np.concatenate([graph.edges + start for graph, start in zip(graphs, starts, strict=True)], axis=1)
    return {
        "types": np.concatenate([graph.types for graph in graphs]),
        "nodes": np.concatenate([graph.nodes for graph in graphs]),
        "sources": edges[0],
        "targets": edges[1],
        "edge_types": np.concatenate([graph.edge_types for graph in graphs]),
        "owner": np.repeat(np.arange(len(graphs), dtype=np.int64), sizes),
        "vectors": vectors,
    }


def chunks(graphs: Sequence[Encoded], limit: int) -> Iterator[slice]:
    """Runs of graphs with at most `limit` nodes together; a larger graph comes alone."""
    start = total = 0
    for i, graph in enumerate(graphs):
        if i > start and total + len(graph.types) > limit:
            yield slice(start, i)
            start, total = i, 0
        total += len(graph.types)
    if start < len(graphs):
        yield slice(start, len(graphs))
