"""Small subgraphs that stand for one op: layer normalisation, GELU, SiLU, slices of one tensor."""

from __future__ import annotations

from itertools import pairwise

from featurizers.network.graph import Node
from featurizers.network.plan import Plan, Step


def _collapse(plan: Plan, parts: list[Step], node: Node) -> Step:
    """Replace `parts` by one step that writes `node`'s outputs."""
    members = [m for part in parts for m in part.members]
    for part in parts:
        plan.remove(part)
    return plan.add(Step(node, members, fused=[p.node.op for p in parts[1:]]))


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


def slices_to_split(plan: Plan) -> None:
    """Neighbouring slices that cover one axis of one tensor -> Split."""
    for name in list(plan.users):
        users = plan.users.get(name, [])
        if len(users) < 2 or any(u.node.op != "Slice" for u in users) or name in plan.outputs:
            continue
        ranges = [_slice_range(plan, user) for user in users]
        found = sorted((r, i) for i, r in enumerate(ranges) if r is not None)
        if len(found) < len(users) or len({r[0] for r, _ in found}) > 1:
            continue
        axis = found[0][0][0]
        edges = [r[1:] for r, _ in found]
        whole = edges[0][0] == 0 and edges[-1][1] == plan.shape(name)[axis]
        if not whole or any(a[1] != b[0] for a, b in pairwise(edges)):
            continue
        parts = [users[i] for _, i in found]
        outputs = tuple(p.node.outputs[0] for p in parts)
        step = _collapse(plan, parts, Node(parts[-1].node.name, "Split", (name,), outputs, {"axis": axis}))
        step.fused.clear()


def _slice_range(plan: Plan, step: Step) -> tuple[int, int, int] | None:
    """(axis, start, end) of a slice along one axis with step 1."""
    site = plan.site(step)
    starts, ends = site.ints("starts", 1) or (), site.ints("ends", 2) or ()
    axes = site.ints("axes", 3, range(len(starts))) or ()
    if len(starts) != 1 or set(site.ints("steps", 4, (1,)) or ()) != {1}:
        return None
    axis = axes[0] % site.rank(0)
    start, stop, _ = slice(starts[0], ends[0]).indices(site.shape(0)[axis])
    return axis, start, stop
