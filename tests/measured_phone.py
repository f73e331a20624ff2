"""A phone that does not exist: latency of NAS architectures by a formula, so that tests need no data."""

from __future__ import annotations

from collections.abc import Sequence
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
