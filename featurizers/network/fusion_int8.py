"""onnxruntime with static int8 quantisation (QDQ, unsigned activations): integer kernels, and the borders to float.

Read off graphs that onnxruntime's own quantiser and optimiser wrote (1.32): convolutions run channels-last, an op
without an integer kernel stands between DequantizeLinear and QuantizeLinear, ReLU and Clip vanish into the range of
the value before them.
"""

from __future__ import annotations

from featurizers.network.fusion_nchwc import is_image
from featurizers.network.graph import Node, Tensor
from featurizers.network.plan import Plan, Step

INTEGER_OPS = frozenset(
    {
        "Conv", "Gemm", "MatMul", "FusedMatMul", "Add", "Mul", "AveragePool", "GlobalAveragePool", "MaxPool", "Concat",
        "Softmax", "Sigmoid", "LeakyRelu", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice",
        "Gather", "Pad", "Identity",
    }
)  # fmt: skip
"""Ops with a kernel on 8-bit integers (or that move them untouched)."""
_CHANNELS_LAST = frozenset({"Conv", "MaxPool"})
_ANY_LAYOUT = frozenset(
    {
        "Resize", "Upsample", "Add", "Mul", "Sub", "Div", "AveragePool", "GlobalAveragePool", "Concat", "Softmax",
        "Sigmoid", "LeakyRelu", "HardSigmoid", "Erf", "Relu", "Clip", "Tanh", "QuantizeLinear", "DequantizeLinear",
    }
)  # fmt: skip


_FLOAT_BORDERED = frozenset({"BatchNormalization", "LayerNormalization", "InstanceNormalization", "ConvTranspose"})
"""Ops that the quantiser knows and the runtime has no integer kernel for: float between two conversions; their
weights are dequantised in every run."""


def quantise(plan: Plan) -> None:
    """Give every value that an integer kernel makes or reads an integer form, and add the conversions."""
    _drop_ranges(plan)
    integer = [s for s in plan.steps if _runs_on_integers(plan, s)]
    for name in dict.fromkeys(o for s in integer for o in s.node.outputs if o):
        _to_integer(plan, name, set(integer))
    for name in dict.fromkeys(i for s in integer for i in s.node.inputs if i):
        _quantise_input(plan, name, set(integer))
    for step in integer:
        _quantise_weights(plan, step)
    for step in plan.of(*_FLOAT_BORDERED):
        _dequantise_weights(plan, step)
    for step in plan.of("Identity"):
        _requantise(plan, step)


def _drop_ranges(plan: Plan) -> None:
    """A ReLU or Clip is the range of the value before it; where others read that value too, requantising is left."""
    for step in plan.of("Relu", "Clip"):
        before = plan.source(step.node.inputs[0])
        if before is None or before.node.op not in (INTEGER_OPS | _FLOAT_BORDERED):
            continue
        if plan.only_user(step.node.inputs[0]) is step:
            plan.merge(before, step)
            before.fused.clear()
        else:
            step.node.op = "Identity"


def _runs_on_integers(plan: Plan, step: Step) -> bool:
    node = step.node
    if node.op not in INTEGER_OPS or not node.outputs:
        return False
    names = [n for n in (*node.inputs[:1], *node.outputs) if n]
    return all(plan.tensors[n].dtype == "float32" for n in names) and _touches_product(plan, step)


def _touches_product(plan: Plan, step: Step) -> bool:
    """Data movement alone is quantised only between quantised values; compute ops always are."""
    moving = {"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice", "Gather", "Pad", "Identity"}
    if step.node.op not in moving:
        return True
    source = plan.source(step.node.inputs[0])
    while source is not None and source.node.op in moving:
        source = plan.source(source.node.inputs[0])
    return source is not None and source.node.op in INTEGER_OPS


def _to_integer(plan: Plan, name: str, integer: set[Step]) -> None:
    """The value is made as uint8; float readers get a dequantised copy."""
    readers = [u for u in plan.users.get(name, []) if u not in integer]
    plan.tensors[name] = plan.tensors[name]._replace(dtype="uint8")
    if readers or name in plan.outputs:
        _convert(plan, name, "DequantizeLinear", "float32", readers)


def _quantise_input(plan: Plan, name: str, integer: set[Step]) -> None:
    tensor = plan.tensors[name]
    if tensor.constant or tensor.dtype != "float32":
        return
    readers = [u for u in plan.users.get(name, []) if u in integer]
    _convert(plan, name, "QuantizeLinear", "uint8", readers)


def _convert(plan: Plan, name: str, op: str, dtype: str, readers: list[Step]) -> None:
    copy = f"{name}/{dtype}"
    if copy in plan.producer:
        return
    plan.tensors[copy] = Tensor(plan.shape(name), dtype)
    plan.add(Step(Node("", op, (name,), (copy,)), []))
    for reader in readers:
        plan.rewire(reader, tuple(copy if i == name else i for i in reader.node.inputs))


def _dequantise_weights(plan: Plan, step: Step) -> None:
    if plan.tensors[step.node.inputs[0]].dtype != "float32":
        return
    inputs = list(step.node.inputs)
    for position in (1, 2):
        name = inputs[position] if position < len(inputs) else ""
        if name and plan.constant(name):
            small, inputs[position] = f"{name}/int8", f"{name}/float_of_{step.node.outputs[0]}"
            plan.tensors[small] = plan.tensors[name]._replace(dtype="int8" if position == 1 else "int32")
            plan.tensors[inputs[position]] = plan.tensors[name]._replace(constant=False)
            plan.add(Step(Node("", "DequantizeLinear", (small,), (inputs[position],)), []))
    plan.rewire(step, inputs)


def _requantise(plan: Plan, step: Step) -> None:
    """A range of its own for a value that others read without: through float and back."""
    source, result = step.node.inputs[0], step.node.outputs[0]
    if plan.tensors[source].dtype != "uint8" or plan.tensors[result].dtype != "uint8":
        return
    middle = f"{result}/float32"
    plan.tensors[middle] = Tensor(plan.shape(source), "float32")
    plan.remove(step)
    plan.add(Step(Node("", "DequantizeLinear", (source,), (middle,)), step.members))
    plan.add(Step(Node("", "QuantizeLinear", (middle,), (result,)), []))


def _quantise_weights(plan: Plan, step: Step) -> None:
    for position, name in enumerate(step.node.inputs):
        tensor = plan.tensors.get(name)
        if tensor is not None and tensor.constant and tensor.dtype == "float32":
            small = f"{name}/int8"
            plan.tensors[small] = tensor._replace(dtype="int8" if position == 1 else "int32")
            inputs = list(step.node.inputs)
            inputs[position] = small
            plan.rewire(step, inputs)


def channels_last(plan: Plan) -> None:
    """Integer convolutions and max pools run channels-last; a Transpose stands wherever the layout changes."""
    last: set[str] = set()
    for step in plan.order():
        node = step.node
        first = node.inputs[0] if node.inputs else ""
        if not first or not is_image(plan, first):
            continue
        wants = node.op in _CHANNELS_LAST and plan.tensors[first].dtype == "uint8"
        live = [i for i in node.inputs if i and not plan.constant(i)]
        if wants or (node.op in _ANY_LAYOUT and any(i in last for i in live)):
            _change_layout(plan, step, [i for i in live if i not in last and _large(plan, i)], to_last=True)
            step.layout = "nhwc" if wants else step.layout
            last.update(node.outputs)
        else:
            _change_layout(plan, step, [i for i in live if i in last], to_last=False)


def _large(plan: Plan, name: str) -> bool:
    """Whether a change of layout moves anything: not for 1x1 images or single channels."""
    shape = plan.shape(name)
    return is_image(plan, name) and shape[2] * shape[3] > 1 and shape[1] > 1


def _change_layout(plan: Plan, step: Step, names: list[str], *, to_last: bool) -> None:
    for name in names:
        copy = f"{name}/{'nhwc' if to_last else 'nchw'}"
        if copy not in plan.producer:
            plan.tensors[copy] = plan.tensors[name]
            perm = [0, 2, 3, 1] if to_last else [0, 3, 1, 2]
            plan.add(Step(Node("", "Transpose", (name,), (copy,), {"perm": perm}), []))
        plan.rewire(step, tuple(copy if i == name else i for i in step.node.inputs))
