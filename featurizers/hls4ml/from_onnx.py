"""ONNX and QONNX graphs -> layers. Shapes are followed here, since QONNX's own ops stop ONNX's shape inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log2, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.design import MAX_LAYERS
from featurizers.hls4ml.keras_layers import build_keras_layer
from featurizers.hls4ml.keras_site import Built, Shape, Site
from featurizers.hls4ml.precision import Precision

MAX_ONNX_BYTES = 256 << 20
Tensor = npt.NDArray[Any]
_ACTIVATIONS = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "LeakyRelu": "leakyrelu",
    "Elu": "elu",
    "Selu": "selu",
    "PRelu": "prelu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSigmoid": "hard_sigmoid",
    "Clip": "relu",
    "Gelu": "gelu",
    "HardSwish": "swish",
}
_MERGES = {"Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Max": "Maximum", "Min": "Minimum", "Div": "Multiply"}
_SAME = ("Identity", "Dropout", "Cast", "QuantizeLinear", "DequantizeLinear")
_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose")


def read_onnx(data: object) -> tuple[list[FoundLayer], str]:
    """(layers, graph's name) from the bytes of an ONNX or QONNX file. Raises InputError naming the node."""
    import onnx

    if not isinstance(data, (bytes, bytearray)):
        raise InputError("The ONNX model", "must be the bytes of a file", type(data).__name__, where="onnx")
    if len(data) > MAX_ONNX_BYTES:
        raise LimitError("The ONNX model", f"must be at most {MAX_ONNX_BYTES} bytes", len(data), where="onnx")
    try:
        model = onnx.load_model_from_string(bytes(data))
    except Exception as error:  # protobuf raises its own DecodeError, whose module moves between versions
        raise InputError("The ONNX model", "must be a readable ONNX file", str(error)[:80], where="onnx") from error
    if not model.graph.node:
        raise InputError("The ONNX model", "must have nodes", where="onnx")
    if len(model.graph.node) > 10 * MAX_LAYERS:
        raise LimitError("The ONNX model", f"must have at most {10 * MAX_LAYERS} nodes", len(model.graph.node))
    return _Graph(model.graph).run(), str(model.graph.name)


class _Graph:
    """Walks the nodes in their order (ONNX requires a topological one).

    shapes : of what flows, without batch, as ONNX lays it out. sources : the layer that made a tensor.
    constants, types : stored tensors, and their types where a Quant node gives one.
    """

    def __init__(self, graph: Any):
        import onnx.numpy_helper

        self._array = onnx.numpy_helper.to_array
        self.graph = graph
        self.constants: dict[str, Tensor] = {}
        self.types: dict[str, Precision] = {}
        self.shapes: dict[str, Shape] = {}
        self.sources: dict[str, str] = {}
        self.found: list[FoundLayer] = []
        for tensor in graph.initializer:
            self.constants[tensor.name] = self._stored(tensor)

    def _stored(self, tensor: Any) -> Tensor:
        try:
            return np.asarray(self._array(tensor))
        except (ValueError, TypeError, OSError) as error:
            raise InputError(
                f"The initializer '{tensor.name}'", "must be stored in the file", str(error)[:80], where="onnx"
            ) from error

    def run(self) -> list[FoundLayer]:
        for value in self.graph.input:
            if value.name not in self.constants:
                self._input(value)
        for index, node in enumerate(self.graph.node):
            self._node(node, node.name or f"{node.op_type.lower()}_{index}")
        return self.found

    def _input(self, value: Any) -> None:
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if len(sizes) < 2 or any(size < 1 for size in sizes[1:]):
            raise InputError(
                f"The shape of input '{value.name}'",
                "must be known but for the batch",
                sizes,
                where=f"input '{value.name}'",
            )
        shape = tuple(int(size) for size in sizes[1:])
        self.shapes[value.name] = shape
        self.sources[value.name] = value.name
        self.found.append(
            FoundLayer(value.name, "input", ("inputlayer", "input"), in_elements=prod(shape), out_elements=prod(shape))
        )

    def _node(self, node: Any, name: str) -> None:
        op = node.op_type
        where = f"node '{name}'"
        if op == "Constant":
            self._constant(node)
            return
        if op in ("Quant", "BipolarQuant", "IntQuant", "Trunc"):
            self._quant(node, name)
            return
        flowing = [i for i in node.input if i in self.shapes]
        if not flowing and op in ("Transpose", "Reshape", "Identity", "Cast", "DequantizeLinear", "QuantizeLinear"):
            self._fold(node)
            return
        if not flowing:
            raise InputError(
                f"The inputs of {where}",
                "must come from the model's inputs, with shapes known",
                list(node.input),
                where=where,
            )
        handler = self._handler(op, where)
        layers, out = handler(node, name, flowing)
        self._emit(node, layers, out, flowing)

    def _emit(self, node: Any, layers: list[FoundLayer], out: Shape, flowing: Sequence[str]) -> None:
        self.found += layers
        for output in node.output:
            if output:
                self.shapes[output] = out
                self.sources[output] = layers[-1].name if layers else self.sources[flowing[0]]

    def _constant(self, node: Any) -> None:
        for attribute in node.attribute:
            if attribute.name == "value":
                self.constants[node.output[0]] = self._stored(attribute.t)
            elif attribute.name in ("value_float", "value_int"):
                self.constants[node.output[0]] = np.asarray(attribute.f if attribute.type == 1 else attribute.i)

    def _fold(self, node: Any) -> None:
        source = node.input[0]
        if source in self.constants:
            value = self.constants[source]
            self.constants[node.output[0]] = value.T if node.op_type == "Transpose" else value
            if source in self.types:
                self.types[node.output[0]] = self.types[source]

    def _quant(self, node: Any, name: str) -> None:
        precision = self._quant_type(node)
        source, target = node.input[0], node.output[0]
        if source in self.constants:
            self.constants[target] = self.constants[source]
            self.types[target] = precision
            return
        if source not in self.shapes:
            raise InputError(f"The input of node '{name}'", "must have a known shape", source, where=f"node '{name}'")
        size = prod(self.shapes[source])
        layer = FoundLayer(
            name,
            "quantize",
            ("activation", "quant"),
            inputs=(self.sources[source],),
            in_elements=size,
            out_elements=size,
            function="linear",
            precisions={"result": precision},
        )
        self._emit(node, [layer], self.shapes[source], [source])

    def _quant_type(self, node: Any) -> Precision:
        """``Quant(x, scale, zero, bits)``: the scale's power of two places the binary point."""
        if node.op_type == "BipolarQuant":
            return Precision(1, 1)
        values = [self.constants.get(name) for name in node.input[1:4]]
        if len(values) < 3 or values[2] is None:
            raise InputError(f"The bit width of node '{node.name}'", "must be a constant", where=f"node '{node.name}'")
        bits = int(np.max(values[2]))
        signed = all(a.i for a in node.attribute if a.name == "signed")
        scale = float(np.max(np.abs(values[0]))) if values[0] is not None and np.size(values[0]) else 1.0
        integer = bits + round(log2(scale)) if 0 < scale < np.inf else bits
        if not 1 <= bits <= 64:
            raise InputError(
                f"The bit width of node '{node.name}'", "must be from 1 to 64", bits, where=f"node '{node.name}'"
            )
        return Precision(bits, integer, signed)

    def _handler(self, op: str, where: str) -> Callable[[Any, str, Sequence[str]], Built]:
        if op in _ACTIVATIONS:
            return self._activation
        if op in _MERGES:
            return self._merge
        if op in _SAME:
            return lambda node, name, flowing: ([], self.shapes[flowing[0]])
        if op in _RESHAPES:
            return self._reshape
        handlers: dict[str, Callable[[Any, str, Sequence[str]], Built]] = {
            "Gemm": self._dense,
            "MatMul": self._dense,
            "Conv": self._conv,
            "BatchNormalization": self._batch_norm,
            "MaxPool": self._pool,
            "AveragePool": self._pool,
            "GlobalAveragePool": self._global_pool,
            "GlobalMaxPool": self._global_pool,
            "ReduceMean": self._global_pool,
            "Concat": self._concat,
            "GRU": self._recurrent,
            "LSTM": self._recurrent,
            "Gather": self._gather,
        }
        if op not in handlers:
            known = {*handlers, *_ACTIVATIONS, *_MERGES, *_SAME, *_RESHAPES, "Quant", "BipolarQuant", "Constant"}
            raise UnknownNameError("ONNX op", op, known, where=where)
        return handlers[op]

    def _site(
        self, class_name: str, name: str, flowing: Sequence[str], shapes: Sequence[Shape], **config: Any
    ) -> Built:
        inputs = tuple(self.sources[tensor] for tensor in flowing)
        return build_keras_layer(Site(class_name, name, config, inputs, tuple(shapes)))

    def _weighted(self, built: Built, node: Any) -> Built:
        """Types and the share of zeros of the stored tensors that a node uses."""
        stored = [tensor for tensor in node.input if tensor in self.constants]
        for layer in built[0]:
            if layer.n_in and stored:
                weights = self.constants[stored[0]]
                layer.weights = weights
                layer.nonzero = float(np.count_nonzero(weights) / max(weights.size, 1))
                for variable, tensor in zip(("weight", "bias"), stored, strict=False):
                    if tensor in self.types:
                        layer.precisions[variable] = self.types[tensor]
        return built

    def _dense(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        shape = self.shapes[flowing[0]]
        weights = next((self.constants[t] for t in node.input if t in self.constants), None)
        if weights is None:
            layers, out = self._site("Dot", name, flowing, [self.shapes[t] for t in flowing])
            return layers, (*shape[:-1], self.shapes[flowing[-1]][-1]) if out else out
        if weights.ndim != 2 or shape[-1] not in weights.shape:
            raise InputError(
                f"The weights of node '{name}'",
                f"must be a matrix with a side of {shape[-1]}",
                weights.shape,
                where=f"node '{name}'",
            )
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        units = weights.shape[0] if transposed else weights.shape[1]
        return self._weighted(self._site("Dense", name, flowing, [shape], units=int(units)), node)

    def _conv(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        shape = self.shapes[flowing[0]]
        weights = self.constants.get(node.input[1])
        rank = len(shape) - 1
        if weights is None or rank not in (1, 2) or weights.ndim != rank + 2:
            raise InputError(
                f"The convolution '{name}'", "must be 1D or 2D with stored weights", shape, where=f"node '{name}'"
            )
        filters, per_group = int(weights.shape[0]), int(weights.shape[1])
        depthwise = per_group == 1 and filters == shape[0] > 1
        if not depthwise and per_group != shape[0]:
            raise InputError(
                f"The convolution '{name}'", "must have one group, or be depthwise", per_group, where=f"node '{name}'"
            )
        class_name = f"{'Depthwise' if depthwise else ''}Conv{rank}D"
        config = self._window(node, list(weights.shape[2:]))
        built = self._site(
            class_name,
            name,
            flowing,
            [(*shape[1:], shape[0])],
            filters=filters,
            kernel_size=config.pop("size"),
            **config,
        )
        return self._channels_first(self._weighted(built, node))

    def _window(self, node: Any, size: list[int]) -> dict[str, Any]:
        attributes = {a.name: list(a.ints) or a.s for a in node.attribute}
        size = attributes.get("kernel_shape") or size
        pads = attributes.get("pads") or [0]
        auto = attributes.get("auto_pad", b"NOTSET")
        same = any(pads) or (isinstance(auto, bytes) and auto.startswith(b"SAME"))
        return {
            "size": [int(k) for k in size],
            "strides": [int(s) for s in attributes.get("strides") or [1] * len(size)],
            "dilation_rate": [int(d) for d in attributes.get("dilations") or [1] * len(size)],
            "padding": "same" if same else "valid",
        }

    def _pool(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        shape = self.shapes[flowing[0]]
        rank = len(shape) - 1
        config = self._window(node, [2] * rank)
        prefix = "Max" if node.op_type == "MaxPool" else "Average"
        built = self._site(
            f"{prefix}Pooling{rank}D",
            name,
            flowing,
            [(*shape[1:], shape[0])],
            pool_size=config.pop("size"),
            strides=config["strides"],
            padding=config["padding"],
        )
        return self._channels_first(built)

    @staticmethod
    def _channels_first(built: Built) -> Built:
        layers, out = built
        return layers, (out[-1], *out[:-1])

    def _global_pool(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        shape = self.shapes[flowing[0]]
        prefix = "Max" if "Max" in node.op_type else "Average"
        layers, _ = self._site(
            f"Global{prefix}Pooling{max(len(shape) - 1, 1)}D",
            name,
            flowing,
            [(*shape[1:], shape[0]) if len(shape) > 1 else (1, *shape)],
        )
        keep = not any(a.name == "keepdims" and a.i == 0 for a in node.attribute)
        return layers, (shape[0], *(1 for _ in shape[1:])) if keep else (shape[0],)

    def _batch_norm(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        return self._site("BatchNormalization", name, flowing, [self.shapes[flowing[0]]])

    def _activation(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        return self._site("Activation", name, flowing, [self.shapes[flowing[0]]], activation=_ACTIVATIONS[node.op_type])

    def _merge(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        if len(flowing) > 1:
            return self._site(_MERGES[node.op_type], name, flowing, [self.shapes[tensor] for tensor in flowing])
        shape = self.shapes[flowing[0]]
        maker = next((layer for layer in self.found if layer.name == self.sources[flowing[0]]), None)
        if node.op_type == "Add" and maker is not None and maker.n_in:
            stored = next((t for t in node.input if t in self.types), None)
            if stored is not None:
                maker.precisions["bias"] = self.types[stored]
            return [], shape
        return self._site("BatchNormalization", name, flowing, [shape])

    def _reshape(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        shape = self.shapes[flowing[0]]
        out = self._reshaped(node, shape, name)
        layers, _ = self._site("Flatten", name, flowing, [shape])
        return layers, out

    def _reshaped(self, node: Any, shape: Shape, name: str) -> Shape:
        if node.op_type == "Flatten":
            return (prod(shape),)
        if node.op_type == "Transpose":
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), list(range(len(shape) + 1)))
            return tuple(shape[i - 1] for i in order if i > 0)
        if node.op_type == "Squeeze":
            return tuple(size for size in shape if size > 1) or (1,)
        if node.op_type == "Unsqueeze":
            return (*shape, 1)
        target = self.constants.get(node.input[1]) if len(node.input) > 1 else None
        if target is None:
            raise InputError(f"The shape of node '{name}'", "must be a constant", where=f"node '{name}'")
        sizes = [int(size) for size in np.ravel(target)][1:] or [-1]
        known = prod(size for size in sizes if size > 0)
        return tuple(size if size > 0 else max(prod(shape) // max(known, 1), 1) for size in sizes)

    def _concat(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        axis = next((int(a.i) for a in node.attribute if a.name == "axis"), -1)
        return self._site("Concatenate", name, flowing, [self.shapes[tensor] for tensor in flowing], axis=axis)

    def _recurrent(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        units = next((int(a.i) for a in node.attribute if a.name == "hidden_size"), 0)
        shape = self.shapes[flowing[0]]
        class_name = "GRU" if node.op_type == "GRU" else "LSTM"
        return self._site(class_name, name, flowing, [shape], units=units, return_sequences=True)

    def _gather(self, node: Any, name: str, flowing: Sequence[str]) -> Built:
        table = self.constants.get(node.input[0])
        if table is None or table.ndim != 2:
            raise InputError(f"The table of node '{name}'", "must be a stored matrix", where=f"node '{name}'")
        return self._site(
            "Embedding", name, flowing, [self.shapes[flowing[0]]], input_dim=table.shape[0], output_dim=table.shape[1]
        )
