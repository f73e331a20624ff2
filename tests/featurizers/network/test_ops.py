"""Costs against numbers worked out by hand, and against torch's own counter."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from featurizers.errors import InputError
from featurizers.network import NetworkFeaturizer, NetworkGraph, Node, Tensor
from featurizers.network.columns import peak_activation_bytes
from featurizers.network.graph import DTYPE_BYTES
from featurizers.network.onnx_reader import read_onnx
from featurizers.network.ops import Cost, attention_work, cost, gemm_dims, op_class
from featurizers.network.shapes import infer
from featurizers.network.site import Site

Build = Callable[..., Any]


def site(
    op: str, *shapes: tuple[int, ...], constants: tuple[int, ...] = (), dtype: str = "float32", **attrs: Any
) -> Site:
    names = tuple(f"i{n}" for n in range(len(shapes)))
    tensors = {n: Tensor(s, dtype, i in constants) for i, (n, s) in enumerate(zip(names, shapes, strict=True))}
    node = Node("node", op, names, ("out",), attrs)
    tensors["out"] = Tensor(infer(Site(node, tensors, {}))[0], dtype)
    return Site(node, tensors, {})


def test_convolution_by_hand() -> None:
    # 8 output channels of 10 x 10 pixels, 3 x 3 taps over 4 input channels, one bias each
    found = cost(site("Conv", (1, 4, 10, 10), (8, 4, 3, 3), (8,), constants=(1, 2), pads=[1, 1, 1, 1]))
    macs = 8 * 100 * 4 * 9
    assert found == Cost(macs, 2 * macs + 800, 8 * 4 * 9 + 8, 4 * 400, 4 * (288 + 8), 4 * 800)
    assert found.intensity == (2 * macs + 800) / (1600 + 1184 + 3200)


@pytest.mark.parametrize(
    ("weight", "group", "name"),
    [
        ((8, 8, 3, 3), 1, "conv"),
        ((8, 8, 1, 1), 1, "pointwise"),
        ((8, 1, 3, 3), 8, "depthwise"),
        ((8, 2, 3, 3), 4, "grouped"),
    ],
)
def test_class_and_macs_of_convolutions(weight: tuple[int, ...], group: int, name: str) -> None:
    at = site("Conv", (2, 8, 5, 5), weight, constants=(1,), group=group, pads=[weight[2] // 2] * 4)
    assert op_class(at) == name
    assert cost(at).macs == 2 * 8 * 25 * weight[1] * weight[2] ** 2


def test_dilation_and_stride_change_pixels_only() -> None:
    at = site("Conv", (1, 2, 11, 11), (4, 2, 3, 3), constants=(1,), dilations=[2, 2], strides=[2, 2])
    assert cost(at).macs == 4 * 4 * 4 * 2 * 9


def test_transposed_convolution_multiplies_every_input_pixel_with_every_tap() -> None:
    at = site("ConvTranspose", (1, 4, 5, 5), (4, 6, 2, 2), constants=(1,), strides=[2, 2])
    assert cost(at).macs == 4 * 25 * 6 * 4


def test_matrix_products_by_hand() -> None:
    assert cost(site("Gemm", (3, 5), (7, 5), (7,), constants=(1, 2), transB=1)).flops == 2 * 3 * 5 * 7 + 21
    assert gemm_dims(site("MatMul", (2, 4, 3, 5), (2, 4, 5, 7))) == (8, 3, 7, 5)
    assert gemm_dims(site("MatMul", (2, 3, 5), (5, 7), constants=(1,))) == (1, 6, 7, 5)
    assert cost(site("MatMul", (2, 1, 3, 5), (4, 5, 7))).macs == 2 * 4 * 3 * 5 * 7
    assert cost(site("MatMul", (6, 5), (5,))).macs == 30
    assert cost(site("Einsum", (2, 3, 5), (2, 5, 7), equation="bij,bjk->bik")).macs == 2 * 3 * 5 * 7


def test_attention_by_hand() -> None:
    # 2 sentences, 4 heads, 10 queries on 12 keys of size 8, values of size 6
    done = attention_work(2, 4, 10, 12, 8, 6)
    scores = 2 * 4 * 10 * 12
    assert done.macs == scores * 8 + scores * 6
    assert done.elementwise == scores * 6
    fused = cost(site("MultiHeadAttention", (2, 10, 32), (2, 12, 32), (2, 12, 32), num_heads=4))
    assert fused.macs == 2 * 4 * 10 * 12 * 8 * 2


def test_recurrent_by_hand() -> None:
    at = site("LSTM", (7, 2, 3), (2, 20, 3), (2, 20, 5), constants=(1, 2), hidden_size=5, direction="bidirectional")
    assert cost(at).macs == 7 * 2 * 2 * 4 * 5 * (3 + 5)
    assert cost(site("GRU", (7, 2, 3), (1, 15, 3), (1, 15, 5), constants=(1, 2))).macs == 7 * 2 * 3 * 5 * 8


def test_elementwise_movement_and_views() -> None:
    assert cost(site("Relu", (2, 50)))[:2] == (0, 100)
    assert cost(site("Add", (2, 50), (50,))).flops == 100
    moved = cost(site("Transpose", (2, 50), perm=[1, 0]))
    assert (moved.flops, moved.bytes_in, moved.bytes_out) == (0, 400, 400)
    view = cost(site("Flatten", (2, 5, 5), axis=1))
    assert (view.flops, view.bytes_in, view.bytes_out) == (0, 0, 0)
    looked_up = cost(site("Gather", (1000, 16), (3, 4), constants=(0,)))
    assert looked_up.bytes_weights == looked_up.bytes_out == 3 * 4 * 16 * 4


def test_bytes_follow_the_element_type() -> None:
    for dtype, size in DTYPE_BYTES.items():
        assert cost(site("Relu", (4, 8), dtype=dtype)).bytes_in == 32 * size


def test_peak_memory_of_a_skip_connection_by_hand() -> None:
    # x lives until the addition: at the addition x, the second ReLU and the sum are alive
    tensors = {n: Tensor((1, 100)) for n in ("x", "a", "b", "y")}
    nodes = (Node("1", "Relu", ("x",), ("a",)), Node("2", "Relu", ("a",), ("b",)), Node("3", "Add", ("x", "b"), ("y",)))
    assert peak_activation_bytes(NetworkGraph(nodes, tensors, ("x",), ("y",))) == 3 * 400


def test_a_view_shares_the_memory_of_its_input() -> None:
    tensors = {"x": Tensor((1, 100)), "v": Tensor((100,)), "y": Tensor((100,))}
    nodes = (Node("1", "Flatten", ("x",), ("v",)), Node("2", "Relu", ("v",), ("y",)))
    assert peak_activation_bytes(NetworkGraph(nodes, tensors, ("x",), ("y",))) == 2 * 400


class Mixed(nn.Module):
    """Every kind of convolution, a residual, attention, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.depthwise = nn.Conv2d(16, 16, 5, padding=2, groups=16)
        self.grouped = nn.Conv2d(16, 32, 3, padding=2, dilation=2, groups=4)
        self.up = nn.ConvTranspose2d(32, 8, 2, 2)
        self.attention = nn.Linear(8, 24)
        self.out = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.stem(x))
        y = self.grouped(y + self.depthwise(y))
        y = self.up(y).flatten(2).transpose(1, 2)
        q, k, v = self.attention(y).chunk(3, -1)
        y = nn.functional.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return self.out(y.mean(1))


class Sequence(nn.Module):
    """Layer norm, an MLP, a two-layer bidirectional LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 12))
        self.lstm = nn.LSTM(12, 7, 2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(14, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(x + self.mlp(x))
        return self.head(y[:, -1])


@pytest.mark.filterwarnings("ignore:The tensor attributes self.lstm:UserWarning")  # how torch.export treats an LSTM
@pytest.mark.parametrize(("module", "shape"), [(Mixed, (2, 3, 16, 16)), (Sequence, (3, 5, 12))])
def test_macs_agree_with_torch_on_the_meta_device(module: type[nn.Module], shape: tuple[int, ...]) -> None:
    net = module().eval()
    file = io.BytesIO()
    torch.export.save(torch.export.export(net, (torch.randn(shape),)), file)
    features = NetworkFeaturizer().features([read(file.getvalue())])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.to("meta")(torch.empty(shape, device="meta"))
    assert 2 * features.column("macs")[0] == counter.get_total_flops()
    assert features.column("parameters")[0] == sum(p.numel() for p in net.parameters())


def read(data: bytes) -> NetworkGraph:
    graph = NetworkFeaturizer().parse({"pt2": data})
    assert isinstance(graph, NetworkGraph)
    return graph


def test_a_shared_weight_counts_once_as_parameters(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 8))
    weight = m.weight(8, 8)
    graph = read_onnx(m.data(m.op("MatMul", m.op("MatMul", x, weight), weight)))
    assert graph.parameters == 64
    assert NetworkFeaturizer().features([graph]).column("macs")[0] == 128


def test_scalars_shapes_and_settings_are_no_parameters(model: Build) -> None:
    m = model()
    x = m.input("x", (1, 4, 4, 4))
    y = m.op("Mul", x, m.weight(value=np.float32(0.5)))
    y = m.op("Resize", y, "", m.weight(value=np.asarray([1, 1, 2, 2], np.float32)), mode="nearest")
    graph = read_onnx(m.data(m.op("Reshape", y, m.weight(value=np.asarray([1, -1], np.int64)))))
    assert graph.parameters == 0
    assert graph.tensors[graph.outputs[0]].shape == (1, 4 * 8 * 8)


@pytest.mark.parametrize("weights", [(4,), (1, 16), ()])
def test_recurrence_with_weights_of_other_ranks_is_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="three dimensions"):
        site("LSTM", (5, 1, 3), weights, (1, 16, 4), hidden_size=4)
