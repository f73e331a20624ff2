"""Spaces of inverted bottlenecks: what a block launches, and the physics columns of a sum of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from featurizers.core import Column
from featurizers.network.nas_base import Array, Composition, Launch, Physics, Unit

_NETWORK_COLUMNS = (
    ("pointwise_macs", "MAC"), ("depthwise_macs", "MAC"), ("parameters", "1"), ("activations", "1"), ("layers", "1"),
    ("shuffles", "1"), ("large_kernels", "1"), ("projecting_skips", "1"), ("blocks", "1"), ("residual_adds", "1"),
    ("squeeze_excites", "1"), ("depthwise_channels", "1"), ("misaligned_taps", "1"), ("misaligned_inputs", "1"),
    ("spilled_pointwise", "1"), ("spilled_depthwise", "1"),
)  # fmt: skip
"""`depthwise_channels`: phones pay by the channel where images are small. `misaligned_*`: of depthwise kernels that
waste much of their SIMD lanes; x86 libraries fall back to slow loops there. `spilled_*`: activations of a kernel beyond
`_RESIDENT`, where GPUs leave the time of a launch behind and caches overflow."""
_LANES, _WASTE = 16, 0.25
_RESIDENT = 65536.0
"""Elements, 256 kB in fp32."""
_UNITS_KEPT = 8192
_STAGE_COLUMNS = 4
"""The first columns of `_NETWORK_COLUMNS`, and the number of layers, are given per stage too."""


def bottleneck(cin: int, cout: int, stride: int, size: int, kernel: int, expand: int, groups: int, se: bool) -> Unit:
    middle, out = cin * expand, size // stride
    inside, outside = size * size, out * out
    point = "pointwise" if groups == 1 else "grouped"
    launches = [
        Launch(point, cin * middle * inside / groups, (cin + middle) * inside, cin * middle / groups, cin / groups)
    ]
    if groups > 1:
        launches.append(Launch("shuffle", 0.0, 2.0 * middle * inside, 0.0, middle))
    taps = kernel * kernel
    launches.append(
        Launch(f"depthwise{kernel}", middle * taps * outside, middle * (inside + outside), middle * taps, middle)
    )
    if se:
        launches.append(Launch("squeeze", middle * middle / 2.0, middle * outside, middle * middle / 2.0, middle))
    narrow = min(middle, cout) / groups
    launches.append(
        Launch(point, middle * cout * outside / groups, (middle + cout) * outside, middle * cout / groups, narrow)
    )
    if stride == 1 and cin == cout:
        launches.append(Launch("add", 0.0, 3.0 * cout * outside, 0.0, cout))
    return tuple(launches)


@lru_cache(maxsize=_UNITS_KEPT)
def unit_numbers(unit: Unit) -> tuple[float, ...]:
    """The columns `_NETWORK_COLUMNS` of one unit; remembered, since a space is made of few."""

    def total(field: str, *kinds: str) -> float:
        return float(sum(getattr(x, field) for x in unit if x.kind.startswith(kinds)))

    def number(*kinds: str) -> float:
        return float(sum(x.kind.startswith(kinds) for x in unit))

    return (
        total("macs", "pointwise", "grouped", "project", "squeeze"), total("macs", "depthwise"), total("weights", ""),
        total("elements", ""), number("pointwise", "grouped", "depthwise", "project"), number("shuffle"),
        number("depthwise5", "depthwise7"), number("project"), float(number("depthwise") > 0), number("add"),
        number("squeeze"), total("channels", "depthwise"), *_misaligned(unit), _spilled(unit, "pointwise"),
        _spilled(unit, "depthwise"),
    )  # fmt: skip


def misaligned(x: Launch) -> bool:
    """A depthwise kernel that leaves many SIMD lanes idle: 24 channels on 16 lanes, but not 72."""
    return x.kind.startswith("depthwise") and -x.channels % _LANES >= _WASTE * x.channels


def _misaligned(unit: Unit) -> tuple[float, float]:
    """Multiplications at input resolution and input elements of depthwise kernels with many idle lanes."""
    taps = inputs = 0.0
    for x in unit:
        if misaligned(x):
            inside = x.elements - x.macs / x.weights * x.channels
            taps, inputs = taps + inside * x.weights / x.channels, inputs + inside
    return taps, inputs


def _spilled(unit: Unit, kind: str) -> float:
    return float(sum(max(x.elements - _RESIDENT, 0.0) for x in unit if x.kind.startswith(kind)))


def mobile_physics(composition: Composition, stages: Sequence[int], names: Sequence[str], scale: Array) -> Physics:
    """Columns of a space of inverted bottlenecks; `scale` (n,) multiplies the block counts (input size)."""
    numbers = np.array([unit_numbers(unit) for unit in composition.units])
    stage_of, used = np.asarray(stages), list(range(_STAGE_COLUMNS + 1))
    blocks = [composition.counts @ numbers]
    columns = [Column(name, unit, "network") for name, unit in _NETWORK_COLUMNS]
    for stage in sorted(set(stages)):
        blocks.append(composition.counts @ (numbers[:, used] * (stage_of == stage)[:, None]))
        columns += [Column(f"stage{stage}_{_NETWORK_COLUMNS[i][0]}", _NETWORK_COLUMNS[i][1], "stage") for i in used]
    classes = sorted(set(names))
    member = np.array([[name == one for one in classes] for name in names], dtype=np.float64)
    blocks.append((composition.counts @ member) * scale[:, None])
    columns += [Column(f"block_{name}", "1", "block") for name in classes]
    matrix = np.column_stack([*blocks, blocks[0][:, :2].sum(1)])
    return Physics(matrix, (*columns, Column("macs", "MAC", "total")))
