"""Ax 1.x: predicted latency as a metric, for an outcome constraint such as ``latency_ms <= 5``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ax.api.protocols import IMetric

from costmodel.nas.cells import cell
from costmodel.nas.oracle import Oracle
from featurizers.core import Raw


class LatencyMetric(IMetric):  # type: ignore[misc]
    """For ``Client.configure_metrics``. The runner's metadata must hold the trial's parameters.

    candidate : the raw input of those parameters.
    """

    def __init__(self, oracle: Oracle, name: str = "latency_ms", candidate: Callable[[Mapping[str, Any]], Raw] = cell):
        super().__init__(name=name)
        self._oracle, self._candidate = oracle, candidate

    def fetch(self, trial_index: int, trial_metadata: Mapping[str, Any]) -> tuple[int, tuple[float, float]]:
        """(0, (mean, standard error)): the prediction and how sure it is."""
        return 0, self.outcome(trial_metadata)

    def outcome(self, parameters: Mapping[str, Any]) -> tuple[float, float]:
        """For ``Client.complete_trial(raw_data={"latency_ms": ...})`` without a runner."""
        (latency,) = self._oracle.latency([self._candidate(parameters)])
        return latency.ms, latency.sd_ms
