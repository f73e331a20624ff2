"""Execution rules of other runtimes: OpenVINO's CPU plugin, PyTorch eager, simulated accelerators."""

from __future__ import annotations

from featurizers.network import ops
from featurizers.network.kernels import ACTIVATIONS
from featurizers.network.plan import Plan, Step

_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "FusedMatMul")
_OPENVINO_HEADS = (*_PRODUCTS, "LayerNormalization", "MaxPool", "AveragePool", "Add", "Mul", "BatchNormalization")
_CHAIN = ("Relu", "Clip", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Gelu", "QuickGelu")


def fuse_chains(plan: Plan) -> None:
    """Activations, constants and one added tensor after a product join its kernel (oneDNN post-ops)."""
    for step in plan.of(*_PRODUCTS):
        while (follower := plan.only_user(step.node.outputs[0])) is not None:
            if not _join(plan, step, follower):
                break


def _join(plan: Plan, step: Step, follower: Step) -> bool:
    op, result = follower.node.op, step.node.outputs[0]
    if op in _CHAIN and follower.node.inputs[0] == result:
        plan.merge(step, follower)
        step.act = op if op in ACTIVATIONS else step.act
        return True
    if op not in ("Add", "Mul", "Sub", "Div") or len(follower.node.inputs) != 2:
        return False
    other = next((i for i in follower.node.inputs if i != result), result)
    same_shape = plan.shape(follower.node.outputs[0]) == plan.shape(result)
    if plan.constant(other) and same_shape:
        plan.merge(step, follower, extra_inputs=(other,))
        return True
    if op == "Add" and other != result and not step.residual and same_shape and plan.shape(other) == plan.shape(result):
        plan.merge(step, follower, extra_inputs=(other,))
        step.residual = True
        return True
    return False


def fuse_elementwise(plan: Plan) -> None:
    """Neighbouring elementwise ops of one shape are one loop (OpenVINO's snippets)."""
    for step in plan.of("Add", "Mul", "Sub", "Div", *_CHAIN):
        while (follower := plan.only_user(step.node.outputs[0])) is not None:
            unary = follower.node.op in _CHAIN and follower.node.inputs[0] == step.node.outputs[0]
            if not unary or step.act or follower.node.op not in ACTIVATIONS:
                break
            act = follower.node.op
            plan.merge(step, follower)
            step.act = act


def strided_views(plan: Plan) -> None:
    """In PyTorch these return a view of the same memory; the copy comes with a reshape of a transposed value."""
    for step in plan.of("Reshape", "Flatten"):
        turn = plan.source(step.node.inputs[0], "Transpose")
        if turn is not None:
            step.node.op, step.node.attrs = "Transpose", dict(turn.node.attrs)
            plan.rewire(step, (turn.node.inputs[0],))
            if not plan.users.get(turn.node.outputs[0]) and turn.node.outputs[0] not in plan.outputs:
                step.members.extend(turn.members)
                plan.remove(turn)
    for step in plan.of("Transpose"):
        if plan.shape(step.node.outputs[0]) == _turned(plan, step):
            step.node.op = "Identity"
    for step in plan.of("Slice", "Split", "Expand"):
        step.node.op = "Identity"


def _turned(plan: Plan, step: Step) -> tuple[int, ...]:
    shape = plan.shape(step.node.inputs[0])
    return tuple(shape[p] for p in step.node.ints("perm", range(len(shape))[::-1]))


def only_products(plan: Plan) -> None:
    """A systolic array executes matrix products and convolutions; the rest is not simulated."""
    kept = ("conv", "pointwise", "depthwise", "grouped", "conv_transpose", "gemm", "matmul", "attention", "recurrent")
    for step in list(plan.steps):
        if ops.op_class(plan.site(step)) not in kept:
            plan.remove(step)
