"""One target on one device: a regressor, its calibration and its domain. A predictor holds many."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import zstandard

from costmodel.bundle_format import BundleError
from costmodel.calibration import Calibration
from costmodel.domain import Domain
from costmodel.regressors import Array, Regressor, learner
from costmodel.regressors.base import Estimate, read_compressed_json, read_json, write_compressed_json, write_json
from featurizers.core import Features
from featurizers.errors import InputError

_DOMAIN = "domain.json.zst"
_APART = 1e-9
"""What values that are pooled in an order still differ by, so that it shows."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Of n subjects, in the target's own unit: value, low, high (n,) and the reasons why one is out of domain."""

    value: Array
    low: Array
    high: Array
    reasons: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TargetModel:
    """positive : the regressor works on natural logs of the target; count : on log(1 + value), see `Target`."""

    regressor: Regressor
    calibration: Calibration
    domain: Domain
    positive: bool = True
    count: bool = False

    def answer(
        self, features: Features, reasons: list[tuple[str, ...]] | None = None, together: bool = False
    ) -> Answers:
        """Point, interval and domain of each subject. reasons : what the domain check said, where that is known.

        together : they are to be compared with one another. Where the regressor knows how variants of one input
        differ, values come in the order that it says; those that are in that order alone stay as they are.
        """
        estimate = self.regressor.predict(features)
        if together:
            order = self.compared(features, estimate.point)
            estimate = replace(estimate, point=brought_into_order(estimate.point, order))
        if reasons is None:
            reasons = self.domain.check(features)
        half = self._half_width(features, estimate, reasons)
        point = estimate.point + self.calibration.shift
        low, value, high = point - half, point, point + half
        if self.positive:
            low, value, high = np.exp(low), np.exp(value), np.exp(high)
        elif self.count:
            low, value, high = (np.expm1(np.maximum(x, 0.0)) for x in (low, value, high))
            low, value, high = np.floor(low), np.round(value), np.ceil(high - 1e-9) + 0.0  # no negative zero
        return Answers(value, low, high, reasons)

    def compared(self, features: Features, point: Array) -> Array:
        """Points in learning space (n,) as they are where these are variants of one input, see `answer`."""
        relative = getattr(self.regressor, "relative", None)
        apart = None if relative is None else relative(features, point)
        return point if apart is None else np.asarray(point.mean() + apart)

    def _half_width(self, features: Features, estimate: Estimate, reasons: list[tuple[str, ...]]) -> Array:
        if not any(reasons):
            return self.calibration.half_width(estimate, None)
        inside = np.fromiter((not reason for reason in reasons), dtype=bool, count=len(reasons))
        return self.calibration.half_width(estimate, inside, self.novelty(features))

    def novelty(self, features: Features) -> Array:
        """Share of each subject's predicted cost that comes from parts of a kind never seen, (n,)."""
        return novelty_of(self.regressor, self.domain, features)

    def save(self, folder: Path) -> None:
        """Write into an existing empty folder."""
        content = {
            "learner": self.regressor.name,
            "positive": self.positive,
            "count": self.count,
            "calibration": self.calibration.to_json(),
        }
        write_json(folder / "target.json", content)
        write_compressed_json(folder / _DOMAIN, self.domain.to_json())
        inner = folder / "regressor"
        inner.mkdir()
        self.regressor.save(inner)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote. Raises BundleError where it is not that."""
        try:
            content = read_json(folder / "target.json")
            regressor = learner(content["learner"]).load(folder / "regressor")
            calibration = Calibration.from_json(content["calibration"])
            # Bundles before 2026-11-27 have it in target.json.
            domain = Domain.from_json(
                content["domain"] if "domain" in content else read_compressed_json(folder / _DOMAIN)
            )
            return cls(regressor, calibration, domain, content["positive"], content.get("count", False))
        except (KeyError, TypeError, InputError, OSError, json.JSONDecodeError, zstandard.ZstdError) as error:
            raise BundleError(f"{folder}: not a model of this version: {type(error).__name__} {error}") from error


def brought_into_order(point: Array, order: Array) -> Array:
    """The nearest numbers to `point` (n,), by least squares, that rise as `order` (n,) does: isotonic regression.

    >>> brought_into_order(np.array([1.0, 5.0, 3.0]), np.array([0.0, 1.0, 2.0])).round(6).tolist()
    [1.0, 4.0, 4.0]
    """
    if point is order or not len(point):
        return point
    from scipy.optimize import isotonic_regression

    by = np.argsort(order, kind="stable")
    risen = np.empty(len(point))
    risen[by] = isotonic_regression(point[by]).x
    return np.asarray(risen + _APART * (order - order.min()))


def novelty_of(regressor: Regressor, domain: Domain, features: Features) -> Array:
    """See `TargetModel.novelty`; of a regressor without parts what it says itself, or zero."""
    own = getattr(regressor, "novelty", None)
    if own is not None:
        return np.asarray(own(features))
    costs = regressor.part_costs(features)
    if costs is None or features.parts is None:
        return np.zeros(len(features))
    total = features.parts.total(costs, len(features))
    return np.asarray(features.parts.total(costs * domain.strange_parts(features), len(features)) / total)
