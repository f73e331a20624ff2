"""From raw measurements to one label per network and device: the latency at the machine's quiet state.

A run taken while the reference workload was slow by a factor f is divided by f^gamma. Gamma says how much a
network shares the reference's fate: near one when it is bound by computing, less when by memory. It is estimated
for each network on each device by regressing log time on log reference over all its blocks (deviations from their
means), and shrunk to the device's own gamma by what the network's blocks can tell about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.measure.reference import LOUD_RATIO

Floats = npt.NDArray[np.float64]
_PRIOR_WEIGHT = 0.05
"""How much variation of the log reference (sum of squares) weighs as much as the device's gamma."""
_GAMMA_RANGE = (0.0, 1.5)
_MIN_QUIET_ROUNDS = 3
QUIET_RATIO = 1.1
"""Up to this ratio of the reference to its quiet state a round counts as quiet."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one network on one device: block times and, for each, the reference around it (ms)."""

    times: Floats
    references: Floats
    memory_ms: float
    at: float
    load: float

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Round:
        """From a journal's record: a block's reference is the mean of the one before and the one after."""
        points = np.asarray(record["references"], float)
        segment = np.asarray(record["segment"], int)
        around = (points[segment] + points[segment + 1]) / 2
        memory = float(np.median(record["memory"]))
        return cls(np.asarray(record["times"], float), around, memory, record["at"], record.get("load", 0.0))

    @property
    def median_ms(self) -> float:
        """The raw median."""
        return float(np.median(self.times))

    @property
    def reference_ms(self) -> float:
        """The median reference."""
        return float(np.median(self.references))

    def corrected_ms(self, gamma: float, quiet_ms: float) -> float:
        """The median of the blocks, each carried over to the quiet state."""
        return float(np.median(self.times * (quiet_ms / self.references) ** gamma))


@dataclass(frozen=True, slots=True)
class Label:
    """A network's latency on a device.

    latency_ms : at the quiet state. raw_latency_ms : median over all rounds of the raw medians.
    spread : robust relative standard deviation (1.4826 MAD) of the corrected rounds that made the label.
    rounds, quiet_rounds : how many there were; the label uses the quiet ones alone when there are at least three.
    reference_ms : median of the compute reference beside the runs. gamma : the exponent that was used.
    """

    latency_ms: float
    raw_latency_ms: float
    spread: float
    rounds: int
    quiet_rounds: int
    reference_ms: float
    gamma: float


def quiet_reference_ms(rounds: Iterable[Round]) -> float:
    """The reference's time in the quiet state: its 10th percentile over everything measured."""
    return float(np.percentile(np.concatenate([r.references for r in rounds]), 10))


def _sums(rounds: Sequence[Round]) -> tuple[float, float]:
    """Sums of x*y and x*x of one network's log reference x and log time y, each less its mean."""
    x = np.log(np.concatenate([r.references for r in rounds]))
    y = np.log(np.concatenate([r.times for r in rounds]))
    x, y = x - x.mean(), y - np.median(y)
    # A preempted run is slow without the reference showing it; it must not pull the slope.
    keep = np.abs(y - np.median(y)) < 1.0
    return float(x[keep] @ y[keep]), float(x[keep] @ x[keep])


def estimate_gammas(measured: Sequence[Sequence[Round]]) -> tuple[float, list[float]]:
    """The exponent of one device, and of each of its networks.

    The device's is the median of the slopes of the networks whose references varied enough to tell.
    """
    sums = [_sums(rounds) for rounds in measured]
    slopes = [xy / xx for xy, xx in sums if xx > _PRIOR_WEIGHT]
    device = float(np.clip(np.median(slopes), *_GAMMA_RANGE)) if slopes else 1.0
    shrunk = [(xy + _PRIOR_WEIGHT * device) / (xx + _PRIOR_WEIGHT) for xy, xx in sums]
    return device, [float(np.clip(g, *_GAMMA_RANGE)) for g in shrunk]


def make_label(rounds: Sequence[Round], gamma: float, quiet_ms: float, *, prefer_quiet: bool = True) -> Label:
    """The label of one network on one device from its rounds (at least one)."""
    quiet = [r for r in rounds if r.reference_ms <= QUIET_RATIO * quiet_ms]
    used = quiet if prefer_quiet and len(quiet) >= _MIN_QUIET_ROUNDS else rounds
    corrected = np.array([r.corrected_ms(gamma, quiet_ms) for r in used])
    latency = float(np.median(corrected))
    return Label(
        latency_ms=latency,
        raw_latency_ms=float(np.median([r.median_ms for r in rounds])),
        spread=1.4826 * float(np.median(np.abs(corrected - latency))) / latency,
        rounds=len(rounds),
        quiet_rounds=len(quiet),
        reference_ms=float(np.median([r.reference_ms for r in rounds])),
        gamma=gamma,
    )


def is_loud(reference_ms: float, quiet_ms: float) -> bool:
    """Whether a neighbour was working."""
    return reference_ms > LOUD_RATIO * quiet_ms


def agreement(measured: Sequence[Sequence[Round]], quiet_ms: float) -> dict[str, dict[str, float]]:
    """How well two halves of the rounds (every other one) agree, by kind of label.

    Returns for each kind the share of networks within 10% and the median absolute relative difference.
    Kinds: raw medians; 'ratio' to the reference (gamma 1); 'corrected' (gamma estimated within each half);
    'quiet', corrected and from quiet rounds where there are enough.
    """
    enough = [rounds for rounds in measured if len(rounds) >= 4]
    halves = [[list(r[start::2]) for r in enough] for start in (0, 1)]
    values: dict[str, list[Floats]] = {"raw": [], "ratio": [], "corrected": [], "quiet": []}
    for half in halves:
        gammas = estimate_gammas(half)[1] if half else []
        values["raw"].append(np.array([np.median([r.median_ms for r in rounds]) for rounds in half]))
        for kind, exponents, prefer in (("ratio", [1.0] * len(half), False), ("corrected", gammas, False)):
            values[kind].append(_latencies(half, exponents, quiet_ms, prefer))
        values["quiet"].append(_latencies(half, gammas, quiet_ms, True))
    result = {}
    for kind, (first, second) in values.items():
        difference = np.abs(first - second) / np.minimum(first, second)
        result[kind] = {
            "networks": float(len(difference)),
            "within_10pct": float(np.mean(difference <= 0.10)) if len(difference) else float("nan"),
            "median_difference": float(np.median(difference)) if len(difference) else float("nan"),
        }
    return result


def _latencies(half: Sequence[Sequence[Round]], gammas: Sequence[float], quiet_ms: float, prefer: bool) -> Floats:
    pairs = zip(half, gammas, strict=True)
    return np.array([make_label(r, g, quiet_ms, prefer_quiet=prefer).latency_ms for r, g in pairs])
