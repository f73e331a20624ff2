"""How far is this from what was trained on? Distances in numpy, reasons in words.

Three checks: each column's range; the Mahalanobis distance of all columns together (by Cholesky: 5 us against 554 us
for scikit-learn's); and, where subjects have parts, words of a part column's vocabulary that no training subject had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from weakref import WeakValueDictionary

import msgspec
import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array
from featurizers.core import Chosen, Column, Features, IntArray

_SHRINK = 0.05
_RANGE_SLACK = 0.02
_DISTANCE_QUANTILE = 0.99
_DISTANCE_SLACK = 1.3
_MAX_REASONS = 4
_MAX_FAMILIAR = 100_000
"""So many parts are remembered as having no strange word."""
_ARRAYS = ("low", "high", "center", "scale")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Domain:
    """names, low, high : per column what was seen (raw values). center, scale, factor : of the signed logs, with
    ``factor`` the lower-triangular (c, c) that whitens them. words : by part column with a vocabulary, those seen."""

    names: tuple[str, ...]
    low: Array
    high: Array
    center: Array
    scale: Array
    factor: Array
    threshold: float
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _known: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _familiar: set[bytes] = field(default_factory=set, init=False, repr=False, compare=False)
    _bounds: tuple[Array, Array] = field(init=False, repr=False, compare=False)
    _chosen: Chosen = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        slack = _RANGE_SLACK * np.maximum(self.high - self.low, np.abs(self.high))
        object.__setattr__(self, "_bounds", (self.low - slack, self.high + slack))
        object.__setattr__(self, "_chosen", Chosen(self.names))

    @classmethod
    def fit(cls, features: Features, groups: Collection[str] | None = None) -> Self:
        """From the training subjects. groups : of the columns that are looked at; all when left out."""
        names = tuple(column.name for column in features.columns if groups is None or column.group in groups)
        raw = Chosen(names)(features).astype(np.float64)
        # A column that no training subject has: any value of it will be outside of 0 to 0.
        raw[:, np.isnan(raw).all(axis=0)] = 0.0
        x = _compress(raw)
        center = np.nanmean(x, axis=0)
        scale = np.maximum(np.nanstd(x, axis=0), 1e-3 + 0.02 * np.abs(center))
        z = (x - center) / scale
        z[np.isnan(z)] = 0.0
        covariance = (1 - _SHRINK) * (z.T @ z) / max(len(z), 1) + _SHRINK * np.eye(z.shape[1])
        factor = np.linalg.inv(np.linalg.cholesky(covariance))
        distances = np.sqrt(((z @ factor.T) ** 2).sum(axis=1))
        threshold = float(np.quantile(distances, _DISTANCE_QUANTILE)) * _DISTANCE_SLACK
        low, high = np.nanmin(raw, axis=0), np.nanmax(raw, axis=0)
        words = {
            column.name: frozenset(column.vocabulary[code] for code in np.unique(codes))
            for column, codes in _vocabulary_codes(features)
        }
        return cls(names, low, high, center, scale, factor, threshold, words)

    def distance(self, features: Features) -> Array:
        """Mahalanobis distance as a multiple of the threshold, (n,): above 1 is outside."""
        return self._distance(self._standard(self._raw(features)))

    def _raw(self, features: Features) -> Array:
        """The columns that are looked at, float64 (n, names)."""
        return self._chosen(features).astype(np.float64)

    def _standard(self, raw: Array) -> Array:
        """Signed logs in standard deviations from the mean, (n, names); NaN where a value is missing."""
        return np.asarray((_compress(raw) - self.center) / self.scale)

    def _distance(self, z: Array) -> Array:
        """What is missing in `z` is 0 from then on."""
        white = z @ self.factor.T
        if np.count_nonzero(np.isnan(white[:, -1])):  # its column sees every value
            z[np.isnan(z)] = 0.0  # a missing value counts as the mean
            white = z @ self.factor.T
        return np.asarray(np.sqrt(np.add.reduce(white * white, axis=1)) / self.threshold)

    def check(self, features: Features) -> list[tuple[str, ...]]:
        """For each subject the reasons why it is outside of what was trained on; empty when it is inside."""
        raw = self._raw(features)
        low, high = self._bounds
        outside = (raw < low) | (raw > high)
        z = self._standard(raw)
        far = self._distance(z)
        strange = self._strange_words(features)
        reasons: list[tuple[str, ...]] = [()] * len(features)
        if not strange and not np.count_nonzero(outside) and not np.count_nonzero(far > 1):
            return reasons
        flagged = sorted({*np.flatnonzero(outside.any(axis=1) | (far > 1)).tolist(), *strange})
        for i in flagged:
            reasons[i] = self._reasons(raw[i], outside[i], far[i], np.abs(z[i]), strange.get(i, ()))
        return reasons

    def _reasons(
        self, raw: Array, outside: npt.NDArray[np.bool_], far: float, excess: Array, strange: tuple[str, ...]
    ) -> tuple[str, ...]:
        reasons = [f"{word} was in no training subject" for word in strange]
        for i in np.flatnonzero(outside)[np.argsort(-excess[outside])][: _MAX_REASONS - 1]:
            reasons.append(f"{self.names[i]} = {raw[i]:.4g} is outside {self.low[i]:.4g} to {self.high[i]:.4g}")
        if far > 1:
            top = ", ".join(self.names[i] for i in np.argsort(-excess)[:2])
            reasons.append(f"the combination is {far:.1f} times as far as training subjects lie (most: {top})")
        return tuple(reasons[:_MAX_REASONS])

    def strange_parts(self, features: Features) -> npt.NDArray[np.bool_]:
        """Whether each distinct part (u,) has a word that no training subject had."""
        assert features.parts is not None
        strange = np.zeros(len(features.parts.matrix), dtype=bool)
        for column, codes in _vocabulary_codes(features):
            strange |= ~self._mask(column)[codes]
        return strange

    def _mask(self, column: Column) -> npt.NDArray[np.bool_]:
        """By code of a part column, whether its word was seen; all of them where the column was not looked at."""
        mask = self._known.get(column.name)
        if mask is None:
            seen = self.words.get(column.name, frozenset(column.vocabulary))
            mask = self._known[column.name] = np.array([word in seen for word in column.vocabulary])
        return mask

    def _strange_words(self, features: Features) -> dict[int, tuple[str, ...]]:
        """By subject that has any, the words that no training subject had."""
        found: dict[int, tuple[str, ...]] = {}
        parts = features.parts
        if parts is None or self._familiar.issuperset(parts.keys()):
            return found
        for column, codes in _vocabulary_codes(features):
            new = ~self._mask(column)[codes]
            if not new.any():
                continue
            for code in np.unique(codes[new]).tolist():
                word = f"the {column.name} '{column.vocabulary[code]}'"
                for owner in np.unique(parts.owner[(codes == code)[parts.part]]).tolist():
                    found[owner] = (*found.get(owner, ()), word)
        if not found and len(self._familiar) < _MAX_FAMILIAR:
            self._familiar.update(parts.keys())
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for the bundle (the whitening matrix to 7 digits)."""
        rows = [[float(f"{value:.7g}") for value in row[: i + 1]] for i, row in enumerate(self.factor)]
        return {
            "names": list(self.names),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "factor": rows,
            "threshold": self.threshold,
            "words": {name: sorted(seen) for name, seen in self.words.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave. Equal contents give one object: targets that share it are checked together."""
        key = hashlib.sha256(msgspec.json.encode(content)).digest()
        found = _read.get(key)
        if found is None:
            found = _read[key] = cls._from_json(content)
        return found

    @classmethod
    def _from_json(cls, content: Mapping[str, Any]) -> Self:
        size = len(content["names"])
        factor = np.zeros((size, size))
        for i, row in enumerate(content["factor"]):
            factor[i, : i + 1] = row
        low, high, center, scale = (np.asarray(content[key], dtype=np.float64) for key in _ARRAYS)
        words = {name: frozenset(seen) for name, seen in content["words"].items()}
        names, threshold = tuple(content["names"]), float(content["threshold"])
        return cls(names, low, high, center, scale, factor, threshold, words)


_read: WeakValueDictionary[bytes, Any] = WeakValueDictionary()


def _compress(raw: Array) -> Array:
    """Signed log: columns run over nine orders of magnitude."""
    size = np.abs(raw)
    return np.asarray(np.copysign(np.log1p(size, out=size), raw))


def _vocabulary_codes(features: Features) -> Iterator[tuple[Column, IntArray]]:
    """Each part column with a vocabulary, and its codes (u,)."""
    if features.parts is not None:
        for index, column in enumerate(features.part_columns):
            if column.vocabulary:
                yield column, features.parts.matrix[:, index].astype(np.int64)
