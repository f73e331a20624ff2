"""Passes on data movement: slices and gathers of one tensor, reshapes of reshapes, transposes pushed past other ops."""

from __future__ import annotations

from itertools import pairwise

from featurizers.network.graph import Node, Tensor
from featurizers.network.plan import Plan, Step


def slices_to_split(plan: Plan) -> None:
    """Neighbouring slices that cover one axis of one tensor -> Split."""
    if not plan.has("Slice"):
        return
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
        _replace(plan, name, axis, [users[i] for _, i in found])


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


def _replace(plan: Plan, name: str, axis: int, parts: list[Step]) -> None:
    """One Split instead of `parts`; a part that also drops the axis (Gather of a number) keeps a Squeeze for it."""
    outputs = []
    for part in parts:
        result = part.node.outputs[0]
        plan.remove(part)
        if part.node.op == "Slice":
            outputs.append(result)
            continue
        piece = f"{result}/piece"
        shape = plan.shape(result)
        plan.tensors[piece] = Tensor((*shape[:axis], 1, *shape[axis:]), plan.tensors[result].dtype)
        plan.add(Step(Node("", "Squeeze", (piece,), (result,)), []))
        outputs.append(piece)
    members = [m for part in parts for m in part.members]
    plan.add(Step(Node(parts[-1].node.name, "Split", (name,), tuple(outputs), {"axis": axis}), members))


def gathers_to_split(plan: Plan) -> None:
    """Gathers of each index of one axis of one tensor -> Split and Squeeze."""
    if not plan.has("Gather"):
        return
    for name in list(plan.users):
        users = plan.users.get(name, [])
        if len(users) < 2 or any(u.node.op != "Gather" or u.node.inputs[0] != name for u in users):
            continue
        axes = {u.node.int("axis", 0) % max(1, len(plan.shape(name))) for u in users}
        picks = [plan.scalar(u.node.inputs[1]) if plan.shape(u.node.inputs[1]) == () else None for u in users]
        axis = min(axes)
        numbers = sorted((int(p) % plan.shape(name)[axis], i) for i, p in enumerate(picks) if p is not None)
        if len(axes) == 1 and [n for n, _ in numbers] == list(range(plan.shape(name)[axis])):
            _replace(plan, name, axis, [users[i] for _, i in numbers])


def split_before_transpose(plan: Plan) -> None:
    """Transpose, Split, Squeeze -> Split, Squeeze, Transpose of each piece (where one piece is transposed again)."""
    for turn in plan.of("Transpose"):
        split = plan.follower(turn, "Split")
        if split is None:
            continue
        squeezes = [plan.only_user(o) for o in split.node.outputs]
        if any(s is None or s.node.op != "Squeeze" for s in squeezes):
            continue
        perm = turn.node.ints("perm", ())
        axis = split.node.int("axis", 0)
        _push_split(plan, turn, split, [s for s in squeezes if s is not None], perm, axis)


def _push_split(plan: Plan, turn: Step, split: Step, squeezes: list[Step], perm: tuple[int, ...], axis: int) -> None:
    source, moved = turn.node.inputs[0], perm[axis]
    rest = [p - (p > moved) for p in perm if p != moved]
    shape, dtype = plan.shape(source), plan.tensors[source].dtype
    pieces = []
    plan.remove(turn)
    plan.remove(split)
    for squeeze in squeezes:
        result = squeeze.node.outputs[0]
        plan.remove(squeeze)
        piece, flat = f"{result}/piece", f"{result}/squeezed"
        plan.tensors[piece] = Tensor((*shape[:moved], 1, *shape[moved + 1 :]), dtype)
        plan.tensors[flat] = Tensor((*shape[:moved], *shape[moved + 1 :]), dtype)
        plan.add(Step(Node("", "Squeeze", (piece,), (flat,)), squeeze.members))
        plan.add(Step(Node("", "Transpose", (flat,), (result,), {"perm": rest}), []))
        pieces.append(piece)
    members = [*turn.members, *split.members]
    plan.add(Step(Node(split.node.name, "Split", (source,), tuple(pieces), {"axis": moved}), members))


def merge_transposes(plan: Plan) -> None:
    """Transpose of a transpose -> one, or none where they cancel."""
    for again in plan.of("Transpose"):
        turn = plan.source(again.node.inputs[0], "Transpose")
        if turn is None:
            continue
        first, second = turn.node.ints("perm", ()), again.node.ints("perm", ())
        again.node.attrs = {"perm": [first[p] for p in second]}
        plan.rewire(again, turn.node.inputs[:1])
        if _drop_unread(plan, turn):
            again.members.extend(turn.members)
        if list(again.node.ints("perm", ())) == list(range(len(first))):
            plan.bypass(again)


def _drop_unread(plan: Plan, step: Step) -> bool:
    result = step.node.outputs[0]
    if plan.users.get(result) or result in plan.outputs:
        return False
    plan.remove(step)
    return True


def drop_unread_transposes(plan: Plan) -> None:
    for turn in plan.of("Transpose"):
        _drop_unread(plan, turn)


def merge_reshapes(plan: Plan) -> None:
    """Reshape of a reshape -> one."""
    for first in plan.of("Reshape"):
        second = plan.follower(first, "Reshape")
        if second is not None:
            source = first.node.inputs[0]
            plan.remove(first)
            second.members.extend(first.members)
            plan.rewire(second, (source, *second.node.inputs[1:]))


def push_channels_last(plan: Plan) -> None:
    """Additions of values that are all transposed from NHWC are done before the transpose."""
    for add in plan.order():
        if add not in plan.steps or add.node.op not in ("Add", "Mul", "Sub") or len(add.node.inputs) != 2:
            continue
        turns = [plan.source(i, "Transpose") for i in add.node.inputs]
        if any(t is None or t.node.ints("perm", ()) != (0, 3, 1, 2) for t in turns):
            continue
        sources = [t.node.inputs[0] for t in turns if t is not None]
        if plan.shape(sources[0]) != plan.shape(sources[1]):
            continue
        result = add.node.outputs[0]
        inner = f"{result}/nhwc"
        plan.tensors[inner] = plan.tensors[sources[0]]
        plan.rewire(add, sources, (inner,))
        plan.add(Step(Node("", "Transpose", (inner,), (result,), {"perm": [0, 3, 1, 2]}), []))
    merge_transposes(plan)
    drop_unread_transposes(plan)
