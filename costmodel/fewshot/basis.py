"""What a new device's latency is a linear function of: named groups of costs, as shares of an offset.

A latency is a sum of costs, so everything here is linear in milliseconds; but errors are relative, so everything is
divided by ``exp(offset)``, a latency that fits every architecture roughly.

    offset      mean log latency of the known devices
    fixed       a cost that every architecture has
    known       each known device's latency
    synthetic   principal deviations of random roofline hardware, at their own scale
    network     physics summed over the network
    stage       the same per stage, or of the live part of a cell
    block       the same per kind of block or edge: what no physics explains
    deep        costs that a graph network learned from the known devices

Every group is centred and has unit total variance over the pool (`synthetic` keeps its scale), so one variance per
group says how much of a device's answer it may explain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from costmodel.fewshot.deep import DeepCosts
from costmodel.fewshot.known import additive_fit, additive_predict
from costmodel.fewshot.synthetic import SyntheticDevices
from costmodel.regressors.base import Array
from featurizers.network.nas_physics import OpIndices, Physics, Space

_PHYSICS_GROUPS = ("network", "stage", "block")
_SYNTHETIC_RANK = 40
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Inputs:
    """Architectures as a basis reads them. physics: named columns; synthetic : log latency on synthetic devices (n, s);
    known : log latency on the known devices, denoised (n, d). deep : learned costs (n, k), k 0 without a network."""

    physics: Physics
    synthetic: Array
    known: Array
    deep: Array

    def take(self, rows: npt.NDArray[np.int64], devices: Sequence[int] | None = None) -> Inputs:
        """The given architectures and, when `devices` is given, only those known devices."""
        known = self.known[rows] if devices is None else self.known[np.ix_(rows, np.asarray(devices, dtype=np.int64))]
        physics = Physics(self.physics.matrix[rows], self.physics.columns)
        return Inputs(physics, self.synthetic[rows], known, self.deep[rows])


@dataclass(frozen=True, slots=True)
class KnownDevices:
    """Denoised known devices of one space, its synthetic ones, and perhaps a graph network trained on the former.
    coefficients : (d, 1 + columns)."""

    space: Space
    names: tuple[str, ...]
    coefficients: Array
    typical_ms: Array
    synthetic: SyntheticDevices
    deep: DeepCosts | None = None

    @classmethod
    def fit(
        cls, space: Space, ops: OpIndices, latency_ms: Mapping[str, Array], synthetic: int = 400, seed: int = 0
    ) -> Self:
        """From tables (n,) of latencies per device, all over the architectures `ops` (n, positions)."""
        columns = _summed(space.physics(ops))
        names = tuple(latency_ms)
        fitted = np.array([additive_fit(columns, latency_ms[name]) for name in names])
        typical = np.array([float(np.median(latency_ms[name])) for name in names])
        return cls(space, names, fitted, typical, SyntheticDevices.draw(space.composition(ops), synthetic, seed))

    def inputs(self, ops: OpIndices) -> Inputs:
        """What any architecture of the space looks like to a basis."""
        physics = self.space.physics(ops)
        latency = additive_predict(_summed(physics), self.coefficients, self.typical_ms)
        synthetic = np.log(self.synthetic.latency(self.space.composition(ops)))
        deep = np.empty((len(ops), 0)) if self.deep is None else self.deep(ops)
        return Inputs(physics, synthetic, np.log(latency), deep)


def _summed(physics: Physics) -> Array:
    return np.column_stack([physics.group(name) for name in _PHYSICS_GROUPS])


@dataclass(frozen=True, slots=True)
class Basis:
    """Constants that turn `Inputs` into an offset and features. Arrays by name, so that a bundle holds them plainly.

    groups : names, in the order of hyper-parameters. group_of : (p,) the group of each feature.
    """

    groups: tuple[str, ...]
    group_of: npt.NDArray[np.int64]
    arrays: Mapping[str, Array]

    @classmethod
    def fit(cls, inputs: Inputs, groups: Sequence[str]) -> Self:
        """Centre and scale over the pool `inputs`. A single known device has no deviation: its group is empty."""
        arrays: dict[str, Array] = {"known_mean": inputs.known.mean(axis=0)}
        arrays["synthetic_mean"] = inputs.synthetic.mean(axis=0)
        offset = _offset(inputs, arrays)
        deviations = _shares(inputs.synthetic, arrays["synthetic_mean"], offset)
        values, vectors = np.linalg.eigh(np.cov(deviations.T, bias=True))
        largest = np.argsort(values)[::-1][:_SYNTHETIC_RANK]
        arrays["projection"] = np.ascontiguousarray(vectors[:, largest] / np.sqrt(deviations.shape[1]))
        group_of: list[int] = []
        for index, group in enumerate(groups):
            raw = _raw(group, inputs, offset, arrays)
            centre, scale = raw.mean(axis=0), _column_scale(group, raw)
            total = np.sqrt(max(float((((raw - centre) / scale) ** 2).sum(axis=1).mean()), _TINY))
            arrays[f"{group}_centre"] = centre
            arrays[f"{group}_scale"] = scale * (1.0 if group == "synthetic" else total)
            group_of += [index] * raw.shape[1]
        return cls(tuple(groups), np.array(group_of, dtype=np.int64), arrays)

    def __call__(self, inputs: Inputs) -> tuple[Array, Array]:
        """Offset (n,) and features (n, p)."""
        offset = _offset(inputs, self.arrays)
        blocks = []
        for group in self.groups:
            raw = _raw(group, inputs, offset, self.arrays)
            blocks.append((raw - self.arrays[f"{group}_centre"]) / self.arrays[f"{group}_scale"])
        return offset, np.concatenate(blocks, axis=1)


def _offset(inputs: Inputs, arrays: Mapping[str, Array]) -> Array:
    return np.asarray((inputs.known - arrays["known_mean"]).mean(axis=1))


def _raw(group: str, inputs: Inputs, offset: Array, arrays: Mapping[str, Array]) -> Array:
    if group == "fixed":
        return np.exp(-offset)[:, None]
    if group == "known":
        return _shares(inputs.known, arrays["known_mean"], offset)
    if group == "synthetic":
        return np.asarray(_shares(inputs.synthetic, arrays["synthetic_mean"], offset) @ arrays["projection"])
    costs = inputs.deep if group == "deep" else inputs.physics.group(group)
    return np.asarray(costs / np.exp(offset)[:, None])


def _shares(log_latency: Array, level: Array, offset: Array) -> Array:
    """Latencies (n, d) at a common level, over the offset's latency, minus 1."""
    return np.asarray(np.expm1(log_latency - level - offset[:, None]))


def _column_scale(group: str, raw: Array) -> Array:
    """`network`, `stage` and `deep` columns have units of their own and count alike; the others share one scale."""
    spread = raw.std(axis=0)
    constant = spread <= _TINY * np.maximum(np.abs(raw).mean(axis=0), 1.0)
    alone = spread if group in ("network", "stage", "deep") else np.ones_like(spread)
    return np.where(constant, np.inf, np.maximum(alone, _TINY))
