"""Output shapes of every op we know, from static input shapes (ONNX operator specifications, all opsets).

All dimensions are numbers here: dynamic ones got theirs before. A rule takes a `Site` and returns one shape per output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from featurizers.network.graph import Shape, words
from featurizers.network.site import Site

Rule = Callable[[Site], list[Shape]]


def broadcast(site: Site, shapes: Sequence[Shape]) -> Shape:
    """Numpy broadcasting."""
    first = shapes[0]
    if all(s == first for s in shapes):
        return first
    rank = max(len(s) for s in shapes)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    result = tuple(max(dims) if 0 not in dims else 0 for dims in zip(*padded, strict=True))
    if any(d not in (1, r) for s in padded for d, r in zip(s, result, strict=True)):
        raise site.fail("must have input shapes that broadcast", [list(s) for s in shapes])
    return result


def same(site: Site) -> list[Shape]:
    return [site.shape(0)] * len(site.node.outputs)


def elementwise(site: Site) -> list[Shape]:
    return [broadcast(site, [site.shape(i) for i in range(len(site.node.inputs)) if site.has(i)])]


def spatial_padding(site: Site, sizes: Shape, kernel: Shape, strides: Shape, dilations: Shape) -> Shape:
    """Total padding of each spatial axis."""
    mode = site.node.attrs.get("auto_pad", "NOTSET")
    rank = len(sizes)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        outs = [-(-n // s) for n, s in zip(sizes, strides, strict=True)]
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        return tuple(max(0, (o - 1) * s + e - n) for o, s, e, n in zip(outs, strides, spans, sizes, strict=True))
    if mode == "VALID":
        return (0,) * rank
    pads = site.node.ints("pads", (0,) * 2 * rank)
    if len(pads) != 2 * rank:
        raise site.fail(f"must have {2 * rank} pads", list(pads))
    return tuple(pads[i] + pads[i + rank] for i in range(rank))


def window_out(site: Site, sizes: Shape, kernel: Shape, *, ceil: bool = False) -> Shape:
    rank = len(sizes)
    strides = site.node.ints("strides", (1,) * rank)
    dilations = site.node.ints("dilations", (1,) * rank)
    if not len(kernel) == len(strides) == len(dilations) == rank or min((*strides, *dilations), default=1) < 1:
        raise site.fail(f"must have {rank} kernel sizes, strides >= 1 and dilations >= 1", [kernel, strides, dilations])
    pads = spatial_padding(site, sizes, kernel, strides, dilations)
    out = []
    for n, k, s, d, p in zip(sizes, kernel, strides, dilations, pads, strict=True):
        room = n + p - (k - 1) * d - 1
        steps = -(-room // s) if ceil else room // s
        if ceil and steps * s >= n + p:
            steps -= 1
        out.append(steps + 1 if room >= 0 else 0)
    return tuple(out)


def conv(site: Site) -> list[Shape]:
    weight_index = 3 if site.node.op in ("QLinearConv",) else 1
    x, w = site.shape(0), site.shape(weight_index)
    group = site.node.int("group", 1)
    if len(x) < 3 or len(w) != len(x) or group < 1 or w[0] % group or x[1] != w[1] * group:
        raise site.fail("must have a weight that fits its input and groups", [list(x), list(w), group])
    return [(x[0], w[0], *window_out(site, x[2:], site.node.ints("kernel_shape", w[2:])))]


def conv_transpose(site: Site) -> list[Shape]:
    x, w = site.shape(0), site.shape(1)
    rank = len(x) - 2
    if rank < 1 or len(w) != len(x) or x[1] != w[0]:
        raise site.fail("must have a weight that fits its input", [list(x), list(w)])
    channels = w[1] * site.node.int("group", 1)
    strides = site.node.ints("strides", (1,) * rank)
    given = site.node.attrs.get("output_shape")
    if given is not None:
        return [(x[0], channels, *(int(v) for v in given[-rank:]))]
    dilations = site.node.ints("dilations", (1,) * rank)
    extra = site.node.ints("output_padding", (0,) * rank)
    if str(site.node.attrs.get("auto_pad", "NOTSET")).startswith("SAME"):
        return [(x[0], channels, *(n * s for n, s in zip(x[2:], strides, strict=True)))]
    pads = site.node.ints("pads", (0,) * 2 * rank)
    sizes = (
        s * (n - 1) + e + (k - 1) * d + 1 - pads[i] - pads[i + rank]
        for i, (n, k, s, d, e) in enumerate(zip(x[2:], w[2:], strides, dilations, extra, strict=True))
    )
    return [(x[0], channels, *sizes)]


def pool(site: Site) -> list[Shape]:
    x = site.shape(0)
    kernel = site.node.ints("kernel_shape", ())
    out = (*x[:2], *window_out(site, x[2:], kernel, ceil=bool(site.node.int("ceil_mode", 0))))
    return [out] * len(site.node.outputs)


def global_pool(site: Site) -> list[Shape]:
    x = site.shape(0)
    return [(*x[:2], *(1,) * (len(x) - 2))]


def matmul_shape(site: Site, a: Shape, b: Shape) -> Shape:
    if not a or not b:
        raise site.fail("must have inputs of rank 1 or more", [list(a), list(b)])
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if left[-1] != right[-2]:
        raise site.fail("must have inner dimensions that agree", [list(a), list(b)])
    batch = broadcast(site, [left[:-2], right[:-2]])
    rows, cols = left[-2:-1] if len(a) > 1 else (), right[-1:] if len(b) > 1 else ()
    return (*batch, *rows, *cols)


def matmul(site: Site) -> list[Shape]:
    right = 3 if site.node.op == "QLinearMatMul" else 1
    return [matmul_shape(site, site.shape(0), site.shape(right))]


def fused_matmul(site: Site) -> list[Shape]:
    def turned(shape: Shape, flag: str) -> Shape:
        return (*shape[:-2], shape[-1], shape[-2]) if site.node.int(flag, 0) else shape

    return [matmul_shape(site, turned(site.shape(0), "transA"), turned(site.shape(1), "transB"))]


def gemm(site: Site) -> list[Shape]:
    right = 3 if site.node.op == "QGemm" else 1
    a, b = site.shape(0), site.shape(right)
    if len(a) != 2 or len(b) != 2:
        raise site.fail("must have matrices of rank 2", [list(a), list(b)])
    m, k = a[::-1] if site.node.int("transA", 0) else a
    k2, n = b[::-1] if site.node.int("transB", 0) else b
    if k != k2:
        raise site.fail("must have inner dimensions that agree", [list(a), list(b)])
    return [(m, n)]


def reduce(site: Site) -> list[Shape]:
    x = site.shape(0)
    axes = site.ints("axes", 1)
    keep = bool(site.node.int("keepdims", 1))
    if not axes:
        if axes == () and site.node.int("noop_with_empty_axes", 0):
            return [x]
        return [(1,) * len(x) if keep else ()]
    at = {site.axis(a, len(x)) for a in axes}
    return [tuple(1 if i in at else d for i, d in enumerate(x) if keep or i not in at)]


def arg_reduce(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", 0), len(x))
    middle = (1,) if site.node.int("keepdims", 1) else ()
    return [(*x[:axis], *middle, *x[axis + 1 :])]


def concat(site: Site) -> list[Shape]:
    shapes = [site.shape(i) for i in range(len(site.node.inputs))]
    axis = site.axis(site.node.int("axis", 1), len(shapes[0]))
    rest = [(*s[:axis], *s[axis + 1 :]) for s in shapes]
    if any(r != rest[0] for r in rest):
        raise site.fail("must have inputs that agree off the concatenated axis", [list(s) for s in shapes])
    return [(*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])]


def split(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", 0), len(x))
    sizes = site.ints("split", 1)
    count = len(site.node.outputs)
    if sizes is None:
        step = -(-x[axis] // count)
        sizes = (*(step,) * (count - 1), x[axis] - step * (count - 1))
    if len(sizes) != count or sum(sizes) != x[axis]:
        raise site.fail(f"must have {count} sizes that add up to {x[axis]}", list(sizes))
    return [(*x[:axis], size, *x[axis + 1 :]) for size in sizes]


def slice_(site: Site) -> list[Shape]:
    x = site.shape(0)
    starts, ends = site.ints("starts", 1) or (), site.ints("ends", 2) or ()
    axes = site.ints("axes", 3, range(len(starts))) or ()
    steps = site.ints("steps", 4, (1,) * len(starts)) or ()
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise site.fail("must have as many ends, axes and non-zero steps as starts", [starts, ends, axes, steps])
    out = list(x)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        at = site.axis(axis, len(x))
        out[at] = len(range(*slice(start, _slice_end(end, step, x[at]), step).indices(x[at])))
    return [tuple(out)]


def _slice_end(end: int, step: int, size: int) -> int | None:
    """ONNX writes 'to before the first element' as an end far below zero."""
    return None if step < 0 and end < -size else end


def gather(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", 0), len(x))
    return [(*x[:axis], *site.shape(1), *x[axis + 1 :])]


def gather_nd(site: Site) -> list[Shape]:
    x, index = site.shape(0), site.shape(1)
    batch = site.node.int("batch_dims", 0)
    return [(*index[:-1], *x[batch + index[-1] :])]


def reshape(site: Site) -> list[Shape]:
    x = site.shape(0)
    target = list(site.ints("shape", 1) or ())
    if not site.node.int("allowzero", 0):
        target = [x[i] if d == 0 and i < len(x) else d for i, d in enumerate(target)]
    known = math.prod(d for d in target if d != -1)
    if target.count(-1) == 1 and known:
        target[target.index(-1)] = math.prod(x) // known
    if math.prod(target) != math.prod(x) or min(target, default=1) < 0:
        raise site.fail(f"must reshape {list(x)} to as many elements", target)
    return [tuple(target)]


def flatten(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.node.int("axis", 1)
    axis = axis + len(x) if axis < 0 else axis
    return [(math.prod(x[:axis]), math.prod(x[axis:]))]


def transpose(site: Site) -> list[Shape]:
    x = site.shape(0)
    perm = site.node.ints("perm", range(len(x))[::-1])
    if sorted(perm) != list(range(len(x))):
        raise site.fail(f"must permute {len(x)} axes", list(perm))
    return [tuple(x[p] for p in perm)]


def squeeze(site: Site) -> list[Shape]:
    x = site.shape(0)
    axes = site.ints("axes", 1)
    at = {i for i, d in enumerate(x) if d == 1} if axes is None else {site.axis(a, len(x)) for a in axes}
    if any(x[i] != 1 for i in at):
        raise site.fail(f"must squeeze axes of size 1 of {list(x)}", sorted(at))
    return [tuple(d for i, d in enumerate(x) if i not in at)]


def unsqueeze(site: Site) -> list[Shape]:
    x = site.shape(0)
    axes = site.ints("axes", 1) or ()
    rank = len(x) + len(axes)
    at = {site.axis(a, rank) for a in axes}
    rest = iter(x)
    return [tuple(1 if i in at else next(rest) for i in range(rank))]


def expand(site: Site) -> list[Shape]:
    return [broadcast(site, [site.shape(0), tuple(int(v) for v in site.need(1, "shape").reshape(-1))])]


def tile(site: Site) -> list[Shape]:
    repeats = site.need(1, "repeats").reshape(-1)
    return [tuple(int(d * r) for d, r in zip(site.shape(0), repeats, strict=True))]


def pad(site: Site) -> list[Shape]:
    x = site.shape(0)
    pads = site.ints("pads", 1) or ()
    axes = site.ints("axes", 3, range(len(x))) or ()
    if len(pads) != 2 * len(axes):
        raise site.fail(f"must have {2 * len(axes)} pads", list(pads))
    out = list(x)
    for i, axis in enumerate(axes):
        out[site.axis(axis, len(x))] += pads[i] + pads[i + len(axes)]
    return [tuple(out)]


def resize(site: Site) -> list[Shape]:
    x = site.shape(0)
    scales_index = 1 if site.node.op == "Upsample" or site.opset < 11 else 2
    axes = site.node.ints("axes", range(len(x)))
    sizes = site.value(3)
    out = list(x)
    if sizes is not None and np.size(sizes):
        changes = [int(v) for v in np.reshape(sizes, -1)]
    else:
        scales = site.node.attrs.get("scales")
        scales = site.need(scales_index, "scales").reshape(-1) if scales is None else scales
        changes = [math.floor(x[a] * float(s)) for a, s in zip(axes, scales, strict=True)]
    for axis, size in zip(axes, changes, strict=True):
        out[axis] = size
    return [tuple(out)]


def constant_of_shape(site: Site) -> list[Shape]:
    return [tuple(int(v) for v in site.need(0, "shape").reshape(-1))]


def range_(site: Site) -> list[Shape]:
    start, limit, delta = (float(site.need(i, w).item()) for i, w in enumerate(("start", "limit", "delta")))
    return [(max(0, math.ceil((limit - start) / delta)),)]


def top_k(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", -1), len(x))
    k = site.node.attrs.get("k")
    k = int(site.need(1, "k").reshape(-1)[0]) if k is None else int(k)
    return [(*x[:axis], k, *x[axis + 1 :])] * len(site.node.outputs)


def one_hot(site: Site) -> list[Shape]:
    x = site.shape(0)
    axis = site.node.int("axis", -1)
    at = axis + len(x) + 1 if axis < 0 else axis
    return [(*x[:at], int(site.need(1, "depth").reshape(-1)[0]), *x[at:])]


def depth_to_space(site: Site) -> list[Shape]:
    n, c, h, w = site.shape(0)
    b = site.node.int("blocksize", 1)
    if site.node.op == "DepthToSpace":
        return [(n, c // (b * b), h * b, w * b)]
    return [(n, c * b * b, h // b, w // b)]


def einsum(site: Site) -> list[Shape]:
    equation = str(site.node.attrs.get("equation", "")).replace(" ", "")
    terms, _, result = equation.partition("->")
    if "..." in equation or "->" not in equation:
        raise site.fail("must have an equation with an explicit result and no ellipsis", equation)
    sizes: dict[str, int] = {}
    for i, term in enumerate(terms.split(",")):
        if len(term) != site.rank(i):
            raise site.fail(f"must have {len(term)} axes in input {i}", equation)
        for letter, dim in zip(term, site.shape(i), strict=True):
            sizes[letter] = max(dim, sizes.get(letter, 1))
    return [tuple(sizes[letter] for letter in result)]


def recurrent(site: Site) -> list[Shape]:
    x, w = site.shape(0), site.shape(1)
    hidden = site.node.int("hidden_size", site.shape(2)[-1])
    seq, batch = (x[1], x[0]) if site.node.int("layout", 0) else (x[0], x[1])
    state = (w[0], batch, hidden)
    return [(seq, w[0], batch, hidden), state, state][: len(site.node.outputs)]


def first_then_statistics(site: Site) -> list[Shape]:
    """LayerNormalization and its relatives: the value, then mean and deviation of each normalised row."""
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", -1), len(x))
    rest = (*x[:axis], *(1,) * (len(x) - axis))
    return [x, *[rest] * (len(site.node.outputs) - 1)]


def skip_norm(site: Site) -> list[Shape]:
    x = site.shape(0)
    return [x, x[:-1], x[:-1], x][: len(site.node.outputs)]


def batch_norm(site: Site) -> list[Shape]:
    channels = site.shape(1)
    return [site.shape(0), *[channels] * (len(site.node.outputs) - 1)]


def attention_ms(site: Site) -> list[Shape]:
    """com.microsoft Attention (input, packed weights, bias) and MultiHeadAttention (query, key, value)."""
    x = site.shape(0)
    if site.node.op == "MultiHeadAttention":
        value = site.shape(2) if site.has(2) else x
        return [(x[0], x[1], value[-1] if len(value) == 3 else value[1] * value[3])]
    hidden = site.shape(1)[1] // 3
    return [(x[0], x[1], hidden)]


def attention(site: Site) -> list[Shape]:
    """ONNX Attention (opset 23): (batch, heads, length, head) or (batch, length, hidden)."""
    q, v = site.shape(0), site.shape(2)
    if len(q) == 4:
        return [(*q[:3], v[3])]
    heads = site.node.int("q_num_heads", 1)
    return [(*q[:2], heads * v[2] // site.node.int("kv_num_heads", heads))]


def embed_norm(site: Site) -> list[Shape]:
    batch, length = site.shape(0)
    x = (batch, length, site.shape(2)[-1])
    return [x, (batch,), x][: len(site.node.outputs)]


def quantize_dynamic(site: Site) -> list[Shape]:
    return [site.shape(0), (), ()]


def shape_of(site: Site) -> list[Shape]:
    return [(len(site.shape(0)),)]


def scalar(site: Site) -> list[Shape]:
    return [()]


def grid_sample(site: Site) -> list[Shape]:
    return [(*site.shape(0)[:2], *site.shape(1)[1:-1])]


_SAME = """Relu Sigmoid Tanh Erf Exp Log Sqrt Abs Neg Floor Ceil Round Sign Reciprocal Sin Cos Tan Asin Acos Atan Sinh
Cosh Asinh Acosh Atanh Softplus Softsign Elu Selu Celu LeakyRelu ThresholdedRelu HardSigmoid HardSwish Mish Swish Gelu
FastGelu QuickGelu Clip Identity Dropout Cast CastLike Softmax LogSoftmax Hardmax Not IsNaN IsInf CumSum
InstanceNormalization GroupNormalization GroupNorm LRN LpNormalization MeanVarianceNormalization QuantizeLinear
DequantizeLinear PRelu Trilu ScatterND ScatterElements Scatter RMSNormalization RotaryEmbedding
SimplifiedLayerNormalization EyeLike Bernoulli RandomNormalLike RandomUniformLike Shrink ReverseSequence BitwiseNot Memcpy QLinearSigmoid
QLinearLeakyRelu QLinearSoftmax BiasSoftmax"""
_BROADCAST = """Add Sub Mul Div Pow Min Max Sum Mean Mod And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Where
BitShift BitwiseAnd BitwiseOr BitwiseXor BiasGelu"""
_REDUCE = """ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
ReduceSumSquare"""


def _first_two(site: Site) -> list[Shape]:
    """Quantised binary ops: (a, scale, zero, b, scale, zero, scale, zero)."""
    return [broadcast(site, [site.shape(0), site.shape(3)])]


def _qconcat(site: Site) -> list[Shape]:
    shapes = [site.shape(i) for i in range(2, len(site.node.inputs), 3)]
    axis = site.axis(site.node.int("axis", 1), len(shapes[0]))
    return [(*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])]


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(words(_SAME), same),
    **dict.fromkeys(words(_BROADCAST), elementwise),
    **dict.fromkeys(words(_REDUCE), reduce),
    **dict.fromkeys(("Conv", "FusedConv", "QLinearConv", "ConvInteger"), conv),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"), global_pool),
    **dict.fromkeys(("MatMul", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"), matmul),
    **dict.fromkeys(("FusedMatMul", "TransposeMatMul"), fused_matmul),
    **dict.fromkeys(("DynamicQuantizeMatMul",), matmul),
    **dict.fromkeys(("Gemm", "FusedGemm", "QGemm"), gemm),
    **dict.fromkeys(("ArgMax", "ArgMin"), arg_reduce),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), _first_two),
    **dict.fromkeys(("Resize", "Upsample"), resize),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), depth_to_space),
    **dict.fromkeys(("Attention", "MultiHeadAttention"), attention_ms),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), skip_norm),
    **dict.fromkeys(("Gather", "GatherBlockQuantized"), gather),
    "GatherElements": lambda site: [site.shape(1)],
    "QLinearConcat": _qconcat,
    "QLinearAveragePool": pool,
    "ConvTranspose": conv_transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "GatherND": gather_nd,
    "Reshape": reshape,
    "Flatten": flatten,
    "Transpose": transpose,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Expand": expand,
    "Tile": tile,
    "Pad": pad,
    "ConstantOfShape": constant_of_shape,
    "Range": range_,
    "TopK": top_k,
    "OneHot": one_hot,
    "Einsum": einsum,
    "BatchNormalization": batch_norm,
    "LayerNormalization": first_then_statistics,
    "EmbedLayerNormalization": embed_norm,
    "DynamicQuantizeLinear": quantize_dynamic,
    "Shape": shape_of,
    "Size": scalar,
    "GridSample": grid_sample,
    "Det": scalar,
}


def infer(site: Site) -> list[Shape]:
    """Shapes of all outputs of a known op."""
    if site.node.op == "Attention" and site.node.domain == "":
        return attention(site)
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
