"""Small subgraphs that stand for one op: layer normalisation, GELU, SiLU, slices of one tensor."""

from __future__ import annotations

from featurizers.network.graph import Node
from featurizers.network.plan import Plan, Step


def _collapse(plan: Plan, parts: list[Step], node: Node) -> Step:
    """Replace `parts` by one step that writes `node`'s outputs."""
    members = [m for part in parts for m in part.members]
    for part in parts:
        plan.remove(part)
    wrote = [o for part in parts for o in (*part.node.outputs, *part.wrote)]
    return plan.add(Step(node, members, fused=[p.node.op for p in parts[1:]], wrote=wrote))


def _other(step: Step, name: str) -> str:
    """The operand of a binary op that is not `name`."""
    return step.node.inputs[1] if step.node.inputs[0] == name else step.node.inputs[0]


def fuse_layer_norm(plan: Plan) -> None:
    """ReduceMean, Sub, Pow or Mul, ReduceMean, Add, Sqrt, Div, Mul, Add -> LayerNormalization."""
    for mean in plan.of("ReduceMean"):
        found = _match_layer_norm(plan, mean)
        if found is not None:
            parts, scale, bias = found
            node = Node(
                mean.node.name, "LayerNormalization", (mean.node.inputs[0], scale, bias), parts[-1].node.outputs,
                {"axis": -1},
            )  # fmt: skip
            _collapse(plan, parts, node)


def _match_layer_norm(plan: Plan, mean: Step) -> tuple[list[Step], str, str] | None:
    x = mean.node.inputs[0]
    sub = plan.follower(mean, "Sub")
    if sub is None or sub.node.inputs[0] != x:
        return None
    centred = sub.node.outputs[0]
    users = [u for u in plan.users.get(centred, []) if u.node.op in ("Pow", "Mul")]
    parts = [mean, sub]
    div = next((u for u in plan.users.get(centred, []) if u.node.op == "Div"), None)
    if not users or div is None or centred in plan.outputs:
        return None
    step: Step | None = users[0]
    for wanted in ("ReduceMean", "Add", "Sqrt"):
        if step is None:
            return None
        parts.append(step)
        step = plan.follower(step, wanted)
    if step is None or plan.follower(step, "Div") is not div:
        return None
    parts += [step, div]
    return _match_affine(plan, parts, div)


def _match_affine(plan: Plan, parts: list[Step], div: Step) -> tuple[list[Step], str, str] | None:
    mul = plan.follower(div, "Mul")
    if mul is None:
        return None
    scale = _other(mul, div.node.outputs[0])
    add = plan.follower(mul, "Add")
    if not plan.constant(scale) or add is None:
        return None
    bias = _other(add, mul.node.outputs[0])
    return ([*parts, mul, add], scale, bias) if plan.constant(bias) else None


def fuse_gelu(plan: Plan) -> None:
    """x * 0.5 * (1 + erf(x / sqrt 2)), in the orders that exporters write it -> Gelu."""
    for erf in plan.of("Erf"):
        before = plan.source(erf.node.inputs[0], ("Div", "Mul"))
        add = plan.follower(erf, "Add")
        if before is None or add is None or plan.only_user(before.node.outputs[0]) is not erf:
            continue
        x = next((i for i in before.node.inputs if not plan.constant(i)), None)
        first = plan.follower(add, "Mul")
        if x is None or first is None:
            continue
        tail = _gelu_tail(plan, x, first, add.node.outputs[0])
        if tail is not None:
            parts = [before, erf, add, *tail]
            outputs = tail[-1].node.outputs if tail[-1] is not _half_before(plan, tail) else tail[0].node.outputs
            _collapse(plan, parts, Node(erf.node.name, "Gelu", (x,), outputs))


def _half_before(plan: Plan, tail: list[Step]) -> Step | None:
    """The x * 0.5 that stands beside the chain, when the last of `tail` is that."""
    return tail[-1] if len(tail) == 2 and tail[-1].node.outputs[0] in tail[0].node.inputs else None


def _gelu_tail(plan: Plan, x: str, first: Step, one_plus_erf: str) -> list[Step] | None:
    other = _other(first, one_plus_erf)
    half = plan.source(other, "Mul")
    if half is not None and x in half.node.inputs and plan.only_user(other) is first:
        return [first, half]
    last = plan.follower(first, "Mul")
    if last is None:
        return None
    operands = {other, _other(last, first.node.outputs[0])}
    return [first, last] if x in operands and any(plan.constant(o) for o in operands) else None


def fuse_quick_gelu(plan: Plan) -> None:
    """x * sigmoid(a x) -> QuickGelu (SiLU when a = 1)."""
    for gate in plan.of("Sigmoid"):
        mul = plan.follower(gate, "Mul")
        if mul is None:
            continue
        x = _other(mul, gate.node.outputs[0])
        source = gate.node.inputs[0]
        parts = [gate, mul]
        scaled = plan.source(source, "Mul")
        if source != x:
            if scaled is None or x not in scaled.node.inputs or not plan.constant(_other(scaled, x)):
                continue
            if plan.only_user(source) is not gate:
                continue
            parts.insert(0, scaled)
        _collapse(plan, parts, Node(mul.node.name, "QuickGelu", (x,), mul.node.outputs))


def fuse_rms_norm(plan: Plan) -> None:
    """Pow, ReduceMean, Add, Sqrt, Div, Mul by a weight -> SimplifiedLayerNormalization."""
    for power in plan.of("Pow", "Mul"):
        x = power.node.inputs[0]
        step: Step | None = power
        parts = [power]
        for wanted in ("ReduceMean", "Add", "Sqrt", ("Div", "Reciprocal")):
            step = plan.follower(step, wanted) if step is not None else None
            if step is None:
                break
            parts.append(step)
        if step is not None and step.node.op == "Reciprocal":
            step = plan.follower(step, "Mul")
            parts += [] if step is None else [step]
        scale = None if step is None or x not in step.node.inputs else plan.follower(step, "Mul")
        if step is None or scale is None or not plan.constant(_other(scale, step.node.outputs[0])):
            continue
        weight = _other(scale, step.node.outputs[0])
        node = Node(power.node.name, "SimplifiedLayerNormalization", (x, weight), scale.node.outputs, {"axis": -1})
        _collapse(plan, [*parts, scale], node)


def fuse_tanh_gelu(plan: Plan) -> None:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) -> FastGelu."""
    for tanh in plan.of("Tanh"):
        add = plan.follower(tanh, "Add")
        before = _tanh_argument(plan, tanh)
        first = plan.follower(add, "Mul") if add is not None else None
        if add is None or before is None or first is None:
            continue
        x, parts = before
        tail = _gelu_tail(plan, x, first, add.node.outputs[0])
        if tail is not None:
            last = tail[0] if tail[1].node.outputs[0] in tail[0].node.inputs else tail[1]
            _collapse(plan, [*parts, tanh, add, *tail], Node(tanh.node.name, "FastGelu", (x,), last.node.outputs))


def _tanh_argument(plan: Plan, tanh: Step) -> tuple[str, list[Step]] | None:
    """x and the steps that compute the argument of tanh from it: Pow, Mul, Add, Mul."""
    scale = plan.source(tanh.node.inputs[0], "Mul")
    total = _moving_source(plan, scale, "Add")
    if scale is None or total is None:
        return None
    for x, cubed in (total.node.inputs, total.node.inputs[::-1]):
        weighted = plan.source(cubed, "Mul")
        power = _moving_source(plan, weighted, "Pow")
        if weighted is not None and power is not None and power.node.inputs[0] == x:
            return x, [power, weighted, total, scale]
    return None


def _moving_source(plan: Plan, step: Step | None, op: str) -> Step | None:
    """Who makes the one input of a binary op that is not constant, if it is such an op."""
    if step is None:
        return None
    moving = [i for i in step.node.inputs if not plan.constant(i)]
    return plan.source(moving[0], op) if len(moving) == 1 else None


def fuse_skip_norm(plan: Plan) -> None:
    """An addition that only a LayerNormalization reads -> SkipLayerNormalization."""
    for norm in plan.of("LayerNormalization"):
        add = plan.source(norm.node.inputs[0], "Add")
        if add is None or plan.only_user(norm.node.inputs[0]) is not norm or len(norm.node.inputs) < 2:
            continue
        shapes = [plan.shape(i) for i in add.node.inputs]
        if any(plan.constant(i) for i in add.node.inputs) or shapes[0] != shapes[1] or len(shapes[0]) != 3:
            continue
        name = "Skip" + norm.node.op
        node = Node(norm.node.name, name, (*add.node.inputs, *norm.node.inputs[1:]), norm.node.outputs[:1])
        _collapse(plan, [norm, add], node)
