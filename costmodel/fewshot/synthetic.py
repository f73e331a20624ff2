"""A prior over hardware nobody has measured: devices drawn at random from a roofline family.

Ten measurements cannot teach a device's answer to a hundred architectures, unless it is known which answers are
plausible at all. Known devices say so only for hardware of their own sort (fifteen GPUs say little about a phone).
Here every kernel of every device takes a soft maximum of launching, computing and moving data; the device's balance of
the three, its efficiency per kind of kernel and how it treats dead code are drawn from broad distributions that were
set by hand, not fitted to any device. Williams et al., "Roofline" (2009), is the idea for one kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from costmodel.regressors.base import Array
from featurizers.network.nas_bottleneck import misaligned
from featurizers.network.nas_physics import Composition, Launch

_MEMORY_SHARE, _WEIGHT_SHARE, _STEM_SHARE = 0.15, 0.05, 0.1
_ABSENT = 0.02
"""What is left of a kernel that a runtime fuses away or never launches."""
_REFERENCE_CHANNELS = 100.0
_UNITS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class _Sort:
    """Medians and log standard deviations of one kind of kernel, relative to a plain convolution."""

    efficiency: tuple[float, float] = (1.0, 0.0)
    traffic: tuple[float, float] = (1.0, 0.0)
    launch: tuple[float, float] = (1.0, 0.0)
    p_absent: float = 0.0


_SORTS: dict[str, _Sort] = {
    "pointwise": _Sort(),
    "grouped": _Sort(efficiency=(0.7, 0.4)),
    "depthwise3": _Sort(efficiency=(0.3, 0.9), launch=(1.0, 0.3)),
    "depthwise5": _Sort(efficiency=(0.25, 0.9), launch=(1.0, 0.3)),
    "depthwise7": _Sort(efficiency=(0.22, 0.9), launch=(1.0, 0.3)),
    "squeeze": _Sort(efficiency=(0.5, 0.5), launch=(3.0, 0.6)),
    "shuffle": _Sort(launch=(1.0, 0.7), p_absent=0.2),
    "add": _Sort(launch=(0.5, 0.7), p_absent=0.5),
    "project": _Sort(efficiency=(0.9, 0.3), launch=(1.0, 0.3)),
    "conv3": _Sort(launch=(1.3, 0.2)),
    "conv1": _Sort(efficiency=(0.8, 0.5), launch=(1.3, 0.25)),
    "pool": _Sort(traffic=(1.5, 0.8), launch=(0.3, 1.0), p_absent=0.3),
    "skip": _Sort(launch=(0.05, 1.0), p_absent=0.5),
    "zero": _Sort(traffic=(0.5, 0.3), launch=(0.2, 0.7), p_absent=0.5),
}
_NEEDS_CHANNELS = ("pointwise", "grouped", "project", "conv1", "conv3", "squeeze")


@dataclass(frozen=True, slots=True)
class SyntheticDevices:
    """`parameters`: arrays (s,) by name, and the space's reference sizes as arrays (1,). Saved with a bundle."""

    parameters: Mapping[str, Array]
    _units: dict[tuple[Launch, ...], Array] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.parameters["launch"])

    @classmethod
    def draw(cls, pool: Composition, devices: int, seed: int) -> Self:
        """Devices whose balance is relative to the mean kernel of `pool`."""
        rng = np.random.default_rng(seed)
        launches = [launch for unit in pool.units for launch in unit]
        reference = {
            "reference_macs": np.array([np.mean([x.macs for x in launches if x.macs > 0])]),
            "reference_elements": np.array([np.mean([x.elements for x in launches])]),
            "reference_weights": np.array([max(float(np.mean([x.weights for x in launches])), 1.0)]),
        }
        drawn = {
            "launch": np.exp(rng.uniform(np.log(1e-3), np.log(30.0), devices)),
            "sharpness": rng.choice([1.0, 1.5, 3.0], devices),
            "memory": _log_normal(rng, 1.0, 1.2, devices),
            "weights": _log_normal(rng, 1.0, 1.2, devices),
            "channels": _log_normal(rng, 16.0, 1.2, devices),
            "variant": rng.choice([0.0, 0.0, 1.0, 2.0], devices),
            "per_channel": _sometimes(rng, 0.5, 0.0, 1.0, 1.2, devices),
            "misaligned": _sometimes(rng, 0.25, 1.0, 3.0, 0.5, devices),
        }
        for kind in sorted({launch.kind for launch in launches}):
            sort = _SORTS[kind]
            drawn[f"efficiency_{kind}"] = _log_normal(rng, *sort.efficiency, devices)
            drawn[f"traffic_{kind}"] = _log_normal(rng, *sort.traffic, devices)
            drawn[f"launch_{kind}"] = _log_normal(rng, *sort.launch, devices)
            drawn[f"present_{kind}"] = np.where(rng.random(devices) < sort.p_absent, _ABSENT, 1.0)
        without_stem = cls({**reference, **drawn, "stem": np.zeros(devices)})
        mean = without_stem.latency(pool).mean(axis=0)
        stem = _STEM_SHARE * _log_normal(rng, 1.0, 0.7, devices) * mean
        return cls({**reference, **drawn, "stem": stem})

    def latency(self, composition: Composition) -> Array:
        """In no particular unit, float64 (n, s), positive."""
        cost = np.array([self._remembered(unit) for unit in composition.units])
        variant = np.minimum(self.parameters["variant"].astype(int), len(composition.variants) - 1)
        executed = np.zeros_like(cost)
        for index, columns in enumerate(composition.variants):
            executed[np.ix_(columns, variant == index)] = 1.0
        stem = np.where((variant > 0) & (composition.kept[:, None] == 0), 0.1, 1.0) * self.parameters["stem"]
        return np.asarray(composition.counts @ (cost * executed) + stem)

    def _remembered(self, unit: tuple[Launch, ...]) -> Array:
        """Of a space's units there are few, and every adaptation asks for them."""
        found = self._units.get(unit)
        if found is None:
            found = self._unit(unit)
            if len(self._units) < _UNITS_KEPT:
                self._units[unit] = found
        return found

    def _unit(self, unit: tuple[Launch, ...]) -> Array:
        total = np.zeros(len(self))
        for launch in dict.fromkeys(unit):
            total += unit.count(launch) * self._launch(launch)
        return total

    def _launch(self, launch: Launch) -> Array:
        p = self.parameters
        compute = launch.macs / p["reference_macs"] / p[f"efficiency_{launch.kind}"]
        if launch.kind in _NEEDS_CHANNELS:
            compute = compute * (1 + p["channels"] / launch.channels) / (1 + p["channels"] / _REFERENCE_CHANNELS)
        elements = launch.elements / p["reference_elements"] * p[f"traffic_{launch.kind}"]
        moved = _MEMORY_SHARE * p["memory"] * elements
        moved = moved + _WEIGHT_SHARE * p["weights"] * launch.weights / p["reference_weights"]
        started = p["launch"] * p[f"launch_{launch.kind}"]
        if launch.kind.startswith("depthwise"):
            started = started * (1 + p["per_channel"] * launch.channels / _REFERENCE_CHANNELS)
        if misaligned(launch):
            compute = compute * p["misaligned"]
        sharp = p["sharpness"]
        soft_maximum = (compute**sharp + moved**sharp + started**sharp) ** (1 / sharp)
        return np.asarray(p[f"present_{launch.kind}"] * soft_maximum)


def _sometimes(
    rng: np.random.Generator, share: float, otherwise: float, median: float, sd: float, size: int
) -> Array:  # fmt: skip
    return np.where(rng.random(size) < share, _log_normal(rng, median, sd, size), otherwise)


def _log_normal(rng: np.random.Generator, median: float, sd: float, size: int) -> Array:
    return np.asarray(median * np.exp(sd * rng.standard_normal(size)))
