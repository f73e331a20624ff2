"""Intervals that hold: split-conformal quantiles of |error| / spread, by size, wider outside the domain.

Vovk et al., "Algorithmic Learning in a Random World" (2005), ch. 2 and 4 (Mondrian: one quantile per group). Fitted on
errors that the model made on subjects it had not seen; stored as a few numbers and applied in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array, Estimate

_BORROWED = 60
"""A size group's quantile is averaged with that of all, which counts as this many subjects."""

NORMAL_90 = 1.6449
"""Half of a normal distribution's central 90% in standard deviations."""

_MIN_WIDTH = 1e-12
"""A count that is always 0 is predicted without any error, in intervals without any width."""
_MIN_OUTSIDE, _MAX_OUTSIDE = 1.5, 3.0
"""Outside the domain an interval is at least this much wider, also where no such error could be looked at; and at most
this much: some families are wrong by factors when never seen, and an interval over four decades helps nobody."""

_MIN_NOVELTY = 0.02
_MIN_FLAGGED = 20
_MAX_EXTRA = 1.5
"""At most e^1.5 = 4.5 times either way for a subject made of nothing but parts never seen."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """Subjects that the domain check flags, of groups that their model had never seen, each (n,).

    error : absolute, in learning space. spread : as estimated. novelty : share of the predicted cost that comes from
    parts of a kind never seen.
    """

    error: Array
    spread: Array
    novelty: Array


@dataclass(frozen=True, slots=True)
class Calibration:
    """edges : points that divide sizes into groups (g-1,). quantiles : (g,) of |error|/spread inside the domain.
    outside : how much wider an interval gets outside of it. extra : what is added to half of it, in learning space,
    when all of the predicted cost comes from parts never seen. shift : median error, taken off."""

    coverage: float
    edges: tuple[float, ...]
    quantiles: tuple[float, ...]
    outside: float = _MIN_OUTSIDE
    extra: float = 1.0
    shift: float = 0.0
    _edges: Array = field(init=False, repr=False, compare=False)
    _quantiles: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_edges", np.asarray(self.edges))
        object.__setattr__(self, "_quantiles", np.asarray(self.quantiles))

    @classmethod
    def fit(
        cls,
        estimate: Estimate,
        y: Array,
        coverage: float = 0.9,
        groups: int = 3,
        flagged: Flagged | None = None,
        beyond: tuple[Estimate, Array] | None = None,
    ) -> Self:
        """From held-out subjects of seen groups, and from flagged ones of unseen groups where there are any.

        beyond : what was estimated of groups left out, flagged or not, and the truth: where it is given, quantiles are
        the mean of those of seen groups and of these, since subjects to come are of either kind.
        """
        shift = float(np.median(y - estimate.point))
        edges = np.quantile(estimate.point, np.linspace(0, 1, groups + 1)[1:-1])
        everywhere, quantiles = _quantiles(estimate, y - shift, edges, coverage)
        if beyond is not None:
            left_out, own = _quantiles(*beyond, edges, coverage)
            everywhere, quantiles = (everywhere + left_out) / 2, (quantiles + own) / 2
        outside, extra = _outside(flagged, everywhere, coverage)
        return cls(coverage, tuple(edges.tolist()), tuple(quantiles.tolist()), outside, extra, shift)

    def half_width(
        self, estimate: Estimate, in_domain: npt.NDArray[np.bool_] | None, novelty: Array | None = None
    ) -> Array:
        """Half the interval in learning space, (n,); `in_domain` None: all are; see `Flagged` for `novelty`."""
        inside = self._quantiles[self._edges.searchsorted(estimate.point)] * estimate.spread
        if in_domain is None:
            return np.asarray(inside)
        if novelty is None:
            return np.asarray(np.where(in_domain, inside, self.outside * inside))
        return np.asarray(np.where(in_domain, inside, self.outside * inside + self.extra * novelty))

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for the bundle."""
        return {
            "coverage": self.coverage,
            "edges": list(self.edges),
            "quantiles": list(self.quantiles),
            "outside": self.outside,
            "extra": self.extra,
            "shift": self.shift,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        edges, quantiles = tuple(content["edges"]), tuple(content["quantiles"])
        return cls(content["coverage"], edges, quantiles, content["outside"], content["extra"], content["shift"])


def _quantiles(estimate: Estimate, y: Array, edges: Array, coverage: float) -> tuple[float, Array]:
    """Of |error| / spread: that of all, and of each size group (g,)."""
    scores = np.abs(y - estimate.point) / estimate.spread
    everywhere = conformal_quantile(scores, coverage)
    group = np.searchsorted(edges, estimate.point)
    quantiles = np.full(len(edges) + 1, everywhere)
    for g in np.unique(group):
        own = scores[group == g]
        own_quantile = float(np.quantile(own, coverage))
        quantiles[g] = (len(own) * own_quantile + _BORROWED * everywhere) / (len(own) + _BORROWED)
    return everywhere, quantiles


def _outside(flagged: Flagged | None, quantile: float, coverage: float) -> tuple[float, float]:
    """Factor and addition that cover what was flagged: the factor from those without new parts, the rest on top."""
    outside, extra = _MIN_OUTSIDE, 1.0
    if flagged is None:
        return outside, extra
    familiar = flagged.novelty < _MIN_NOVELTY
    if familiar.sum() >= _MIN_FLAGGED:
        width = np.maximum(quantile * flagged.spread[familiar], _MIN_WIDTH)
        scores = flagged.error[familiar] / width
        outside = float(np.clip(conformal_quantile(scores, coverage), _MIN_OUTSIDE, _MAX_OUTSIDE))
    if (~familiar).sum() >= _MIN_FLAGGED:
        rest = flagged.error[~familiar] - outside * quantile * flagged.spread[~familiar]
        extra = conformal_quantile(np.maximum(rest, 0.0) / flagged.novelty[~familiar], coverage)
    return outside, float(np.clip(extra, 0.1, _MAX_EXTRA))


def conformal_quantile(scores: Array, coverage: float) -> float:
    """The ceil((n+1) * coverage)-th smallest score: covers at least `coverage` of exchangeable new ones.

    >>> conformal_quantile(np.arange(1.0, 20.0), 0.9)
    18.0
    """
    rank = min(int(np.ceil((len(scores) + 1) * coverage)), len(scores))
    return float(np.sort(scores)[rank - 1])
