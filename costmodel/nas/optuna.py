"""Optuna 5: a latency constraint of a trial, and an objective for any sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from costmodel.nas.cells import CHOICES, cell
from costmodel.nas.oracle import Latency, Oracle
from featurizers.core import Raw

if TYPE_CHECKING:
    from optuna.trial import Trial

CONSTRAINT = "latency_ms"


def suggest_cell(trial: Trial) -> Raw:
    """A NAS-Bench-201 cell from six categorical parameters."""
    return cell({name: trial.suggest_categorical(name, list(choices)) for name, choices in CHOICES.items()})


def constrain_latency(trial: Trial, latency: Latency, limit_ms: float, *, surely: bool = False) -> None:
    """The trial is feasible where its latency is at most `limit_ms`; `surely`: where the interval's upper end is."""
    trial.set_constraint(CONSTRAINT, (latency.high_ms if surely else latency.ms) - limit_ms)


class LatencyObjective:
    """``study.optimize(LatencyObjective(...))`` with directions maximize and minimize: (quality, latency in ms).

    quality : of a candidate, the larger the better. suggest : a candidate from a trial. limit_ms : also a constraint.
    """

    def __init__(
        self,
        oracle: Oracle,
        quality: Callable[[Raw], float],
        suggest: Callable[[Trial], Raw] = suggest_cell,
        limit_ms: float | None = None,
        *,
        surely: bool = False,
    ):
        self._oracle, self._quality, self._suggest = oracle, quality, suggest
        self._limit_ms, self._surely = limit_ms, surely

    def __call__(self, trial: Trial) -> tuple[float, float]:
        raw = self._suggest(trial)
        (latency,) = self._oracle.latency([raw])
        if self._limit_ms is not None:
            constrain_latency(trial, latency, self._limit_ms, surely=self._surely)
        return self._quality(raw), latency.ms
