"""syne-tune: predicted latency (and a quality, if given) as a `Blackbox`, for its simulated backends and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from syne_tune.blackbox_repository.blackbox import Blackbox
from syne_tune.config_space import choice

from costmodel.nas.cells import CHOICES, cell
from costmodel.nas.oracle import Oracle
from featurizers.core import Raw

LATENCY = "metric_latency_ms"
QUALITY = "metric_quality"


class LatencyBlackbox(Blackbox):  # type: ignore[misc]
    """Objectives ``metric_latency_ms`` and, with `quality`, ``metric_quality``.

    candidate : the raw input of a configuration.
    """

    def __init__(
        self,
        oracle: Oracle,
        quality: Callable[[Raw], float] | None = None,
        configuration_space: dict[str, Any] | None = None,
        candidate: Callable[[Mapping[str, Any]], Raw] = cell,
    ):
        space = configuration_space or {name: choice(list(choices)) for name, choices in CHOICES.items()}
        super().__init__(space, objectives_names=[LATENCY] + ([QUALITY] if quality else []))
        self._oracle, self._quality, self._candidate = oracle, quality, candidate

    def _objective_function(
        self, configuration: dict[str, Any], fidelity: dict[str, Any] | None = None, seed: int | None = None
    ) -> dict[str, float]:
        raw = self._candidate(configuration)
        (latency,) = self._oracle.latency([raw])
        found = {LATENCY: latency.ms}
        return found if self._quality is None else {**found, QUALITY: self._quality(raw)}
