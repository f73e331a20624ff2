"""A small made-up world of servers whose scores follow a law with a CPU model's own offset: fast to fit, and known."""

from __future__ import annotations

from typing import Any

import numpy as np

from featurizers.core import Features
from featurizers.cpu import CpuFeaturizer

_MODELS = (
    ("AMD EPYC 7763 64-Core Processor", "amd", "25", "1"),
    ("AMD EPYC 7R32", "amd", "23", "49"),
    ("AMD EPYC 9R14", "amd", "25", "17"),
    ("AMD EPYC 9R45", "amd", "26", "2"),
    ("AMD EPYC 7571", "amd", "23", "1"),
    ("AMD EPYC 7B13", "amd", "25", "1"),
    ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "intel", "6", "106"),
    ("Intel(R) Xeon(R) Platinum 8488C", "intel", "6", "143"),
    ("Intel(R) Xeon(R) Platinum 8559C", "intel", "6", "207"),
    ("Intel(R) Xeon(R) 6975P-C", "intel", "6", "173"),
    ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "intel", "6", "79"),
    ("Intel(R) Xeon(R) CPU E5-2680 v2 @ 2.80GHz", "intel", "6", "62"),
)
_SIZES = (2, 4, 8, 16, 32)


def raws() -> list[dict[str, Any]]:
    """Servers of twelve CPU models, five sizes each."""
    return [
        {
            "cpu_name": name,
            "cpu_vendor": vendor,
            "cpu_family": family,
            "cpu_model": model,
            "logical_cpus": size,
            "threads_per_core": 2,
            "cores_per_socket": size // 2,
            "sockets": 1,
            "memory_gb": 4 * size,
            "cloud": "aws",
            "server": f"x1.size{size}",
            "hypervisor": "KVM",
            "flags": ["avx", "avx2", "aes"],
            "tsc_ghz": 2.5,
            "l3_mb": 32,
            "numa_nodes": 1,
            "network_gbps": 10,
            "gpu_count": 0,
        }
        for name, vendor, family, model in _MODELS
        for size in _SIZES
    ]


def world(seed: int = 0) -> tuple[Features, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Features, log scores (n, 3) and CPU models: a score on all cores, one on a single core, and a latency."""
    featurizer = CpuFeaturizer()
    specs = [featurizer.parse(raw) for raw in raws()]
    features = featurizer.features(specs)
    rng = np.random.default_rng(seed)
    groups = np.array([spec.cpu_name for spec in specs])
    _, code = np.unique(groups, return_inverse=True)
    year = features.column("year").astype(float) - 2018
    own = rng.normal(0, 0.03, code.max() + 1)[code]
    noise = rng.normal(0, 0.01, (len(specs), 3))
    many = 5 + features.column("log_core_ghz") + 0.05 * year + own
    single = 6 + features.column("log_boost_ghz") + 0.05 * year + own
    latency = 4.5 - 0.02 * year + own
    return features, np.stack([many, single, latency], axis=1).astype(float) + noise, groups
