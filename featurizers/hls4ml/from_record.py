"""A record of the public wa-hls4ml collection: ``model_config`` (flat list of layers), ``hls_config``, ``target_part``.

Its reuse factors per layer are the ones that were built; its reports are labels and never read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from featurizers.errors import InputError, LimitError
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.config import check_reuse
from featurizers.hls4ml.design import MAX_LAYERS, check_size
from featurizers.hls4ml.keras_layers import build_keras_layer
from featurizers.hls4ml.keras_site import Shape, Site, plain_class
from featurizers.hls4ml.precision import parse_precision
from featurizers.hls4ml.quantizers import parse_quantizer

_NAMES = {"filters": "filters", "n_filter": "filters", "neurons": "units", "units": "units"}


def read_record(raw: Mapping[str, Any]) -> tuple[list[FoundLayer], str]:
    """(layers, name) of one record. Raises InputError naming the layer and its place in ``model_config``."""
    layers = raw.get("model_config")
    if not isinstance(layers, list):
        raise InputError("The record's model_config", "must be a list of layers", layers, where="model_config")
    if len(layers) > MAX_LAYERS:
        raise LimitError("The record's model_config", f"must have at most {MAX_LAYERS} layers", len(layers))
    is_latency = _is_latency(raw.get("hls_config"))
    found: list[FoundLayer] = []
    tail: tuple[str, ...] = ()
    shape: Shape | None = None
    for index, layer in enumerate(layers):
        where = f"model_config[{index}]"
        if not isinstance(layer, Mapping):
            raise InputError("A layer of model_config", "must be an object", layer, where=where)
        built, shape = _layer(layer, index, tail, shape, is_latency, where)
        found += built
        tail = (built[-1].name,) if built else tail
    meta = raw.get("meta_data")
    return found, str(meta.get("model_name", "")) if isinstance(meta, Mapping) else ""


def _is_latency(hls_config: object) -> bool:
    """With the latency strategy a record shows a nearby valid factor, but the one asked for limits multipliers."""
    model = hls_config.get("Model") if isinstance(hls_config, Mapping) else None
    strategy = model.get("Strategy", "latency") if isinstance(model, Mapping) else "resource"
    return str(strategy).lower() == "latency"


def _layer(
    layer: Mapping[str, Any], index: int, tail: tuple[str, ...], before: Shape | None, is_latency: bool, where: str
) -> tuple[list[FoundLayer], Shape]:
    class_name = plain_class(str(layer.get("class_name", "")))
    name = str(layer.get("name") or f"{class_name.lower()}_{index}")
    shapes = _shapes(layer.get("input_shape"), before, where)
    if class_name == "InputLayer":
        size = prod(shapes[0])
        return [FoundLayer(name, "input", ("inputlayer",), in_elements=size, out_elements=size)], shapes[0]
    if class_name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum") and len(shapes) == 1:
        shapes = (shapes[0], shapes[0])
    config = {_NAMES.get(key, key): value for key, value in layer.items() if value is not None}
    if class_name not in ("Activation", "LeakyReLU", "ELU"):
        config.pop("activation", None)
    target = _shapes(layer.get("output_shape"), None, where) if layer.get("output_shape") else ()
    if class_name == "Reshape" and target:
        config.setdefault("target_shape", list(target[0]))
    built, out = build_keras_layer(Site(class_name, name, config, tail, shapes))
    for part in built:
        _apply_built(part, layer, is_latency, where)
    return built, out


def _apply_built(part: FoundLayer, layer: Mapping[str, Any], is_latency: bool, where: str) -> None:
    dtype = layer.get("dtype")
    if isinstance(dtype, str) and "fixed" in dtype:
        precision = parse_precision(dtype, where)
        if precision is not None:
            part.precisions.setdefault("weight", precision)
    elif isinstance(dtype, str) and "quantized" in dtype:
        quantizer = parse_quantizer(dtype, where)[1]
        if quantizer is not None:
            part.precisions.setdefault("weight", quantizer)
    if part.n_in and layer.get("reuse_factor") is not None and not is_latency:
        part.asked_reuse = check_reuse(layer["reuse_factor"], where)


def _shapes(value: object, before: Shape | None, where: str) -> tuple[Shape, ...]:
    if value is None:
        if before is None:
            raise InputError("The input shape", "must be given", where=f"{where}.input_shape")
        return (before,)
    if not isinstance(value, (list, tuple)):
        raise InputError("The input shape", "must be a list", value, where=f"{where}.input_shape")
    many = value if value and isinstance(value[0], (list, tuple)) else [value]
    return tuple(_batchless(shape, f"{where}.input_shape") for shape in many)


def _batchless(shape: Any, where: str) -> Shape:
    if not isinstance(shape, (list, tuple)):
        raise InputError("The input shape", "must be a list", shape, where=where)
    sizes = shape[1:] if len(shape) and shape[0] is None else shape
    return tuple(check_size(size, "input shape", where) for size in sizes)
