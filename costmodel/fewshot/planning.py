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
    c = len(candidates)
    points = with_constant(np.concatenate([candidates, population] + ([] if measured is None else [measured])))
    root = _root(covariance)
    points = points @ root
    cross = points[:c] @ points.T
    if measured is not None and len(measured):
        cross = _condition(points, c, len(measured), noise)
    variance = cross[:, :c].diagonal().copy()
    targets = slice(c, c + len(population))
    chosen: list[int] = []
    for _ in range(min(n, c)):
        gain = (cross[:, targets] ** 2).sum(axis=1) / (variance + noise)
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        column = cross[:, best].copy()
        total = variance[best] + noise
        cross = cross - np.outer(column, cross[best]) / total
        variance = variance - column**2 / total
    return np.array(chosen, dtype=np.int64)


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _condition(points: Array, c: int, measured: int, noise: float) -> Array:
    """Covariance of candidates with all points after `measured` ones (the last) were seen."""
    seen = points[-measured:]
    inner = seen @ seen.T + noise * np.eye(measured)
    return np.asarray(points[:c] @ points.T - (points[:c] @ seen.T) @ np.linalg.solve(inner, seen @ points.T))
