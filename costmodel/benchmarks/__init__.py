"""Benchmarks that anyone can run: ``costmodel benchmark NAME``. `BENCHMARKS` is the registry.

Each is a module with ``run(data, mirror, ...) -> result``; further parameters have defaults, which ``--set NAME=VALUE``
changes. data : a folder in the benchmark's own layout (or None: what the repository has). mirror : a folder of public
data sets by name. The result is ``{"benchmark": name, "rows": [...], "summary": {...}}``: rows print as a table,
summary is a flat dict of numbers.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from featurizers.errors import InputError, UnknownNameError

__all__ = ["BENCHMARKS", "Benchmark", "benchmark", "machine", "settings_of"]

_NASFLAT = ("ND", "FD", "F1", "F2", "F3", "F4", "FA")

BENCHMARKS: dict[str, str] = {
    "host-networks": "costmodel.benchmarks.host_networks:run",
    "host-operators": "costmodel.benchmarks.host_operators:run",
    "serving": "costmodel.benchmarks.serving:run",
    "page": "costmodel.benchmarks.page:run",
    "capacity": "costmodel.benchmarks.capacity:run",
    "chaos": "costmodel.benchmarks.chaos:run",
    "mutations": "costmodel.benchmarks.mutations:run",
    "soak": "costmodel.benchmarks.soak:run",
    "help-nasbench201": "costmodel.benchmarks.nas:help_nasbench201",
    "help-fbnet": "costmodel.benchmarks.nas:help_fbnet",
    **{f"nasflat-{task}": f"costmodel.benchmarks.nas:nasflat_{task.lower()}" for task in _NASFLAT},
    "help-nasbench201-reference": "costmodel.benchmarks.help_reference:help_nasbench201",
    "help-fbnet-reference": "costmodel.benchmarks.help_reference:help_fbnet",
    "nas-search": "costmodel.benchmarks.nas_search:run",
    "own-networks": "costmodel.benchmarks.own_networks:run",
    "nas-ceiling": "costmodel.benchmarks.nas_ceiling:run",
    "hls4ml": "costmodel.benchmarks.hls4ml:run",
    "sparecores": "costmodel.benchmarks.cpu:run_sparecores",
    "cpu-speed": "costmodel.benchmarks.cpu_speed:run",
    "perfcastdb": "costmodel.benchmarks.cpu:run_perfcastdb",
    "mlperf": "costmodel.benchmarks.mlperf:run_mlperf",
    "mlir-pass": "costmodel.benchmarks.mlir_pass:run",
    "foreign-networks": "costmodel.benchmarks.foreign_networks:run",
    "mlir": "costmodel.benchmarks.mlir:run",
    "mlir-baselines": "costmodel.benchmarks.mlir_baselines:run",
    "mlir-fuzz": "costmodel.benchmarks.mlir_fuzz:run",
    "mlir-speed": "costmodel.benchmarks.mlir_speed:run",
    "mlir-new-cpu": "costmodel.benchmarks.mlir_new_cpu:run",
}
"""Name -> ``module:function``, imported when it is run."""


class Benchmark(Protocol):
    """What the registry's entries point to."""

    def __call__(self, data: Path | None, mirror: Path | None, **settings: Any) -> dict[str, Any]: ...


def benchmark(name: str) -> Benchmark:
    """Import a benchmark by name. Raises UnknownNameError with the known ones."""
    if name not in BENCHMARKS:
        raise UnknownNameError("benchmark", name, BENCHMARKS)
    module, function = BENCHMARKS[name].split(":")
    return cast(Benchmark, getattr(importlib.import_module(module), function))


def settings_of(found: Benchmark, given: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` texts as the keywords that a benchmark takes. Raises UnknownNameError and InputError."""
    parameters = list(inspect.signature(found).parameters.values())[2:]
    known = {each.name: type(each.default) for each in parameters}
    settings: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in known:
            raise UnknownNameError("setting of the benchmark", name, known)
        try:
            settings[name] = value == "true" if known[name] is bool else known[name](value)
        except ValueError:
            raise InputError(f"The setting '{name}'", f"must be of type {known[name].__name__}", value) from None
    return settings


def machine() -> dict[str, Any]:
    """Where a benchmark ran: figures without their machine say little."""
    import os
    import platform

    from costmodel.measure.devices import cpu_fields, host_name

    model = cpu_fields().get("model name", platform.processor())
    return {"cpu": model, "short_name": host_name(), "cores": os.cpu_count(), "python": platform.python_version()}
