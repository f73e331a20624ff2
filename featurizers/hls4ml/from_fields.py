"""The plain JSON form: a list of layers by their fields, for those who have no file (a NAS, a notebook, a test)."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from featurizers.errors import InputError, LimitError
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.config import check_reuse, check_strategy
from featurizers.hls4ml.design import MAX_LAYERS, check_size
from featurizers.hls4ml.keras_layers import HANDLERS, build_keras_layer
from featurizers.hls4ml.keras_site import Shape, Site, plain_class
from featurizers.hls4ml.precision import parse_precision

_LOWER = {name.lower(): name for name in HANDLERS}
_VARIABLES = ("weight", "bias", "result", "accum", "input", "table")


def read_fields(layers: object, shape: object) -> list[FoundLayer]:
    """Layers in order, each ``{"class": "Dense", "units": 64, "reuse_factor": 4, "weight": "fixed<6,1>", ...}``.

    `shape` enters the first layer. A layer may give ``inputs`` (names above it); without it the one above feeds it.
    """
    if not isinstance(layers, list):
        raise InputError("The layers", "must be a list", layers, where="layers")
    if len(layers) > MAX_LAYERS:
        raise LimitError("The model", f"must have at most {MAX_LAYERS} layers", len(layers), where="layers")
    if not isinstance(shape, (list, tuple)):
        raise InputError("The input_shape", "must be a list of sizes", shape, where="input_shape")
    start = tuple(check_size(size, "input_shape", "input_shape") for size in shape)
    shapes: dict[str, Shape] = {"input": start}
    tails: dict[str, tuple[str, ...]] = {"input": ("input",)}
    found = [FoundLayer("input", "input", ("inputlayer",), in_elements=prod(start), out_elements=prod(start))]
    last = "input"
    for index, layer in enumerate(layers):
        where = f"layers[{index}]"
        if not isinstance(layer, Mapping):
            raise InputError("A layer", "must be an object", layer, where=where)
        name, built, out = _layer(layer, where, index, last, shapes, tails)
        found += built
        shapes[name], tails[name] = out, (built[-1].name,) if built else tails[last]
        last = name
    return found


def _layer(
    layer: Mapping[str, Any],
    where: str,
    index: int,
    last: str,
    shapes: dict[str, Shape],
    tails: dict[str, tuple[str, ...]],
) -> tuple[str, list[FoundLayer], Shape]:
    given = str(layer.get("class") or layer.get("class_name") or layer.get("kind") or "")
    class_name = _LOWER.get(given.lower().replace("_", ""), plain_class(given))
    name = str(layer.get("name") or f"{class_name.lower()}_{index}")
    if name in shapes:
        raise InputError("The name of a layer", "must be its own", name, where=where)
    sources = layer.get("inputs") or [last]
    unknown = [source for source in sources if source not in shapes]
    if unknown:
        raise InputError(f"The input of layer '{name}'", "must be a layer above it", unknown[0], where=where)
    inputs = tuple(tail for source in sources for tail in tails[source])
    config = {key: value for key, value in layer.items() if key not in _VARIABLES}
    built, out = build_keras_layer(Site(class_name, name, config, inputs, tuple(shapes[s] for s in sources)))
    for part in built:
        _own_settings(part, layer, where)
    return name, built, out


def _own_settings(part: FoundLayer, layer: Mapping[str, Any], where: str) -> None:
    for variable in _VARIABLES:
        text = layer.get(variable)
        if text is None or (part.kind in ("activation", "softmax") and variable in ("weight", "bias")):
            continue
        precision = parse_precision(str(text), where)
        if precision is not None:
            part.precisions[variable] = precision
    if layer.get("strategy") is not None:
        part.built_strategy = check_strategy(layer["strategy"], where)
    if layer.get("reuse_factor") is not None and part.n_in:
        part.asked_reuse = check_reuse(layer["reuse_factor"], where)
    if layer.get("table_size") is not None:
        part.table_size = check_size(layer["table_size"], "table_size", where)
