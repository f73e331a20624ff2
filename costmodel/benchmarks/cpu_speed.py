"""How many predictions one core makes by the packaged bundle of servers, from raw fields to intervals; CPU seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from costmodel.cpu.predictor import CpuPredictor
from costmodel.registry import PRETRAINED

_MACHINES = 2048
_SINGLE = 100
_REPEATS = 5


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """In bulk, and one machine at a time, all scores of each; no data are needed."""
    predictor = _predictor()
    rows = [_bulk(predictor), _single(predictor)]
    for row in rows:
        print(f"{row['benchmark']}: {row['predictions_per_cpu_s']:,} predictions per CPU second")
    summary = {"predictions_per_cpu_s": rows[0]["predictions_per_cpu_s"], "cpu_ms_per_machine": rows[1]["cpu_ms"]}
    return {"benchmark": "cpu-speed", "rows": rows, "summary": summary}


def bulk_row() -> dict[str, Any]:
    """Best of five times 2,048 machines that were never asked about before, all targets of the bundle; CPU seconds."""
    return _bulk(_predictor())


def _predictor() -> CpuPredictor:
    predictor = CpuPredictor.load(PRETRAINED / "cpu")
    predictor.warm_up()
    predictor.predict(_machines(0), list(predictor.devices))
    return predictor


def _bulk(predictor: CpuPredictor) -> dict[str, Any]:
    devices = list(predictor.devices)
    seconds = _best(lambda raws: predictor.predict(raws, devices), 1)
    return _row("bulk speed", predictor, _MACHINES, seconds)


def _single(predictor: CpuPredictor) -> dict[str, Any]:
    devices = list(predictor.devices)

    def one_by_one(raws: list[dict[str, Any]]) -> None:
        for raw in raws[:_SINGLE]:
            predictor.predict([raw], devices)

    return _row("one machine at a time", predictor, _SINGLE, _best(one_by_one, 1 + _REPEATS))


def _best(work: Callable[[list[dict[str, Any]]], Any], first: int) -> float:
    """CPU seconds of the quickest of the repeats, each with machines of its own."""
    seconds = []
    for repeat in range(first, first + _REPEATS):
        raws = _machines(repeat)
        started = time.process_time()
        work(raws)
        seconds.append(time.process_time() - started)
    return min(seconds)


def _row(name: str, predictor: CpuPredictor, machines: int, seconds: float) -> dict[str, Any]:
    count = machines * sum(len(device.targets) for device in predictor.devices.values())
    each = round(1e3 * seconds / machines, 3)
    return {"benchmark": name, "n": count, "predictions_per_cpu_s": round(count / seconds), "cpu_ms": each}


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
