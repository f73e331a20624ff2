"""Fusion rules against the kernels that onnxruntime itself reports for the same graph."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from featurizers.network import PROFILES, kernels
from featurizers.network.kernels import ACTIVATIONS, LAYOUTS, PART_INDEX, Kernel
from featurizers.network.matching import match_nodes, plain_op
from featurizers.network.onnx_reader import read_onnx

Build = Callable[..., Any]
AVX512 = "avx512f" in Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else False


def residual(m: Any) -> str:
    """Convolutions with normalisation, a strided block with a projection, pooling, a classifier."""
    x = m.op("Relu", m.bn(m.conv(m.input("x", (1, 3, 16, 16)), 3, 16), 16))
    y = m.op("Relu", m.bn(m.conv(x, 16, 16), 16))
    x = m.op("Relu", m.op("Add", m.bn(m.conv(y, 16, 16), 16), x))
    y = m.bn(m.conv(x, 16, 24, strides=[2, 2]), 24)
    x = m.op("Relu", m.op("Add", y, m.bn(m.conv(x, 16, 24, 1, strides=[2, 2]), 24)))
    x = m.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return str(m.op("Gemm", m.op("Flatten", m.op("GlobalAveragePool", x)), m.weight(24, 10), m.weight(10)))


def mobile(m: Any) -> str:
    """Inverted residual with depthwise convolution, squeeze and excitation, hard swish, SiLU, clip."""
    x = m.op("HardSwish", m.bn(m.conv(m.input("x", (1, 3, 16, 16)), 3, 16, strides=[2, 2]), 16))
    y = m.op("Clip", m.conv(x, 16, 64, 1), m.weight(value=np.float32(0)), m.weight(value=np.float32(6)))
    y = m.op("HardSwish", m.bn(m.conv(y, 64, 64, 3, group=64), 64))
    gate = m.op("Relu", m.op("Conv", m.op("GlobalAveragePool", y), m.weight(16, 64, 1, 1), m.weight(16)))
    gate = m.op("HardSigmoid", m.op("Conv", gate, m.weight(64, 16, 1, 1), m.weight(64)))
    y = m.conv(m.op("Mul", y, gate), 64, 16, 1)
    x = m.op("Add", y, x)
    y = m.conv(x, 16, 20, 1)
    return str(m.op("Mul", y, m.op("Sigmoid", y)))


def dense(m: Any) -> str:
    """Concatenations, normalisation before activation, channels that fit no block."""
    x = m.conv(m.input("x", (1, 3, 12, 12)), 3, 16)
    for channels in (16, 28):
        y = m.op("Relu", m.bn(x, channels))
        x = m.op("Concat", x, m.conv(y, channels, 12), axis=1)
    return str(m.op("AveragePool", m.op("Relu", m.bn(x, 40)), kernel_shape=[2, 2], strides=[2, 2]))


def layer_norm(m: Any, x: str, size: int) -> str:
    axes = {"axes": [-1]} if m.opset < 18 else {}
    inputs = [] if axes else [m.weight(value=np.asarray([-1], np.int64))]
    centred = m.op("Sub", x, m.op("ReduceMean", x, *inputs, **axes))
    square = m.op("Pow", centred, m.weight(value=np.float32(2)))
    deviation = m.op("Sqrt", m.op("Add", m.op("ReduceMean", square, *inputs, **axes), m.weight(value=np.float32(1e-5))))
    return str(m.op("Add", m.op("Mul", m.op("Div", centred, deviation), m.weight(size)), m.weight(size)))


def linear(m: Any, x: str, cin: int, cout: int) -> str:
    return str(m.op("Add", m.weight(cout), m.op("MatMul", x, m.weight(cin, cout))))


def transformer(m: Any) -> str:
    """A block as older exporters write it: decomposed norms and GELU, three projections cut from one."""
    x = m.input("x", (1, 10, 32))
    qkv = m.op("Reshape", linear(m, layer_norm(m, x, 32), 32, 96), m.weight(value=np.asarray([1, 10, 3, 4, 8])))
    qkv = m.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (m.op("Gather", qkv, m.weight(value=np.asarray(i)), axis=0) for i in range(3))
    scores = m.op("MatMul", q, m.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = m.op("Softmax", m.op("Div", scores, m.weight(value=np.float32(8**0.5))), axis=-1)
    y = m.op("Transpose", m.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    y = linear(m, m.op("Reshape", y, m.weight(value=np.asarray([1, 10, 32]))), 32, 32)
    x = m.op("Add", x, y)
    y = linear(m, layer_norm(m, x, 32), 32, 64)
    erf = m.op("Erf", m.op("Div", y, m.weight(value=np.float32(2**0.5))))
    y = m.op("Mul", m.op("Mul", y, m.op("Add", erf, m.weight(value=np.float32(1)))), m.weight(value=np.float32(0.5)))
    return str(m.op("Add", x, linear(m, y, 64, 32)))


def channels_last(m: Any) -> str:
    """A ConvNeXt block: depthwise convolution, normalisation and MLP with channels last, back by a transpose."""
    x = m.op("Relu", m.conv(m.input("x", (1, 3, 8, 8)), 3, 32))
    y = m.op("Transpose", m.conv(x, 32, 32, 7, group=32), perm=[0, 2, 3, 1])
    y = m.op("LayerNormalization", y, m.weight(32), m.weight(32), axis=-1)
    y = linear(m, m.op("Gelu", linear(m, y, 32, 64)), 64, 32)
    return str(m.op("Add", x, m.op("Transpose", y, perm=[0, 3, 1, 2])))


def recurrent(m: Any) -> str:
    x = m.op("Transpose", m.input("x", (2, 9, 12)), perm=[1, 0, 2])
    y = m.op("LSTM", x, m.weight(1, 64, 12), m.weight(1, 64, 16), m.weight(1, 128), hidden_size=16)
    y = m.op("Squeeze", y, m.weight(value=np.asarray([1], np.int64)))
    y = m.op("Gather", y, m.weight(value=np.asarray(-1)), axis=0)
    return str(m.op("Relu", m.op("Gemm", y, m.weight(16, 5), m.weight(5))))


def shuffle(m: Any) -> str:
    """Grouped convolutions and a channel shuffle."""
    x = m.op("Relu", m.conv(m.input("x", (1, 3, 8, 8)), 3, 32))
    y = m.op("Relu", m.conv(x, 32, 32, 1, group=2))
    y = m.op("Reshape", y, m.weight(value=np.asarray([1, 2, 16, 8, 8])))
    y = m.op("Reshape", m.op("Transpose", y, perm=[0, 2, 1, 3, 4]), m.weight(value=np.asarray([1, 32, 8, 8])))
    return str(m.conv(y, 32, 30, 3, group=2))


def upsampled(m: Any) -> str:
    x = m.op("Relu", m.conv(m.input("x", (1, 3, 8, 8)), 3, 16))
    y = m.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = m.op("Resize", m.conv(y, 16, 16), "", m.weight(value=np.asarray([1, 1, 2, 2], np.float32)), mode="nearest")
    return str(m.op("Sigmoid", m.conv(m.op("Concat", x, y, axis=1), 32, 4, 1)))


GRAPHS = [residual, mobile, dense, transformer, channels_last, recurrent, shuffle, upsampled]


def executed(data: bytes, level: str, folder: Path) -> onnx.GraphProto:
    """The graph that onnxruntime executes."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimised.onnx").graph


def ours(found: tuple[Kernel, ...]) -> Counter[tuple[str, str]]:
    return Counter((plain_op(k.op), ACTIVATIONS[int(k.row[PART_INDEX["activation"]])]) for k in found)


def theirs(graph: onnx.GraphProto) -> Counter[tuple[str, str]]:
    def activation(node: onnx.NodeProto) -> str:
        return next((a.s.decode() for a in node.attribute if a.name == "activation"), "")

    return Counter((plain_op(n.op_type), activation(n)) for n in graph.node)


@pytest.mark.skipif(not AVX512, reason="onnxruntime blocks channels by 16 on AVX-512 only")
@pytest.mark.parametrize("write", GRAPHS, ids=lambda f: f.__name__)
def test_optimised_kernels_are_onnxruntimes(write: Callable[[Any], str], model: Build, tmp_path: Path) -> None:
    m = model(opset=20 if write is channels_last else 17)
    data = m.data(write(m))
    found = kernels(read_onnx(data), "onnxruntime")
    assert ours(found) == theirs(executed(data, "ORT_ENABLE_ALL", tmp_path))


@pytest.mark.parametrize("write", [residual, mobile, transformer, recurrent], ids=lambda f: f.__name__)
def test_unoptimised_kernels_are_onnxruntimes(write: Callable[[Any], str], model: Build, tmp_path: Path) -> None:
    m = model(opset=17)
    data = m.data(write(m))
    found = kernels(read_onnx(data), "onnxruntime-noopt")
    assert ours(found) == theirs(executed(data, "ORT_DISABLE_ALL", tmp_path))


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("write", GRAPHS, ids=lambda f: f.__name__)
def test_no_profile_loses_work(profile: str, write: Callable[[Any], str], model: Build) -> None:
    m = model(opset=20 if write is channels_last else 17)
    graph = read_onnx(m.data(write(m)))
    macs = [sum(k.row[PART_INDEX["macs"]] for k in kernels(graph, p)) for p in ("none", profile)]
    blocked_norms = sum(  # a normalisation in the blocked layout is executed as a 1x1 depthwise convolution
        k.row[PART_INDEX["macs"]]
        for k in kernels(graph, profile)
        if k.row[PART_INDEX["kernel_h"]] == 1 and k.row[PART_INDEX["groups"]] > 1 and k.row[PART_INDEX["layout"]] == 1
    )
    grouped_pointwise = write is shuffle
    assert macs[1] == macs[0] + (0 if grouped_pointwise else blocked_norms)


@pytest.mark.parametrize("write", GRAPHS, ids=lambda f: f.__name__)
def test_every_node_is_in_at_most_one_kernel_and_products_in_one(write: Callable[[Any], str], model: Build) -> None:
    m = model(opset=20 if write is channels_last else 17)
    graph = read_onnx(m.data(write(m)))
    for profile in ("onnxruntime", "openvino", "torch-eager"):
        names = Counter(name for k in kernels(graph, profile) for name in set(k.names))
        assert max(names.values()) == 1
        assert {n.name for n in graph.nodes if n.op in ("Conv", "Gemm", "MatMul", "LSTM")} <= set(names)


def test_openvino_takes_additions_and_activations_into_products(model: Build) -> None:
    m = model()
    found = kernels(read_onnx(m.data(residual(m))), "openvino")
    assert Counter(k.op for k in found) == {"Conv": 5, "MaxPool": 1, "GlobalAveragePool": 1, "Flatten": 1, "Gemm": 1}
    assert sum(k.row[PART_INDEX["residual"]] for k in found) == 2
    assert sum(k.row[PART_INDEX["activation"]] > 0 for k in found) == 4


def test_torch_eager_runs_each_node_and_views_move_nothing(model: Build) -> None:
    m = model()
    graph = read_onnx(m.data(transformer(m)))
    found = kernels(graph, "torch-eager")
    split = next(k for k in found if "Identity" in k.op)
    assert split.row[PART_INDEX["bytes_out"]] == 0
    assert sum(k.op == "LayerNormalization" for k in found) == 0


def test_int8_runs_products_on_integers_between_conversions(model: Build) -> None:
    m = model()
    found = kernels(read_onnx(m.data(residual(m))), "onnxruntime-int8")
    counts = Counter(k.op for k in found)
    assert (counts["QuantizeLinear"], counts["DequantizeLinear"], counts["Relu"]) == (1, 1, 0)
    for kernel in found:
        if kernel.op in ("Conv", "Gemm", "Add", "MaxPool"):
            assert kernel.row[PART_INDEX["quantised"]] == 1
            assert kernel.row[PART_INDEX["element_bytes"]] == 1
    convolutions = [k for k in found if k.op == "Conv"]
    assert {LAYOUTS[int(k.row[PART_INDEX["layout"]])] for k in convolutions} == {"nhwc"}


def test_simulated_arrays_run_products_only(model: Build) -> None:
    m = model()
    found = kernels(read_onnx(m.data(mobile(m))), "sim")
    assert {k.op for k in found} == {"Conv"}
    assert len(found) == 7


def test_equal_subexpressions_run_once(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 8))
    out = m.op("Add", m.op("Exp", x), m.op("Exp", x))
    found = kernels(read_onnx(m.data(out)), "onnxruntime")
    assert Counter(k.op for k in found) == {"Exp": 1, "Add": 1}
    assert set(found[0].names) == {"n0", "n1"}


def test_profiler_rows_find_their_kernels_by_name_then_by_size(model: Build) -> None:
    m = model(opset=17)
    found = kernels(read_onnx(m.data(residual(m))), "onnxruntime")
    first = next(i for i, k in enumerate(found) if "n0" in k.names)
    reorder = next(i for i, k in enumerate(found) if k.op == "ReorderOutput")
    conv = f"{found[first].outputs[0].removesuffix('/nchwc')}_nchwc"
    size = f"float:1x{found[reorder].elements}"
    rows = [
        {"node": conv, "op_type": "Conv", "input_shapes": "", "output_shapes": "float:1x16x16x16"},
        {"node": "ReorderOutput_token_7", "op_type": "ReorderOutput", "input_shapes": size, "output_shapes": size},
        {"node": "elsewhere", "op_type": "Gemm", "input_shapes": "", "output_shapes": "float:1x11"},
    ]
    assert match_nodes(found, rows) == [first, reorder, None]


def profiled(data: bytes, feeds: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """One row per executed node, as onnxruntime's profiler writes them."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    session.run(None, feeds)
    events = json.loads(Path(session.end_profiling()).read_text())
    nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    return [
        {
            "node": e["name"].removesuffix("_kernel_time"),
            "op_type": e["args"]["op_name"],
            "input_shapes": written_shapes(e["args"]["input_type_shape"]),
            "output_shapes": written_shapes(e["args"]["output_type_shape"]),
        }
        for e in nodes
    ]


def written_shapes(entries: list[dict[str, list[int]]]) -> str:
    return " ".join(f"{kind}:{'x'.join(map(str, shape))}" for entry in entries for kind, shape in entry.items())


@pytest.mark.skipif(not AVX512, reason="onnxruntime blocks channels by 16 on AVX-512 only")
@pytest.mark.parametrize("write", GRAPHS, ids=lambda f: f.__name__)
def test_every_profiled_node_is_matched_to_a_kernel(write: Callable[[Any], str], model: Build, tmp_path: Path) -> None:
    m = model(opset=20 if write is channels_last else 17)
    data = m.data(write(m))
    graph = read_onnx(data)
    feeds = {n: np.ones(graph.tensors[n].shape, np.float32) for n in graph.inputs}
    rows = profiled(data, feeds, tmp_path)
    matched = match_nodes(kernels(graph, "onnxruntime"), rows)
    assert [row["node"] for row, found in zip(rows, matched, strict=True) if found is None] == []
    assert len(set(matched)) == len(rows)
