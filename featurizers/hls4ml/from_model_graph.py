"""An hls4ml ``ModelGraph`` in memory, by its own attributes: hls4ml is never imported here."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from featurizers.errors import InputError, UnknownNameError
from featurizers.hls4ml.attributes import layers_of
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.config import check_strategy
from featurizers.hls4ml.design import MATRIX_KINDS
from featurizers.hls4ml.precision import Precision, parse_precision

_KINDS = {
    "input": "input",
    "inputlayer": "input",
    "constant": "input",
    "dense": "dense",
    "pointwiseconv1d": "conv1d",
    "pointwiseconv2d": "conv2d",
    "conv1d": "conv1d",
    "conv2d": "conv2d",
    "conv2dbatchnorm": "conv2d",
    "depthwiseconv1d": "depthwise_conv1d",
    "depthwiseconv2d": "depthwise_conv2d",
    "activation": "activation",
    "hardactivation": "activation",
    "parametrizedactivation": "activation",
    "prelu": "activation",
    "ternarytanh": "activation",
    "softmax": "softmax",
    "batchnormalization": "batch_norm",
    "applyalpha": "batch_norm",
    "batchnormalizationquantizedtanh": "batch_norm",
    "pooling1d": "pooling",
    "pooling2d": "pooling",
    "globalpooling1d": "global_pooling",
    "globalpooling2d": "global_pooling",
    "merge": "merge",
    "concatenate": "concat",
    "dot": "dot",
    "gru": "gru",
    "lstm": "lstm",
    "simplernn": "simple_rnn",
    "embedding": "embedding",
    "reshape": "reshape",
    "flatten": "reshape",
    "transpose": "reshape",
    "repack": "reshape",
    "clone": "reshape",
    "broadcast": "reshape",
    "resize": "resize",
    "zeropadding1d": "padding",
    "zeropadding2d": "padding",
    "quant": "quantize",
    "fixedpointquantizer": "quantize",
}
_SPLIT_OFF = frozenset(MATRIX_KINDS - {"gru", "lstm", "simple_rnn"})
_FIELDS = {
    "part": "Part",
    "clock_period": "ClockPeriod",
    "io_type": "IOType",
    "clock_uncertainty": "ClockUncertainty",
}
_WEIGHT_NAMES = {
    "weight": "weight",
    "w": "weight",
    "scale": "weight",
    "depthwise": "weight",
    "bias": "bias",
    "b": "bias",
}


def read_model_graph(graph: Any) -> tuple[list[FoundLayer], dict[str, Any]]:
    """(layers, fields such as part, clock_period and io_type) of a ``ModelGraph``. Raises InputError."""
    if not callable(getattr(graph, "get_layers", None)):
        raise InputError("The model graph", "must be an hls4ml ModelGraph", type(graph).__name__, where="model_graph")
    found: list[FoundLayer] = []
    makers: dict[str, str] = {}
    default = _default_type(graph)
    for layer in graph.get_layers():
        found += _layer(layer, makers)
        if found[-1].n_in and "weight" not in found[-1].precisions and default is not None:
            found[-1].precisions["weight"] = default  # distributed arithmetic has dropped the weights
        for output in _listed(getattr(layer, "outputs", ())):
            makers[str(output)] = found[-1].name
    return found, _fields(graph)


def _layer(layer: Any, makers: dict[str, str]) -> list[FoundLayer]:
    name = str(layer.name)
    class_name = str(getattr(layer, "class_name", type(layer).__name__)).lower()
    for prefix in ("vivado", "vitis"):
        class_name = class_name.removeprefix(prefix)
    kind = _KINDS.get(class_name)
    if kind is None:
        raise UnknownNameError("layer class", class_name, _KINDS, where=f"layer '{name}'")
    attributes = dict(layer.attributes.items()) if hasattr(layer, "attributes") else {}
    numbers = {str(k): int(v) for k, v in attributes.items() if isinstance(v, int) and not isinstance(v, bool)}
    function = str(attributes.get("activation") or attributes.get("op") or attributes.get("pool_op") or "").lower()
    if kind == "activation" and function == "softmax":
        kind = "softmax"
    if kind in ("input", "reshape", "quantize", "merge", "concat") and "n_in" not in numbers:
        numbers["n_in"] = _out_size(layer)
    if attributes.get("return_sequences") and "n_timesteps" in numbers:
        numbers["n_sequence_out"] = numbers["n_timesteps"]
    inputs = tuple(makers[str(i)] for i in _listed(getattr(layer, "inputs", ())) if str(i) in makers)
    # A layer keeps the name of the activation that was split off it.
    layers = layers_of(kind, name, numbers, "" if kind in _SPLIT_OFF else function, inputs)
    for part in layers:
        part.precisions = _types(layer, attributes)
        if not part.n_in and kind != "input":
            part.positions = _positions(layer, part)
        if part.n_in:
            part.built_reuse = int(float(attributes.get("reuse_factor") or 1))
            part.built_strategy = check_strategy(str(attributes.get("strategy") or "latency"), f"layer '{name}'")
            part.nonzero, part.weights = _nonzero(layer), _values(layer)
    if len(layers) == 2 and "recurrent_reuse_factor" in numbers:
        layers[1].built_reuse = numbers["recurrent_reuse_factor"]
    return layers


def _positions(layer: Any, part: FoundLayer) -> int:
    """Words of a stream that leave: all axes but the last, which is one word."""
    try:
        shape = [int(size) for size in layer.get_output_variable().shape]
    except (AttributeError, KeyError, TypeError, ValueError):
        return part.positions
    return max(prod(shape[:-1]), 1) if part.kind != "global_pooling" else part.positions


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _out_size(layer: Any) -> int:
    try:
        return max(int(layer.get_output_variable().size()), 1)
    except (AttributeError, TypeError, ValueError, KeyError):
        return 1


def _precision(holder: Any) -> Precision | None:
    inner = getattr(holder, "precision", holder)
    try:
        return parse_precision(str(inner))
    except InputError:
        return None


def _types(layer: Any, attributes: dict[str, Any]) -> dict[str, Precision]:
    found: dict[str, Precision] = {}
    for key, value in attributes.items():
        if str(key).endswith("_t"):
            precision = _precision(value)
            if precision is not None:
                found[str(key).removesuffix("_t")] = precision
    for weight in _weights(layer):
        variable = _WEIGHT_NAMES.get(str(getattr(weight, "name", "")).rstrip("0123456789").lower())
        precision = _precision(getattr(weight, "type", None))
        if variable and precision is not None:
            found[variable] = precision
    try:
        output = _precision(layer.get_output_variable().type)
    except (AttributeError, KeyError, TypeError):
        output = None
    if output is not None:
        found["result"] = output
    return found


def _weights(layer: Any) -> list[Any]:
    return list(layer.get_weights()) if callable(getattr(layer, "get_weights", None)) else []


def _nonzero(layer: Any) -> float:
    for weight in _weights(layer):
        total = int(getattr(weight, "data_length", 0) or 0)
        if total and _is_matrix(weight):
            return max(1.0 - float(getattr(weight, "nzeros", 0) or 0) / total, 0.0)
    return 1.0


def _values(layer: Any) -> npt.NDArray[Any] | None:
    for weight in _weights(layer):
        data = getattr(weight, "data", None)
        if isinstance(data, np.ndarray) and _is_matrix(weight):
            return data
    return None


def _is_matrix(weight: Any) -> bool:
    return _WEIGHT_NAMES.get(str(getattr(weight, "name", "")).rstrip("0123456789").lower()) == "weight"


def _default_type(graph: Any) -> Precision | None:
    types = getattr(getattr(graph, "config", None), "model_precision", None)
    return _precision(types["default"]) if isinstance(types, dict) and "default" in types else None


def _fields(graph: Any) -> dict[str, Any]:
    config = getattr(graph, "config", None)
    get = getattr(config, "get_config_value", None)
    if not callable(get):
        return {}
    found = {field: get(key) for field, key in _FIELDS.items()}
    backend = getattr(getattr(config, "backend", None), "name", None)
    return {key: value for key, value in {**found, "backend": backend}.items() if value is not None}
