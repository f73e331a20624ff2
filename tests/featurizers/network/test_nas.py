"""NAS encodings: published sizes, refusals, and the counted path against the graph path."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurizers.core import Features
from featurizers.errors import InputError, UnknownNameError
from featurizers.network import PROFILES, NetworkFeaturizer
from featurizers.network.nasbench201 import EDGES, OPERATIONS, build, live_edges
from featurizers.network.nasbench201_batch import count, countable, peak_values
from featurizers.network.nasbench201_fast import RULES
from featurizers.network.nasbench201_fast import live_edges as live_edges_of_many
from featurizers.network.nasbench201_space import counted, features_of_graphs, table

FBNET_SKIPS = "|".join(["skip"] * 22)
OFA = {"ks": [3] * 20, "e": [4] * 20, "d": [3] * 5, "r": 160}
cells = st.lists(st.integers(0, 4), min_size=6, max_size=6).map(tuple)


def name(ops: tuple[int, ...]) -> str:
    names = [f"{OPERATIONS[op]}~{source}" for op, (source, _) in zip(ops, EDGES, strict=True)]
    return f"|{names[0]}|+|{'|'.join(names[1:3])}|+|{'|'.join(names[3:])}|"


def column(raw: dict[str, Any], column: str) -> float:
    featurizer = NetworkFeaturizer()
    return float(featurizer.features([featurizer.parse(raw)]).column(column)[0])


def test_nasbench201_has_the_published_size_of_its_largest_cell() -> None:
    # NAS-Bench-201 (Dong and Yang 2020), table of extremes: 220.1 M multiply-adds, 1.53 M parameters
    raw = {"nasbench201": name((3,) * 6)}
    assert column(raw, "macs") == pytest.approx(220.1e6, rel=0.001)
    assert column(raw, "parameters") == pytest.approx(1.53e6, rel=0.01)


def test_dead_edges_and_nodes_cost_nothing() -> None:
    kept, dead = (0, 0, 0, 3, 0, 0), (3, 0, 0, 3, 0, 0)
    assert live_edges(dead) == kept
    for wanted in ("macs", "parameters", "kernels", "peak_activation_bytes"):
        assert column({"nasbench201": name(kept)}, wanted) == column({"nasbench201": name(dead)}, wanted)


def test_a_cell_without_a_path_multiplies_by_zero() -> None:
    cut = {"nasbench201": name((3, 3, 3, 0, 0, 0))}
    assert column(cut, "macs") == column({"nasbench201": name((0, 0, 0, 1, 0, 0))}, "macs")
    assert (
        column(cut, "elementwise_kernels")
        == column({"nasbench201": name((0, 0, 0, 1, 0, 0))}, "elementwise_kernels") + 15
    )


def test_fbnet_by_names_and_by_indices_is_the_same() -> None:
    blocks = ["k3_e6", "k5_e1_g2", *["k5_e3"] * 19, "skip"]
    indices = [3, 5, *[6] * 19, 8]
    for wanted in ("macs", "parameters", "kernels"):
        assert column({"fbnet": "|".join(blocks)}, wanted) == column({"fbnet": indices}, wanted)


def test_fbnet_skips_leave_the_changes_of_shape() -> None:
    # stem, six 1x1 convolutions where channels or stride change, head, linear layer
    changes = [(16, 24, 32), (24, 32, 16), (32, 64, 8), (64, 112, 8), (112, 184, 4), (184, 352, 4)]
    macs = 3 * 16 * 9 * 32**2 + sum(a * b * s * s for a, b, s in changes) + 352 * 1504 * 16 + 1504 * 100
    assert column({"fbnet": FBNET_SKIPS}, "macs") == macs


def test_fbnet_block_by_hand() -> None:
    # the second position: 16 to 24 channels at 32 pixels, expansion 3, kernel 5
    blocks = ["skip", "k5_e3", *["skip"] * 20]
    hidden = 16 * 3
    block = (16 * hidden + hidden * 25 + hidden * 24) * 32**2
    assert column({"fbnet": blocks}, "macs") - column({"fbnet": FBNET_SKIPS}, "macs") == block - 16 * 24 * 32**2


def test_ofa_largest_subnetwork_has_a_plausible_published_size() -> None:
    # the full MobileNetV3 supernet (kernel 7, expansion 6, depth 4) at 224: 7.7 M parameters as once-for-all loads it
    full = {"ks": [7] * 20, "e": [6] * 20, "d": [4] * 5, "r": 224}
    assert column({"ofa": full}, "parameters") == pytest.approx(7.7e6, rel=0.03)
    assert column({"ofa": OFA}, "macs") < column({"ofa": full}, "macs")


def test_ofa_slots_beyond_the_depth_are_unused() -> None:
    other = {**OFA, "ks": [3, 3, 3, 7] * 5, "e": [4, 4, 4, 6] * 5}
    assert column({"ofa": OFA}, "macs") == column({"ofa": other}, "macs")


def test_batch_multiplies_work_and_not_weights() -> None:
    for raw in ({"nasbench201": name((3, 1, 4, 2, 0, 1))}, {"fbnet": FBNET_SKIPS}, {"ofa": OFA}):
        assert column({**raw, "batch": 8}, "macs") == 8 * column(raw, "macs")
        assert column({**raw, "batch": 8}, "parameters") == column(raw, "parameters")


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        ({"nasbench201": 3}, "must be a string"),
        ({"nasbench201": "|a~0|"}, "three nodes"),
        ({"nasbench201": "|none~0|+|none~0|+|none~0|none~1|none~2|"}, "2 edges"),
        ({"nasbench201": "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|"}, "node 1"),
        ({"nasbench201": "|none~0|+|none~0|dil_conv~1|+|none~0|none~1|none~2|"}, "dil_conv"),
        ({"fbnet": [0] * 21}, "22 blocks"),
        ({"fbnet": [9, *[0] * 21]}, r"fbnet\[0\]"),
        ({"fbnet": [True, *[0] * 21]}, r"fbnet\[0\]"),
        ({"fbnet": [float("nan"), *[0] * 21]}, r"fbnet\[0\]"),
        ({"fbnet": ["k9_e1", *["skip"] * 21]}, "k9_e1"),
        ({"ofa": {**OFA, "ks": [3] * 19}}, "20 numbers"),
        ({"ofa": {**OFA, "e": [5] * 20}}, r"ofa\.e\[0\]"),
        ({"ofa": {**OFA, "r": 500}}, r"ofa\.r"),
        ({"ofa": {**OFA, "width": 1.2}}, "width"),
        ({"ofa": [1]}, "ks, e, d and r"),
        ({"fbnet": FBNET_SKIPS, "batch": 0}, "at least 1"),
        ({"fbnet": FBNET_SKIPS, "batch": 1e9}, "at most"),
        ({"fbnet": FBNET_SKIPS, "dims": {}}, "'batch'"),
    ],
)
def test_wrong_encodings(raw: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError, match=part):
        NetworkFeaturizer().parse(raw)


def test_an_unknown_operation_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError) as caught:
        NetworkFeaturizer().parse({"nasbench201": "|max~0|+|none~0|none~1|+|none~0|none~1|none~2|"})
    assert caught.value.known == sorted(OPERATIONS)


def as_counter(features: Features, subject: int) -> Counter[tuple[float, ...]]:
    assert features.parts is not None
    parts = features.parts
    found: Counter[tuple[float, ...]] = Counter()
    for entry in np.flatnonzero(parts.owner == subject):
        found[tuple(parts.matrix[parts.part[entry]].tolist())] += int(parts.count[entry])
    return found


@pytest.mark.parametrize("profile", sorted(RULES))
@settings(max_examples=15, deadline=None)
@given(ops=st.lists(cells, min_size=1, max_size=3), batch=st.sampled_from([1, 3]))
def test_counted_cells_equal_their_graphs(profile: str, ops: list[tuple[int, ...]], batch: int) -> None:
    live = live_edges_of_many(np.asarray(ops))
    fast = counted(live, profile, batch)
    slow = features_of_graphs([build(live_edges(o), batch) for o in ops], profile)
    np.testing.assert_array_equal(fast.vectors, slow.vectors)
    for subject in range(len(ops)):
        assert as_counter(fast, subject) == as_counter(slow, subject)


def test_the_hard_cells_are_counted_right() -> None:
    """Aliases, equal subexpressions, chains of skips and pools, sums of sums, convolutions on several paths."""
    hard = [*[o for o in itertools.product((1, 3, 4), repeat=6) if o.count(3) <= 1][::7], (1, 0, 0, 0, 2, 0)]
    live = live_edges_of_many(np.asarray(hard))
    fast = counted(live, "onnxruntime", 1)
    slow = features_of_graphs([build(live_edges(o)) for o in hard], "onnxruntime")
    np.testing.assert_array_equal(fast.vectors, slow.vectors)


def test_the_table_of_the_space_holds_what_counting_gives() -> None:
    rng = np.random.default_rng(0)
    ops = rng.integers(0, 5, (500, 6))
    looked_up = table("onnxruntime", 1).take(ops)
    found = counted(live_edges_of_many(ops), "onnxruntime", 1)
    np.testing.assert_array_equal(looked_up.vectors, found.vectors)
    for subject in range(0, 500, 25):
        assert as_counter(looked_up, subject) == as_counter(found, subject)


def test_countable_leaves_identities_and_cut_cells_to_the_graph_path() -> None:
    ops = np.asarray(
        [(0, 0, 0, 1, 0, 0), (1, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 0), (0, 0, 0, 3, 0, 0), (1, 1, 1, 1, 1, 1)]
    )
    assert countable(ops).tolist() == [False, False, False, True, True]


def test_peak_of_a_cell_by_hand() -> None:
    # one 3x3 edge: input, its ReLU and the convolution are never alive with more than two at once after the input dies
    assert peak_values(np.asarray([(0, 0, 0, 3, 0, 0)])).tolist() == [2]
    # skip and 3x3 edge into a sum: the input lives on, so that it, normalised value and sum meet
    assert peak_values(np.asarray([(1, 0, 0, 3, 1, 0)])).tolist() == [3]


def test_count_gives_each_kernel_once() -> None:
    found = count(np.asarray([(3, 3, 3, 3, 3, 3)]), "onnxruntime", 1)
    assert len(set(found.keys)) == len(found.keys)


def test_many_cells_mixed_with_graphs_keep_their_order() -> None:
    featurizer = NetworkFeaturizer()
    raws: list[dict[str, Any]] = [
        {"nasbench201": name((i % 5, 1, 2, 3, i % 3, 4)), "batch": 1 + i % 2} for i in range(40)
    ]
    raws.insert(7, {"fbnet": FBNET_SKIPS})
    subjects = [featurizer.parse(raw) for raw in raws]
    together = featurizer.features(subjects, profile="openvino")
    assert together.parts is not None
    assert (np.diff(together.parts.owner) >= 0).all()
    for index in (0, 6, 7, 8, 40):
        alone = featurizer.features([subjects[index]], profile="openvino")
        np.testing.assert_array_equal(alone.vectors[0], together.vectors[index])
        assert as_counter(alone, 0) == as_counter(together, index)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_profile_answers_for_every_encoding(profile: str) -> None:
    featurizer = NetworkFeaturizer()
    subjects = [
        featurizer.parse(r) for r in ({"nasbench201": name((3, 1, 4, 2, 0, 1))}, {"fbnet": FBNET_SKIPS}, {"ofa": OFA})
    ]
    features = featurizer.features(subjects, profile=profile)
    assert (features.column("macs") > 0).all()
    assert np.isfinite(features.vectors).all()
