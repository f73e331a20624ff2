"""Triton's autotuner: ``triton.autotune(..., prune_configs_by=prune_configs_by(...))``.

Triton calls ``early_config_prune(configs, named_args, **kwargs)`` once, then ``perf_model(**everything)`` per
configuration, and times the `top_k` with the smallest answers. Nothing here imports triton: a configuration is whatever
has ``kwargs``, ``num_warps`` and ``num_stages``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cost = Callable[[Mapping[str, Any]], float]
"""Kernel arguments and the configuration's parameters by name -> predicted time; infinite for what cannot run."""


def prune_configs_by(
    cost: Cost, top_k: int | float = 10, fits: Callable[[Mapping[str, Any]], bool] | None = None
) -> dict[str, Any]:
    """What `triton.autotune` takes.

    Parameters
    ----------
    cost
        Predicted time of one configuration, in any unit: e.g. ``lambda a: model.cost(mlir_of(a))`` with a `CostModel`,
        or `GpuTiles.matmul_time_us`.
    top_k
        How many configurations are timed; a fraction of all where it is a float up to 1.
    fits
        Configurations for which this is false are left out before; where none fits, all stay (Triton needs one).
    """

    def early_config_prune(configs: Sequence[Any], named_args: Mapping[str, Any], **kwargs: Any) -> list[Any]:
        if fits is None:
            return list(configs)
        return [c for c in configs if fits({**named_args, **kwargs, **parameters(c)})] or list(configs)

    def perf_model(**everything: Any) -> float:
        return float(cost(everything))

    return {"early_config_prune": early_config_prune, "perf_model": perf_model, "top_k": top_k}


def parameters(config: Any) -> dict[str, Any]:
    """A configuration's parameters by name, as Triton passes them to ``perf_model``."""
    return {**config.kwargs, "num_warps": config.num_warps, "num_stages": config.num_stages}


@dataclass(frozen=True, slots=True)
class GpuTiles:
    """Closed form of a tiled matrix product on a GPU: waves of tiles, each as slow as its products or its traffic.

    units : compute units (SMs). flops_per_us, bytes_per_us : of the whole GPU. shared_bytes : per unit.
    """

    units: int
    flops_per_us: float
    bytes_per_us: float
    shared_bytes: int

    def matmul_fits(self, a: Mapping[str, Any], element_bytes: int = 2) -> bool:
        """Whether the tiles of all stages lie in shared memory at once."""
        tile = (a["BLOCK_M"] + a["BLOCK_N"]) * a["BLOCK_K"] * element_bytes
        return bool(tile * max(a["num_stages"] - 1, 1) <= self.shared_bytes)

    def matmul_time_us(self, a: Mapping[str, Any], element_bytes: int = 2) -> float:
        """Of an M x N x K product in tiles of BLOCK_M x BLOCK_N x BLOCK_K; edges are padded to whole tiles."""
        m, n, k = (math.ceil(a[axis] / a[f"BLOCK_{axis}"]) for axis in "MNK")
        if not self.matmul_fits(a, element_bytes):
            return math.inf
        flops = 2.0 * a["BLOCK_M"] * a["BLOCK_N"] * a["BLOCK_K"] * k
        moved = ((a["BLOCK_M"] + a["BLOCK_N"]) * a["BLOCK_K"] * k + a["BLOCK_M"] * a["BLOCK_N"]) * element_bytes
        busy = min(m * n, self.units)
        each = max(flops / (self.flops_per_us / self.units), moved / (self.bytes_per_us / busy))
        return float(math.ceil(m * n / self.units) * each)
