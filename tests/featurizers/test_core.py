"""Parts and Features: sums over parts, and taking subjects in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurizers.core import Column, Features, Graph, Parts


def make(names: bool = False) -> Features:
    """Three subjects: two parts, none, and one part three times."""
    parts = Parts(
        matrix=np.asarray([[1.0, 2.0], [10.0, 20.0]], dtype=np.float32),
        owner=np.asarray([0, 0, 2]),
        part=np.asarray([0, 1, 1]),
        count=np.asarray([1.0, 2.0, 3.0], dtype=np.float32),
        names=(("a",), ("b", "c"), ("d",)) if names else (),
    )
    vectors = np.asarray([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    columns = (Column("x", "1", "g"), Column("y", "B", "g"))
    return Features(vectors, columns, parts, (Column("p", "1", "g"), Column("q", "1", "g")))


def total(features: Features) -> list[float]:
    assert features.parts is not None
    return features.parts.total(features.parts.matrix[:, 0].astype(np.float64), len(features)).tolist()


def test_total_weighs_each_part_by_its_count_and_gives_zero_to_a_subject_without_parts() -> None:
    assert total(make()) == [21.0, 0.0, 30.0]


def test_column_by_name() -> None:
    assert make().column("y").tolist() == [2, 4, 6]
    with pytest.raises(KeyError, match="z"):
        make().column("z")


def test_take_reorders_repeats_and_drops_subjects_and_unused_parts() -> None:
    taken = make(names=True).take(np.asarray([2, 0, 2]))
    assert taken.vectors[:, 0].tolist() == [5, 1, 5]
    assert total(taken) == [30.0, 21.0, 30.0]
    assert taken.parts is not None
    assert taken.parts.names == (("d",), ("a",), ("b", "c"), ("d",))
    only = make().take(np.asarray([2]))
    assert only.parts is not None
    assert only.parts.matrix.tolist() == [[10.0, 20.0]]


def test_take_without_parts() -> None:
    features = make()
    bare = Features(features.vectors, features.columns)
    assert bare.take(np.asarray([1])).parts is None


@given(st.lists(st.integers(0, 2), max_size=8))
def test_take_gives_each_subject_its_own_total(rows: list[int]) -> None:
    whole = total(make())
    assert total(make().take(np.asarray(rows, dtype=np.int64))) == [whole[r] for r in rows]


def test_take_carries_sequences_graphs_and_vocabularies() -> None:
    graphs = tuple(
        Graph(np.full((1, 1), i, np.float32), np.asarray([i]), np.zeros((2, 0), np.int64), np.zeros(0, np.int64))
        for i in range(3)
    )
    tokens = (np.asarray([0]), np.asarray([1, 2]), np.asarray([], dtype=np.int64))
    vocabulary = {"ops": ("<unknown>", "arith.addf", "arith.mulf")}
    bare = make()
    features = Features(bare.vectors, bare.columns, graphs=graphs, sequences={"ops": tokens}, vocabularies=vocabulary)
    taken = features.take(np.asarray([1, 1, 0]))
    assert [ids.tolist() for ids in taken.sequences["ops"]] == [[1, 2], [1, 2], [0]]
    assert [graph.node_types.tolist() for graph in taken.graphs] == [[1], [1], [0]]
    assert taken.vocabulary("ops") == vocabulary["ops"]
    with pytest.raises(KeyError, match="words"):
        taken.vocabulary("words")
