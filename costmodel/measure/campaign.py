"""Measures many networks on many devices in interleaved rounds; can be killed at any moment and started again."""

from __future__ import annotations

import gc
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.measure.artefacts import folder_of, status_of
from costmodel.measure.devices import DEVICES
from costmodel.measure.journal import Journal, read_journal
from costmodel.measure.profiling import PROFILED, take_profile
from costmodel.measure.reference import Reference
from costmodel.measure.runtimes import Runtime, UnsupportedModelError, runtime
from costmodel.measure.runtimes.ort import OrtRuntime
from costmodel.measure.timing import take_sample

PROFILES = ("profile", "profile2")
_MIN_WAIT_S, _MAX_WAIT_S = 0.02, 2.0
_RECENT_REFERENCES = 3000
_MAX_CRASHES = 2
_LOOK_AGAIN_S = 5.0
_UNITS_PER_COLLECTION = 25


def stages(rounds: int) -> tuple[str, ...]:
    """What is done with every network, in order: rounds ``r0``, ``r1``, ..., and profiles among them.

    The first profile follows the third round; from five rounds on a second one comes before the last.
    """
    names = [f"r{i}" for i in range(rounds)]
    names.insert(3, PROFILES[0])
    if rounds > 4:
        names.insert(len(names) - 1, PROFILES[1])
    return tuple(names)


@dataclass
class Progress:
    """What a journal says is done: (network, stage, device) triples, crashes, and reference times seen."""

    done: set[tuple[str, str, str]] = field(default_factory=set)
    crashes: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    references: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> Progress:
        """Read a journal (none: nothing done)."""
        progress = cls()
        for record in read_journal(path):
            progress.add(record)
        return progress

    def add(self, record: dict[str, Any]) -> None:
        """Take one record into account."""
        if record.get("crash"):
            self.crashes[record["network"], record["device"]] += 1
            return
        self.done.add((record["network"], record["stage"], record["device"]))
        self.references += record.get("references", [])
        del self.references[:-_RECENT_REFERENCES]

    def quiet_ms(self, fallback: float) -> float:
        """The reference's time in the quiet state, from what was seen lately."""
        return float(np.percentile(self.references, 10)) if len(self.references) > 200 else fallback


class Campaign:
    """The measuring process. One per work folder; prepare artefacts beside it (`artefacts.prepare_network`).

    Parameters
    ----------
    folder : holds ``artefacts/``, ``journal.jsonl`` and ``profiles.jsonl``.
    deadline : in seconds since the epoch: what is left of the time until then is spent on waiting for quiet moments,
        and measuring stops at it. None: wait up to `_MAX_WAIT_S` each time, and go on to the end.
    calibration_s : how long the reference is watched first.
    """

    def __init__(
        self,
        folder: Path,
        networks: Sequence[str],
        rounds: int,
        devices: Sequence[str],
        deadline: float | None = None,
        calibration_s: float = 2.0,
    ):
        self.folder = folder
        self.networks = list(networks)
        self.stages = stages(rounds)
        self.devices = list(devices)
        self.deadline = deadline
        self._journal = Journal(folder / "journal.jsonl")
        self._profiles = Journal(folder / "profiles.jsonl")
        self.progress = Progress.of(folder / "journal.jsonl")
        self._reference = Reference()
        self._first_quiet_ms = self._reference.quiet_ms(calibration_s)
        self._quiet_ms = self._first_quiet_ms
        self._runtimes: dict[str, Runtime] = {}
        self._random = random.Random(time.time_ns())
        self._busy_s, self._units = 0.0, 0
        self._statuses: dict[str, dict[str, str]] = {}
        self._looked: dict[str, float] = {}
        self._note_crash()

    def total(self) -> int:
        """Number of units: a network in a stage."""
        return len(self.networks) * len(self.stages)

    def unit_done(self, network: str, stage: str) -> bool:
        """Whether nothing is left to measure of a network in a stage."""
        return not self._left(network, stage)

    def done_units(self) -> int:
        """Units finished so far."""
        return sum(self.unit_done(n, s) for n in self.networks for s in self.stages)

    def run(self, on_unit: Callable[[], object] | None = None, memory_limit_bytes: int | None = None) -> bool:
        """Measure until all is done (True), the deadline comes, or memory exceeds the limit (False)."""
        level = {network: self._level(network, 0) for network in self.networks}
        while any(done < len(self.stages) for done in level.values()):
            if self.deadline is not None and time.time() > self.deadline:
                return False
            network = self._next(level)
            if network is None:
                time.sleep(0.5)
                continue
            self._measure_unit(network, self.stages[level[network]])
            level[network] = self._level(network, level[network])
            if on_unit is not None:
                on_unit()
            if memory_limit_bytes is not None and _resident_bytes() > memory_limit_bytes:
                return False
        return True

    def _level(self, network: str, level: int) -> int:
        """How many stages of a network are finished, given that `level` are."""
        while level < len(self.stages) and self.unit_done(network, self.stages[level]):
            level += 1
        return level

    def _next(self, level: dict[str, int]) -> str | None:
        """A network that is prepared and furthest behind."""
        ready = [n for n, done in level.items() if done < len(self.stages) and self._status(n) is not None]
        if not ready:
            return None
        lowest = min(level[n] for n in ready)
        network = self._random.choice([n for n in ready if level[n] == lowest])
        level[network] = self._level(network, lowest)  # now that its status is known, it may have nothing to measure
        return network if level[network] < len(self.stages) else self._next(level)

    def _status(self, network: str) -> dict[str, str] | None:
        if network in self._statuses:
            return self._statuses[network]
        if time.monotonic() < self._looked.get(network, -_LOOK_AGAIN_S) + _LOOK_AGAIN_S:
            return None
        self._looked[network] = time.monotonic()
        status = status_of(self.folder / "artefacts", network)
        if status is not None:
            self._statuses[network] = status
        return status

    def _left(self, network: str, stage: str) -> list[str]:
        status = self._status(network)
        wanted = [d for d in self.devices if stage not in PROFILES or d in PROFILED]
        if status is None:
            return wanted
        return [
            d
            for d in wanted
            if not status.get(d, "absent")
            and (network, stage, d) not in self.progress.done
            and self.progress.crashes[network, d] < _MAX_CRASHES
        ]

    def _measure_unit(self, network: str, stage: str) -> None:
        devices = self._left(network, stage)
        self._random.shuffle(devices)
        start, waited = time.monotonic(), 0.0
        for key in devices:
            waited += self._measure(network, stage, key)
        self._busy_s += time.monotonic() - start - waited
        self._units += 1
        self._quiet_ms = self.progress.quiet_ms(self._first_quiet_ms)
        if self._units % _UNITS_PER_COLLECTION == 0:
            gc.collect()

    def _measure(self, network: str, stage: str, key: str) -> float:
        """Measure, append to the journal, and return the seconds waited for quiet."""
        record: dict[str, Any] = {"network": network, "device": key, "stage": stage, "at": round(time.time(), 1)}
        (self.folder / "current.json").write_text(json.dumps(record))
        record["load"] = round(os.getloadavg()[0], 2)
        folder = folder_of(self.folder / "artefacts", network, key)
        try:
            record |= self._profile(folder, key, record) if stage in PROFILES else self._sample(folder, key)
        except (UnsupportedModelError, RuntimeError) as error:
            record["error"] = f"{type(error).__name__}: {str(error)[:300]}"
        self._journal.append(record)
        self.progress.add(record)
        return float(record.get("waited_s", 0.0))

    def _runtime(self, key: str) -> Runtime:
        name = DEVICES[key].runtime
        if name not in self._runtimes:
            self._runtimes[name] = runtime(name)
        return self._runtimes[name]

    def _sample(self, folder: Path, key: str) -> dict[str, Any]:
        runnable = self._runtime(key).load(folder)
        try:
            sample = take_sample(runnable, self._reference, quiet_ms=self._quiet_ms, wait_s=self._wait_s())
        finally:
            runnable.close()
        return sample.record()

    def _profile(self, folder: Path, key: str, record: dict[str, Any]) -> dict[str, Any]:
        engine = self._runtime(key)
        assert isinstance(engine, OrtRuntime)
        profile = take_profile(engine, folder, self._reference, quiet_ms=self._quiet_ms, wait_s=self._wait_s())
        self._profiles.append({**record, **profile})
        return {key: profile[key] for key in ("references", "waited_s")}

    def close(self) -> None:
        """Close the journals."""
        self._journal.close()
        self._profiles.close()

    def _wait_s(self) -> float:
        """How long this measurement may wait: its share of the time that measuring will leave over."""
        if self.deadline is None:
            return _MAX_WAIT_S
        if self._units < 20:
            return _MIN_WAIT_S
        left = self.total() - self._roughly_done()
        spare = self.deadline - time.time() - left * self._busy_s / self._units
        return min(_MAX_WAIT_S, max(_MIN_WAIT_S, 2 * spare / max(1, left * len(self.devices))))

    def _roughly_done(self) -> int:
        """Units finished, from the count of records; close enough for planning."""
        return round(len(self.progress.done) / len(self.devices))

    def _note_crash(self) -> None:
        """A measurement that was begun and never recorded: the process died in it."""
        path = self.folder / "current.json"
        if not path.exists():
            return
        try:
            current = json.loads(path.read_text())
        except json.JSONDecodeError:
            return
        if (current["network"], current["stage"], current["device"]) not in self.progress.done:
            record = {**current, "crash": True}
            self._journal.append(record)
            self.progress.add(record)
        path.unlink()


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
