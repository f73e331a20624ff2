"""A graph on its way to kernels: steps that passes merge, rename and drop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from featurizers.network.graph import NetworkGraph, Node, Shape, Tensor
from featurizers.network.site import Site


@dataclass(slots=True, eq=False)
class Step:
    """One kernel being formed.

    node : the main op with its present inputs and outputs.
    members : labels of the user's nodes that it stands for.
    act : activation applied to the result before it is written; residual : a tensor added before that.
    layout : ``""`` as the user wrote it, ``"nchwc"`` channel-blocked, ``"nhwc"`` channels last.
    fused : ops that were merged into the main one; wrote : values it would write had they not been.
    """

    node: Node
    members: list[str]
    act: str = ""
    residual: bool = False
    layout: str = ""
    fused: list[str] = field(default_factory=list)
    wrote: list[str] = field(default_factory=list)


class Plan:
    """Steps in an order in which they can run, with who produces and who uses each value."""

    def __init__(self, graph: NetworkGraph):
        self.graph = graph
        self.tensors: dict[str, Tensor] = dict(graph.tensors)
        self.values = graph.values
        self.outputs = set(graph.outputs)
        self.unknown = set(graph.unknown_ops)
        self.producer: dict[str, Step] = {}
        self.users: dict[str, list[Step]] = {}
        self.steps: dict[Step, None] = {}
        self._order: list[Step] | None = None
        for node in graph.nodes:
            self.add(Step(Node(node.name, node.op, node.inputs, node.outputs, node.attrs, node.domain), [node.label]))

    def add(self, step: Step) -> Step:
        self._order = None
        self.steps[step] = None
        users = self.users
        for name in step.node.outputs:
            if name:
                self.producer[name] = step
        for name in step.node.inputs:
            if name in users:
                users[name].append(step)
            elif name:
                users[name] = [step]
        return step

    def remove(self, step: Step) -> None:
        self._order = None
        del self.steps[step]
        for name in step.node.inputs:
            if name:
                self.users[name].remove(step)
        for name in step.node.outputs:
            if self.producer.get(name) is step:
                del self.producer[name]

    def rewire(self, step: Step, inputs: Iterable[str], outputs: Iterable[str] | None = None) -> None:
        """Give a step other inputs (and outputs)."""
        self.remove(step)
        step.node.inputs = tuple(inputs)
        if outputs is not None:
            step.node.outputs = tuple(outputs)
        self.add(step)

    def bypass(self, step: Step) -> bool:
        """Drop a step whose first output is its first input. Its users read the input; False where both names bind."""
        source, result = step.node.inputs[0], step.node.outputs[0]
        if result in self.outputs:
            return False
        self.remove(step)
        self.redirect(result, source)
        owner = self.producer.get(source)
        if owner is not None:
            owner.members.extend(step.members)
        return True

    def redirect(self, old: str, new: str) -> None:
        """All users of `old` read `new`."""
        self._order = None
        for user in self.users.pop(old, []):
            user.node.inputs = tuple(new if i == old else i for i in user.node.inputs)
            self.users.setdefault(new, []).append(user)

    def merge(self, step: Step, follower: Step, *, extra_inputs: Iterable[str] = (), op: str | None = None) -> None:
        """`follower` becomes part of `step`, which now writes what `follower` wrote."""
        outputs = follower.node.outputs
        self.remove(follower)
        step.members.extend(follower.members)
        step.fused.append(follower.node.op)
        step.fused.extend(follower.fused)
        step.wrote.extend((*step.node.outputs, *follower.wrote))
        if op is not None:
            step.node.op = op
        self.rewire(step, (*step.node.inputs, *extra_inputs), outputs)

    def only_user(self, name: str) -> Step | None:
        """The one step that reads `name`, None when there are others or the network returns it."""
        users = self.users.get(name, ())
        return users[0] if len(users) == 1 and name not in self.outputs else None

    def follower(self, step: Step, op: str | tuple[str, ...]) -> Step | None:
        """The one step that reads the first output, if it is such an op."""
        user = self.only_user(step.node.outputs[0])
        return user if user is not None and user.node.op in ((op,) if isinstance(op, str) else op) else None

    def source(self, name: str, op: str | tuple[str, ...] | None = None) -> Step | None:
        """Who produces `name`, if it is such an op."""
        step = self.producer.get(name)
        if step is None or op is None or step.node.op in ((op,) if isinstance(op, str) else op):
            return step
        return None

    def of(self, *ops: str) -> Iterator[Step]:
        """Steps of these ops as they are now; those removed meanwhile are left out."""
        for step in [s for s in self.steps if s.node.op in ops]:
            if step in self.steps:
                yield step

    def has(self, op: str) -> bool:
        """Whether any step is of this op."""
        return any(step.node.op == op for step in self.steps)

    def constant(self, name: str) -> bool:
        return name in self.tensors and self.tensors[name].constant

    def shape(self, name: str) -> Shape:
        return self.tensors[name].shape

    def scalar(self, name: str) -> float | None:
        """The number of a one-element constant, None when it is none or unknown."""
        value: Any = self.values.get(name)
        return None if value is None or value.size != 1 else float(value.reshape(-1)[0])

    def site(self, step: Step) -> Site:
        return Site(step.node, self.tensors, self.values)

    def order(self) -> list[Step]:
        """Steps in an order in which they can run (depth first from each step's inputs)."""
        if self._order is None:
            done: dict[Step, None] = {}
            producer = self.producer
            for root in self.steps:
                stack = [root] if root not in done else []
                while stack:
                    step = stack[-1]
                    missing = [producer[i] for i in step.node.inputs if i in producer and producer[i] not in done]
                    if missing and step not in done:
                        stack += missing
                        continue
                    done[step] = None
                    stack.pop()
            self._order = list(done)
        return self._order
