"""How alike are two servers? A covariance over facts of the core, of the machine's size, and of its platform.

A benchmark's log score is modelled as a sum of smooth functions: of the core design and its clocks; of the size; of
the cloud; of design and size together, and of all three. Rasmussen & Williams, "Gaussian Processes for Machine
Learning" (2006), ch. 4.2 (sums and products of kernels; the rational quadratic) and 5.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array
from featurizers.core import Chosen, Features, FloatArray, IntArray

# Column -> length scale in standard deviations; "log:" takes the log1p of a column first.
CORE = {
    **dict.fromkeys(("year", "decode_width", "rob_entries", "l2_kb", "memory_mts", "log:l3_host_mb"), 1.0),
    **dict.fromkeys(("log_boost_ghz", "log_allcore_ghz"), 0.7),
    **dict.fromkeys(("fp64_per_cycle", "vector_bits", "cores_per_l3", "smt", "qemu_model", "int_div_cycles"), 1.5),
    **dict.fromkeys(("chiplet", "server", "known_processor", "vendor_intel", "vendor_amd", "vendor_arm"), 2.0),
    **dict.fromkeys(("log_bandwidth_gbs_per_core", "dram_latency_ns", "log:l3_reach_mb"), 1.0),
}
SIZE = {
    **dict.fromkeys(("log_cpus", "log_core_equivalents", "sockets", "log_fair_bandwidth_gbs", "log_l3_fair_mb"), 1.0),
    **dict.fromkeys(("log_l3_seen_per_core", "socket_share"), 1.0),
    **dict.fromkeys(("smt_shared", "shared", "burstable", "bare_metal", "log:numa_nodes", "floating"), 1.5),
    **dict.fromkeys(("mixed_hosts", "small_pages", "many_sockets"), 1.5),
    "threads_per_core": 2.0,
}
PLATFORM = {
    **dict.fromkeys(("cloud_aws", "cloud_azure", "cloud_gcp", "cloud_alicloud", "cloud_hcloud", "cloud_hetzner"), 1.5),
    **dict.fromkeys(("cloud_ovh", "cloud_upcloud", "cloud_vultr"), 1.5),
    **dict.fromkeys(("hypervisor_kvm", "hypervisor_microsoft", "hypervisor_xen"), 1.5),
}
_NAMES = (*CORE, *SIZE, *PLATFORM)
_CHOSEN = Chosen([name.removeprefix("log:") for name in _NAMES])
_LOGGED = np.flatnonzero([name.startswith("log:") for name in _NAMES])
_MIN_STD = 0.15
_CHUNK = 16
"""Servers compared at once with the support: so few that what is worked out stays in the cache of a core."""
_MAX_SUPPORT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """Variances (in squared log units) and length scales of the parts of the sum; defaults found by random search
    on folds grouped by CPU model."""

    core_length: float = 3.0
    size_length: float = 4.0
    platform_length: float = 2.0
    core: float = 0.05
    size: float = 0.1
    platform: float = 0.02
    core_size: float = 0.1
    core_platform_size: float = 0.03
    linear_core: float = 0.01
    linear_size: float = 0.01
    group: float = 0.003
    group_size: float = 0.003
    noise: float = 0.03


@dataclass(frozen=True)
class Scaling:
    """Center and scale of each column, in the order CORE, SIZE, PLATFORM; a missing value sits at the center."""

    fill: npt.NDArray[np.float64]
    center: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, features: Features, weights: npt.NDArray[np.float64]) -> Scaling:
        """`weights` (n,): so that a CPU model with many servers does not set the scale alone."""
        raw = raw_columns(features)
        fill = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else 0.0 for c in raw.T])
        known = np.where(np.isnan(raw), fill, raw)
        center = np.average(known, axis=0, weights=weights)
        spread = np.sqrt(np.average((known - center) ** 2, axis=0, weights=weights))
        lengths = np.array([*CORE.values(), *SIZE.values(), *PLATFORM.values()])
        return cls(fill, center, np.maximum(spread, _MIN_STD) * lengths)

    def apply(self, features: Features) -> FloatArray:
        """float32 (n, columns), standardised and divided by the length scales."""
        raw = raw_columns(features)
        return ((np.where(np.isnan(raw), self.fill, raw) - self.center) / self.scale).astype(np.float32)


def raw_columns(features: Features) -> npt.NDArray[np.float64]:
    """The kernel's columns, float64 (n, CORE + SIZE + PLATFORM)."""
    out = _CHOSEN(features).astype(np.float64)
    out[:, _LOGGED] = np.log1p(out[:, _LOGGED])
    return out


@dataclass(frozen=True)
class _Side:
    """What comparisons with points (s, columns) need of them: of the u distinct ones (a hundred designs of cores, a
    few platforms) ``-2 points.T`` and the squared lengths (u,); place (s,), which of these each is."""

    double: Array
    length: Array
    place: IntArray

    @classmethod
    def of(cls, points: FloatArray) -> _Side:
        distinct, place = np.unique(points, axis=0, return_inverse=True)
        exact = distinct.astype(np.float64)
        return cls(np.ascontiguousarray(exact.T * -2), (exact * exact).sum(axis=1), place.reshape(-1))

    def compared(self, a: Array) -> tuple[Array, Array]:
        """-2 times the products of `a` (n, columns) with the distinct points, and squared distances, (n, u) each;
        rounding may not leave these below zero."""
        double = a @ self.double
        squared = double + (a * a).sum(axis=1)[:, None]
        squared += self.length
        return double, np.maximum(squared, 0, out=squared)

    def spread(self, each: Array) -> Array:
        """What was worked out of the distinct points (n, u), of all, (n, s)."""
        return each.take(self.place, axis=1)


class Support:
    """The training servers that a model compares with: `points` float32 (s, columns), already scaled."""

    def __init__(self, points: FloatArray, scaling: Scaling):
        self.points = np.ascontiguousarray(points, dtype=np.float32)
        self.scaling = scaling

    @cached_property
    def digest(self) -> str:
        """Identity of the support: models with equal digests share each other's work."""
        parts = (self.points, self.scaling.fill, self.scaling.center, self.scaling.scale)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:32]

    @cached_property
    def _sides(self) -> tuple[_Side, ...]:
        first, second = len(CORE), len(CORE) + len(SIZE)
        columns = (slice(0, first), slice(first, second), slice(second, None))
        return tuple(_Side.of(self.points[:, each]) for each in columns)

    @cached_property
    def _deviations(self) -> dict[Shape, FloatArray]:
        return {}

    def deviations(self, shape: Shape) -> FloatArray:
        """Standard deviation of each support point, (s,); worked out once per shape."""
        found = self._deviations.get(shape)
        if found is None:
            found = self._deviations[shape] = np.sqrt(own_covariance(self.points, shape))
        return found

    def save(self, folder: Path) -> None:
        """support.zst: fill, center, scale, then the points column by column; most columns hold few distinct values."""
        import zstandard

        scaling = self.scaling
        head = np.stack([scaling.fill, scaling.center, scaling.scale]).astype("<f8").tobytes()
        body = np.ascontiguousarray(self.points.T).astype("<f4").tobytes()
        (folder / "support.zst").write_bytes(zstandard.ZstdCompressor(level=19).compress(head + body))

    @classmethod
    def load(cls, folder: Path) -> Support:
        """What `save` wrote."""
        import zstandard

        packed = (folder / "support.zst").read_bytes()
        data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MAX_SUPPORT_BYTES)
        columns = len(CORE) + len(SIZE) + len(PLATFORM)
        head = np.frombuffer(data, dtype="<f8", count=3 * columns).reshape(3, columns)
        body = np.frombuffer(data, dtype="<f4", offset=head.nbytes).reshape(columns, -1)
        return cls(body.T.astype(np.float32), Scaling(*head.astype(np.float64)))

    def covariances(self, points: FloatArray, shape: Shape) -> Array:
        """Covariance of each of `points` with each support point but for what a shared CPU model adds, (n, s).

        In float64: weights of both signs are put on it, and what float32 rounds away showed in the sixth digit of a
        score, another one for a server that was asked about alone and in a list.
        """
        out = np.empty((len(points), len(self.points)))
        for start in range(0, len(points), _CHUNK):
            block = slice(start, start + _CHUNK)
            out[block] = _covariances(points[block], self._sides, shape)
        return out


def own_covariance(points: FloatArray, shape: Shape) -> FloatArray:
    """Covariance of each point with itself, (n,)."""
    first, second = len(CORE), len(CORE) + len(SIZE)
    flat = 1 + shape.core + shape.size + shape.platform + shape.core_size + shape.core_platform_size
    squares = points.astype(np.float64) ** 2
    linear = shape.linear_core * squares[:, :first].sum(axis=1)
    linear = linear + shape.linear_size * squares[:, first:second].sum(axis=1)
    return np.asarray(flat + linear, dtype=np.float32)


def size_kernel(points: FloatArray, shape: Shape) -> Array:
    """The part of the covariance that comes from size alone, without its variance, (n, n)."""
    size = points[:, len(CORE) : len(CORE) + len(SIZE)]
    side = _Side.of(size)
    squared = side.compared(size.astype(np.float64))[1]
    return side.spread(np.exp(squared * (-0.5 / shape.size_length**2)))


def _covariances(points: FloatArray, sides: tuple[_Side, ...], shape: Shape) -> Array:
    a = points.astype(np.float64)
    first, second = len(CORE), len(CORE) + len(SIZE)
    core_side, size_side, platform_side = sides
    double, squared = core_side.compared(a[:, :first])
    core = 1 / (1 + squared * (0.5 / shape.core_length**2))
    line = double * (-0.5 * shape.linear_core) + 1.0
    double, squared = size_side.compared(a[:, first:second])
    size = np.exp(squared * (-0.5 / shape.size_length**2))
    size_alone = size * shape.size + double * (-0.5 * shape.linear_size)
    squared = platform_side.compared(a[:, second:])[1]
    platform = np.exp(squared * (-0.5 / shape.platform_length**2))
    out = platform_side.spread(platform * shape.core_platform_size + shape.core_size)
    out *= size_side.spread(size)
    out += shape.core
    out *= core_side.spread(core)
    out += core_side.spread(line)
    out += size_side.spread(size_alone)
    out += platform_side.spread(platform * shape.platform)
    return out


def shape_from_json(content: Mapping[str, float]) -> Shape:
    """What ``asdict`` of a shape gave."""
    return Shape(**content)
