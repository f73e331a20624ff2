"""Once-for-all MobileNetV3 supernet, width 1.0, ImageNet head (Cai et al., ICLR 2020).

Five units of up to four inverted residual blocks; kernel 3/5/7 and expansion 3/4/6 of 20 slots, depth 2/3/4 of each
unit, resolution 128..224. Slots beyond a unit's depth are unused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from featurizers.errors import InputError, UnknownNameError
from featurizers.network.builder import Builder
from featurizers.network.graph import NetworkGraph

UNITS = ((24, 2, "Relu", False), (40, 2, "Relu", True), (80, 2, "HardSwish", False),
         (112, 1, "HardSwish", True), (160, 2, "HardSwish", True))  # fmt: skip
"""(channels, stride, activation, squeeze and excitation) of each unit."""
SLOTS = 4
KERNELS, EXPANSIONS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
STEM, EXPANDED, FEATURES, CLASSES = 16, 960, 1280, 1000
RESOLUTIONS = range(128, 225)


@dataclass(frozen=True, slots=True)
class Ofa:
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    depths: tuple[int, ...]
    resolution: int


def parse_ofa(value: object) -> Ofa:
    """An encoding ``{"ks": [20], "e": [20], "d": [5], "r": int}``."""
    if not isinstance(value, Mapping):
        raise InputError("The field 'ofa'", "must be an object with ks, e, d and r", value)
    for key in value:
        if key not in ("ks", "e", "d", "r"):
            raise UnknownNameError("field of 'ofa'", str(key), ("ks", "e", "d", "r"))
    slots = SLOTS * len(UNITS)
    return Ofa(
        _numbers(value, "ks", slots, KERNELS),
        _numbers(value, "e", slots, EXPANSIONS),
        _numbers(value, "d", len(UNITS), DEPTHS),
        _number(value.get("r"), "ofa.r", RESOLUTIONS),
    )


def _numbers(value: Mapping[str, object], key: str, count: int, allowed: Sequence[int]) -> tuple[int, ...]:
    given = value.get(key)
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != count:
        raise InputError(f"The field 'ofa.{key}'", f"must be a list of {count} numbers", given)
    return tuple(_number(v, f"ofa.{key}[{i}]", allowed) for i, v in enumerate(given))


def _number(value: object, where: str, allowed: Sequence[int]) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        shown = f"from {allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else f"one of {list(allowed)}"
        raise InputError("A number of an OFA encoding", f"must be {shown}", value, where=where)
    return value


def build(net: Ofa, batch: int = 1) -> NetworkGraph:
    """The subnetwork of an encoding."""
    b = Builder()
    x = b.input("input", (batch, 3, net.resolution, net.resolution))
    x = b.op("HardSwish", "stem/act", b.conv_bn("stem", x, STEM, 3, 2))
    y = b.op("Relu", "first/act", b.conv_bn("first/depthwise", x, STEM, 3, 1, STEM))
    x = b.op("Add", "first/add", b.conv_bn("first/project", y, STEM), x)
    for unit, (channels, stride, act, excite) in enumerate(UNITS):
        for index in range(net.depths[unit]):
            slot = unit * SLOTS + index
            scope = f"unit{unit + 1}/block{index + 1}"
            step = stride if index == 0 else 1
            x = _block(b, scope, x, channels, step, net.kernels[slot], net.expansions[slot], act, excite=excite)
    x = b.op("HardSwish", "expand/act", b.conv_bn("expand", x, EXPANDED))
    x = b.op("GlobalAveragePool", "head/pool", x)
    x = b.op("HardSwish", "head/act", b.conv("head/mix", x, FEATURES))
    return b.graph(b.linear("head/fc", b.op("Flatten", "head/flatten", x, axis=1), CLASSES))


def _block(
    b: Builder, scope: str, x: str, channels: int, stride: int, kernel: int, expansion: int, act: str, *, excite: bool
) -> str:
    hidden = b.channels(x) * expansion
    y = b.op(act, f"{scope}/act1", b.conv_bn(f"{scope}/expand", x, hidden))
    y = b.op(act, f"{scope}/act2", b.conv_bn(f"{scope}/depthwise", y, hidden, kernel, stride, hidden))
    if excite:
        y = _excite(b, f"{scope}/se", y)
    y = b.conv_bn(f"{scope}/project", y, channels)
    return b.op("Add", f"{scope}/add", y, x) if stride == 1 and b.channels(x) == channels else y


def _excite(b: Builder, scope: str, x: str) -> str:
    channels = b.channels(x)
    squeezed = _divisible(channels // 4)
    y = b.op("GlobalAveragePool", f"{scope}/pool", x)
    y = b.op("Relu", f"{scope}/relu", b.conv(f"{scope}/reduce", y, squeezed, bias=True))
    y = b.op("HardSigmoid", f"{scope}/gate", b.conv(f"{scope}/expand", y, channels, bias=True))
    return b.op("Mul", f"{scope}/mul", x, y)


def _divisible(channels: int, divisor: int = 8) -> int:
    """To a multiple of `divisor`, never less than nine tenths of what was asked for."""
    rounded = max(divisor, (channels + divisor // 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
