"""A kernel in numbers: the columns of `Parts.matrix`, each a physical fact that decides its time on a core.

Vocabularies (`ops.CLASSES`, `OP_TYPES`, `ACTIVATIONS`, `LAYOUTS`) are append only: a position is a code in bundles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from featurizers.core import Column
from featurizers.network import ops
from featurizers.network.graph import DTYPE_BYTES, QUANTISED, Shape, Tensor, words
from featurizers.network.plan import Plan, Step
from featurizers.network.site import Site

OP_TYPES = words("""
unknown ReorderInput ReorderOutput Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool
BatchNormalization Bernoulli BiasGelu BiasSoftmax BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike
Ceil Celu Clip Concat ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear
Det Div Dropout DynamicQuantizeLinear DynamicQuantizeMatMul Einsum Elu EmbedLayerNormalization Equal Erf Exp Expand
EyeLike FastGelu Flatten Floor FusedConv FusedGemm FusedMatMul GRU Gather GatherBlockQuantized GatherElements
GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNorm
GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM
LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger
MatMulIntegerToFloat Max MaxPool Mean MeanVarianceNormalization Memcpy Min Mish Mod Mul MultiHeadAttention Neg Not
OneHot Or PRelu Pad Pow QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool
QLinearLeakyRelu QLinearMatMul QLinearMul QLinearSigmoid QLinearSoftmax QuantizeLinear QuickGelu RMSNormalization
RNN RandomNormalLike RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RotaryEmbedding Round
Scatter ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign SimplifiedLayerNormalization Sin Sinh Size
SkipLayerNormalization SkipSimplifiedLayerNormalization Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt
Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose TransposeMatMul Trilu Unsqueeze Upsample Where
Xor NhwcMaxPool""")
"""Every op with a shape rule, and the reorders of blocked layouts. New ones at the end."""
ACTIVATIONS = (
    "", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip", "HardSigmoid", "HardSwish", "Gelu", "QuickGelu", "Elu",
    "Softplus", "PRelu", "Swish", "Mish", "Mul",
)  # fmt: skip
LAYOUTS = ("", "nchwc", "nhwc")
LANES = 16
"""float32 lanes of an AVX-512 register, and the channel block of onnxruntime's NCHWc layout on it."""

_IDENTITY = words("op_class op_type activation residual bias layout fused_ops element_bytes quantised")
_SIZE = (
    ("flops", "FLOP"), ("macs", "MAC"), ("bytes_in", "B"), ("bytes_weights", "B"), ("bytes_out", "B"),
    ("log_flops", "log2 FLOP"), ("log_bytes_in", "log2 B"), ("log_bytes_weights", "log2 B"),
    ("log_bytes_out", "log2 B"), ("log_working_set", "log2 B"), ("intensity", "FLOP/B"),
)  # fmt: skip
_WINDOW = words("""batch channels_in channels_out groups kernel_h kernel_w stride dilation height_in width_in height_out
width_out""")
_PRODUCT = words("gemm_batch gemm_m gemm_n gemm_k gemm_weights")
_SIMD = (
    ("waste_in", "1"), ("waste_out", "1"), ("waste_width", "1"), ("log_padded_flops", "log2 FLOP"),
    ("log_im2col_bytes", "log2 B"), ("winograd", "1"),
)  # fmt: skip
_SEQUENCE = words("sequence hidden directions")
_SHAPE = (
    ("elements_out", "1"), ("axis_length", "1"), ("inner_length", "1"), ("innermost_moved", "1"), ("run_bytes", "B"),
    ("operands", "1"), ("results", "1"), ("broadcast", "1"),
)  # fmt: skip

_VOCABULARIES = {"op_class": ops.CLASSES, "op_type": OP_TYPES, "activation": ACTIVATIONS}

PART_COLUMNS: tuple[Column, ...] = (
    *(Column(n, "B" if n == "element_bytes" else "1", "identity", _VOCABULARIES.get(n, ())) for n in _IDENTITY),
    *(Column(n, u, "size") for n, u in _SIZE),
    *(Column(n, "1", "window") for n in _WINDOW),
    *(Column(n, "1", "product") for n in _PRODUCT),
    *(Column(n, u, "simd") for n, u in _SIMD),
    *(Column(n, "1", "sequence") for n in _SEQUENCE),
    *(Column(n, u, "shape") for n, u in _SHAPE),
)
PART_INDEX: Mapping[str, int] = {c.name: i for i, c in enumerate(PART_COLUMNS)}

Key = tuple[Any, ...]
Row = tuple[float, ...]


class Kernel(msgspec.Struct, frozen=True):
    """One thing that the runtime executes. Kernels of equal `key` are the same work, with the same `row`.

    names : the user's nodes in it; wrote : values that fusion made superfluous; elements : of its first output.
    """

    key: Key
    row: Row
    op: str
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    wrote: tuple[str, ...] = ()

    @property
    def elements(self) -> int:
        return int(self.row[PART_INDEX["elements_out"]])


class _Memo:
    """Rows by key, emptied when full: what was computed once for a shape is not computed again."""

    def __init__(self, limit: int):
        self.limit = limit
        self.rows: dict[Key, Row] = {}

    def row(self, key: Key, step: Step, site: Site, unknown: bool) -> Row:
        found = self.rows.get(key)
        if found is None:
            found = describe(step, site, unknown)
            if len(self.rows) >= self.limit:
                self.rows.clear()
            self.rows[key] = found
        return found


_MEMO = _Memo(1 << 16)


def kernels_of(plan: Plan) -> list[Kernel]:
    """The steps of a finished plan as kernels, in execution order."""
    result = []
    for step in plan.order():
        unknown = not plan.unknown.isdisjoint(step.members)
        key = _key(step, plan, unknown)
        row = _MEMO.row(key, step, plan.site(step), unknown)
        result.append(
            Kernel(key, row, step.node.op, tuple(step.members), step.node.inputs, step.node.outputs, tuple(step.wrote))
        )
    return result


_ABSENT = Tensor(())
_IGNORED_ATTRS = frozenset({"epsilon", "momentum", "seed", "spatial", "is_test", "training_mode", "consumed_inputs"})


def _key(step: Step, plan: Plan, unknown: bool) -> Key:
    node = step.node
    attrs = [
        (k, tuple(v) if isinstance(v, list) else v)
        for k, v in node.attrs.items()
        if isinstance(v, (int, str, list)) and k not in _IGNORED_ATTRS
    ]
    tensors = plan.tensors
    return (
        node.op, step.act, step.residual, step.layout, unknown, len(step.fused), tuple(sorted(attrs)),
        tuple([tensors.get(i, _ABSENT) if i else None for i in node.inputs]),
        tuple([tensors[o] if o else None for o in node.outputs]),
    )  # fmt: skip


def describe(step: Step, site: Site, unknown: bool) -> Row:
    """All columns of one kernel. Facts that do not apply to its class are 0."""
    cls = "unknown" if unknown else ops.op_class(site)
    facts: dict[str, float] = {
        "op_class": ops.CLASSES.index(cls),
        "op_type": 0 if unknown else OP_TYPES.index(step.node.op),
        "activation": ACTIVATIONS.index(step.act),
        "residual": step.residual,
        "layout": LAYOUTS.index(step.layout),
        "fused_ops": len(step.fused),
    }
    _types(site, facts)
    _sizes(step, site, facts, unknown)
    if cls in ("conv", "pointwise", "depthwise", "grouped", "conv_transpose"):
        _convolution(step, site, facts)
    elif cls in ("gemm", "matmul") and step.node.op != "Einsum":
        _product(site, facts)
        if facts["gemm_weights"] and step.node.op == "MatMul":
            facts["op_type"] = OP_TYPES.index("Gemm")  # the same work; only whether a bias follows differs
    elif cls == "recurrent":
        _recurrent(site, facts)
    else:
        _windowless(site, facts, cls)
    _data_shape(site, facts, cls)
    _logs(facts)
    return tuple(float(facts.get(c.name, 0.0)) for c in PART_COLUMNS)


def _types(site: Site, facts: dict[str, float]) -> None:
    names = [i for i in site.node.inputs if i] + [o for o in site.node.outputs if o]
    first = site.tensors[names[0]]
    facts["element_bytes"] = DTYPE_BYTES[first.dtype]
    facts["quantised"] = first.dtype in QUANTISED


def _sizes(step: Step, site: Site, facts: dict[str, float], unknown: bool) -> None:
    out = math.prod(site.out()) if site.node.outputs and site.node.outputs[0] else 0
    extra = out * (bool(step.act) + step.residual)
    macs, elementwise = (0, 0) if unknown else ops.work(site)
    read, weights, written = ops.traffic(site)
    facts.update(flops=2 * macs + elementwise + extra, macs=macs, bytes_in=read, bytes_weights=weights)
    facts.update(bytes_out=written, elements_out=out)
    moved = read + weights + written
    facts["intensity"] = facts["flops"] / moved if moved else 0.0


def _waste(size: int, block: int = LANES) -> float:
    """How much larger `size` grows when rounded up to whole blocks (1 = nothing wasted)."""
    return -(-size // block) * block / size


def _spatial(shape: Shape) -> tuple[int, int]:
    """(height, width) of an image tensor; a sequence has height 1; a volume's depth goes into the height."""
    sizes = shape[2:]
    return (math.prod(sizes[:-1]), sizes[-1]) if sizes else (1, 1)


def _convolution(step: Step, site: Site, facts: dict[str, float]) -> None:
    node = site.node
    index = ops.weight_index(node.op)
    x, w, out = site.channels_first(site.shape(0)), site.shape(index), site.channels_first(site.out())
    groups = node.int("group", 1)
    taps = math.prod(w[2:])
    stride, dilation = max(node.ints("strides", (1,))), max(node.ints("dilations", (1,)))
    height, width = _spatial(out)
    facts.update(batch=x[0], channels_in=x[1], channels_out=out[1], groups=groups, stride=stride, dilation=dilation)
    facts.update(zip(("kernel_h", "kernel_w"), _spatial(w), strict=True))
    facts.update(zip(("height_in", "width_in"), _spatial(x), strict=True))
    facts.update(height_out=height, width_out=width, bias=site.has(2))
    pixels = height * width
    transposed = node.op == "ConvTranspose"
    m = math.prod(_spatial(x)) if transposed else pixels
    n, k = (w[1] * taps, x[1] // groups) if transposed else (w[0] // groups, w[1] * taps)
    facts.update(gemm_batch=x[0] * groups, gemm_m=m, gemm_n=n, gemm_k=k, gemm_weights=1)
    depthwise = groups > 1 and w[1] == 1
    waste_in = 1.0 if depthwise or x[1] < LANES else _waste(x[1] // groups)
    waste_out = _waste(out[1] if depthwise else out[1] // groups)
    facts.update(waste_in=waste_in, waste_out=waste_out, waste_width=_waste(width, 6))
    facts["log_padded_flops"] = facts["flops"] * waste_in * waste_out
    facts["log_im2col_bytes"] = 0 if taps == 1 or depthwise else 4 * x[0] * pixels * w[1] * groups * taps
    facts["winograd"] = taps == 9 and stride == 1 and dilation == 1 and groups == 1 and not transposed


def _product(site: Site, facts: dict[str, float]) -> None:
    batch, m, n, k = ops.gemm_dims(site)
    right = site.tensor(ops.weight_index(site.node.op))
    facts.update(gemm_batch=batch, gemm_m=m, gemm_n=n, gemm_k=k, gemm_weights=right.constant)
    facts.update(batch=batch, channels_in=k, channels_out=n, bias=site.has(2) and site.node.op in ("Gemm", "FusedGemm"))
    facts.update(waste_in=_waste(k), waste_out=_waste(n), waste_width=_waste(m, 6))
    facts["log_padded_flops"] = facts["flops"] * facts["waste_out"]


def _recurrent(site: Site, facts: dict[str, float]) -> None:
    seq, batch, inputs, hidden, directions = ops.recurrent_dims(site)
    facts.update(sequence=seq, hidden=hidden, directions=directions, batch=batch, channels_in=inputs)
    facts.update(channels_out=hidden * directions, waste_out=_waste(hidden), waste_in=_waste(inputs))
    gates = {"LSTM": 4, "GRU": 3}.get(site.node.op, 1)
    facts.update(gemm_batch=seq * directions, gemm_m=batch, gemm_n=gates * hidden, gemm_k=inputs + hidden)
    facts["gemm_weights"] = 1


def _windowless(site: Site, facts: dict[str, float], cls: str) -> None:
    if not site.has(0) or not site.node.outputs[0]:
        return
    x, out = site.channels_first(site.shape(0)), site.channels_first(site.out())
    if len(x) >= 3:
        facts.update(batch=x[0], channels_in=x[1], channels_out=out[1] if len(out) > 1 else 0)
        facts.update(zip(("height_in", "width_in"), _spatial(x), strict=True))
        if len(out) >= 3:
            facts.update(zip(("height_out", "width_out"), _spatial(out), strict=True))
        facts["waste_out"] = _waste(x[1])
    elif x:
        facts.update(batch=x[0], channels_in=x[-1], channels_out=out[-1] if out else 1)
    if cls == "pool":
        kernel = site.node.ints("kernel_shape", (1, 1))
        facts.update(kernel_h=kernel[0], kernel_w=kernel[-1], stride=max(site.node.ints("strides", (1,))))


def _data_shape(site: Site, facts: dict[str, float], cls: str) -> None:
    node = site.node
    live = [site.tensors[i] for i in node.inputs if i and not site.tensors[i].constant]
    facts.update(operands=len(live), results=sum(1 for o in node.outputs if o))
    if cls == "binary":
        shapes = [site.shape(i) for i in range(len(node.inputs)) if site.has(i)]
        facts["broadcast"] = any(s != shapes[0] for s in shapes) and 1 + any(s and s[-1] == 1 for s in shapes)
    if cls == "reduce":
        _reduced(site, facts)
    elif cls in ("softmax", "norm") and site.rank(0):
        facts["axis_length"] = site.shape(0)[site.axis(node.int("axis", -1), site.rank(0))]
        facts["inner_length"] = 1
    elif cls in ("movement", "gather") and site.has(0):
        _moved(site, facts)


def _reduced(site: Site, facts: dict[str, float]) -> None:
    x, out = site.shape(0), site.out()
    facts["axis_length"] = math.prod(x) / max(1, math.prod(out))
    axes = site.value(1)
    last = max((int(a) % len(x) for a in axes.reshape(-1)), default=len(x) - 1) if axes is not None else len(x) - 1
    facts["inner_length"] = math.prod(x[last + 1 :])


def _moved(site: Site, facts: dict[str, float]) -> None:
    node, x, out = site.node, site.shape(0), site.out()
    size = DTYPE_BYTES[site.tensor(0).dtype]
    run = math.prod(out)
    if node.op == "Transpose":
        perm = node.ints("perm", range(len(x))[::-1])
        fixed = len(perm)
        while fixed and perm[fixed - 1] == fixed - 1:
            fixed -= 1
        run = math.prod(x[fixed:])
        facts["innermost_moved"] = fixed == len(perm) and bool(x) and x[-1] > 1
    elif node.op in ("Concat", "Split", "Gather") and x:
        axis = site.axis(node.int("axis", 0), len(x))
        run = math.prod(x[axis + (node.op == "Gather") :])
    elif node.op == "Slice" and x:
        first = next((i for i, (a, b) in enumerate(zip(x[::-1], out[::-1], strict=True)) if a != b), len(x))
        run = math.prod(out[len(x) - first - 1 :]) if first < len(x) else run
    facts["run_bytes"] = run * size
    facts["inner_length"] = run


def _logs(facts: dict[str, float]) -> None:
    for name, source in (
        ("log_flops", "flops"), ("log_bytes_in", "bytes_in"), ("log_bytes_weights", "bytes_weights"),
        ("log_bytes_out", "bytes_out"), ("log_padded_flops", "log_padded_flops"),
        ("log_im2col_bytes", "log_im2col_bytes"),
    ):  # fmt: skip
        facts[name] = math.log2(1.0 + facts.get(source, 0.0))
    moved = facts["bytes_in"] + facts["bytes_weights"] + facts["bytes_out"]
    facts["log_working_set"] = math.log2(1.0 + moved)
