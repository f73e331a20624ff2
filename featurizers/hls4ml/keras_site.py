"""What the Keras layer classes have in common: a layer with its configuration, and the parts that hls4ml makes of it.

Shapes here are without the batch dimension, channels last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from featurizers.errors import InputError
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.design import check_size
from featurizers.hls4ml.precision import Precision
from featurizers.hls4ml.quantizers import parse_quantizer

Shape = tuple[int, ...]
_MOST_DIGITS = 512


@dataclass(frozen=True, slots=True)
class Site:
    """One Keras layer where it stands: its class without Q prefix, config, the layers that feed it and their shapes."""

    class_name: str
    name: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]

    @property
    def shape(self) -> Shape:
        if not self.shapes:
            raise InputError(
                f"The shape that enters layer '{self.name}'",
                "must be known; give the model an input shape",
                where=self.where,
            )
        return self.shapes[0]

    @property
    def where(self) -> str:
        return f"layer '{self.name}'"

    def size(self, *keys: str) -> int:
        """A dimension of the config under one of its names."""
        for key in keys:
            if self.config.get(key) is not None:
                return check_size(self.config[key], f"'{key}' of {self.where}", self.where)
        raise InputError(f"The '{keys[0]}' of {self.where}", "must be given", where=self.where)

    def sizes(self, key: str, rank: int, default: int = 1) -> Shape:
        """A tuple of `rank` dimensions; a single number stands for all."""
        value = self.config.get(key)
        if value is None:
            return (default,) * rank
        listed = list(value) if isinstance(value, (list, tuple)) else [value] * rank
        if len(listed) != rank:
            raise InputError(f"The '{key}' of {self.where}", f"must have {rank} numbers", value, where=self.where)
        return tuple(check_size(item, f"'{key}' of {self.where}", self.where) for item in listed)


Built = tuple[list[FoundLayer], Shape]


def plain_class(class_name: str) -> str:
    """A class without its package and QKeras' Q: ``qkeras>QDense`` is ``Dense``."""
    bare = class_name.rsplit(">", 1)[-1]
    if bare.startswith("Q") and bare[1:2].isupper():
        bare = bare[1:]
    return bare.removesuffix("Batchnorm")


def precisions_of(site: Site) -> dict[str, Precision]:
    found: dict[str, Precision] = {}
    pairs = (
        ("weight", "kernel_quantizer"),
        ("weight", "depthwise_quantizer"),
        ("bias", "bias_quantizer"),
        ("weight", "weight_quantizer"),
    )
    for variable, key in pairs:
        if site.config.get(key) is not None:
            precision = parse_quantizer(site.config[key], site.where)[1]
            if precision is not None:
                found[variable] = precision
    return found


def matrix_layer(
    site: Site, kind: str, n_in: int, n_out: int, positions: int, out: Shape, window: int = 1
) -> FoundLayer:
    return FoundLayer(
        name=site.name,
        kind=kind,
        types=(site.class_name.lower(),),
        inputs=site.inputs,
        n_in=n_in,
        n_out=n_out,
        positions=positions,
        in_elements=prod(site.shape),
        out_elements=prod(out),
        window=window,
        precisions=precisions_of(site),
        nonzero=_share(site.config.get("nonzero", 1.0)),
        digits=_digits(site),
    )


def _digits(site: Site) -> float | None:
    given = site.config.get("digits")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= _MOST_DIGITS:
        raise InputError(f"The 'digits' of {site.where}", f"must be a number from 0 to {_MOST_DIGITS}", given)
    return float(given)


def _share(value: Any) -> float:
    return min(max(float(value), 0.0), 1.0)


def with_activation(site: Site, layers: list[FoundLayer], out: Shape) -> Built:
    """hls4ml splits a fused activation off under the layer's name and the function's, and skips ``linear``."""
    function, precision = parse_quantizer(site.config.get("activation"), site.where)
    if function == "linear":
        return layers, out
    split = activation_part(f"{site.name}_{function}", function, precision, (site.name,), prod(out))
    split.positions = prod(out[:-1])
    return [*layers, split], out


def activation_part(
    name: str, function: str, precision: Precision | None, inputs: tuple[str, ...], elements: int, window: int = 1
) -> FoundLayer:
    kind = "softmax" if function == "softmax" else "quantize" if function == "linear" else "activation"
    return FoundLayer(
        name=name,
        kind=kind,
        types=("softmax" if kind == "softmax" else "activation",),
        inputs=inputs,
        in_elements=elements,
        out_elements=elements,
        window=window,
        function=function,
        precisions={} if precision is None else {"result": precision},
    )
