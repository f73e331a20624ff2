"""Which architectures to measure: those whose measurement most reduces the uncertainty about all the others.

Greedy integrated-variance design (Cohn et al., "Active Learning with Statistical Models", 1996, for a linear model):
unlike D-optimal design it has no taste for extreme cells, which tell about themselves only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from costmodel.fewshot.posterior import CONSTANT_VARIANCE, with_constant
from costmodel.regressors.base import Array


@dataclass(frozen=True, slots=True)
class PlanningPrior:
    """What is thought of a device before its first measurement. variance : (groups,); noise : of one measurement."""

    variance: Array
    noise: float

    def covariance(self, group_of: npt.NDArray[np.int64]) -> Array:
        """Of the weights of (constant, features), (1 + p, 1 + p)."""
        return np.diag(np.concatenate([[CONSTANT_VARIANCE], self.variance[group_of]]))


def greedy_plan(
    candidates: Array, population: Array, covariance: Array, noise: float, n: int, measured: Array | None = None
) -> npt.NDArray[np.int64]:
    """Rows of `candidates` (c, p) to measure, best first, each at most once.

    population : (m, p) features over which the variance is averaged. covariance : (1 + p, 1 + p) of the weights now.
    measured : (k, p) features of architectures measured already that `covariance` does not know of.
    """
    offered, others = with_constant(candidates), with_constant(population)
    for point in with_constant(measured) if measured is not None else ():
        covariance = _seen(covariance, point, noise)
    shared = offered @ covariance @ others.T
    variance = ((offered @ covariance) * offered).sum(axis=1)
    chosen: list[int] = []
    for _ in range(min(n, len(offered))):
        gain = (shared**2).sum(axis=1) / (variance + noise)
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        direction, total = covariance @ offered[best], variance[best] + noise
        own = offered @ direction
        shared = shared - np.outer(own, others @ direction) / total
        variance = variance - own**2 / total
        covariance = _seen(covariance, offered[best], noise)
    return np.array(chosen, dtype=np.int64)


def _seen(covariance: Array, point: Array, noise: float) -> Array:
    """Covariance of the weights after a measurement at `point`."""
    direction = covariance @ point
    return np.asarray(covariance - np.outer(direction, direction) / (point @ direction + noise))
