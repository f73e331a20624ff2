"""How many predictions one core makes in bulk, by the packaged bundle, from raw fields to intervals."""

from __future__ import annotations

import time
from typing import Any

from costmodel.cpu.predictor import CpuPredictor
from costmodel.registry import PRETRAINED

_MACHINES = 2048
_REPEATS = 5


def bulk_row() -> dict[str, Any]:
    """Best of five times 2,048 machines that were never asked about before, all targets of the bundle; CPU seconds."""
    predictor = CpuPredictor.load(PRETRAINED / "cpu")
    predictor.warm_up()
    device = next(iter(predictor.devices))
    targets = len(predictor.devices[device].targets)
    predictor.predict(_machines(0), [device])
    seconds = []
    for repeat in range(1, _REPEATS + 1):
        raws = _machines(repeat)
        started = time.process_time()
        predictor.predict(raws, [device])
        seconds.append(time.process_time() - started)
    count = _MACHINES * targets
    return {"benchmark": "bulk speed", "n": count, "predictions_per_cpu_s": round(count / min(seconds))}


def _machines(repeat: int) -> list[dict[str, Any]]:
    """Sizes and memories of one processor; every machine another, so that nothing is remembered."""
    return [
        {
            "cpu_name": "AMD EPYC 9654",
            "logical_cpus": 2 * (1 + i % 90),
            "threads_per_core": 2,
            "sockets": 1,
            "memory_gb": 16 + i + repeat / 10,
        }
        for i in range(_MACHINES)
    ]
