"""Intervals that hold: split-conformal quantiles of |error| / spread, by size, wider outside the domain.

Vovk et al., "Algorithmic Learning in a Random World" (2005), ch. 2 and 4 (Mondrian: one quantile per group). Fitted on
errors that the model made on subjects it had not seen; stored as a few numbers and applied in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array, Estimate

_BORROWED = 60
"""A size group's quantile is averaged with that of all, which counts as this many subjects."""

_MIN_OUTSIDE = 1.5
"""Outside the domain an interval is at least this much wider, also where no such error could be looked at."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """edges : points that divide sizes into groups (g-1,); quantiles : (g,) of |error|/spread inside the domain;
    outside : one quantile for subjects outside of it; shift : median error, taken off."""

    coverage: float
    edges: tuple[float, ...]
    quantiles: tuple[float, ...]
    outside: float
    shift: float = 0.0

    @classmethod
    def fit(
        cls, estimate: Estimate, y: Array, coverage: float = 0.9, groups: int = 3, outside: Array | None = None
    ) -> Self:
        """From held-out subjects. `outside`: |error|/spread of subjects of families that the model had never seen."""
        shift = float(np.median(y - estimate.point))
        scores = np.abs(y - estimate.point - shift) / estimate.spread
        everywhere = conformal_quantile(scores, coverage)
        edges = np.quantile(estimate.point, np.linspace(0, 1, groups + 1)[1:-1])
        group = np.searchsorted(edges, estimate.point)
        quantiles = []
        for g in range(groups):
            own = scores[group == g]
            if len(own) == 0:
                quantiles.append(everywhere)
                continue
            own_quantile = float(np.quantile(own, coverage))
            quantiles.append((len(own) * own_quantile + _BORROWED * everywhere) / (len(own) + _BORROWED))
        floor = _MIN_OUTSIDE * max(quantiles)
        seen_outside = floor if outside is None or len(outside) < 20 else conformal_quantile(outside, coverage)
        edge_list = tuple(float(edge) for edge in edges)
        return cls(coverage, edge_list, tuple(quantiles), max(floor, seen_outside), shift)

    def half_width(self, estimate: Estimate, in_domain: npt.NDArray[np.bool_]) -> Array:
        """Half the interval in learning space, (n,)."""
        group = np.searchsorted(np.asarray(self.edges), estimate.point)
        quantile = np.where(in_domain, np.asarray(self.quantiles)[group], self.outside)
        return np.asarray(quantile * estimate.spread)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for the bundle."""
        return {
            "coverage": self.coverage,
            "edges": list(self.edges),
            "quantiles": list(self.quantiles),
            "outside": self.outside,
            "shift": self.shift,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        edges, quantiles = tuple(content["edges"]), tuple(content["quantiles"])
        return cls(content["coverage"], edges, quantiles, content["outside"], content["shift"])


def conformal_quantile(scores: Array, coverage: float) -> float:
    """The ceil((n+1) * coverage)-th smallest score: covers at least `coverage` of exchangeable new ones.

    >>> conformal_quantile(np.arange(1.0, 20.0), 0.9)
    18.0
    """
    rank = min(int(np.ceil((len(scores) + 1) * coverage)), len(scores))
    return float(np.sort(scores)[rank - 1])
