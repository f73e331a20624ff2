"""Writes ONNX graphs node by node, with shapes and multiply-accumulates tracked while writing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_KEPT_FLOATS = 64
"""Without weights, float constants up to this size keep their data: scales and bounds, not weights."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph: its name and its shape, batch included."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """How an exporter would have written the graph.

    opset : 17 or 18.
    fold_batch_norm : batch normalisation folded into the convolution before it, as optimised exports do.
    layer_norm_op : one LayerNormalization node, or the primitive operations that older exporters write.
    """

    opset: int = 17
    fold_batch_norm: bool = False
    layer_norm_op: bool = True


class GraphBuilder:
    """One network under construction: tensor operations (`op`, `weight`, `conv`, `linear`) and a naming scope.

    Parameters
    ----------
    batch : size of the first dimension of every activation.
    weights : False leaves the data of large float initializers out (dims and type stay).
    seed : of the random weights.
    count_only : write no protobuf, only count; `model` is not available then.
    """

    def __init__(
        self, name: str, batch: int, style: Style, *, weights: bool = True, seed: int = 0, count_only: bool = False
    ):
        self.batch = batch
        self.style = style
        self.macs = 0
        self.parameters = 0
        self.node_count = 0
        self.smallest_dimension = 1
        self._name = name
        self._weights = weights
        self._count_only = count_only
        self._rng = np.random.default_rng(seed)
        self._scope: list[str] = []
        self._used: dict[str, int] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names of nodes and weights inside start with ``name/``."""
        self._scope.append(name)
        try:
            yield
        finally:
            self._scope.pop()

    def _unique(self, name: str) -> str:
        path = "/".join([*self._scope, name])
        count = self._used.get(path, 0)
        self._used[path] = count + 1
        return path if count == 0 else f"{path}_{count}"

    def input(self, shape: Sequence[int], dtype: int = TensorProto.FLOAT, name: str = "input") -> Tensor:
        """A graph input; `shape` includes the batch."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))
        return Tensor(name, tuple(shape))

    def output(self, x: Tensor, dtype: int = TensorProto.FLOAT) -> None:
        """Mark `x` as a graph output."""
        self._outputs.append(helper.make_tensor_value_info(x.name, dtype, list(x.shape)))

    def weight(self, shape: Sequence[int], name: str, *, scale: float = 0.05, mean: float = 0.0) -> Tensor:
        """A random float initializer, normal(`mean`, `scale`), counted as parameters."""
        path = self._unique(name)
        size = math.prod(shape)
        self.parameters += size
        if self._count_only:
            return Tensor(path, tuple(shape))
        if self._weights:
            data = self._rng.standard_normal(size, dtype=np.float32) * np.float32(scale) + np.float32(mean)
            self._initializers.append(numpy_helper.from_array(data.reshape(tuple(shape)), path))
        else:
            self._initializers.append(TensorProto(name=path, dims=list(shape), data_type=TensorProto.FLOAT))
        return Tensor(path, tuple(shape))

    def positive(self, shape: Sequence[int], name: str) -> Tensor:
        """A random initializer near one (variances, scales), never near zero."""
        return self.weight(shape, name, scale=0.05, mean=1.0)

    def constant(self, value: npt.ArrayLike, name: str, dtype: type[np.generic] = np.float32) -> Tensor:
        """A constant that belongs to the structure (shapes, scales, masks): small ones always keep their data."""
        path = self._unique(name)
        data = np.asarray(value, dtype=dtype)
        if self._count_only:
            return Tensor(path, data.shape)
        if self._weights or data.size <= _KEPT_FLOATS or data.dtype == np.int64:
            self._initializers.append(numpy_helper.from_array(data, path))
        else:
            self._initializers.append(TensorProto(name=path, dims=data.shape, data_type=TensorProto.FLOAT))
        return Tensor(path, data.shape)

    def op(
        self, op_type: str, inputs: Sequence[Tensor | None], shape: Sequence[int], name: str = "", **attributes: object
    ) -> Tensor:
        """Append a node of one output; its shape is given by the caller. A None input is an omitted optional one."""
        return self.ops(op_type, inputs, [shape], name, **attributes)[0]

    def ops(
        self,
        op_type: str,
        inputs: Sequence[Tensor | None],
        shapes: Sequence[Sequence[int]],
        name: str = "",
        **attributes: object,
    ) -> list[Tensor]:
        """Append a node of several outputs."""
        path = self._unique(name or op_type)
        names = [f"{path}_output_{i}" for i in range(len(shapes))]
        self.smallest_dimension = min(self.smallest_dimension, *(min(s, default=1) for s in shapes))
        self.node_count += 1
        if not self._count_only:
            arguments = ["" if x is None else x.name for x in inputs]
            self._nodes.append(helper.make_node(op_type, arguments, names, name=path, **attributes))
        return [Tensor(n, tuple(int(d) for d in s)) for n, s in zip(names, shapes, strict=True)]

    def conv(
        self,
        x: Tensor,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        padding: int | None = None,
        bias: bool = True,
        name: str = "conv",
    ) -> Tensor:
        """Two-dimensional convolution with square kernels; `padding` defaults to 'same' for odd kernels."""
        n, c, h, w = x.shape
        pad = kernel // 2 if padding is None else padding
        fan_in = c // groups * kernel * kernel
        inputs = [x, self.weight((channels, c // groups, kernel, kernel), f"{name}.weight", scale=fan_in**-0.5)]
        if bias:
            inputs.append(self.weight((channels,), f"{name}.bias"))
        out_h, out_w = ((d + 2 * pad - kernel) // stride + 1 for d in (h, w))
        self.macs += n * channels * out_h * out_w * fan_in
        return self.op(
            "Conv", inputs, (n, channels, out_h, out_w), name,
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, dilations=[1, 1], group=groups,
        )  # fmt: skip

    def conv_transpose(self, x: Tensor, channels: int, name: str = "up") -> Tensor:
        """Transposed convolution, kernel 2, stride 2: doubles height and width."""
        n, c, h, w = x.shape
        weight = self.weight((c, channels, 2, 2), f"{name}.weight", scale=c**-0.5)
        inputs = [x, weight, self.weight((channels,), f"{name}.bias")]
        self.macs += n * c * h * w * channels * 4
        return self.op(
            "ConvTranspose", inputs, (n, channels, 2 * h, 2 * w), name,
            kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4, dilations=[1, 1], group=1,
        )  # fmt: skip

    def matmul(self, a: Tensor, b: Tensor, name: str = "matmul") -> Tensor:
        """Matrix product of the last two dimensions, leading ones broadcast from `a`."""
        shape = (*a.shape[:-1], b.shape[-1])
        self.macs += math.prod(shape) * a.shape[-1]
        return self.op("MatMul", [a, b], shape, name)

    def linear(self, x: Tensor, features: int, name: str = "fc", *, bias: bool = True) -> Tensor:
        """Fully connected: Gemm for a matrix with a bias, otherwise MatMul and Add, as torch exports it."""
        width = x.shape[-1]
        scale = width**-0.5
        if len(x.shape) == 2 and bias:
            inputs = [x, self.weight((features, width), f"{name}.weight", scale=scale)]
            inputs.append(self.weight((features,), f"{name}.bias"))
            self.macs += x.shape[0] * width * features
            return self.op("Gemm", inputs, (x.shape[0], features), name, alpha=1.0, beta=1.0, transB=1)
        y = self.matmul(x, self.weight((width, features), f"{name}.weight", scale=scale), f"{name}/MatMul")
        return self.op("Add", [self.weight((features,), f"{name}.bias"), y], y.shape, f"{name}/Add") if bias else y

    def model(self) -> onnx.ModelProto:
        """The finished, still unchecked model."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._initializers)
        opset = helper.make_opsetid("", self.style.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="costmodel-zoo")
