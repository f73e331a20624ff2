"""A phone that does not exist: latency of NAS architectures by a formula, so that tests need no data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from costmodel.devices.spaces import nas_adapter
from featurizers.network.nas_physics import space_of

OVERHEAD_MS, MS_PER_MAC = 2.0, 8e-8


@lru_cache
def cells(n: int, seed: int = 0, space: str = "nasbench201") -> tuple[Any, ...]:
    """Distinct architectures of a space as raw inputs."""
    ops = space_of(space).sample(4 * n, np.random.default_rng(seed))
    distinct = list({row.tobytes(): row for row in ops}.values())[:n]
    adapter = nas_adapter(space)
    return tuple({space: adapter._written(row)} for row in distinct)


def latency_ms(raws: Sequence[Any], space: str = "nasbench201") -> list[float]:
    """What the phone takes."""
    ops = space_of(space).parse([raw[space] for raw in raws])
    macs = space_of(space).physics(ops).column("macs")
    return [round(OVERHEAD_MS + MS_PER_MAC * float(m), 4) for m in macs]


def measured(n: int = 10, seed: int = 0, factor: float = 1.0, space: str = "nasbench201") -> list[dict[str, Any]]:
    """Measurements as the service takes them."""
    raws = cells(n, seed, space)
    return [
        {"input": dict(raw), "latency_ms": factor * ms} for raw, ms in zip(raws, latency_ms(raws, space), strict=True)
    ]


def _scaled(m: list[dict[str, Any]], factor: float) -> None:
    for one in m:
        one["latency_ms"] *= factor


_Change = Callable[[list[dict[str, Any]]], object]
BAD_MEASUREMENTS: dict[str, tuple[_Change, str]] = {
    "fewer than three": (lambda m: m.__delitem__(slice(2, None)), "at least 3"),
    "duplicates": (lambda m: m.append(dict(m[0])), "is given once"),
    "zero": (lambda m: m[0].update(latency_ms=0.0), "must be positive"),
    "negative": (lambda m: m[0].update(latency_ms=-3.0), "must be positive"),
    "contradicting repeats": (lambda m: m.append({**m[0], "latency_ms": 2 * m[0]["latency_ms"]}), "contradict"),
    "unknown encoding": (lambda m: m[0].update(input={"darts": "x"}), "darts"),
    "encoding that is none": (lambda m: m[0].update(input={"nasbench201": "|x~0|"}), "NAS-Bench-201 architecture"),
    "mixed batch sizes": (lambda m: m[0].update(conditions={"batch": 8}), "one batch size"),
    "one a thousand times off": (lambda m: _scaled(m[:1], 1e3), "10^3"),
    "one a million times off": (lambda m: _scaled(m[:1], 1e6), "10^6"),
    "one a thousand times too fast": (lambda m: _scaled(m[:1], 1e-3), "10^3"),
    "one a million times too fast": (lambda m: _scaled(m[:1], 1e-6), "10^6"),
    "all a thousand times off": (lambda m: _scaled(m, 1e3), "as if they were in microseconds"),
    "all a million times off": (lambda m: _scaled(m, 1e6), "as if they were in nanoseconds"),
    "all a thousand times too fast": (lambda m: _scaled(m, 1e-3), "as if they were in seconds"),
    "all a million times too fast": (lambda m: _scaled(m, 1e-6), "as if they were in"),
    "an unknown unit": (lambda m: m[0].update(latency_ms=None, value=3.0, unit="fortnights"), "fortnights"),
}
"""What must be refused, over REST as by the command: how ten good measurements are spoiled, and words of the reason."""


def bad_measurements(case: str) -> tuple[list[dict[str, Any]], str]:
    """The measurements of one of `BAD_MEASUREMENTS`, and words of the reason for which they are refused."""
    change, reason = BAD_MEASUREMENTS[case]
    given = measured()
    change(given)
    return given, reason
