"""ONNX operations as eager PyTorch calls, one call per node as a hand-written module would make it.

Each entry of `OPS` takes a node (attributes, constant inputs) and returns a function of the node's tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as an entry of `OPS` sees it: `constants[i]` is the i-th input if it is an initializer."""

    attributes: dict[str, Any]
    constants: Sequence[Tensor | None]
    outputs: int
    opset: int

    def integers(self, index: int) -> list[int]:
        """The i-th input as integers (shapes, axes, sizes)."""
        value = self.constants[index] if index < len(self.constants) else None
        if value is None:
            raise ValueError(f"Input {index} must be a constant.")
        return [int(v) for v in value.reshape(-1).tolist()]

    def axes(self, index: int) -> list[int]:
        """Axes as an attribute (older opsets) or as the i-th input."""
        return list(self.attributes["axes"]) if "axes" in self.attributes else self.integers(index)


def _symmetric(pads: Sequence[int]) -> tuple[int, int]:
    if pads[0] != pads[2] or pads[1] != pads[3]:
        raise ValueError(f"Asymmetric padding {list(pads)} is not supported.")
    return pads[0], pads[1]


def _conv(node: NodeView) -> Call:
    a = node.attributes
    pads = _symmetric(a.get("pads", [0, 0, 0, 0]))
    stride, dilation, groups = tuple(a["strides"]), tuple(a.get("dilations", (1, 1))), a.get("group", 1)
    return lambda x, w, b=None: torch.conv2d(x, w, b, stride, pads, dilation, groups)


def _conv_transpose(node: NodeView) -> Call:
    a = node.attributes
    pads, stride = _symmetric(a.get("pads", [0, 0, 0, 0])), tuple(a["strides"])
    return lambda x, w, b=None: F.conv_transpose2d(x, w, b, stride, pads)


def _gemm(node: NodeView) -> Call:
    a = node.attributes
    if not a.get("transB") or a.get("transA") or a.get("alpha", 1.0) != 1.0 or a.get("beta", 1.0) != 1.0:
        raise ValueError("Gemm is supported as x @ W^T + b only.")
    return F.linear


def _batch_norm(node: NodeView) -> Call:
    epsilon = node.attributes.get("epsilon", 1e-5)
    return lambda x, scale, shift, mean, var: F.batch_norm(x, mean, var, scale, shift, False, 0.0, epsilon)


def _layer_norm(node: NodeView) -> Call:
    epsilon = node.attributes.get("epsilon", 1e-5)
    return lambda x, scale, shift=None: F.layer_norm(x, scale.shape, scale, shift, epsilon)


def _max_pool(node: NodeView) -> Call:
    a = node.attributes
    pads = _symmetric(a.get("pads", [0, 0, 0, 0]))
    return lambda x: F.max_pool2d(x, a["kernel_shape"], a["strides"], pads)


def _average_pool(node: NodeView) -> Call:
    a = node.attributes
    pads, include = _symmetric(a.get("pads", [0, 0, 0, 0])), bool(a.get("count_include_pad", 0))
    return lambda x: F.avg_pool2d(x, a["kernel_shape"], a["strides"], pads, count_include_pad=include)


def _clip(node: NodeView) -> Call:
    low, high = (None if c is None else float(c) for c in node.constants[1:3])
    return lambda x, *_: torch.clamp(x, low, high)


def _reduce_mean(node: NodeView) -> Call:
    axes, keep = node.axes(1), bool(node.attributes.get("keepdims", 1))
    return lambda x, *_: torch.mean(x, axes, keepdim=keep)


def _reshape(node: NodeView) -> Call:
    shape = node.integers(1)
    return lambda x, *_: x.reshape(shape)


def _squeeze(node: NodeView) -> Call:
    axes = node.axes(1)
    return lambda x, *_: torch.squeeze(x, axes)


def _expand(node: NodeView) -> Call:
    shape = node.integers(1)
    return lambda x, *_: x.expand(shape)


def _gather(node: NodeView) -> Call:
    axis, index = node.attributes.get("axis", 0), node.constants[1]
    if index is not None and index.dim() == 0:
        position = int(index)
        return lambda x, *_: x.select(axis, position)
    if axis != 0:
        raise ValueError("Gather with a tensor of indices is supported along axis 0 only.")
    return lambda table, ids: F.embedding(ids, table)


def _split(node: NodeView) -> Call:
    sizes, axis = node.integers(1), node.attributes.get("axis", 0)
    return lambda x, *_: torch.split(x, sizes, axis)


def _resize(node: NodeView) -> Call:
    scales = node.constants[2]
    if scales is None:
        raise ValueError("Resize is supported with constant scales only.")
    factors, linear = scales.tolist()[2:], node.attributes["mode"] == "linear"
    mode = "bilinear" if linear else "nearest"
    return lambda x, *_: F.interpolate(x, scale_factor=factors, mode=mode, align_corners=False if linear else None)


def _gate_order(weight: Tensor, order: Sequence[int]) -> Tensor:
    parts = weight.chunk(len(order), 0)
    return torch.cat([parts[i] for i in order])


def _recurrent(node: NodeView, order: Sequence[int], states: int) -> Call:
    """ONNX packs gates as i o f c (LSTM) or z r h (GRU); torch wants i f g o and r z n."""
    w, r, b = node.constants[1:4]
    if w is None or r is None or b is None:
        raise ValueError("Recurrent weights must be constants.")
    hidden, directions = node.attributes["hidden_size"], w.shape[0]
    weights: list[Tensor] = []
    for d in range(directions):
        weights += [_gate_order(w[d], order), _gate_order(r[d], order)]
        weights += [_gate_order(half, order) for half in b[d].chunk(2)]
    kernel = torch.lstm if states == 2 else torch.gru

    def call(x: Tensor, *rest: Tensor | None) -> Tensor:
        start = [s for s in rest[-states:] if s is not None]
        y = kernel(x, start if states == 2 else start[0], weights, True, 1, 0.0, False, directions == 2, False)[0]
        return y.view(x.shape[0], x.shape[1], directions, hidden).transpose(1, 2)

    return call


def _plain(function: Call) -> Callable[[NodeView], Call]:
    return lambda node: function


def _flatten(node: NodeView) -> Call:
    axis = node.attributes.get("axis", 1)
    return lambda x: torch.flatten(x, axis) if axis == 1 else x.reshape(math.prod(x.shape[:axis]), -1)


OPS: dict[str, Callable[[NodeView], Call]] = {
    "Add": _plain(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": lambda node: lambda *xs: torch.cat(xs, node.attributes["axis"]),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": _plain(torch.div),
    "Erf": _plain(torch.erf),
    "Expand": _expand,
    "Flatten": _flatten,
    "GRU": lambda node: _recurrent(node, (1, 0, 2), 1),
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _plain(lambda x: F.adaptive_avg_pool2d(x, 1)),
    "HardSigmoid": _plain(F.hardsigmoid),
    "HardSwish": _plain(F.hardswish),
    "LSTM": lambda node: _recurrent(node, (0, 2, 3, 1), 2),
    "LayerNormalization": _layer_norm,
    "MatMul": _plain(torch.matmul),
    "MaxPool": _max_pool,
    "Mul": _plain(torch.mul),
    "Pow": _plain(torch.pow),
    "ReduceMean": _reduce_mean,
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _plain(torch.sigmoid),
    "Softmax": lambda node: lambda x: torch.softmax(x, node.attributes.get("axis", -1)),
    "Split": _split,
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Tanh": _plain(torch.tanh),
    "Transpose": lambda node: lambda x: x.permute(node.attributes["perm"]),
}
