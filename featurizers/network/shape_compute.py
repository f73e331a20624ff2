"""Output shapes of what computes: convolutions, products, pools, reductions, norms, recurrences."""

from __future__ import annotations

from collections.abc import Sequence

from featurizers.errors import InputError
from featurizers.network.graph import Shape
from featurizers.network.site import Site


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
    x, w = site.channels_first(site.shape(0)), site.shape(weight_index)
    group = site.node.int("group", 1)
    if len(x) < 3 or len(w) != len(x) or group < 1 or w[0] % group or x[1] != w[1] * group:
        raise site.fail("must have a weight that fits its input and groups", [list(x), list(w), group])
    return [site.as_stored((x[0], w[0], *window_out(site, x[2:], site.node.ints("kernel_shape", w[2:]))))]


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
    x = site.channels_first(site.shape(0))
    kernel = site.node.ints("kernel_shape", ())
    out = (*x[:2], *window_out(site, x[2:], kernel, ceil=bool(site.node.int("ceil_mode", 0))))
    return [site.as_stored(out)] * len(site.node.outputs)


def global_pool(site: Site) -> list[Shape]:
    x = site.channels_first(site.shape(0))
    return [site.as_stored((*x[:2], *(1,) * (len(x) - 2)))]


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


def batch_norm(site: Site) -> list[Shape]:
    channels = site.shape(1)
    return [site.shape(0), *[channels] * (len(site.node.outputs) - 1)]


def first_then_statistics(site: Site) -> list[Shape]:
    """LayerNormalization and its relatives: the value, then mean and deviation of each normalised row."""
    x = site.shape(0)
    axis = site.axis(site.node.int("axis", -1), len(x))
    rest = (*x[:axis], *(1,) * (len(x) - axis))
    return [x, *[rest] * (len(site.node.outputs) - 1)]


def skip_norm(site: Site) -> list[Shape]:
    x = site.shape(0)
    return [x, x[:-1], x[:-1], x][: len(site.node.outputs)]


def recurrent(site: Site) -> list[Shape]:
    x, w, r = site.shape(0), site.shape(1), site.shape(2)
    if not len(x) == len(w) == len(r) == 3:
        rule = "must have a sequence, weights and recurrent weights of three dimensions each"
        raise InputError(f"The {site.node.op}", rule, [x, w, r])
    hidden = site.node.int("hidden_size", r[-1])
    seq, batch = (x[1], x[0]) if site.node.int("layout", 0) else (x[0], x[1])
    state = (w[0], batch, hidden)
    return [(seq, w[0], batch, hidden), state, state][: len(site.node.outputs)]


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


def quantised_binary(site: Site) -> list[Shape]:
    """Quantised binary ops: (a, scale, zero, b, scale, zero, scale, zero)."""
    return [broadcast(site, [site.shape(0), site.shape(3)])]
