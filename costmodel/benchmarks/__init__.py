"""Benchmarks that anyone can run: ``costmodel benchmark NAME``. `BENCHMARKS` is the registry.

Each is a module with ``run(data, mirror) -> result``. data : a folder in the benchmark's own layout (or None: what the
repository has). mirror : a folder of public data sets by name. The result is
``{"benchmark": name, "rows": [...], "summary": {...}}``: rows print as a table, summary is a flat dict of numbers.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from featurizers.errors import UnknownNameError

__all__ = ["BENCHMARKS", "Benchmark", "benchmark", "machine"]

_NASFLAT = ("ND", "FD", "F1", "F2", "F3", "F4", "FA")

BENCHMARKS: dict[str, str] = {
    "host-networks": "costmodel.benchmarks.host_networks:run",
    "host-operators": "costmodel.benchmarks.host_operators:run",
    "serving": "costmodel.benchmarks.serving:run",
    "help-nasbench201": "costmodel.benchmarks.nas:help_nasbench201",
    "help-fbnet": "costmodel.benchmarks.nas:help_fbnet",
    **{f"nasflat-{task}": f"costmodel.benchmarks.nas:nasflat_{task.lower()}" for task in _NASFLAT},
    "help-nasbench201-reference": "costmodel.benchmarks.help_reference:help_nasbench201",
    "help-fbnet-reference": "costmodel.benchmarks.help_reference:help_fbnet",
    "nas-search": "costmodel.benchmarks.nas_search:run",
    "nas-ceiling": "costmodel.benchmarks.nas_ceiling:run",
    "hls4ml": "costmodel.benchmarks.hls4ml:run",
    "sparecores": "costmodel.benchmarks.cpu:run_sparecores",
    "perfcastdb": "costmodel.benchmarks.cpu:run_perfcastdb",
    "mlperf": "costmodel.benchmarks.mlperf:run_mlperf",
    "mlir-pass": "costmodel.benchmarks.mlir_pass:run",
    "foreign-networks": "costmodel.benchmarks.foreign_networks:run",
    "mlir": "costmodel.benchmarks.mlir:run",
    "mlir-fuzz": "costmodel.benchmarks.mlir_fuzz:run",
    "mlir-new-cpu": "costmodel.benchmarks.mlir_new_cpu:run",
}
"""Name -> ``module:function``, imported when it is run."""


class Benchmark(Protocol):
    """What the registry's entries point to."""

    def __call__(self, data: Path | None, mirror: Path | None) -> dict[str, Any]: ...


def benchmark(name: str) -> Benchmark:
    """Import a benchmark by name. Raises UnknownNameError with the known ones."""
    if name not in BENCHMARKS:
        raise UnknownNameError("benchmark", name, BENCHMARKS)
    module, function = BENCHMARKS[name].split(":")
    return cast(Benchmark, getattr(importlib.import_module(module), function))


def machine() -> dict[str, Any]:
    """Where a benchmark ran: figures without their machine say little."""
    import os
    import platform

    from costmodel.measure.devices import cpu_fields, host_name

    model = cpu_fields().get("model name", platform.processor())
    return {"cpu": model, "short_name": host_name(), "cores": os.cpu_count(), "python": platform.python_version()}
