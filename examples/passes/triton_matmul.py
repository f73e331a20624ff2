"""Triton's autotuner with fewer configurations to time: those that fit, ordered by predicted time.

With triton installed, `pruner` goes into ``@triton.autotune(configs, key=["M", "N", "K"], prune_configs_by=pruner)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from costmodel.passes.triton import GpuTiles, parameters, prune_configs_by


@dataclass
class Config:
    """Stands for ``triton.Config``, which has the same fields."""

    kwargs: dict[str, int] = field(default_factory=dict)
    num_warps: int = 4
    num_stages: int = 3


gpu = GpuTiles(units=108, flops_per_us=3.12e8, bytes_per_us=1.55e6, shared_bytes=164 << 10)  # an A100's data sheet
pruner = prune_configs_by(gpu.matmul_time_us, top_k=4, fits=gpu.matmul_fits)
blocks = product((32, 64, 128, 256), (32, 64, 128, 256), (32, 64), (2, 3, 4))
configs = [Config({"BLOCK_M": m, "BLOCK_N": n, "BLOCK_K": k}, num_stages=stages) for m, n, k, stages in blocks]
sizes = {"M": 4096, "N": 4096, "K": 4096}
left = pruner["early_config_prune"](configs, sizes)
left.sort(key=lambda config: pruner["perf_model"](**sizes, **parameters(config)))
print(f"{len(configs)} configurations, {len(left)} fit, {pruner['top_k']} are timed:")
for config in left[: pruner["top_k"]]:
    print(f"{gpu.matmul_time_us({**sizes, **parameters(config)}):8.1f} us  {parameters(config)}")
