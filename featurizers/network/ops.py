"""What one operation costs: multiply-accumulates, elementwise operations and bytes moved, op by op.

FLOPs = 2 x MACs + elementwise operations. A transcendental function counts as the handful of arithmetic operations
named in `_UNARY`; a learner corrects for the machine's true price. Bytes are those that must move at least once:
activations read, weights read, results written. A view moves none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from featurizers.network.graph import Shape, is_weight, words
from featurizers.network.site import Site

CLASSES = (
    "conv", "pointwise", "depthwise", "grouped", "conv_transpose", "gemm", "matmul", "attention", "recurrent", "norm",
    "softmax", "pool", "reduce", "activation", "binary", "movement", "resize", "reorder", "quantise", "view", "gather",
    "other", "unknown",
)  # fmt: skip
"""Classes of kernels; the position is the code in the `op_class` column. Append only."""


class Work(NamedTuple):
    macs: int
    elementwise: int

    @property
    def flops(self) -> int:
        return 2 * self.macs + self.elementwise


class Cost(NamedTuple):
    """Everything one operation needs. `parameters`: weight elements read; bytes are least traffic."""

    macs: int
    flops: int
    parameters: int
    bytes_in: float
    bytes_weights: float
    bytes_out: float

    @property
    def intensity(self) -> float:
        """FLOPs per byte moved."""
        moved = self.bytes_in + self.bytes_weights + self.bytes_out
        return self.flops / moved if moved else 0.0


_UNARY: Mapping[str, int] = {
    "Relu": 1, "LeakyRelu": 2, "PRelu": 2, "Clip": 2, "HardSigmoid": 4, "HardSwish": 5, "Sigmoid": 4, "Tanh": 5,
    "Erf": 8, "Exp": 3, "Log": 3, "Sqrt": 1, "Softplus": 5, "Elu": 4, "Selu": 5, "Celu": 5, "Mish": 10, "Swish": 5,
    "Gelu": 10, "FastGelu": 10, "QuickGelu": 6, "BiasGelu": 11, "Pow": 3, "ThresholdedRelu": 1, "Softsign": 3,
    "Hardmax": 2, "Trilu": 1, "CumSum": 1, "Reciprocal": 1, "QLinearSigmoid": 4, "QLinearLeakyRelu": 2,
}  # fmt: skip
"""Operations per element; any other elementwise op counts 1."""

_ACTIVATIONS = frozenset(
    words("""Relu LeakyRelu PRelu Clip HardSigmoid HardSwish Sigmoid Tanh Erf Exp Log Sqrt Softplus Elu Selu Celu Mish
    Swish Gelu FastGelu QuickGelu BiasGelu ThresholdedRelu Softsign Abs Neg Floor Ceil Round Sign Reciprocal Sin Cos Tan
    Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Not IsNaN IsInf Hardmax Trilu CumSum Shrink BitwiseNot QLinearSigmoid
    QLinearLeakyRelu Cast CastLike Bernoulli RotaryEmbedding""")
)
_BINARY = frozenset(
    words("""Add Sub Mul Div Pow Min Max Sum Mean Mod And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Where
    BitShift BitwiseAnd BitwiseOr BitwiseXor QLinearAdd QLinearMul""")
)
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size"})
_MOVEMENT = frozenset(
    words("""Concat Split Slice Transpose Pad Tile Expand DepthToSpace SpaceToDepth ScatterND ScatterElements Scatter
    ReverseSequence ConstantOfShape Range EyeLike QLinearConcat Memcpy OneHot""")
)
_NORMS = frozenset(
    words("""BatchNormalization LayerNormalization InstanceNormalization GroupNormalization GroupNorm LRN 
    LpNormalization MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization SkipLayerNormalization
    SkipSimplifiedLayerNormalization EmbedLayerNormalization""")
)
_GROUPED: Mapping[str, frozenset[str] | tuple[str, ...]] = {
    "activation": _ACTIVATIONS,
    "binary": _BINARY,
    "view": VIEWS,
    "movement": _MOVEMENT,
    "norm": _NORMS,
    "conv_transpose": ("ConvTranspose",),
    "gemm": ("Gemm", "FusedGemm", "QGemm"),
    "matmul": ("MatMul", "FusedMatMul", "TransposeMatMul", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat",
               "DynamicQuantizeMatMul", "Einsum"),
    "attention": ("Attention", "MultiHeadAttention"),
    "recurrent": ("LSTM", "GRU", "RNN"),
    "softmax": ("Softmax", "LogSoftmax", "QLinearSoftmax", "BiasSoftmax"),
    "pool": ("MaxPool", "NhwcMaxPool", "AveragePool", "LpPool", "QLinearAveragePool"),
    "reduce": ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool", "ReduceMean",
               "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
               "ReduceLogSumExp", "ReduceSumSquare", "ArgMax", "ArgMin", "TopK"),
    "resize": ("Resize", "Upsample", "GridSample"),
    "reorder": ("ReorderInput", "ReorderOutput"),
    "quantise": ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
    "gather": ("Gather", "GatherND", "GatherElements", "GatherBlockQuantized"),
}  # fmt: skip
_CLASS_OF = {op: name for name, ops in _GROUPED.items() for op in ops}
CONVS = frozenset({"Conv", "FusedConv", "QLinearConv", "ConvInteger"})


def op_class(site: Site) -> str:
    """The class of an op, from its name and, for convolutions, its groups and kernel size."""
    op = site.node.op
    if op not in CONVS:
        return _CLASS_OF.get(op, "other")
    weight = site.shape(weight_index(op))
    groups = site.node.int("group", 1)
    if groups > 1:
        return "depthwise" if weight[1] == 1 else "grouped"
    return "pointwise" if math.prod(weight[2:]) == 1 else "conv"


def weight_index(op: str) -> int:
    """Which input of a convolution or matrix product is its second operand."""
    return 3 if op in ("QLinearConv", "QLinearMatMul", "QGemm") else 1


def gemm_dims(site: Site) -> tuple[int, int, int, int]:
    """(batch, M, N, K) of a matrix product: batch counts independent products; a shared right side widens M."""
    op = site.node.op
    a, out = site.shape(0), site.out()
    if op in _GROUPED["gemm"]:
        k = a[0] if site.node.int("transA", 0) else a[1]
        return 1, out[0], out[1], k
    b = site.shape(weight_index(op))
    k = a[-2] if site.node.int("transA", 0) and len(a) > 1 else a[-1]
    m, n = (out[-2] if len(a) > 1 and len(b) > 1 else math.prod(out) if len(b) == 1 else 1), 1
    if len(b) > 1:
        n = out[-1]
    batch = math.prod(out) // (m * n)
    if math.prod(b[:-2]) == 1:
        return 1, batch * m, n, k
    return batch, m, n, k


def _conv(site: Site) -> Work:
    weight = site.shape(weight_index(site.node.op))
    out = math.prod(site.out())
    bias = out if site.has(8 if site.node.op == "QLinearConv" else 2) else 0
    return Work(out * weight[1] * math.prod(weight[2:]), bias)


def _conv_transpose(site: Site) -> Work:
    weight = site.shape(1)
    return Work(site.tensor(0).elements * math.prod(weight[1:]), math.prod(site.out()) if site.has(2) else 0)


def _gemm(site: Site) -> Work:
    batch, m, n, k = gemm_dims(site)
    return Work(batch * m * n * k, m * n if site.node.op in _GROUPED["gemm"] and site.has(2) else 0)


def _einsum(site: Site) -> Work:
    terms, _, _ = str(site.node.attrs.get("equation", "")).replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for i, term in enumerate(terms.split(",")):
        sizes.update(zip(term, site.shape(i), strict=False))
    total = math.prod(sizes.values())
    return Work(total, 0) if "," in terms else Work(0, total)


def attention_work(batch: int, heads: int, queries: int, keys: int, head: int, value: int) -> Work:
    """QK^T and the weighted sum of values in MACs; scale and softmax as elementwise operations on the score matrix."""
    scores = batch * heads * queries * keys
    return Work(scores * (head + value), scores * 6)


def _attention(site: Site) -> Work:
    node, x = site.node, site.shape(0)
    if node.op == "Attention" and node.domain == "com.microsoft":
        hidden = site.out()[-1]
        heads = node.int("num_heads", 1)
        inner = attention_work(x[0], heads, x[1], x[1], hidden // heads, hidden // heads)
        return Work(inner.macs + x[0] * x[1] * x[2] * 3 * hidden, inner.elementwise + 3 * x[0] * x[1] * hidden)
    k, v = site.shape(1) if site.has(1) else x, site.shape(2) if site.has(2) else x
    if len(x) == 4:
        return attention_work(x[0], x[1], x[2], k[-2], x[3], v[3])
    heads = node.int("num_heads", node.int("q_num_heads", 1))
    kv_heads = node.int("kv_num_heads", heads)
    return attention_work(x[0], heads, x[1], k[-2], x[2] // heads, v[-1] // kv_heads)


_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent_dims(site: Site) -> tuple[int, int, int, int, int]:
    """(sequence, batch, input, hidden, directions)."""
    x, w = site.shape(0), site.shape(1)
    hidden = site.node.int("hidden_size", site.shape(2)[-1])
    seq, batch = (x[1], x[0]) if site.node.int("layout", 0) else (x[0], x[1])
    return seq, batch, w[2], hidden, w[0]


def _recurrent(site: Site) -> Work:
    seq, batch, inputs, hidden, directions = recurrent_dims(site)
    gates = _GATES[site.node.op]
    steps = seq * batch * directions
    return Work(steps * gates * hidden * (inputs + hidden), steps * hidden * (gates * 6 + 4))


def _norm(site: Site) -> Work:
    elements = site.tensor(0).elements
    if site.node.op == "BatchNormalization":
        return Work(0, 2 * elements)
    skip = elements if site.node.op.startswith("Skip") else 0
    return Work(0, 8 * elements + skip)


def _softmax(site: Site) -> Work:
    return Work(0, 6 * site.tensor(0).elements)


def _pool(site: Site) -> Work:
    return Work(0, math.prod(site.out()) * math.prod(site.node.ints("kernel_shape", (1,))))


def _reduce(site: Site) -> Work:
    return Work(0, site.tensor(0).elements)


def _resize(site: Site) -> Work:
    taps = {"nearest": 1, "linear": 4, "cubic": 16, "bilinear": 4}.get(str(site.node.attrs.get("mode", "nearest")), 4)
    return Work(0, math.prod(site.out()) * (1 if taps == 1 else 2 * taps))


def _none(site: Site) -> Work:
    return Work(0, 0)


def _elementwise(site: Site) -> Work:
    per_element = _UNARY.get(site.node.op, 1)
    if site.node.op in ("Sum", "Mean", "Max", "Min"):
        per_element = max(1, len(site.node.inputs) - 1)
    return Work(0, per_element * math.prod(site.out()))


_WORK: Mapping[str, Callable[[Site], Work]] = {
    **dict.fromkeys(("conv", "pointwise", "depthwise", "grouped"), _conv),
    "conv_transpose": _conv_transpose,
    **dict.fromkeys(("gemm", "matmul"), _gemm),
    "attention": _attention,
    "recurrent": _recurrent,
    "norm": _norm,
    "softmax": _softmax,
    "pool": _pool,
    "reduce": _reduce,
    "resize": _resize,
    **dict.fromkeys(("view", "movement", "gather", "reorder", "other", "unknown"), _none),
    **dict.fromkeys(("activation", "binary", "quantise"), _elementwise),
}


def work(site: Site) -> Work:
    """MACs and elementwise operations of one op."""
    if site.node.op == "Einsum":
        return _einsum(site)
    if site.node.op in ("Cast", "CastLike", "Where"):
        return _none(site)
    return _WORK[op_class(site)](site)


_READS_OUTPUT_ONLY = frozenset({"Gather", "GatherND", "GatherElements", "Slice", "Expand", "Shape", "Size"})


def traffic(site: Site) -> tuple[float, float, float]:
    """Bytes of (activations read, weights read, results written), each once."""
    node = site.node
    if node.op in VIEWS:
        return 0.0, 0.0, 0.0
    written = sum(site.tensors[o].bytes for o in node.outputs if o)
    activations = weights = 0.0
    for name in dict.fromkeys(i for i in node.inputs if i):
        tensor = site.tensors[name]
        size = min(tensor.bytes, written) if node.op in _READS_OUTPUT_ONLY else tensor.bytes
        if not tensor.constant:
            activations += size
        elif is_weight(tensor):
            weights += size
    return activations, weights, written


def cost(site: Site) -> Cost:
    """The whole cost of one op."""
    done = work(site)
    read, weights, written = traffic(site)
    names = dict.fromkeys(i for i in site.node.inputs if i)
    parameters = sum(site.tensors[i].elements for i in names if is_weight(site.tensors[i]))
    return Cost(done.macs, done.flops, parameters, read, weights, written)


def elements_of(shape: Shape) -> int:
    return math.prod(shape)
