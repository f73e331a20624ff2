"""The featurizer as its callers see it: fields, columns, names, determinism."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from featurizers.core import Featurizer
from featurizers.errors import InputError, UnknownNameError
from featurizers.network import COLUMNS, PART_COLUMNS, NetworkFeaturizer
from featurizers.network.columns import GROUPS
from featurizers.network.graph import DTYPE_BYTES
from featurizers.network.kernels import ACTIVATIONS, LAYOUTS, OP_TYPES
from featurizers.network.ops import CLASSES
from featurizers.network.shapes import RULES

Build = Callable[..., Any]
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


def test_is_a_featurizer() -> None:
    assert isinstance(NetworkFeaturizer(), Featurizer)
    assert NetworkFeaturizer.kind == "network"


def test_columns_by_group() -> None:
    groups = [name for name, _ in GROUPS]
    assert len(groups) == 12
    assert Counter(c.group for c in COLUMNS) == {"total": 12, "graph": 9, **dict.fromkeys(groups, 3)}
    assert Counter(c.group for c in PART_COLUMNS) == {
        "identity": 9, "size": 11, "window": 12, "product": 5, "simd": 6, "sequence": 3, "shape": 8,
    }  # fmt: skip
    for columns in (COLUMNS, PART_COLUMNS):
        assert len({c.name for c in columns}) == len(columns)
        assert all(c.unit for c in columns)


def test_vocabularies_only_grow_at_the_end() -> None:
    assert CLASSES[:4] == ("conv", "pointwise", "depthwise", "grouped")
    assert CLASSES[-2:] == ("other", "unknown")
    assert ACTIVATIONS[:3] == ("", "Relu", "LeakyRelu")
    assert LAYOUTS == ("", "nchwc", "nhwc")
    assert OP_TYPES[:3] == ("unknown", "ReorderInput", "ReorderOutput")
    assert [OP_TYPES.index(op) for op in ("Abs", "Conv", "LSTM", "Relu", "Xor")] == [3, 32, 82, 140, 182]
    assert set(RULES) <= set(OP_TYPES)
    assert sorted(c for _, classes in GROUPS for c in classes) == sorted(CLASSES)
    assert set(DTYPE_BYTES.values()) == {0.5, 1, 2, 4, 8, 16}


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        ({}, "exactly one of"),
        ({"nasbench201": CELL, "fbnet": [0] * 22}, "exactly one of"),
        ({"onx": b""}, "onnx"),
        ({"onnx": "text"}, "bytes of a file"),
        ({"onnx": b"", "batch": 2}, "'dims'"),
        ({"onnx": b"", "dims": [1]}, "must map names"),
        ({"onnx": b"", "dims": {"n": float("nan")}}, "'n'"),
        ({"onnx": b"", "dims": {"n": 1.5}}, "'n'"),
        ({"onnx": b"", "dims": {"n": True}}, "'n'"),
        ({"onnx": b"", "allow_unknown_ops": "yes"}, "true or false"),
        ([1, 2], "mapping"),
    ],
)
def test_wrong_fields(raw: Any, part: str) -> None:
    with pytest.raises(InputError, match=part):
        NetworkFeaturizer().parse(raw)


def test_an_unknown_profile_is_named() -> None:
    featurizer = NetworkFeaturizer()
    with pytest.raises(UnknownNameError, match="tensorrt"):
        featurizer.features([featurizer.parse({"nasbench201": CELL})], profile="tensorrt")
    with pytest.raises(UnknownNameError, match="tensorrt"):
        featurizer.features([featurizer.parse({"fbnet": [0] * 22})], profile="tensorrt")


def test_no_subjects() -> None:
    features = NetworkFeaturizer().features([])
    assert features.vectors.shape == (0, len(COLUMNS))
    assert features.parts is not None
    assert features.parts.matrix.shape == (0, len(PART_COLUMNS))


def test_names_give_an_entry_for_each_kernel_with_the_users_nodes() -> None:
    featurizer = NetworkFeaturizer()
    subject = featurizer.parse({"nasbench201": CELL})
    named = featurizer.features([subject], profile="onnxruntime", names=True).parts
    merged = featurizer.features([subject], profile="onnxruntime").parts
    assert named is not None
    assert merged is not None
    assert len(named.names) == len(named.owner) == merged.count.sum()
    assert set(named.count.tolist()) == {1.0}
    assert ("stem/conv", "stem/bn", "stage1/cell1/edge01/relu") not in merged.names
    assert any("stem/conv" in names and "stem/bn" in names for names in named.names)
    per_part = merged.matrix.astype(np.float64).sum(axis=1)
    np.testing.assert_allclose(
        merged.total(per_part, 1), named.total(named.matrix.astype(np.float64).sum(axis=1), 1), rtol=1e-12
    )


def test_the_same_input_gives_the_same_numbers() -> None:
    raws = [{"nasbench201": CELL}, {"fbnet": [1] * 22}]
    first, second = (
        featurizer.features([featurizer.parse(raw) for raw in raws], profile="openvino")
        for featurizer in (NetworkFeaturizer(), NetworkFeaturizer())
    )
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert first.parts is not None
    assert second.parts is not None
    np.testing.assert_array_equal(first.parts.matrix, second.parts.matrix)


def test_equal_kernels_are_held_once(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 8, 6, 6))
    for _ in range(3):
        x = m.op("Relu", m.conv(x, 8, 8))
    featurizer = NetworkFeaturizer()
    parts = featurizer.features([featurizer.parse({"onnx": m.data(x)})]).parts
    assert parts is not None
    assert parts.matrix.shape[0] == 2
    assert parts.count.tolist() == [3.0, 3.0]


def test_kernel_columns_of_a_convolution_by_hand(model: Build) -> None:
    m = model()
    x = m.input("x", (2, 20, 12, 10))
    y = m.conv(x, 20, 24, 3, strides=[2, 2])
    featurizer = NetworkFeaturizer()
    features = featurizer.features([featurizer.parse({"onnx": m.data(y)})])
    assert features.parts is not None
    row = dict(zip((c.name for c in PART_COLUMNS), features.parts.matrix[0].tolist(), strict=True))
    assert CLASSES[int(row["op_class"])] == "conv"
    assert OP_TYPES[int(row["op_type"])] == "Conv"
    wanted = {
        "batch": 2, "channels_in": 20, "channels_out": 24, "groups": 1, "kernel_h": 3, "kernel_w": 3, "stride": 2,
        "dilation": 1, "height_in": 12, "width_in": 10, "height_out": 6, "width_out": 5, "gemm_batch": 2, "gemm_m": 30,
        "gemm_n": 24, "gemm_k": 180, "macs": 2 * 24 * 30 * 180, "bytes_in": 4 * 2 * 20 * 120, "winograd": 0, "bias": 0,
    }  # fmt: skip
    assert {k: row[k] for k in wanted} == wanted
    assert row["waste_in"] == pytest.approx(32 / 20)
    assert row["waste_out"] == pytest.approx(32 / 24)
    assert row["log_im2col_bytes"] == pytest.approx(np.log2(1 + 4 * 2 * 30 * 180))


def test_unknown_ops_are_counted(model: Build) -> None:
    m = model()
    data = m.data(m.op("Wavelet", m.input("x", (2, 4)), domain="my.ops"))
    featurizer = NetworkFeaturizer()
    features = featurizer.features([featurizer.parse({"onnx": data, "allow_unknown_ops": True})], profile="onnxruntime")
    assert features.column("unknown_ops")[0] == 1
    assert features.column("other_bytes")[0] == 2 * 2 * 4 * 4
    assert features.column("flops")[0] == 0


def test_graphs_are_given_when_asked_for_and_hold_the_kernels_of_the_profile() -> None:
    featurizer = NetworkFeaturizer()
    subject = featurizer.parse({"nasbench201": CELL})
    features = featurizer.features([subject], profile="onnxruntime", extras=("graphs",))
    assert featurizer.features([subject], profile="onnxruntime").graphs == ()
    graph, parts = features.graphs[0], features.parts
    assert parts is not None
    assert len(graph.nodes) == parts.count.sum()
    flops = [column.name for column in features.node_columns].index("flops")
    assert graph.nodes[:, flops].sum() == features.column("flops")[0]
    assert (graph.edges[0] < graph.edges[1]).all()
    assert set(graph.edges.reshape(-1)) == set(range(len(graph.nodes)))
    assert {features.vocabulary("nodes")[code] for code in graph.node_types} >= {"Conv", "Gemm"}
