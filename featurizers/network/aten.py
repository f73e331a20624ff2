"""ATen operators of an exported PyTorch program, said in ONNX ops, so that one cost table serves both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from featurizers.network.graph import Node, Shape, Tensor, words


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operator: arguments by name (tensors as lists of names), names of the results."""

    name: str
    target: str
    args: Mapping[str, Any]
    outputs: tuple[str, ...]

    @property
    def op(self) -> str:
        """``conv2d`` of ``torch.ops.aten.conv2d.default``."""
        parts = self.target.split(".")
        return parts[3] if len(parts) > 3 and parts[:3] == ["torch", "ops", "aten"] else self.target

    def tensor(self, *names: str) -> str:
        """The first of these arguments that is a tensor, ``""`` when none is."""
        for name in names:
            value = self.args.get(name)
            if isinstance(value, list) and value and isinstance(value[0], str):
                return value[0]
        return ""

    def tensors(self) -> list[str]:
        """All tensors among the arguments."""
        return [t for value in self.args.values() if isinstance(value, list) for t in value if isinstance(t, str)]

    def ints(self, name: str, default: Sequence[int], rank: int = 0) -> list[int]:
        """A list of ints; a single one stands for all axes."""
        value = self.args.get(name)
        if value is None or value == [] or isinstance(value, str):
            return list(default)
        found = [value] if isinstance(value, int) else [int(v) for v in value]
        return found * rank if rank and len(found) == 1 else found

    def int(self, name: str, default: int) -> int:
        value = self.args.get(name)
        return default if value is None else int(value)


@dataclass(slots=True)
class Translation:
    """The graph being written."""

    tensors: dict[str, Tensor]
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, op: str, call: Call, inputs: Sequence[str], outputs: Sequence[str], **attrs: Any) -> None:
        kept = list(inputs)
        while kept and not kept[-1]:
            kept.pop()
        if all(self.tensors[i].constant for i in kept if i):
            for name in outputs:
                self.tensors[name] = self.tensors[name]._replace(constant=True)
        self.nodes.append(Node(call.name, op, tuple(kept), tuple(outputs), attrs))

    def between(self, call: Call, suffix: str, shape: Shape, dtype: str = "float32") -> str:
        """A value that exists only between the ONNX ops of one call."""
        name = f"{call.outputs[0]}/{suffix}"
        self.tensors[name] = Tensor(shape, dtype)
        return name

    def constant(self, call: Call, suffix: str, value: Any, dtype: str = "int64") -> str:
        """A small constant."""
        name = f"{call.outputs[0]}/{suffix}"
        array = np.asarray(value, dtype=dtype)
        self.tensors[name] = Tensor(array.shape, dtype, True)
        self.values[name] = array
        return name

    def shape(self, name: str) -> Shape:
        return self.tensors[name].shape

    @staticmethod
    def known() -> list[str]:
        return sorted(RULES)


Rule = Callable[[Call, Translation], None]


def translate(call: Call, out: Translation) -> bool:
    """Write the ONNX ops of one call; False when there is no rule for it."""
    rule = RULES.get(call.op.removesuffix("_") if call.op not in RULES else call.op)
    if rule is None:
        return False
    rule(call, out)
    return True


def _unary(op: str) -> Rule:
    return lambda call, out: out.add(op, call, [call.tensor("self", "input")], call.outputs[:1])


def _binary(op: str) -> Rule:
    def rule(call: Call, out: Translation) -> None:
        left, right = call.tensor("self", "input"), call.tensor("other", "exponent")
        value = call.args.get("other", call.args.get("exponent"))
        if not right and isinstance(value, int | float):
            right = out.constant(call, "scalar", value, out.tensors[left].dtype.replace("bfloat16", "float32"))
        out.add(op, call, [left, right], call.outputs[:1])

    return rule


def _identity(call: Call, out: Translation) -> None:
    out.add("Identity", call, [call.tensor("self", "input")], call.outputs[:1])


def _cast(call: Call, out: Translation) -> None:
    source = call.tensor("self")
    same = out.tensors[source].dtype == out.tensors[call.outputs[0]].dtype
    out.add("Identity" if same else "Cast", call, [source], call.outputs[:1])


def _silu(call: Call, out: Translation) -> None:
    x = call.tensor("self")
    gate = out.between(call, "gate", out.shape(x))
    out.add("Sigmoid", call, [x], [gate])
    out.add("Mul", call, [x, gate], call.outputs[:1])


def _conv(call: Call, out: Translation) -> None:
    weight = call.tensor("weight")
    rank = len(out.shape(weight)) - 2
    padding = call.args.get("padding", [0])
    stride = call.ints("stride", [1] * rank, rank)
    attrs: dict[str, Any] = {"strides": stride, "dilations": call.ints("dilation", [1] * rank, rank)}
    attrs.update(group=call.int("groups", 1), kernel_shape=list(out.shape(weight)[2:]))
    if not isinstance(padding, str):
        attrs["pads"] = call.ints("padding", [0] * rank, rank) * 2
    transposed = bool(call.args.get("transposed", False)) or "transpose" in call.op
    inputs = [call.tensor("input"), weight, call.tensor("bias")]
    out.add("ConvTranspose" if transposed else "Conv", call, inputs, call.outputs[:1], **attrs)


def _batch_norm(call: Call, out: Translation) -> None:
    names = ["input", "weight", "bias", "running_mean", "running_var"]
    out.add("BatchNormalization", call, [call.tensor(n) for n in names], call.outputs[:1])


def _layer_norm(call: Call, out: Translation) -> None:
    axis = -len(call.ints("normalized_shape", [0]))
    inputs = [call.tensor(n) for n in ("input", "weight", "bias")]
    out.add("LayerNormalization", call, inputs, call.outputs[:1], axis=axis)


def _norm(op: str) -> Rule:
    def rule(call: Call, out: Translation) -> None:
        out.add(op, call, [call.tensor(n) for n in ("input", "weight", "bias")], call.outputs[:1])

    return rule


def _linear(call: Call, out: Translation) -> None:
    x, weight, bias = (call.tensor(n) for n in ("input", "weight", "bias"))
    if len(out.shape(x)) == 2 and bias:
        out.add("Gemm", call, [x, weight, bias], call.outputs[:1], transB=1)
        return
    turned = f"{weight}/transposed"
    out.tensors[turned] = out.tensors[weight]._replace(shape=out.shape(weight)[::-1])
    product = out.between(call, "product", out.shape(call.outputs[0])) if bias else call.outputs[0]
    out.add("MatMul", call, [x, turned], [product])
    if bias:
        out.add("Add", call, [product, bias], call.outputs[:1])


def _addmm(call: Call, out: Translation) -> None:
    out.add("Gemm", call, [call.tensor("mat1"), call.tensor("mat2"), call.tensor("self")], call.outputs[:1])


def _matmul(call: Call, out: Translation) -> None:
    out.add("MatMul", call, [call.tensor("self"), call.tensor("mat2", "other")], call.outputs[:1])


def _baddbmm(call: Call, out: Translation) -> None:
    product = out.between(call, "product", out.shape(call.outputs[0]))
    out.add("MatMul", call, [call.tensor("batch1"), call.tensor("batch2")], [product])
    out.add("Add", call, [product, call.tensor("self")], call.outputs[:1])


def _einsum(call: Call, out: Translation) -> None:
    out.add("Einsum", call, call.args["tensors"], call.outputs[:1], equation=call.args["equation"])


def _attention(call: Call, out: Translation) -> None:
    """QK^T, scale, mask, softmax, weighted sum."""
    query, key, value = (call.tensor(n) for n in ("query", "key", "value"))
    k, result = out.shape(key), call.outputs[0]
    scores = (*out.shape(result)[:-1], k[-2])
    turned = out.between(call, "key", (*k[:-2], k[-1], k[-2]))
    out.add("Transpose", call, [key], [turned], perm=[*range(len(k) - 2), len(k) - 1, len(k) - 2])
    product, scaled = out.between(call, "product", scores), out.between(call, "scaled", scores)
    out.add("MatMul", call, [query, turned], [product])
    out.add("Mul", call, [product, out.constant(call, "scale", k[-1] ** -0.5, "float32")], [scaled])
    mask = call.tensor("attn_mask")
    if mask:
        masked = out.between(call, "masked", scores)
        out.add("Add", call, [scaled, mask], [masked])
        scaled = masked
    weights = out.between(call, "weights", scores)
    out.add("Softmax", call, [scaled], [weights], axis=-1)
    out.add("MatMul", call, [weights, value], [result])


def _recurrent(op: str, gates: int) -> Rule:
    def rule(call: Call, out: Translation) -> None:
        params, layers = list(call.args["params"]), call.int("num_layers", 1)
        directions = 2 if call.args.get("bidirectional") else 1
        per_layer = len(params) // layers
        hidden = out.shape(params[1])[1]
        x = call.tensor("input")
        if call.args.get("batch_first"):
            b, s, f = out.shape(x)
            x = _transposed(call, out, x, "sequence_first", (s, b, f))
        for layer in range(layers):
            x = _layer(call, out, op, x, layer, gates, directions, hidden, bias=per_layer // directions >= 4)
        last = _transposed(call, out, x, "batch_first") if call.args.get("batch_first") else x
        out.add("Identity", call, [last], call.outputs[:1])
        for state in call.outputs[1:]:
            out.tensors[state] = out.tensors[state]._replace(constant=False)
            out.add("Gather", call, [x, out.constant(call, f"last_{state}", 0)], [state])

    return rule


def _transposed(call: Call, out: Translation, x: str, suffix: str, shape: Shape | None = None) -> str:
    a, b, *rest = out.shape(x)
    turned = out.between(call, suffix, shape or (b, a, *rest))
    out.add("Transpose", call, [x], [turned], perm=[1, 0, 2])
    return turned


def _layer(
    call: Call, out: Translation, op: str, x: str, layer: int, gates: int, directions: int, hidden: int, *, bias: bool
) -> str:
    seq, batch, size = out.shape(x)
    scope = f"{call.outputs[0]}/layer{layer}"
    shapes: dict[str, Shape] = {"w": (directions, gates * hidden, size), "r": (directions, gates * hidden, hidden)}
    if bias:
        shapes["b"] = (directions, 2 * gates * hidden)
    for key, shape in shapes.items():
        out.tensors[f"{scope}.{key}"] = Tensor(shape, "float32", True)
    y = out.between(call, f"layer{layer}", (seq, directions, batch, hidden))
    out.add(op, call, [x, *(f"{scope}.{key}" for key in shapes)], [y], hidden_size=hidden)
    if directions > 1:
        y2 = out.between(call, f"layer{layer}/turned", (seq, batch, directions, hidden))
        out.add("Transpose", call, [y], [y2], perm=[0, 2, 1, 3])
        y = y2
    joined = out.between(call, f"layer{layer}/joined", (seq, batch, directions * hidden))
    out.add("Reshape", call, [y], [joined])
    return joined


def _pool(op: str) -> Rule:
    def rule(call: Call, out: Translation) -> None:
        x = call.tensor("self")
        rank = 2 if "2d" in call.op else 1 if "1d" in call.op else 3
        kernel = call.ints("kernel_size", [1] * rank, rank)
        pads = call.ints("padding", [0] * rank, rank) * 2
        strides = call.ints("stride", kernel, rank)
        out.add(op, call, [x], call.outputs[:1], kernel_shape=kernel, strides=strides, pads=pads)

    return rule


def _adaptive_pool(call: Call, out: Translation) -> None:
    x, result = call.tensor("self"), call.outputs[0]
    a, b = out.shape(x)[2:], out.shape(result)[2:]
    kind = "Max" if "max" in call.op else "Average"
    if math.prod(b) == 1:
        out.add(f"Global{kind}Pool", call, [x], [result])
        return
    strides = [i // o for i, o in zip(a, b, strict=True)]
    kernel = [i - (o - 1) * s for i, o, s in zip(a, b, strides, strict=True)]
    out.add(f"{kind}Pool", call, [x], [result], kernel_shape=kernel, strides=strides)


def _reduce(op: str) -> Rule:
    def rule(call: Call, out: Translation) -> None:
        x = call.tensor("self")
        axes = call.ints("dim", range(len(out.shape(x))))
        inputs = [x, out.constant(call, "axes", axes)]
        out.add(op, call, inputs, call.outputs[:1], keepdims=int(bool(call.args.get("keepdim", False))))

    return rule


def _reshape(call: Call, out: Translation) -> None:
    shape = out.constant(call, "shape", out.shape(call.outputs[0]))
    out.add("Reshape", call, [call.tensor("self"), shape], call.outputs[:1])


def _permute(call: Call, out: Translation) -> None:
    x = call.tensor("self")
    perm = list(range(len(out.shape(x))))
    if call.op == "permute":
        perm = [d % len(perm) for d in call.ints("dims", perm)]
    else:
        first, second = call.int("dim0", 0), call.int("dim1", -1)
        perm[first], perm[second] = perm[second], perm[first]
    out.add("Transpose", call, [x], call.outputs[:1], perm=perm)


def _cat(call: Call, out: Translation) -> None:
    out.add("Concat", call, call.args["tensors"], call.outputs[:1], axis=call.int("dim", 0))


def _split(call: Call, out: Translation) -> None:
    out.add("Split", call, [call.tensor("self")], call.outputs, axis=call.int("dim", 0))


def _slice(call: Call, out: Translation) -> None:
    end = call.args.get("end")
    attrs = {"starts": [call.int("start", 0)], "ends": [2**31 - 1 if end is None else int(end)]}
    attrs.update(axes=[call.int("dim", 0)], steps=[call.int("step", 1)])
    out.add("Slice", call, [call.tensor("self")], call.outputs[:1], **attrs)


def _select(call: Call, out: Translation) -> None:
    index = out.constant(call, "index", call.int("index", 0))
    out.add("Gather", call, [call.tensor("self"), index], call.outputs[:1], axis=call.int("dim", 0))


def _embedding(call: Call, out: Translation) -> None:
    out.add("Gather", call, [call.tensor("weight"), call.tensor("indices")], call.outputs[:1], axis=0)


def _index_select(call: Call, out: Translation) -> None:
    out.add("Gather", call, [call.tensor("self"), call.tensor("index")], call.outputs[:1], axis=call.int("dim", 0))


def _softmax(op: str) -> Rule:
    return lambda call, out: out.add(op, call, [call.tensor("self")], call.outputs[:1], axis=call.int("dim", -1))


def _resize(mode: str) -> Rule:
    return lambda call, out: out.add("Resize", call, [call.tensor("input", "self")], call.outputs[:1], mode=mode)


def _where(call: Call, out: Translation) -> None:
    out.add("Where", call, [call.tensor("condition"), call.tensor("self"), call.tensor("other")], call.outputs[:1])


def _created(call: Call, out: Translation) -> None:
    """Values that depend on no input: constants."""
    for name in call.outputs:
        out.tensors[name] = out.tensors[name]._replace(constant=True)


RULES: Mapping[str, Rule] = {
    **{a: _unary(o) for a, o in {
        "relu": "Relu", "relu6": "Clip", "hardtanh": "Clip", "clamp": "Clip", "clamp_min": "Clip", "sigmoid": "Sigmoid",
        "tanh": "Tanh", "gelu": "Gelu", "hardswish": "HardSwish", "hardsigmoid": "HardSigmoid", "elu": "Elu",
        "leaky_relu": "LeakyRelu", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "rsqrt": "Sqrt", "neg": "Neg",
        "abs": "Abs", "erf": "Erf", "softplus": "Softplus", "mish": "Mish", "sin": "Sin", "cos": "Cos",
        "floor": "Floor", "reciprocal": "Reciprocal", "logical_not": "Not", "cumsum": "CumSum",
        "tril": "Trilu", "triu": "Trilu", "selu": "Selu",
        "pixel_shuffle": "DepthToSpace", "pad": "Pad", "constant_pad_nd": "Pad", "expand": "Expand",
        "repeat": "Tile",
    }.items()},
    **{a: _binary(o) for a, o in {
        "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "maximum": "Max", "minimum": "Min",
        "eq": "Equal", "gt": "Greater", "lt": "Less", "ge": "GreaterOrEqual", "le": "LessOrEqual", "rsub": "Sub",
        "logical_and": "And", "masked_fill": "Add",
    }.items()},
    **dict.fromkeys(words("dropout clone contiguous detach alias lift_fresh_copy feature_dropout"), _identity),
    **dict.fromkeys(words("to _to_copy type_as"), _cast),
    **dict.fromkeys(words("conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d conv_transpose3d"),
                    _conv),
    **dict.fromkeys(words("batch_norm _native_batch_norm_legit_no_training"), _batch_norm),
    **dict.fromkeys(words("layer_norm native_layer_norm"), _layer_norm),
    **dict.fromkeys(words("group_norm native_group_norm"), _norm("GroupNormalization")),
    **dict.fromkeys(words("mm bmm matmul"), _matmul),
    **dict.fromkeys(words("max_pool1d max_pool2d max_pool3d max_pool2d_with_indices"), _pool("MaxPool")),
    **dict.fromkeys(words("avg_pool1d avg_pool2d avg_pool3d"), _pool("AveragePool")),
    **dict.fromkeys(words("adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d"),
                    _adaptive_pool),
    **dict.fromkeys(words("view reshape flatten _unsafe_view unflatten squeeze unsqueeze"), _reshape),
    **dict.fromkeys(words("permute transpose t numpy_T"), _permute),
    **dict.fromkeys(words("cat concat stack"), _cat),
    **dict.fromkeys(words("split chunk unbind split_with_sizes tensor_split"), _split),
    **dict.fromkeys(words("softmax _softmax"), _softmax("Softmax")),
    **dict.fromkeys(words("log_softmax _log_softmax"), _softmax("LogSoftmax")),
    **dict.fromkeys(words("upsample_nearest2d upsample_nearest1d"), _resize("nearest")),
    **dict.fromkeys(words("upsample_bilinear2d"), _resize("linear")),
    **dict.fromkeys(words("upsample_bicubic2d"), _resize("cubic")),
    **dict.fromkeys(words("zeros ones full arange empty scalar_tensor zeros_like ones_like full_like new_zeros"),
                    _created),
    "silu": _silu,
    "rms_norm": _norm("RMSNormalization"),
    "instance_norm": _norm("InstanceNormalization"),
    "linear": _linear,
    "addmm": _addmm,
    "baddbmm": _baddbmm,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "lstm": _recurrent("LSTM", 4),
    "gru": _recurrent("GRU", 3),
    "rnn_tanh": _recurrent("RNN", 1),
    "mean": _reduce("ReduceMean"),
    "sum": _reduce("ReduceSum"),
    "amax": _reduce("ReduceMax"),
    "amin": _reduce("ReduceMin"),
    "argmax": _reduce("ArgMax"),
    "slice": _slice,
    "select": _select,
    "embedding": _embedding,
    "index_select": _index_select,
    "where": _where,
}  # fmt: skip
"""By ATen operator name; an in-place variant (``relu_``) has the rule of its plain one."""
