"""PyTorch models -> layers: a ``torch.export`` archive (.pt2), read without torch, or a module in this process.

A layer's name is that of its module (``fc1``, ``block_0_conv``), as hls4ml's ``config_from_pytorch_model`` has it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.design import MAX_LAYERS
from featurizers.hls4ml.keras_layers import build_keras_layer
from featurizers.hls4ml.keras_site import Site
from featurizers.network.graph import NetworkGraph, Node
from featurizers.network.pt2_reader import read_pt2

_ACTIVATIONS: Final[Mapping[str, str]] = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax", "LeakyRelu": "leakyrelu", "Elu": "elu",
    "Selu": "selu", "PRelu": "prelu", "Softplus": "softplus", "Softsign": "softsign", "HardSigmoid": "hard_sigmoid",
    "Clip": "relu", "Gelu": "gelu", "HardSwish": "swish", "LogSoftmax": "softmax",
}  # fmt: skip
_MERGES: Final = ("Add", "Sub", "Mul", "Div", "Max", "Min")
_RESHAPES: Final = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
_NOTHING: Final = ("Identity", "Dropout", "Cast")


def read_torch(model: object, shape: object = None) -> list[FoundLayer]:
    """Layers of the bytes of a .pt2 file, or of an ``nn.Module`` and the shape of its input without batch.

    Raises InputError, UnknownNameError (an operation that hls4ml does not build).
    """
    data = model if isinstance(model, (bytes, bytearray)) else _exported(model, shape)
    return _Walk(read_pt2(bytes(data))).run()


def _exported(model: object, shape: object) -> bytes:
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        rule = "must be the bytes of a file written by torch.export.save, or a torch.nn.Module"
        raise InputError("The PyTorch model", rule, type(model).__name__, where="pt2")
    if not isinstance(shape, (list, tuple)) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise InputError("The input_shape", "must be the sizes of the input without batch", shape, where="input_shape")
    stream = io.BytesIO()
    try:
        torch.export.save(torch.export.export(model.eval(), (torch.zeros(1, *shape),)), stream)
    except Exception as error:  # whatever the user's forward raises
        rule = f"must be exportable for an input of {tuple(shape)}"
        raise InputError("The PyTorch model", rule, f"{type(error).__name__}: {error}"[:120], where="pt2") from error
    return stream.getvalue()


class _Walk:
    """Nodes in their order; shapes are known, and channels come first. sources : the layer that made a tensor."""

    def __init__(self, graph: NetworkGraph):
        if len(graph.nodes) > 10 * MAX_LAYERS:
            raise LimitError("The PyTorch model", f"must have at most {10 * MAX_LAYERS} operations", len(graph.nodes))
        self._graph = graph
        self._sources: dict[str, str] = {}
        self._found: list[FoundLayer] = []

    def run(self) -> list[FoundLayer]:
        for name in self._graph.inputs:
            size = prod(self._shape(name))
            self._found.append(FoundLayer(name, "input", ("inputlayer",), in_elements=size, out_elements=size))
            self._sources[name] = name
        for node in self._graph.nodes:
            self._node(node)
        return self._found

    def _shape(self, tensor: str) -> tuple[int, ...]:
        return tuple(self._graph.tensors[tensor].shape[1:])

    def _node(self, node: Node) -> None:
        flowing = [name for name in node.inputs if name in self._sources]
        if not flowing:
            return
        layers = [] if node.op in _NOTHING else self._layers(node, flowing)
        self._found += layers
        for output in filter(None, node.outputs):
            self._sources[output] = layers[-1].name if layers else self._sources[flowing[0]]

    def _layers(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        rule = _rule(node.op)
        if rule is None:
            raise UnknownNameError("operation", node.op, _KNOWN, where=f"node '{node.label}'")
        return rule(self, node, flowing)

    def _weight(self, node: Node) -> tuple[str, tuple[int, ...]] | None:
        """The first stored tensor that a node reads: (its module's name, its shape)."""
        for name in node.inputs[1:]:
            tensor = self._graph.tensors.get(name)
            if name not in self._sources and tensor is not None and tensor.constant:
                module = name.removeprefix("p_").removeprefix("b_").rpartition("_")[0]
                return module or node.label, tensor.shape
        return None

    def _layer(self, node: Node, flowing: Sequence[str], kind: str, types: Sequence[str], **fields: Any) -> FoundLayer:
        out = self._shape(next(filter(None, node.outputs)))
        return FoundLayer(
            fields.pop("name", node.label),
            kind,
            tuple(types),
            inputs=tuple(self._sources[name] for name in flowing),
            in_elements=sum(prod(self._shape(name)) for name in flowing),
            out_elements=prod(out),
            positions=fields.pop("positions", prod(out[1:]) if len(out) > 1 else 1),
            **fields,
        )

    def dense(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        weight = self._weight(node)
        if weight is None or len(weight[1]) != 2:
            return [self._layer(node, flowing, "dot", ("dot",), positions=1)]
        name, (rows, columns) = weight
        n_in, n_out = (columns, rows) if node.int("transB", 0) else (rows, columns)
        positions = prod(self._shape(node.outputs[0])[:-1])
        types = ("dense", "linear")
        return [self._layer(node, flowing, "dense", types, name=name, n_in=n_in, n_out=n_out, positions=positions)]

    def conv(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        weight = self._weight(node)
        if weight is None or len(weight[1]) not in (3, 4):
            raise InputError(f"The weights of '{node.label}'", "must be stored, of a convolution over 1 or 2 axes")
        name, (filters, channels, *kernel) = weight
        is_depthwise = node.int("group", 1) > 1 and channels == 1
        kind = f"{'depthwise_' if is_depthwise else ''}conv{len(kernel)}d"
        n_in = prod(kernel) * channels
        types = (kind.replace("_", ""), f"conv{len(kernel)}d")
        return [self._layer(node, flowing, kind, types, name=name, n_in=n_in, n_out=filters, window=prod(kernel))]

    def pooling(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        function = "max" if "Max" in node.op else "average"
        window = prod(node.ints("kernel_shape", ()))
        pixels = prod(self._shape(flowing[0])[1:])
        if node.op.startswith(("Global", "Reduce")) or window == 0:
            return [self._layer(node, flowing, "global_pooling", ("globalpooling",), window=pixels, positions=pixels,
                                function=function)]  # fmt: skip
        return [self._layer(node, flowing, "pooling", ("pooling",), window=window, function=function)]

    def batch_norm(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        weight = self._weight(node)
        name = node.label if weight is None else weight[0]
        return [self._layer(node, flowing, "batch_norm", ("batchnormalization",), name=name)]

    def activation(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        function = _ACTIVATIONS[node.op]
        kind = "softmax" if function == "softmax" else "activation"
        return [self._layer(node, flowing, kind, (kind, "activation"), function=function)]

    def merge(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        return [self._layer(node, flowing, "merge", ("merge",), window=2, positions=1, function=node.op.lower())]

    def concat(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        return [self._layer(node, flowing, "concat", ("concatenate",), positions=1)]

    def reshape(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        return [self._layer(node, flowing, "reshape", ("reshape",), positions=1)]

    def recurrent(self, node: Node, flowing: Sequence[str]) -> list[FoundLayer]:
        weight = self._weight(node)
        steps, width = self._graph.tensors[flowing[0]].shape[0], self._graph.tensors[flowing[0]].shape[-1]
        config = {"units": node.int("hidden_size", 0), "return_sequences": True}
        inputs = tuple(self._sources[name] for name in flowing[:1])
        name = node.label if weight is None else weight[0]
        cell = {"RNN": "SimpleRNN"}.get(node.op, node.op)
        return build_keras_layer(Site(cell, name, config, inputs, ((steps, width),)))[0]


Rule = Callable[[_Walk, Node, Sequence[str]], list[FoundLayer]]
_RULES: Final[Mapping[str, Rule]] = {
    "Gemm": _Walk.dense, "MatMul": _Walk.dense, "Conv": _Walk.conv, "BatchNormalization": _Walk.batch_norm,
    "Concat": _Walk.concat, "GRU": _Walk.recurrent, "LSTM": _Walk.recurrent, "RNN": _Walk.recurrent,
    "MaxPool": _Walk.pooling, "AveragePool": _Walk.pooling, "GlobalAveragePool": _Walk.pooling,
    "GlobalMaxPool": _Walk.pooling, "ReduceMean": _Walk.pooling, "ReduceMax": _Walk.pooling,
}  # fmt: skip
_KNOWN: Final = (*_RULES, *_ACTIVATIONS, *_MERGES, *_RESHAPES, *_NOTHING)


def _rule(op: str) -> Rule | None:
    if op in _ACTIVATIONS:
        return _Walk.activation
    if op in _MERGES:
        return _Walk.merge
    return _Walk.reshape if op in _RESHAPES else _RULES.get(op)
