"""From raw measurements to one label per network and device: the latency at the machine's quiet state.

The reference workload flickers by some 15% within milliseconds, which says nothing about the network beside it, and
steps up by half or more for seconds to minutes when a neighbour works, which slows the network too. So blocks whose
reference is within the flicker are taken as they are, and louder ones are divided by (reference / quiet)^gamma.
Gamma says how much a network shares the reference's fate: near one when it is bound by computing, less when by
memory. It is estimated for each network on each device from its own loud and quiet blocks, and shrunk to the
device's gamma by how little its loud blocks can tell.

Bursts of a few milliseconds that the reference misses make times skewed upwards, so the label is a quantile a little
below the median of all its blocks: of the estimators tried on this project's first campaign (medians, minima and
quantiles of rounds and of blocks) it agreed best between halves of the rounds, and lies 1.4% below the median.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
QUIET_RATIO = 1.2
"""Up to this ratio to its 10th percentile the reference only flickers."""
_PRIOR_WEIGHT = 0.3
"""How many squared log units of loudness weigh as much as the device's gamma: about one loud round."""
_GAMMA_RANGE = (0.0, 1.5)
_MIN_QUIET_ROUNDS = 3
_QUANTILE = 35
"""Of the corrected blocks, in percent."""


@dataclass(frozen=True, slots=True)
class QuietState:
    """The reference in the quiet state: usually `typical_ms`, never more than `limit_ms`."""

    typical_ms: float
    limit_ms: float

    @classmethod
    def of(cls, rounds: Iterable[Round]) -> QuietState:
        """From all references of a campaign."""
        references = np.concatenate([r.references for r in rounds])
        limit = QUIET_RATIO * float(np.percentile(references, 10))
        return cls(float(np.median(references[references <= limit])), limit)

    @classmethod
    def around(cls, typical_ms: float) -> QuietState:
        """When only the typical reference is known."""
        return cls(typical_ms, QUIET_RATIO * typical_ms)

    def loudness(self, references: Floats) -> Floats:
        """Log of how much slower the reference is than when quiet; zero within the flicker."""
        return np.where(references > self.limit_ms, np.log(references / self.typical_ms), 0.0)


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

    def corrected(self, gamma: float, quiet: QuietState) -> Floats:
        """The blocks, each carried over to the quiet state."""
        return np.asarray(self.times * np.exp(-gamma * quiet.loudness(self.references)))

    def corrected_ms(self, gamma: float, quiet: QuietState) -> float:
        """What this round alone says of the label."""
        return float(np.percentile(self.corrected(gamma, quiet), _QUANTILE))


@dataclass(frozen=True, slots=True)
class Label:
    """A network's latency on a device.

    latency_ms : at the quiet state, the 35th percentile of the corrected blocks.
    raw_latency_ms : median over all rounds of the raw medians.
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


def _sums(rounds: Sequence[Round], quiet: QuietState) -> tuple[float, float]:
    """Sums of x*y and x*x over a network's loud blocks: x loudness, y log slowdown against its quiet median."""
    x = quiet.loudness(np.concatenate([r.references for r in rounds]))
    y = np.log(np.concatenate([r.times for r in rounds]))
    loud = x > 0
    if loud.all() or not loud.any():
        return 0.0, 0.0
    slowdown = y[loud] - np.median(y[~loud])
    return float(x[loud] @ slowdown) / len(y), float(x[loud] @ x[loud]) / len(y)


def estimate_gammas(measured: Sequence[Sequence[Round]], quiet: QuietState) -> tuple[float, list[float]]:
    """The exponent of one device (median slope of its networks that were seen loud and quiet), and of each network."""
    sums = [_sums(rounds, quiet) for rounds in measured]
    slopes = [xy / xx for xy, xx in sums if xx > 0]
    device = float(np.clip(np.median(slopes), *_GAMMA_RANGE)) if slopes else 1.0
    weights = [_PRIOR_WEIGHT / len(rounds) for rounds in measured]
    shrunk = [(xy + w * device) / (xx + w) for (xy, xx), w in zip(sums, weights, strict=True)]
    return device, [float(np.clip(g, *_GAMMA_RANGE)) for g in shrunk]


def make_label(rounds: Sequence[Round], gamma: float, quiet: QuietState, *, prefer_quiet: bool = True) -> Label:
    """The label of one network on one device from its rounds (at least one)."""
    calm = [r for r in rounds if r.reference_ms <= quiet.limit_ms]
    used = calm if prefer_quiet and len(calm) >= _MIN_QUIET_ROUNDS else rounds
    latency = float(np.percentile(np.concatenate([r.corrected(gamma, quiet) for r in used]), _QUANTILE))
    per_round = np.array([r.corrected_ms(gamma, quiet) for r in used])
    spread = 1.4826 * float(np.median(np.abs(per_round - np.median(per_round)))) / latency
    return Label(
        latency_ms=latency,
        raw_latency_ms=float(np.median([r.median_ms for r in rounds])),
        spread=spread,
        rounds=len(rounds),
        quiet_rounds=len(calm),
        reference_ms=float(np.median([r.reference_ms for r in rounds])),
        gamma=gamma,
    )


def agreement(measured: Sequence[Sequence[Round]], quiet: QuietState) -> dict[str, dict[str, float]]:
    """How well two halves of the rounds (every other one) agree, by kind of label.

    Kinds: 'raw' medians; 'ratio' of every block to its reference; 'median' over rounds of the corrected blocks'
    medians; 'corrected', the label's quantile from all rounds; 'quiet', the label itself, from quiet rounds alone where
    there are enough. Gammas are estimated within each half.

    Returns
    -------
    For each kind the number of networks (with four rounds or more), the share within 10% and the median
    relative difference.
    """
    enough = [rounds for rounds in measured if len(rounds) >= 4]
    if not enough:
        return {}
    values: dict[str, list[Floats]] = {k: [] for k in ("raw", "ratio", "median", "corrected", "quiet")}
    for start in (0, 1):
        half = [list(r[start::2]) for r in enough]
        gammas = estimate_gammas(half, quiet)[1]
        values["raw"].append(np.array([np.median([r.median_ms for r in rounds]) for rounds in half]))
        values["ratio"].append(np.array([np.median([_ratio(r) for r in rounds]) for rounds in half]))
        medians = [[np.median(r.corrected(g, quiet)) for r in rounds] for rounds, g in zip(half, gammas, strict=True)]
        values["median"].append(np.array([np.median(m) for m in medians]))
        for kind, prefer in (("corrected", False), ("quiet", True)):
            labels = [make_label(r, g, quiet, prefer_quiet=prefer) for r, g in zip(half, gammas, strict=True)]
            values[kind].append(np.array([label.latency_ms for label in labels]))
    return {kind: _compared(first, second) for kind, (first, second) in values.items()}


def _ratio(r: Round) -> float:
    return float(np.median(r.times / r.references))


def _compared(first: Floats, second: Floats) -> dict[str, float]:
    difference = np.abs(first - second) / np.minimum(first, second)
    return {
        "networks": float(len(difference)),
        "within_10pct": float(np.mean(difference <= 0.10)),
        "median_difference": float(np.median(difference)),
    }
