"""QKeras quantizers, as strings or serialised objects -> `Precision` and the function they apply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from featurizers.errors import InputError
from featurizers.hls4ml.precision import MAX_WIDTH, Precision

_CALL = re.compile(r"^\s*([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*$", re.S)
_FUNCTIONS = {
    "quantized_bits": "linear",
    "quantized_linear": "linear",
    "quantized_relu": "relu",
    "quantized_tanh": "tanh",
    "quantized_sigmoid": "sigmoid",
    "quantized_po2": "linear",
    "quantized_relu_po2": "relu",
    "binary": "binary",
    "stochastic_binary": "binary",
    "ternary": "ternary",
    "stochastic_ternary": "ternary",
    "bernoulli": "linear",
}
_POSITIONAL = {"quantized_tanh": ("bits",), "quantized_sigmoid": ("bits",)}


def parse_quantizer(raw: object, where: str) -> tuple[str, Precision | None]:
    """(function, type) of a quantizer or plain activation: ``('relu', None)``, ``('linear', fixed<6,1>)``.

    >>> str(parse_quantizer("quantized_bits(6, 0, alpha=1)", "layer 'a'")[1])
    'fixed<6,1>'
    >>> parse_quantizer("relu", "layer 'a'")
    ('relu', None)
    """
    if raw is None:
        return "linear", None
    if isinstance(raw, Mapping):
        name = str(raw.get("class_name") or raw.get("registered_name") or "linear").rsplit(">", 1)[-1]
        inner = raw.get("config")
        arguments: dict[str, Any] = dict(inner) if isinstance(inner, Mapping) else {}
        if name == "function" and isinstance(inner, str):
            name = inner
    elif isinstance(raw, str):
        name, arguments = _parse_call(raw, where)
    else:
        raise InputError("The quantizer or activation", "must be a string or an object", raw, where=where)
    if name not in _FUNCTIONS:
        return name.lower(), None
    return _FUNCTIONS[name], _precision(name, arguments, where)


def _parse_call(text: str, where: str) -> tuple[str, dict[str, Any]]:
    match = _CALL.match(text)
    if match is None:
        raise InputError("The quantizer", "must read like 'quantized_bits(6,0)'", text, where=where)
    names = _POSITIONAL.get(match[1], ("bits", "integer"))
    arguments: dict[str, Any] = {}
    for index, piece in enumerate(filter(None, (match[2] or "").split(","))):
        key, equals, value = piece.partition("=")
        if equals:
            arguments[key.strip()] = value.strip()
        elif index < len(names):
            arguments[names[index]] = piece.strip()
    return match[1], arguments


def _precision(name: str, arguments: Mapping[str, Any], where: str) -> Precision:
    if "binary" in name:
        return Precision(1, 1)
    if "ternary" in name:
        return Precision(2, 2)
    bits, integer = _number(arguments.get("bits", 8), name, where), _number(arguments.get("integer", 0), name, where)
    if not 1 <= bits <= MAX_WIDTH:
        raise InputError(f"The bits of '{name}'", f"must be from 1 to {MAX_WIDTH}", bits, where=where)
    unsigned = "relu" in name or name == "quantized_sigmoid"
    return Precision(bits, integer if unsigned else integer + 1, not unsigned)


def _number(value: object, name: str, where: str) -> int:
    try:
        return int(float(str(value)))
    except ValueError:
        raise InputError(f"An argument of '{name}'", "must be a number", value, where=where) from None
