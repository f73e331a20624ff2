"""Output shapes of every op we know, from static input shapes (ONNX operator specifications, all opsets).

All dimensions are numbers here: dynamic ones got theirs before. A rule takes a `Site` and returns one shape per output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from featurizers.network import shape_compute as compute
from featurizers.network import shape_move as move
from featurizers.network.graph import Shape, words
from featurizers.network.site import Site

Rule = Callable[[Site], list[Shape]]

_SAME = """Relu Sigmoid Tanh Erf Exp Log Sqrt Abs Neg Floor Ceil Round Sign Reciprocal Sin Cos Tan Asin Acos Atan Sinh
Cosh Asinh Acosh Atanh Softplus Softsign Elu Selu Celu LeakyRelu ThresholdedRelu HardSigmoid HardSwish Mish Swish Gelu
FastGelu QuickGelu Clip Identity Dropout Cast CastLike Softmax LogSoftmax Hardmax Not IsNaN IsInf CumSum
InstanceNormalization GroupNormalization GroupNorm LRN LpNormalization MeanVarianceNormalization QuantizeLinear
DequantizeLinear PRelu Trilu ScatterND ScatterElements Scatter RMSNormalization RotaryEmbedding
SimplifiedLayerNormalization EyeLike Bernoulli RandomNormalLike RandomUniformLike Shrink ReverseSequence
BitwiseNot Memcpy QLinearSigmoid QLinearLeakyRelu QLinearSoftmax BiasSoftmax"""
_BROADCAST = """Add Sub Mul Div Pow Min Max Sum Mean Mod And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Where
BitShift BitwiseAnd BitwiseOr BitwiseXor BiasGelu"""
_REDUCE = """ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
ReduceSumSquare"""


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(words(_SAME), compute.same),
    **dict.fromkeys(words(_BROADCAST), compute.elementwise),
    **dict.fromkeys(words(_REDUCE), compute.reduce),
    **dict.fromkeys(("Conv", "FusedConv", "QLinearConv", "ConvInteger"), compute.conv),
    **dict.fromkeys(("MaxPool", "NhwcMaxPool", "AveragePool", "LpPool"), compute.pool),
    **dict.fromkeys(
        ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"), compute.global_pool
    ),
    **dict.fromkeys(("MatMul", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"), compute.matmul),
    **dict.fromkeys(("FusedMatMul", "TransposeMatMul"), compute.fused_matmul),
    **dict.fromkeys(("DynamicQuantizeMatMul",), compute.matmul),
    **dict.fromkeys(("Gemm", "FusedGemm", "QGemm"), compute.gemm),
    **dict.fromkeys(("ArgMax", "ArgMin"), compute.arg_reduce),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), compute.recurrent),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), compute.quantised_binary),
    **dict.fromkeys(("Resize", "Upsample"), move.resize),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), move.depth_to_space),
    **dict.fromkeys(("Attention", "MultiHeadAttention"), compute.attention_ms),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), compute.skip_norm),
    **dict.fromkeys(("Gather", "GatherBlockQuantized"), move.gather),
    "GatherElements": lambda site: [site.shape(1)],
    "QLinearConcat": move.quantised_concat,
    "QLinearAveragePool": compute.pool,
    "ConvTranspose": compute.conv_transpose,
    "Concat": move.concat,
    "Split": move.split,
    "Slice": move.slice_,
    "GatherND": move.gather_nd,
    "Reshape": move.reshape,
    "Flatten": move.flatten,
    "Transpose": move.transpose,
    "Squeeze": move.squeeze,
    "Unsqueeze": move.unsqueeze,
    "Expand": move.expand,
    "Tile": move.tile,
    "Pad": move.pad,
    "ConstantOfShape": move.constant_of_shape,
    "Range": move.range_,
    "TopK": move.top_k,
    "OneHot": move.one_hot,
    "Einsum": compute.einsum,
    "BatchNormalization": compute.batch_norm,
    "LayerNormalization": compute.first_then_statistics,
    "EmbedLayerNormalization": compute.embed_norm,
    "DynamicQuantizeLinear": compute.quantize_dynamic,
    "Shape": move.shape_of,
    "Size": move.scalar,
    "GridSample": move.grid_sample,
    "Det": move.scalar,
}


def infer(site: Site) -> list[Shape]:
    """Shapes of all outputs of a known op."""
    if site.node.op == "Attention" and site.node.domain == "":
        return compute.attention(site)
    return RULES[site.node.op](site)


_DTYPES: Mapping[str, str] = {
    **dict.fromkeys(words("Shape Size ArgMax ArgMin NonZero"), "int64"),
    **dict.fromkeys(words("Equal Greater Less GreaterOrEqual LessOrEqual And Or Xor Not IsNaN IsInf"), "bool"),
    **dict.fromkeys(words("ConvInteger MatMulInteger"), "int32"),
    "MatMulIntegerToFloat": "float32",
    "DynamicQuantizeMatMul": "float32",
}


def output_dtypes(site: Site, cast_to: str | None) -> list[str]:
    """Element type of each output; `cast_to` is what the node's `to` or `dtype` attribute names, if it has one."""
    node = site.node
    if cast_to is not None:
        return [cast_to] * len(node.outputs)
    if node.op in _DTYPES:
        return [_DTYPES[node.op]] * len(node.outputs)
    if node.op in ("DynamicQuantizeLinear", "QuantizeLinear"):
        zero = site.tensor(2).dtype if site.has(2) else "uint8"
        return [zero if node.op == "QuantizeLinear" else "uint8", "float32", "uint8"][: len(node.outputs)]
    source = {"DequantizeLinear": 1, "Where": 1, "OneHot": 2, "CastLike": 1, "EmbedLayerNormalization": 2}
    first = site.tensor(source.get(node.op, 0)).dtype
    if node.op in ("TopK", "MaxPool") and len(node.outputs) > 1:
        return [first, "int64"]
    if node.op == "QGemm" and not site.has(7):
        return ["float32"]
    return [first] * len(node.outputs)
