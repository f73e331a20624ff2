"""Writes a `NetworkGraph` of convolutions layer by layer, for encodings that are names and not graphs."""

from __future__ import annotations

from typing import Any

from featurizers.network.graph import NetworkGraph, Node, Shape, Tensor
from featurizers.network.shapes import infer
from featurizers.network.site import Site

_OF_EACH = frozenset({"Relu", "HardSwish", "HardSigmoid"})
"""Ops on each element, whose result has the shape of what they read."""


class Builder:
    """A graph under construction; every method returns the name of the value it made."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self._inputs: list[str] = []

    def input(self, name: str, shape: Shape) -> str:
        self.tensors[name] = Tensor(shape)
        self._inputs.append(name)
        return name

    def weight(self, name: str, *shape: int) -> str:
        self.tensors[name] = Tensor(shape, "float32", True)
        return name

    def op(self, op: str, name: str, *inputs: str, **attrs: Any) -> str:
        node = Node(name, op, inputs, (name,), attrs)
        shape = self.tensors[inputs[0]].shape if op in _OF_EACH else infer(Site(node, self.tensors, {}))[0]
        return self._made(node, shape)

    def _made(self, node: Node, shape: Shape) -> str:
        self.tensors[node.name] = Tensor(shape)
        self.nodes.append(node)
        return node.name

    def conv(
        self, name: str, x: str, out: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, bias: bool = False
    ) -> str:
        """Convolution with 'same' padding (half the kernel on each side)."""
        batch, channels, *sizes = self.tensors[x].shape
        inputs: tuple[str, ...] = (x, self.weight(f"{name}.weight", out, channels // groups, kernel, kernel))
        if bias:
            inputs += (self.weight(f"{name}.bias", out),)
        padding = kernel // 2
        attrs = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4, "group": groups}
        shape = (batch, out, *[(size + 2 * padding - kernel) // stride + 1 for size in sizes])
        return self._made(Node(name, "Conv", inputs, (name,), attrs), shape)

    def batch_norm(self, name: str, x: str) -> str:
        channels = self.channels(x)
        parts = [self.weight(f"{name}.{p}", channels) for p in ("weight", "bias", "mean", "var")]
        return self._made(Node(name, "BatchNormalization", (x, *parts), (name,)), self.tensors[x].shape)

    def conv_bn(self, name: str, x: str, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> str:
        return self.batch_norm(f"{name}/bn", self.conv(f"{name}/conv", x, out, kernel, stride, groups))

    def linear(self, name: str, x: str, out: int) -> str:
        weight = self.weight(f"{name}.weight", out, self.tensors[x].shape[-1])
        return self.op("Gemm", name, x, weight, self.weight(f"{name}.bias", out), transB=1)

    def reshape(self, name: str, x: str, shape: Shape) -> str:
        target = f"{name}.shape"
        self.tensors[target] = Tensor((len(shape),), "int64", True)
        self.tensors[name] = Tensor(shape)
        self.nodes.append(Node(name, "Reshape", (x, target), (name,)))
        return name

    def classifier(self, x: str, classes: int) -> str:
        """Global average pooling and a linear layer."""
        pooled = self.op("Flatten", "head/flatten", self.op("GlobalAveragePool", "head/pool", x), axis=1)
        return self.linear("head/fc", pooled, classes)

    def channels(self, x: str) -> int:
        return self.tensors[x].shape[1]

    def graph(self, output: str) -> NetworkGraph:
        return NetworkGraph(tuple(self.nodes), self.tensors, tuple(self._inputs), (output,))
