"""ONNX files: what is read, what is computed for shapes, and what is refused and how."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.network import NetworkFeaturizer, NetworkGraph
from featurizers.network.onnx_reader import read_onnx

Build = Callable[..., Any]


def small(model: Build) -> Any:
    m = model()
    x = m.input("x", (1, 3, 8, 8))
    y = m.op("Relu", m.bn(m.conv(x, 3, 16), 16))
    y = m.op("Flatten", m.op("GlobalAveragePool", y), axis=1)
    return m, m.op("Gemm", y, m.weight(16, 10), m.weight(10))


def test_reads_what_onnx_shape_inference_reads(model: Build) -> None:
    m, out = small(model)
    graph = read_onnx(m.data(out))
    inferred = onnx.shape_inference.infer_shapes(m.proto(out), strict_mode=True)
    for info in inferred.graph.value_info:
        assert graph.tensors[info.name].shape == tuple(d.dim_value for d in info.type.tensor_type.shape.dim)
    assert [n.op for n in graph.nodes] == [n.op_type for n in m.nodes]
    assert graph.parameters == 16 * 3 * 9 + 4 * 16 + 16 * 10 + 10


CASES: list[tuple[str, list[tuple[int, ...]], dict[str, Any], list[Any]]] = [
    ("Conv", [(2, 8, 9, 9), (4, 2, 3, 3)], {"group": 4, "strides": [2, 2], "pads": [1, 0, 1, 2]}, []),
    ("Conv", [(1, 4, 9, 7), (8, 4, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, []),
    ("Conv", [(1, 4, 20), (8, 4, 3)], {"dilations": [2]}, []),
    ("ConvTranspose", [(1, 4, 5, 5), (4, 3, 3, 3)], {"strides": [2, 2], "output_padding": [1, 1], "group": 2}, []),
    ("MaxPool", [(1, 4, 9, 9)], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, []),
    ("AveragePool", [(1, 4, 9, 9)], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, []),
    ("MatMul", [(2, 1, 3, 4), (5, 4, 6)], {}, []),
    ("MatMul", [(3, 4), (4,)], {}, []),
    ("Gemm", [(4, 3), (5, 4)], {"transA": 1, "transB": 1}, []),
    ("Add", [(2, 1, 3), (4, 1)], {}, []),
    ("Concat", [(2, 3), (2, 5)], {"axis": -1}, []),
    ("Split", [(2, 7)], {"axis": 1}, [np.asarray([3, 4])]),
    (
        "Slice",
        [(4, 9)],
        {},
        [np.asarray([1, -1]), np.asarray([2**31, -(2**31)]), np.asarray([0, 1]), np.asarray([2, -3])],
    ),
    ("Gather", [(5, 6)], {"axis": 1}, [np.asarray([[0, 1], [2, 3]])]),
    ("Reshape", [(2, 3, 4)], {}, [np.asarray([0, -1, 2])]),
    ("Transpose", [(2, 3, 4)], {"perm": [2, 0, 1]}, []),
    ("Squeeze", [(1, 3, 1)], {}, [np.asarray([-1])]),
    ("Unsqueeze", [(3, 4)], {}, [np.asarray([0, -1])]),
    ("Expand", [(3, 1)], {}, [np.asarray([2, 1, 4])]),
    ("Tile", [(3, 2)], {}, [np.asarray([2, 3])]),
    ("Pad", [(3, 2)], {}, [np.asarray([1, 0, 2, 3])]),
    ("ReduceMean", [(2, 3, 4)], {"keepdims": 0}, [np.asarray([-1])]),
    ("ReduceSum", [(2, 3, 4)], {}, []),
    ("ArgMax", [(2, 3, 4)], {"axis": 1, "keepdims": 0}, []),
    ("TopK", [(2, 9)], {}, [np.asarray([4])]),
    ("DepthToSpace", [(1, 8, 2, 3)], {"blocksize": 2}, []),
    ("SpaceToDepth", [(1, 2, 4, 6)], {"blocksize": 2}, []),
    ("Softmax", [(2, 3)], {}, []),
    ("LayerNormalization", [(2, 3, 4), (4,)], {}, []),
    ("Einsum", [(2, 3, 4), (2, 4, 5)], {"equation": "bij,bjk->bik"}, []),
    ("Flatten", [(2, 3, 4)], {"axis": 2}, []),
    ("LSTM", [(5, 2, 3), (2, 16, 3), (2, 16, 4)], {"hidden_size": 4, "direction": "bidirectional"}, []),
    ("GRU", [(5, 2, 3), (1, 12, 3), (1, 12, 4)], {"hidden_size": 4}, []),
    ("Where", [(2, 1), (1, 3), (2, 3)], {}, []),
]


@pytest.mark.parametrize(("op", "shapes", "attrs", "constants"), CASES)
def test_shape_rule_agrees_with_onnx(
    model: Build, op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], constants: list[Any]
) -> None:
    m = model()
    kinds = [TensorProto.BOOL if op == "Where" and i == 0 else TensorProto.FLOAT for i in range(len(shapes))]
    inputs = [m.input(f"x{i}", s, k) for i, (s, k) in enumerate(zip(shapes, kinds, strict=True))]
    inputs += [m.weight(value=c.astype(np.int64)) for c in constants]
    outputs = {"Split": 2, "TopK": 2, "LSTM": 3, "GRU": 2}.get(op, 1)
    out = m.op(op, *inputs, outputs=outputs, **attrs)
    inferred = onnx.shape_inference.infer_shapes(m.proto(out), strict_mode=True).graph
    expected = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in
                (*inferred.value_info, *inferred.output)}  # fmt: skip
    graph = read_onnx(m.data(out))
    for name in m.nodes[-1].output:
        assert graph.tensors[name].shape == expected[name]


def test_constant_chains_that_exporters_leave_are_folded(model: Build) -> None:
    m = model()
    x = m.input("x", ("batch", 3, 4))
    size = m.op("Shape", x)
    batch = m.op("Gather", size, m.weight(value=np.asarray(0)))
    rest = m.op("Mul", m.op("Gather", size, m.weight(value=np.asarray(1))), m.weight(value=np.asarray(4)))
    target = m.op("Concat", *(m.op("Unsqueeze", v, m.weight(value=np.asarray([0]))) for v in (batch, rest)), axis=0)
    graph = read_onnx(m.data(m.op("Reshape", x, target)), {"batch": 5})
    assert graph.tensors[graph.outputs[0]].shape == (5, 12)
    assert graph.parameters == 0


def test_a_weight_without_data_or_with_data_elsewhere_is_read_by_its_dims(model: Build) -> None:
    m, out = small(model)
    whole = read_onnx(m.data(out))
    for weight in m.weights:
        weight.ClearField("raw_data")
    assert read_onnx(m.data(out)).tensors == whole.tensors
    for weight in m.weights:
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="weights.bin")
    assert read_onnx(m.data(out)).tensors == whole.tensors


def test_nodes_in_any_order(model: Build) -> None:
    m, out = small(model)
    forward = read_onnx(m.data(out))
    m.nodes.reverse()
    assert [n.name for n in read_onnx(m.data(out)).nodes] == [n.name for n in forward.nodes]


def test_local_functions_are_expanded(model: Build) -> None:
    body = helper.make_node("Relu", ["a"], ["b"])
    function = helper.make_function("own", "Act", ["a"], ["b"], [body], [helper.make_opsetid("", 18)])
    m = model()
    out = m.op("Act", m.input("x", (1, 4)), domain="own")
    proto = m.proto(out)
    proto.opset_import.append(helper.make_opsetid("own", 1))
    proto.functions.append(function)
    assert [n.op for n in read_onnx(proto.SerializeToString()).nodes] == ["Relu"]


def refused(data: bytes, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read_onnx(data, **options)
    return caught.value


def test_a_dynamic_dimension_needs_a_value_and_says_how_to_give_it(model: Build) -> None:
    m = model()
    data = m.data(m.op("Relu", m.input("image", ("batch", 3))))
    message = str(refused(data))
    assert "'batch'" in message
    assert "'image'" in message
    assert "--dim batch=1" in message
    assert read_onnx(data, {"batch": 7}).tensors["image"].shape == (7, 3)
    unknown = refused(data, dims={"batch": 1, "sequence": 2})
    assert isinstance(unknown, UnknownNameError)
    assert unknown.known == ["batch"]


def test_a_nameless_dimension_is_called_by_input_and_axis(model: Build) -> None:
    m = model()
    m.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3]))
    data = m.data(m.op("Relu", "x"))
    assert "--dim x.0=1" in str(refused(data))
    assert read_onnx(data, {"x.0": 2}).tensors["x"].shape == (2, 3)


def test_a_cycle_is_named(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 4))
    m.nodes.append(helper.make_node("Add", [x, "late"], ["early"], name="first"))
    m.nodes.append(helper.make_node("Relu", ["early"], ["late"], name="second"))
    error = refused(m.data("late"))
    assert "cycle" in str(error)
    assert "first" in str(error)


@pytest.mark.parametrize(
    ("shape", "rule"), [((1, 0, 4), "must be at least 1"), ((2**31 + 1, 4), "at most"), ((2**30, 2**20), "at most")]
)
def test_zero_and_absurd_dimensions(model: Build, shape: tuple[int, ...], rule: str) -> None:
    m = model()
    assert rule in str(refused(m.data(m.op("Relu", m.input("x", shape)))))


def test_a_result_of_size_zero_names_the_node(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 3, 4, 4))
    error = refused(m.data(m.op("MaxPool", x, kernel_shape=[5, 5], name="too-large")))
    assert "too-large" in str(error)


def test_missing_shape(model: Build) -> None:
    m = model()
    assert "must have a shape" in str(refused(m.data(m.op("Relu", m.input("x", None)))))


def test_an_unknown_op_is_named_with_its_node_and_passes_only_if_allowed(model: Build) -> None:
    m = model()
    x = m.input("x", (2, 4))
    data = m.data(m.op("Relu", m.op("Wavelet", x, name="wave", domain="my.ops")))
    error = refused(data)
    assert isinstance(error, UnknownNameError)
    assert "my.ops.Wavelet" in str(error)
    assert "wave" in str(error)
    graph = read_onnx(data, allow_unknown_ops=True)
    assert graph.unknown_ops == ("wave",)
    assert graph.tensors[graph.outputs[0]].shape == (2, 4)


def test_control_flow_and_data_dependent_ops_are_refused_by_name(model: Build) -> None:
    m = model()
    x = m.input("x", (4,))
    assert "NonZero" in str(refused(m.data(m.op("NonZero", x))))
    branch = helper.make_graph(
        [helper.make_node("Relu", [x], ["r"])], "b", [], [helper.make_empty_tensor_value_info("r")]
    )
    m2 = model()
    m2.input("x", (4,))
    condition = m2.weight(value=np.asarray(True))
    error = refused(m2.data(m2.op("If", condition, name="choice", then_branch=branch, else_branch=branch)))
    assert "If" in str(error)
    assert "choice" in str(error)


@pytest.mark.parametrize("data", [b"", b"not an onnx file", b"\x00" * 64, b"PK\x03\x04" + b"\x00" * 30])
def test_other_files(data: bytes) -> None:
    assert "ONNX" in str(refused(data))


def test_a_file_over_the_limit_is_not_read() -> None:
    with pytest.raises(LimitError, match="at most 10 bytes"):
        read_onnx(b"\xff" * 11, max_bytes=10)
    assert LimitError.status == 413


def test_more_nodes_than_allowed(model: Build) -> None:
    m = model()
    x = m.input("x", (1,))
    node = helper.make_node("Relu", [x], ["y"])
    m.nodes.extend([node] * 20_001)
    with pytest.raises(LimitError, match="20000"):
        read_onnx(m.data("y"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_bytes_are_refused_or_read_but_never_crash(data: st.DataObject) -> None:
    whole = bytearray(_broken_source())
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for _ in range(data.draw(st.integers(0, 4))):
        if whole:
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        graph = read_onnx(bytes(whole))
    except InputError:
        return
    assert isinstance(graph, NetworkGraph)


def _broken_source() -> bytes:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Reshape", ["c", "s"], ["r"]),
        helper.make_node("Softmax", ["r"], ["y"], axis=-1),
    ]
    weights = [
        helper.make_tensor("w", TensorProto.FLOAT, [2, 1, 3, 3], [0.5] * 18),
        helper.make_tensor("s", TensorProto.INT64, [2], [1, -1]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])
    graph = helper.make_graph(nodes, "g", [x], [helper.make_empty_tensor_value_info("y")], weights)
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString())


def test_reading_imports_neither_torch_nor_onnx() -> None:
    assert importlib.util.find_spec("torch") is not None
    code = (
        "import sys; from featurizers.network import NetworkFeaturizer as F;"
        "g = F().parse({'nasbench201': '|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|'});"
        "F().features([g], profile='onnxruntime');"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'pandas', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_quantised_file_has_its_weights_and_macs(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 4, 6, 6), TensorProto.UINT8)
    scale, zero = m.weight(value=np.float32(0.1)), m.weight(value=np.uint8(0))
    weight, none = m.weight(value=np.ones((8, 4, 3, 3), np.int8)), m.weight(value=np.int8(0))
    out = m.op("QLinearConv", x, scale, zero, weight, scale, none, scale, zero, pads=[1, 1, 1, 1])
    graph = read_onnx(m.data(out))
    assert graph.tensors[out].shape == (1, 8, 6, 6)
    features = NetworkFeaturizer().features([graph])
    assert features.column("macs")[0] == 8 * 36 * 4 * 9
    assert features.column("quantised_share")[0] == 1
    assert graph.parameters == 8 * 4 * 9


def test_a_channels_last_quantised_convolution_has_the_work_of_the_plain_one(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 6, 6, 4), TensorProto.UINT8)
    scale, zero = m.weight(value=np.float32(0.1)), m.weight(value=np.uint8(0))
    weight, none = m.weight(value=np.ones((8, 4, 3, 3), np.int8)), m.weight(value=np.int8(0))
    inputs = (x, scale, zero, weight, scale, none, scale, zero)
    y = m.op("QLinearConv", *inputs, pads=[1, 1, 1, 1], domain="com.microsoft", channels_last=1)
    graph = read_onnx(m.data(m.op("NhwcMaxPool", y, kernel_shape=[2, 2], strides=[2, 2], domain="com.microsoft")))
    assert graph.tensors[y].shape == (1, 6, 6, 8)
    assert graph.tensors[graph.outputs[0]].shape == (1, 3, 3, 8)
    features = NetworkFeaturizer().features([graph])
    assert features.column("macs")[0] == 8 * 36 * 4 * 9
    assert features.column("max_channels")[0] == 8
