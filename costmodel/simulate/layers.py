"""Which layers of a network an accelerator simulator is given: convolutions and matrix products, nothing else."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from featurizers.network import NetworkGraph
from featurizers.network import ops as op_table
from featurizers.network.site import Site


@dataclass(frozen=True, slots=True, order=True)
class Layer:
    """A convolution, counted per group. A matrix product (M, N, K) is the 1x1 convolution of a 1 x M image.

    Attributes
    ----------
    batch, groups : independent images; groups of channels that see only each other.
    outputs, inputs : channels of one group.
    height, width : of the result.
    stride_h, stride_w, dilation_h, dilation_w : how the window moves over the input.
    """

    batch: int
    groups: int
    outputs: int
    inputs: int
    height: int
    width: int
    kernel_h: int = 1
    kernel_w: int = 1
    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1

    @classmethod
    def product(cls, m: int, n: int, k: int) -> Layer:
        """The matrix product of (m, k) by (k, n)."""
        return cls(batch=1, groups=1, outputs=n, inputs=k, height=1, width=m)

    @property
    def gemm(self) -> tuple[int, int, int]:
        """(M, N, K) of one group, the window of each result unrolled into a row (im2col)."""
        return self.batch * self.height * self.width, self.outputs, self.inputs * self.kernel_h * self.kernel_w

    @property
    def is_product(self) -> bool:
        return self.groups == self.batch == self.height == self.kernel_h == self.kernel_w == self.stride_w == 1

    @property
    def is_pointwise(self) -> bool:
        """Whether each result sees one pixel and no pixel is skipped: a matrix product with a row per pixel."""
        return self.groups == self.kernel_h == self.kernel_w == self.stride_h == self.stride_w == 1

    @property
    def is_depthwise(self) -> bool:
        return self.groups > 1 and self.inputs == self.outputs == 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all groups."""
        return self.groups * math.prod(self.gemm)


@dataclass(frozen=True, slots=True)
class Workload:
    """The layers of one network.

    layers : how often each distinct layer occurs.
    left_out : op types with multiply-accumulates that no `Layer` describes (recurrent, fused attention, volumes).
    """

    layers: Counter[Layer]
    left_out: Counter[str]

    @property
    def macs(self) -> int:
        return sum(layer.macs * count for layer, count in self.layers.items())


_CONVOLUTIONS = frozenset({"conv", "pointwise", "depthwise", "grouped"})


def workload_of(graph: NetworkGraph) -> Workload:
    """The layers of `graph`. What has no multiply-accumulates (activations, sums, pooling, norms) is passed over."""
    found = Workload(Counter(), Counter())
    for node in graph.nodes:
        if all(graph.tensors[name].constant for name in node.outputs if name):
            continue
        site = Site(node, graph.tensors, graph.values)
        if op_table.work(site).macs == 0:
            continue
        layer = _layer(site)
        if layer is None:
            found.left_out[node.op] += 1
        else:
            found.layers[layer[0]] += layer[1]
    return found


def _layer(site: Site) -> tuple[Layer, int] | None:
    """A node as a layer and how many copies of it, None for what is neither convolution nor matrix product."""
    kind = op_table.op_class(site)
    if kind in _CONVOLUTIONS and site.rank(0) in (3, 4):
        return _convolution(site), 1
    if kind == "conv_transpose" and site.rank(0) in (3, 4):
        return _transposed(site), 1
    if kind in ("gemm", "matmul") and site.node.op != "Einsum":
        copies, m, n, k = op_table.gemm_dims(site)
        return Layer.product(m, n, k), copies
    return None


def _image(sizes: tuple[int, ...]) -> tuple[int, int]:
    """(height, width); a sequence is an image of height 1."""
    return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _convolution(site: Site) -> Layer:
    node = site.node
    weight, out = site.shape(op_table.weight_index(node.op)), site.out()
    groups = node.int("group", 1)
    ones = (1,) * len(weight[2:])
    return Layer(
        out[0], groups, weight[0] // groups, weight[1], *_image(out[2:]), *_image(weight[2:]),
        *_image(node.ints("strides", ones)), *_image(node.ints("dilations", ones)),
    )  # fmt: skip


def _transposed(site: Site) -> Layer:
    """Every input pixel times all taps; sums of overlapping taps are additions, which are not counted."""
    x, weight = site.shape(0), site.shape(1)
    groups = site.node.int("group", 1)
    return Layer(x[0], groups, weight[1] * math.prod(weight[2:]), x[1] // groups, *_image(x[2:]))
