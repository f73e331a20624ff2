"""Parts as graphs: for kinds whose parts follow one another."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from featurizers.core import Features, Graph, IntArray


def chained(features: Features, type_column: str) -> Features:
    """`features` with each subject's parts, in the order of their entries, as a chain of nodes.

    type_column : the part column, with a vocabulary, whose codes are the nodes' types. An entry whose part occurs
    several times is one node.
    """
    assert features.parts is not None
    parts, names = features.parts, [column.name for column in features.part_columns]
    at = names.index(type_column)
    starts = np.searchsorted(parts.owner, np.arange(len(features) + 1))
    rows = parts.matrix[parts.part]
    types = rows[:, at].astype(np.int64)
    graphs = tuple(Graph(rows[a:b], types[a:b], chain(int(b - a))) for a, b in pairwise(starts))
    vocabularies = {**features.vocabularies, "nodes": features.part_columns[at].vocabulary}
    return replace(features, graphs=graphs, node_columns=features.part_columns, vocabularies=vocabularies)


def chain(length: int) -> IntArray:
    """Edges (2, length - 1) of nodes in a row."""
    nodes = np.arange(max(length, 1), dtype=np.int64)
    return np.stack([nodes[:-1], nodes[1:]])
