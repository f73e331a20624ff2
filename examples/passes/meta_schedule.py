"""TVM MetaSchedule with this cost model; without TVM, the same calls on made-up schedules.

With TVM: ``ms.tune_tir(..., cost_model=py_cost_model(ScheduleCostModel(tvm_store_features())))``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costmodel.passes.meta_schedule import ScheduleCostModel


@dataclass
class Schedule:
    """Stands for a measure candidate: per-store features."""

    stores: np.ndarray


@dataclass
class Result:
    """As TVM's runner gives it."""

    run_secs: list[float]
    error_msg: str | None = None


rng = np.random.default_rng(0)
schedules = [Schedule(rng.uniform(1, 10, (2, 4)).astype(np.float32)) for _ in range(96)]
seconds = [1e-3 * float(schedule.stores[:, 0].sum()) for schedule in schedules]
model = ScheduleCostModel(lambda _, candidates: [candidate.stores for candidate in candidates])
model.update(None, schedules[:64], [Result([second] * 3) for second in seconds[:64]])
scores = model.predict(None, schedules[64:])
best = int(np.argmax(scores))
rank = sorted(seconds[64:]).index(seconds[64 + best])
print(f"best of 32 by score: number {rank + 1} by time")
