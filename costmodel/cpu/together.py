"""All benchmarks of a device in one go: one product with the covariances and one walk through the trees.

Target by target, a request for every score spends its time on handing small arrays to numpy and LightGBM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from costmodel.cpu.blend import TREES, ScoreBlend
from costmodel.cpu.process import LAWS, bounded_spread, laws_of, shared_covariances
from costmodel.domain import Domain
from costmodel.regressors.base import Array
from costmodel.regressors.joined_lightgbm import joined_booster
from costmodel.regressors.native_lightgbm import NativeBooster
from costmodel.target_model import TargetModel
from featurizers.core import Features


@dataclass(frozen=True)
class _Widths:
    """`Calibration` of t targets: edges (g-1, t), quantiles (g, t); the rest (t,)."""

    edges: Array
    quantiles: Array
    outside: Array
    extra: Array
    shift: Array
    coverage: Array

    @classmethod
    def of(cls, models: list[TargetModel]) -> Self:
        found = [model.calibration for model in models]
        names = ("outside", "extra", "shift", "coverage")
        rest = (np.array([getattr(each, name) for each in found]) for name in names)
        edges = np.array([each.edges for each in found]).T
        return cls(edges, np.array([each.quantiles for each in found]).T, *rest)

    def half(self, point: Array, spread: Array, outside: npt.NDArray[np.bool_], novelty: Array | None) -> Array:
        """Half of each interval in learning space, (n, t); `outside` (n,) the domain; see `Calibration.half_width`."""
        group = (point[None] > self.edges[:, None]).sum(axis=0)
        half = self.quantiles[group, np.arange(point.shape[1])] * spread
        if novelty is not None:
            half[outside] = self.outside * half[outside] + self.extra * novelty[outside, None]
        return np.asarray(half)


@dataclass(frozen=True)
class Together:
    """Targets that share support, shape and domain. weights (s, 2 t): of the points, then of the spreads.

    laws (t,) : the place of each target's law in `LAWS`. lead : the model of the first target.
    """

    names: tuple[str, ...]
    lead: ScoreBlend
    domain: Domain
    weights: Array
    spread_mean: Array
    laws: npt.NDArray[np.int64]
    trees: NativeBooster
    widths: _Widths

    @classmethod
    def of(cls, models: Mapping[str, TargetModel]) -> Self | None:
        """None where the models have not all that in common."""
        blends = [model.regressor for model in models.values() if isinstance(model.regressor, ScoreBlend)]
        boosters = [blend.booster for blend in blends if blend.booster is not None]
        if len(boosters) < max(len(models), 2) or not _alike(list(models.values()), blends, boosters):
            return None
        processes = [blend.process for blend in blends]
        parts = [process.weights for process in processes] + [process.spread_weights for process in processes]
        return cls(
            tuple(models),
            blends[0],
            next(iter(models.values())).domain,
            np.stack(parts, axis=1).astype(np.float64),
            np.array([process.spread_mean for process in processes]),
            np.array([LAWS.index(process.law) for process in processes]),
            joined_booster(boosters),
            _Widths.of(list(models.values())),
        )

    def answer(self, features: Features, reasons: list[tuple[str, ...]]) -> Array:
        """Of each target what `TargetModel.answer` gives: low, value and high, (3, n, t). reasons : what the domain
        check said."""
        point, spread = self._estimate(features)
        outside = np.fromiter(map(bool, reasons), dtype=bool, count=len(reasons))
        novelty = self.lead.novelty(features) if outside.any() else None
        half = self.widths.half(point, spread, outside, novelty)
        point += self.widths.shift
        return np.exp(np.stack((point - half, point, point + half)))

    def _estimate(self, features: Features) -> tuple[Array, Array]:
        """Log score and expected error, (n, t) each: see `ScoreBlend.predict`."""
        process = self.lead.process
        assert process.support is not None
        both = shared_covariances(process.support, features, process.shape) @ self.weights
        smooth, log_spread = both[:, : len(self.names)], both[:, len(self.names) :]
        rest = (1 - TREES) * smooth + TREES * self.trees.predict(features.vectors)
        return rest + laws_of(features)[:, self.laws], bounded_spread(self.spread_mean + log_spread)


def _alike(models: list[TargetModel], blends: list[ScoreBlend], boosters: list[NativeBooster]) -> bool:
    """Whether all compare with the same servers, are learned in logs, and have equally many trees and size groups."""
    supports = {blend.process.support.digest for blend in blends if blend.process.support is not None}
    shapes = {blend.process.shape for blend in blends}
    rest = {(id(model.domain), model.positive, len(model.calibration.edges)) for model in models}
    forests = {(booster.columns, booster.model_text.count("\nTree=")) for booster in boosters}
    return len(supports) == len(shapes) == len(rest) == len(forests) == 1 and models[0].positive
