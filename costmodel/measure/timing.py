"""One measurement: warm-up, timed runs, and the reference before, between and after them."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

from costmodel.measure.reference import LOUD_RATIO, Reference
from costmodel.measure.runtimes.base import Runnable

_BLOCKS = 5
_BLOCK_MS = 1.0
_MAX_RUNS_PER_BLOCK = 20
_SEGMENT_MS = 12.0
_LONG_MS = 20.0
_WARM_UP_MS = 3.0
_POLL_S = 0.03


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one network on one device in one round, all times in milliseconds.

    times : of each block, the median of its runs. references : of the compute reference at each point it was taken.
    segment : for each block the index of the reference just before it (the next one is just after it).
    memory : the memory reference before and after. waited_s : for the machine to become quiet.
    """

    times: list[float]
    references: list[float]
    segment: list[int]
    memory: list[float]
    waited_s: float
    runs_per_block: int

    def record(self) -> dict[str, Any]:
        """As JSON, rounded to 0.1 microseconds."""
        data = asdict(self)
        for key in ("times", "references", "memory"):
            data[key] = [round(v, 4) for v in data[key]]
        data["waited_s"] = round(self.waited_s, 2)
        return data


def run_ms(runnable: Runnable) -> float:
    """Time of one run."""
    start = time.perf_counter()
    runnable.run()
    return (time.perf_counter() - start) * 1e3


def warm_up(runnable: Runnable) -> float:
    """Run until caches and lazy initialisation have settled; the time of the last run, in milliseconds."""
    took, total, runs = run_ms(runnable), 0.0, 1
    while (runs < 2 or total < _WARM_UP_MS) and took < _LONG_MS:
        took = run_ms(runnable)
        total += took
        runs += 1
    return took


def wait_for_quiet(reference: Reference, quiet_ms: float, limit_s: float) -> float:
    """Wait until the reference is fast, at most `limit_s`; the seconds waited."""
    start = time.monotonic()
    while reference.compute_ms() > LOUD_RATIO * quiet_ms:
        if time.monotonic() - start >= limit_s:
            break
        time.sleep(_POLL_S)
    return time.monotonic() - start


def take_sample(runnable: Runnable, reference: Reference, *, quiet_ms: float, wait_s: float) -> Sample:
    """Measure a loaded model; five blocks of runs, short networks with several runs per block."""
    expected = warm_up(runnable)
    inner = min(_MAX_RUNS_PER_BLOCK, max(1, math.ceil(_BLOCK_MS / max(expected, 1e-3))))
    waited = wait_for_quiet(reference, quiet_ms, wait_s)
    memory, references = [reference.memory_ms()], [reference.compute_ms()]
    if expected < _LONG_MS:
        runnable.run()  # the references have taken the caches; a long network takes them back by itself
    times: list[float] = []
    segment: list[int] = []
    since = 0.0
    for _ in range(_BLOCKS):
        if since > _SEGMENT_MS:
            references.append(reference.compute_ms())
            since = 0.0
        block = sorted(run_ms(runnable) for _ in range(inner))
        since += sum(block)
        times.append(block[inner // 2])
        segment.append(len(references) - 1)
    references.append(reference.compute_ms())
    memory.append(reference.memory_ms())
    return Sample(times, references, segment, memory, waited, inner)
