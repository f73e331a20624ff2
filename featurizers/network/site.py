"""A node with everything that is known about its inputs: what shape, cost and fusion rules look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from featurizers.errors import InputError
from featurizers.network.graph import Node, Shape, Tensor


class Site:
    """A node among its tensors; `opset` is the version of the node's operator set."""

    __slots__ = ("node", "opset", "tensors", "values")

    def __init__(self, node: Node, tensors: Mapping[str, Tensor], values: Mapping[str, Any], opset: int = 18):
        self.node = node
        self.tensors = tensors
        self.values = values
        self.opset = opset

    def has(self, index: int) -> bool:
        """Whether the (optional) input is given."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index])

    def tensor(self, index: int) -> Tensor:
        if not self.has(index):
            raise InputError(f"Node '{self.node.label}' ({self.node.op})", f"must have an input {index}")
        return self.tensors[self.node.inputs[index]]

    def shape(self, index: int) -> Shape:
        return self.tensor(index).shape

    def rank(self, index: int) -> int:
        return len(self.tensor(index).shape)

    def value(self, index: int) -> Any | None:
        """Numbers of a small constant input, None when it is absent or not known before the run."""
        return self.values.get(self.node.inputs[index]) if self.has(index) else None

    def need(self, index: int, what: str) -> np.ndarray[Any, Any]:
        value = self.value(index)
        if value is None:
            rule = "must be a constant, since shapes depend on it"
            raise InputError(f"The {what} (input {index}) of node '{self.node.label}' ({self.node.op})", rule)
        return np.asarray(value)

    def ints(self, attr: str, index: int, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
        """A list that older operator sets give as an attribute and newer ones as an input."""
        given = self.node.attrs.get(attr)
        if given is not None:
            return tuple(int(v) for v in given)
        if self.has(index):
            return tuple(int(v) for v in self.need(index, attr).reshape(-1))
        return None if default is None else tuple(default)

    def out(self, index: int = 0) -> Shape:
        """Shape of an output (only after shape inference)."""
        return self.tensors[self.node.outputs[index]].shape

    def channels_first(self, shape: Shape) -> Shape:
        """An image's shape as (batch, channels, ...), whatever the node's own layout is."""
        last = self.node.int("channels_last", 0) or self.node.op == "NhwcMaxPool"
        return (shape[0], shape[-1], *shape[1:-1]) if last and len(shape) > 2 else shape

    def as_stored(self, shape: Shape) -> Shape:
        """The inverse of `channels_first`."""
        last = self.node.int("channels_last", 0) or self.node.op == "NhwcMaxPool"
        return (shape[0], *shape[2:], shape[1]) if last and len(shape) > 2 else shape

    def fail(self, rule: str, value: object) -> InputError:
        return InputError(f"Node '{self.node.label}' ({self.node.op})", rule, value)

    def axis(self, value: int, rank: int) -> int:
        """A negative axis counted from the end, within the rank."""
        if not -rank <= value < max(rank, 1):
            raise self.fail(f"must have its axis within rank {rank}", value)
        return value % rank if rank else 0
