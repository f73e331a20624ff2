"""Small ONNX models, written node by node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


class Model:
    """An ONNX model under construction; `op` returns the name of the (first) result."""

    def __init__(self, opset: int = 18):
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.opset = opset
        self._rng = np.random.default_rng(0)

    def input(self, name: str, shape: Shape | None, dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def weight(self, *shape: int, value: Any = None) -> str:
        name = f"w{len(self.weights)}"
        array = self._rng.random(shape, dtype=np.float32) + 0.5 if value is None else np.asarray(value)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, name: str = "", domain: str = "", **attrs: Any) -> str:
        label = name or f"n{len(self.nodes)}"
        results = [f"{label}_out{i}" if i else f"{label}_out" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), results, name=label, domain=domain, **attrs))
        return results[0]

    def conv(self, x: str, cin: int, cout: int, k: int = 3, group: int = 1, **attrs: Any) -> str:
        weight = self.weight(cout, cin // group, k, k)
        return self.op("Conv", x, weight, pads=[k // 2] * 4, kernel_shape=[k, k], group=group, **attrs)

    def bn(self, x: str, channels: int) -> str:
        return self.op("BatchNormalization", x, *(self.weight(channels) for _ in range(4)))

    def proto(self, *outputs: str) -> onnx.ModelProto:
        results = [helper.make_empty_tensor_value_info(o) for o in outputs]
        graph = helper.make_graph(self.nodes, "g", self.inputs, results, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)

    def data(self, *outputs: str) -> bytes:
        return bytes(self.proto(*outputs).SerializeToString())


@pytest.fixture
def model() -> Callable[..., Model]:
    """The class, so that a test may write several models."""
    return Model
