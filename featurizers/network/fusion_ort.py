"""What onnxruntime's CPU provider executes with all optimisations on (read off 1.32's optimised graphs, AVX-512).

Order as in the runtime: constants, duplicates, folding into convolutions, matrix product + bias, activations, and at
last the channel-blocked layout (`fusion_nchwc`). `tests/featurizers/network/test_fusion_ort.py` holds these rules to
the runtime's own optimised graphs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from featurizers.network import fusion_basic as basic
from featurizers.network.fusion_int8 import channels_last, quantise
from featurizers.network.fusion_movement import (
    drop_unread_transposes,
    gathers_to_split,
    merge_reshapes,
    merge_transposes,
    push_channels_last,
    slices_to_split,
    split_before_transpose,
)
from featurizers.network.fusion_nchwc import channel_blocks
from featurizers.network.fusion_patterns import (
    fuse_gelu,
    fuse_layer_norm,
    fuse_quick_gelu,
    fuse_rms_norm,
    fuse_skip_norm,
    fuse_tanh_gelu,
)
from featurizers.network.graph import Node, Tensor
from featurizers.network.plan import Plan, Step

CONV_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish")
GEMM_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Elu", "Softplus", "ThresholdedRelu")


def matmul_add(plan: Plan) -> None:
    """MatMul by a constant matrix + bias -> Gemm; more than two axes are reshaped away and back."""
    for step in plan.of("MatMul"):
        result = step.node.outputs[0]
        add = plan.follower(step, "Add")
        if add is None:
            continue
        bias = next((i for i in add.node.inputs if i != result), "")
        left, right = (plan.shape(i) for i in step.node.inputs)
        if not bias or len(right) != 2 or len(left) < 2 or not _is_row(plan, bias, right[1]):
            continue
        plan.merge(step, add, extra_inputs=(bias,), op="Gemm")
        step.fused.clear()
        if len(left) > 2:
            _flatten_around(plan, step)


def _is_row(plan: Plan, name: str, columns: int) -> bool:
    shape = plan.shape(name)
    return plan.constant(name) and bool(shape) and shape[-1] == columns == math.prod(shape)


def _flatten_around(plan: Plan, step: Step) -> None:
    """Views before and after a Gemm that stands for a product of more axes."""
    source, result = step.node.inputs[0], step.node.outputs[0]
    shape = plan.shape(source)
    flat_in, flat_out = f"{source}/rows_for_{result}", f"{result}/rows"
    rows = math.prod(shape[:-1])
    plan.tensors[flat_in] = Tensor((rows, shape[-1]), plan.tensors[source].dtype)
    plan.tensors[flat_out] = Tensor((rows, plan.shape(result)[-1]), plan.tensors[result].dtype)
    plan.rewire(step, (flat_in, *step.node.inputs[1:]), (flat_out,))
    plan.add(Step(Node("", "Reshape", (source,), (flat_in,)), []))
    plan.add(Step(Node("", "Reshape", (flat_out,), (result,)), []))


def _fuse_activation(ops: tuple[str, ...], activations: tuple[str, ...], renamed: str | None) -> Callable[[Plan], None]:
    def run(plan: Plan) -> None:
        for step in plan.of(*ops):
            if step.act:
                continue
            follower = plan.follower(step, activations)
            if follower is None or follower.node.inputs[0] != step.node.outputs[0]:
                continue
            act = follower.node.op
            if not all(plan.constant(i) for i in follower.node.inputs[1:] if i):
                continue
            plan.merge(step, follower, op=renamed)
            step.act = act

    return run


fuse_conv_activation = _fuse_activation(("Conv",), CONV_ACTIVATIONS, None)
fuse_gemm_activation = _fuse_activation(("Gemm",), GEMM_ACTIVATIONS, "FusedGemm")


def matmul_scale(plan: Plan) -> None:
    """A product multiplied or divided by a constant number before or after -> FusedMatMul."""
    for step in plan.of("MatMul"):
        for position, name in enumerate(step.node.inputs):
            scale = plan.source(name, ("Mul", "Div"))
            kept = _scaled_value(plan, scale) if scale is not None else None
            if scale is None or kept is None or plan.only_user(name) is not step:
                continue
            plan.remove(scale)
            step.members.extend(scale.members)
            inputs = list(step.node.inputs)
            inputs[position] = kept
            step.node.op = "FusedMatMul"
            plan.rewire(step, inputs)
        scale = plan.follower(step, ("Mul", "Div"))
        if scale is not None and _scaled_value(plan, scale) == step.node.outputs[0]:
            plan.merge(step, scale, op="FusedMatMul")


def _scaled_value(plan: Plan, scale: Step) -> str | None:
    """Which input of a Mul or Div is multiplied by a constant number."""
    left, right = scale.node.inputs
    if plan.constant(right) and plan.tensors[right].elements == 1:
        return left
    if scale.node.op == "Mul" and plan.constant(left) and plan.tensors[left].elements == 1:
        return right
    return None


def matmul_transpose(plan: Plan) -> None:
    """A transpose of the last two axes before a product becomes a flag of it."""
    for step in plan.of("MatMul", "FusedMatMul"):
        for position, flag in ((0, "transA"), (1, "transB")):
            name = step.node.inputs[position]
            turn = plan.source(name, "Transpose")
            if turn is None or plan.only_user(name) is not step or not _swaps_last(plan, turn):
                continue
            plan.remove(turn)
            step.members.extend(turn.members)
            inputs = list(step.node.inputs)
            inputs[position] = turn.node.inputs[0]
            step.node.op = "FusedMatMul"
            step.node.attrs = {**step.node.attrs, flag: 1}
            plan.rewire(step, inputs)


def _swaps_last(plan: Plan, turn: Step) -> bool:
    rank = len(plan.shape(turn.node.inputs[0]))
    perm = list(turn.node.ints("perm", range(rank)[::-1]))
    return rank >= 2 and perm == [*range(rank - 2), rank - 1, rank - 2]


def expand_functions(plan: Plan) -> None:
    """Ops that are functions of others in the ONNX specification and have no CPU kernel: HardSwish."""
    for step in plan.of("HardSwish"):
        source, result = step.node.inputs[0], step.node.outputs[0]
        gate = f"{result}/gate"
        plan.tensors[gate] = plan.tensors[result]
        plan.remove(step)
        plan.add(Step(Node(step.node.name, "HardSigmoid", (source,), (gate,)), list(step.members)))
        plan.add(Step(Node(step.node.name, "Mul", (source, gate), (result,)), list(step.members)))


Rewrite = Callable[[Plan], None]
_FIRST: Sequence[Rewrite] = (
    basic.drop_constants,
    basic.drop_identities,
    basic.drop_no_ops,
    basic.merge_duplicates,
    basic.fold_into_conv,
    slices_to_split,
    gathers_to_split,
    fuse_layer_norm,
)
ALL: Sequence[Rewrite] = (
    *_FIRST,
    fuse_rms_norm,
    fuse_gelu,
    fuse_tanh_gelu,
    fuse_conv_activation,
    fuse_quick_gelu,
    matmul_scale,
    matmul_add,
    merge_reshapes,
    fuse_skip_norm,
    split_before_transpose,
    merge_transposes,
    matmul_transpose,
    fuse_gemm_activation,
    push_channels_last,
    channel_blocks,
    drop_unread_transposes,
)
NOOPT: Sequence[Rewrite] = (expand_functions,)
"""At level 'disabled' the runtime still expands functions; everything else runs as written."""
INT8: Sequence[Rewrite] = (
    expand_functions,
    *_FIRST,
    matmul_add,
    merge_reshapes,
    split_before_transpose,
    merge_transposes,
    quantise,
    channels_last,
    merge_transposes,
    drop_unread_transposes,
)
