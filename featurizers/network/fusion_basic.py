"""Passes that any optimising runtime has: constants, identities, duplicates, normalisation folded into convolutions."""

from __future__ import annotations

from featurizers.network.graph import Tensor
from featurizers.network.plan import Plan, Step


def drop_constants(plan: Plan) -> None:
    """What is computed from weights only is computed once, at load."""
    for step in list(plan.steps):
        if all(plan.tensors[o].constant for o in step.node.outputs if o):
            plan.remove(step)


def drop_identities(plan: Plan) -> None:
    for step in plan.of("Identity", "Dropout"):
        plan.bypass(step)


def drop_no_ops(plan: Plan) -> None:
    """Casts to the same type, slices of everything, pads by nothing. (A reshape to the same shape is executed.)"""
    for step in plan.of("Cast", "Expand", "Slice", "Pad", "Concat"):
        node = step.node
        source, result = plan.tensors[node.inputs[0]], plan.tensors[node.outputs[0]]
        single = node.op != "Concat" or len(node.inputs) == 1
        if single and source.shape == result.shape and source.dtype == result.dtype:
            plan.bypass(step)


def merge_duplicates(plan: Plan) -> None:
    """Common subexpressions: the same op on the same inputs is executed once."""
    seen: dict[object, list[Step]] = {}
    for step in plan.order():
        node = step.node
        alike = seen.setdefault((node.op, node.inputs, len(node.outputs)), [])
        first = next((other for other in alike if _attributes(other) == _attributes(step)), None)
        if first is None:
            alike.append(step)
            continue
        if any(o in plan.outputs for o in node.outputs):
            continue
        plan.remove(step)
        first.members.extend(step.members)
        for old, new in zip(node.outputs, first.node.outputs, strict=True):
            if old:
                plan.redirect(old, new)


def _attributes(step: Step) -> list[tuple[str, str]]:
    return sorted((name, repr(value)) for name, value in step.node.attrs.items())


def fold_into_conv(plan: Plan) -> None:
    """Conv + BatchNormalization, Conv + Mul/Add by a constant per channel: new weights, no kernel of their own."""
    changed = True
    while changed:
        changed = False
        for step in plan.of("Conv"):
            follower = plan.follower(step, ("BatchNormalization", "Mul", "Add"))
            if follower is None or not _foldable(plan, step, follower):
                continue
            _absorb_affine(plan, step, follower)
            changed = True


def _foldable(plan: Plan, step: Step, follower: Step) -> bool:
    if not all(plan.constant(i) for i in step.node.inputs[1:] if i):
        return False
    if follower.node.op == "BatchNormalization":
        return follower.node.inputs[0] == step.node.outputs[0]
    others = [i for i in follower.node.inputs if i != step.node.outputs[0]]
    if len(others) != 1 or not plan.constant(others[0]):
        return False
    channels, rank = plan.shape(step.node.outputs[0])[1], len(plan.shape(step.node.outputs[0]))
    shape = plan.shape(others[0])
    per_channel = len(shape) in (rank - 1, rank) and shape[len(shape) - rank + 1] == channels
    ones = [d for d in shape if d != 1]
    return per_channel and ones in ([channels], []) and (len(shape) == rank - 1 or shape[0] == 1)


def _absorb_affine(plan: Plan, step: Step, follower: Step) -> None:
    """Merge, and make sure that the convolution has a bias now (a Mul without one needs none)."""
    inputs = step.node.inputs
    if len(inputs) < 3 and follower.node.op != "Mul":
        bias = f"{step.node.outputs[0]}/bias"
        plan.tensors[bias] = Tensor((plan.shape(step.node.outputs[0])[1],), "float32", True)
        inputs = (*inputs[:2], bias)
    outputs = (follower.node.outputs[0],)
    step.wrote.extend(step.node.outputs)
    plan.remove(follower)
    step.members.extend(follower.members)
    plan.rewire(step, inputs, outputs)
