"""What the benchmarks of the service ask: by kind, thousands of inputs as a client sends them, none twice."""

from __future__ import annotations

import itertools
import random
from typing import Any

_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_MLIR = """func.func @f(%a: memref<{n}x{k}xf32>, %b: memref<{k}x{m}xf32>, %c: memref<{n}x{m}xf32>) {{
  affine.for %i = 0 to {n} {{ affine.for %j = 0 to {m} {{ affine.for %l = 0 to {k} {{
    %x = affine.load %a[%i, %l] : memref<{n}x{k}xf32>
    %y = affine.load %b[%l, %j] : memref<{k}x{m}xf32>
    %z = affine.load %c[%i, %j] : memref<{n}x{m}xf32>
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    affine.store %s, %c[%i, %j] : memref<{n}x{m}xf32>
  }} }} }}
  return
}}"""


def cells(count: int, seed: int) -> list[str]:
    """Distinct NAS-Bench-201 cells, of which there are 15,625."""
    chosen = random.Random(seed).sample(list(itertools.product(_OPERATIONS, repeat=6)), count)
    return [f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|" for a, b, c, d, e, f in chosen]


def questions() -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """By kind, the device asked about, and distinct inputs as JSON."""
    sizes = [(n, m, k) for n in range(4, 26) for m in range(4, 26) for k in range(4, 26)]
    layers = [(a, b, reuse) for a in range(8, 30) for b in range(8, 30) for reuse in range(1, 23)]
    return {
        "network": ("xeon-emr-ort-fp32-b1", [{"nasbench201": cell} for cell in cells(10_000, seed=3)]),
        "cpu": ("spare-cores", [_machine(place) for place in range(10_000)]),
        "hls4ml": ("vivado-vitis", [_design(a, b, reuse) for a, b, reuse in layers[:10_000]]),
        "mlir": ("znver4", [{"mlir": _MLIR.format(n=n, m=m, k=k)} for n, m, k in sizes[:10_000]]),
    }


def encodings(count: int = 1000) -> dict[str, list[dict[str, Any]]]:
    """Networks of the larger search spaces by name, as JSON, drawn at random."""
    draw = random.Random(6)
    fbnet = [{"fbnet": draw.choices(range(9), k=22)} for _ in range(count)]
    ofa = [
        {
            "ofa": {
                "ks": draw.choices((3, 5, 7), k=20),
                "e": draw.choices((3, 4, 6), k=20),
                "d": draw.choices((2, 3, 4), k=5),
                "r": draw.randrange(128, 225, 4),
            }
        }
        for _ in range(count)
    ]
    return {"fbnet": fbnet, "ofa": ofa}


def onnx_files() -> list[bytes]:
    """ONNX files of about a hundred nodes, with their weights."""
    from costmodel.zoo import build, sample_specs, size

    near = sorted(sample_specs(200, seed=1), key=lambda spec: abs(size(spec).nodes - 100))[:8]
    return [build(spec).SerializeToString() for spec in near]


def _machine(place: int) -> dict[str, Any]:
    cpus = 2 * (1 + place % 96)
    return {"cpu_name": "AMD EPYC 9654", "logical_cpus": cpus, "memory_gb": 4 * cpus + place // 96}


def _design(first: int, second: int, reuse: int) -> dict[str, Any]:
    layers = [{"class": "Dense", "name": f"fc{i}", "units": units} for i, units in enumerate((first, second, 5))]
    config = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse, "Strategy": "Resource"}}
    return {"layers": layers, "input_shape": [16], "hls_config": config, "part": "zcu102", "clock_period": 5}
