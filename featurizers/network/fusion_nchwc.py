"""onnxruntime's channel-blocked layout (NCHWc, block 16 on AVX-512): which ops run in it, and the reorders it costs."""

from __future__ import annotations

from featurizers.network.graph import Node, Shape, Tensor
from featurizers.network.kernels import LANES
from featurizers.network.plan import Plan, Step

_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Gelu", "QuickGelu", "LeakyRelu", "Clip")
_FUSED_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh")
_POOLS = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
_ALIGNMENT = 4
"""ReorderInput moves channels four at a time."""


def channel_blocks(plan: Plan) -> None:
    """Put what can be into the blocked layout; add ReorderInput and ReorderOutput where layouts meet."""
    layout = _Layout(plan)
    for step in plan.order():
        if step in plan.steps:
            layout.visit(step)
    layout.reorder_outputs()


class _Layout:
    """Which values exist in the blocked layout, by the name of the plain value."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.blocked: dict[str, Step] = {}
        self.reordered: dict[str, str] = {}

    def visit(self, step: Step) -> None:
        op = step.node.op
        shape = self.plan.shape(step.node.inputs[0]) if step.node.inputs and step.node.inputs[0] else ()
        if len(shape) != 4 or self.plan.tensors[step.node.inputs[0]].dtype != "float32":
            return
        if op == "Conv":
            self._conv(step)
        elif op in _POOLS:
            self._pool(step, shape)
        elif op in ("Add", "Sum", "Mul"):
            self._binary(step)
        elif op == "Concat":
            self._concat(step)
        elif op in _ACTIVATIONS and self._is_blocked(step.node.inputs[0]):
            self._activation(step)
        elif op == "BatchNormalization" and self._is_blocked(step.node.inputs[0]) and shape[1] % LANES == 0:
            self._batch_norm(step)
        elif op in ("Resize", "Upsample") and self._is_blocked(step.node.inputs[0]):
            self._resize(step, shape)

    def _is_blocked(self, name: str) -> bool:
        return name in self.blocked

    def _mark(self, step: Step) -> None:
        step.layout = "nchwc"
        self.blocked[step.node.outputs[0]] = step

    def _take_blocked(self, step: Step, position: int = 0) -> None:
        """Make an input blocked: as it is, or by a ReorderInput that all users of that value share."""
        name = step.node.inputs[position]
        if self._is_blocked(name):
            return
        ready = self.reordered.get(name)
        if ready is None:
            ready = f"{name}/blocked"
            self.reordered[name] = ready
            self.plan.tensors[ready] = self.plan.tensors[name]
            self._reorder_input(name, ready)
        inputs = list(step.node.inputs)
        inputs[position] = ready
        self.plan.rewire(step, inputs)

    def _reorder_input(self, name: str, ready: str) -> None:
        """ReorderInput reads channels-last as well, so a transpose from NHWC before it is not executed."""
        turn = self.plan.source(name, "Transpose")
        if turn is None or turn.node.ints("perm", ()) != (0, 3, 1, 2):
            self.plan.add(Step(Node("", "ReorderInput", (name,), (ready,)), []))
            return
        self.plan.add(Step(Node("", "ReorderInput", turn.node.inputs[:1], (ready,)), list(turn.members)))

    def _conv(self, step: Step) -> None:
        weight = step.node.inputs[1]
        shape = self.plan.shape(weight)
        if not self.plan.constant(weight) or len(shape) != 4:
            return
        wanted = conv_layout(shape, step.node.int("group", 1))
        if wanted is None:
            return
        if wanted:
            self._take_blocked(step)
        elif self._is_blocked(step.node.inputs[0]):
            self._plain_input(step)
        self._mark(step)

    def _plain_input(self, step: Step) -> None:
        """A first-layer convolution reads the plain layout; the reorder is added with the others at the end."""
        step.node.attrs = {**step.node.attrs, "plain_input": 1}

    def _pool(self, step: Step, shape: Shape) -> None:
        if shape[1] % LANES == 0 and len(step.node.outputs) == 1:
            self._take_blocked(step)
            self._mark(step)

    def _binary(self, step: Step) -> None:
        names = step.node.inputs
        shapes = {self.plan.shape(i) for i in names}
        if len(shapes) != 1 or not all(self._is_blocked(i) for i in names):
            return
        if step.node.op == "Add" and len(names) == 2:
            for name in names:
                if self._fuse_residual(step, name):
                    return
        self._mark(step)

    def _fuse_residual(self, step: Step, name: str) -> bool:
        conv = self.blocked[name]
        if conv.node.op != "Conv" or conv.residual or conv.act or self.plan.only_user(name) is not step:
            return False
        other = next((i for i in step.node.inputs if i != name), name)
        if other == name:
            return False
        self.plan.merge(conv, step, extra_inputs=(other,))
        conv.residual = True
        del self.blocked[name]
        self._mark(conv)
        return True

    def _concat(self, step: Step) -> None:
        names = step.node.inputs
        aligned = all(self.plan.shape(i)[1] % LANES == 0 for i in names)
        if step.node.int("axis", 1) in (1, -3) and aligned and all(self._is_blocked(i) for i in names):
            self._mark(step)

    def _activation(self, step: Step) -> None:
        name = step.node.inputs[0]
        conv = self.blocked[name]
        fits = conv.node.op == "Conv" and not conv.act and step.node.op in _FUSED_ACTIVATIONS
        if fits and self.plan.only_user(name) is step:
            act = step.node.op
            self.plan.merge(conv, step)
            conv.act = act
            del self.blocked[name]
            self._mark(conv)
            return
        self._mark(step)

    def _batch_norm(self, step: Step) -> None:
        """Executed as a depthwise 1x1 convolution."""
        channels = self.plan.shape(step.node.inputs[0])[1]
        scale, bias = f"{step.node.outputs[0]}/scale", f"{step.node.outputs[0]}/shift"
        self.plan.tensors[scale] = Tensor((channels, 1, 1, 1), "float32", True)
        self.plan.tensors[bias] = Tensor((channels,), "float32", True)
        step.node.op = "Conv"
        step.node.attrs = {"group": channels}
        self.plan.rewire(step, (step.node.inputs[0], scale, bias), step.node.outputs[:1])
        self._mark(step)

    def _resize(self, step: Step, shape: Shape) -> None:
        out = self.plan.shape(step.node.outputs[0])
        whole = out[:2] == shape[:2] and all(o % i == 0 for o, i in zip(out, shape, strict=True))
        if whole and _blocked_resize(step.node):
            step.node.op = "Upsample"
            self._mark(step)

    def reorder_outputs(self) -> None:
        """A ReorderOutput for every blocked value that something reads in the plain layout."""
        for name, step in self.blocked.items():
            plain = [u for u in self.plan.users.get(name, []) if self._reads_plain(u, name)]
            if not plain and name not in self.plan.outputs:
                continue
            inner = f"{name}/nchwc"
            self.plan.tensors[inner] = self.plan.tensors[name]
            blocked_users = [u for u in self.plan.users.get(name, []) if u not in plain]
            self.plan.rewire(step, step.node.inputs, (inner,))
            for user in blocked_users:
                self.plan.rewire(user, tuple(inner if i == name else i for i in user.node.inputs))
            self.plan.add(Step(Node("", "ReorderOutput", (inner,), (name,)), []))
            self._absorb_transpose(name)

    def _reads_plain(self, user: Step, name: str) -> bool:
        return user.layout != "nchwc" or ("plain_input" in user.node.attrs and user.node.inputs[0] == name)

    def _absorb_transpose(self, name: str) -> None:
        """A ReorderOutput can write channels last, so a transpose to NHWC alone on the value costs nothing more."""
        turn = self.plan.only_user(name)
        if turn is None or turn.node.op != "Transpose" or turn.node.ints("perm", ()) != (0, 2, 3, 1):
            return
        reorder = self.plan.producer[name]
        self.plan.merge(reorder, turn)


def _blocked_resize(node: Node) -> bool:
    """Whether there is a blocked kernel for this way of interpolating."""
    position = node.attrs.get("coordinate_transformation_mode", "half_pixel")
    mode = node.attrs.get("mode", "nearest")
    if node.op == "Upsample" or mode == "nearest":
        return node.op == "Upsample" or (position == "asymmetric" and node.attrs.get("nearest_mode") == "floor")
    return bool(mode == "linear" and position in ("half_pixel", "asymmetric", "align_corners"))


def is_image(plan: Plan, name: str) -> bool:
    return len(plan.shape(name)) == 4


def conv_layout(weight: Shape, groups: int) -> bool | None:
    """None: not blocked; True: blocked input and output; False: plain input (few channels), blocked output."""
    out_channels, in_per_group = weight[0], weight[1]
    if groups > 1:
        if out_channels % _ALIGNMENT:
            return None
        if in_per_group == 1 and out_channels == groups:
            return True
        aligned = in_per_group % LANES == 0 and out_channels % groups == 0 and (out_channels // groups) % LANES == 0
        return True if aligned else None
    if in_per_group < LANES:
        return False
    return True if in_per_group % _ALIGNMENT == 0 else None
