"""What three scores of a new machine say about the other three hundred: low-rank benchmark x machine factors.

The process's errors on one machine are alike over benchmarks: who runs hotter than its specification says does so in
all of them. So the errors of unseen CPU models, benchmark by benchmark, are written as ``L f + noise`` with few factors
f per machine; a new machine's f follows from its known scores in closed form. The loadings are the principal factors of
the benchmarks' correlations over the machines that ran both (Bishop, "Pattern Recognition and Machine Learning" (2006),
ch. 12.2, gives the posterior). A hundred of them for four hundred benchmarks: with eight,
benchmarks that nearly are one (one core's divisions and all cores') share less than they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.regressors import Array

_MIN_NOISE = 1e-4
_OWN_SHARE = 0.02
"""At least so much of a benchmark's variance is its own."""


@dataclass(frozen=True)
class Factors:
    """loadings (t, r); noise (t,), the variance of a benchmark's own part; offset (t,), its mean error."""

    loadings: Array
    noise: Array
    offset: Array

    @classmethod
    def fit(cls, errors: Array, weights: Array, rank: int) -> Factors:
        """`errors` (n, t) in log units, NaN where a benchmark was not run; `weights` (n,) per machine."""
        known = np.isfinite(errors)
        filled = np.where(known, errors, 0.0)
        w = weights[:, None] * known
        offset = (w * filled).sum(axis=0) / np.maximum(w.sum(axis=0), 1e-12)
        centered = np.where(known, filled - offset, 0.0)
        together = np.maximum(w.T @ known.astype(np.float64), 1e-12)
        covariance = (centered * weights[:, None]).T @ centered / together
        variance = np.maximum(np.diag(covariance), _MIN_NOISE)
        scale = np.sqrt(variance)
        values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
        values, vectors = values[::-1][:rank], vectors[:, ::-1][:, :rank]
        loadings = vectors * np.sqrt(np.maximum(values, 0.0))
        own = np.maximum(1.0 - (loadings**2).sum(axis=1), _OWN_SHARE)
        return cls(loadings * scale[:, None], np.maximum(own * variance, _MIN_NOISE), offset)

    def posterior(self, errors: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (t,) of one machine's errors, given those that are known (t,), NaN elsewhere."""
        known = np.isfinite(errors)
        part, noise = self.loadings[known], self.noise[known]
        precision = np.eye(self.loadings.shape[1]) + (part / noise[:, None]).T @ part
        covariance = np.linalg.inv(precision)
        factor = covariance @ (part.T @ ((errors[known] - self.offset[known]) / noise))
        mean = self.offset + self.loadings @ factor
        own = ((self.loadings @ covariance) * self.loadings).sum(axis=1)
        return np.asarray(mean, dtype=np.float64), np.asarray(np.sqrt(own + self.noise), dtype=np.float64)

    def given(self, known: Sequence[int], target: int, errors: Array) -> tuple[Array, float]:
        """Mean (n,) and standard deviation of one target's error, of machines whose errors (n, k) in `known` are known:
        `posterior` of many machines at once."""
        part = self.loadings[list(known)]
        inner = part @ part.T + np.diag(self.noise[list(known)])
        across = part @ self.loadings[target]
        gain = np.linalg.solve(inner, across)
        left = self.loadings[target] @ self.loadings[target] + self.noise[target] - across @ gain
        return self.offset[target] + (errors - self.offset[list(known)]) @ gain, float(np.sqrt(left))

    def informative(
        self, targets: Sequence[int], known: Sequence[int], candidates: Sequence[int], count: int
    ) -> list[int]:
        """The `count` of `candidates`, one after the other, that with the `known` leave least variance in `targets`."""
        shared = self.loadings @ self.loadings.T
        chosen = list(known)
        for _ in range(count):
            left = {c: self._variance_left(shared, targets, [*chosen, c]) for c in candidates if c not in chosen}
            if not left:
                break
            chosen.append(min(left, key=lambda c: left[c]))
        return chosen[len(known) :]

    def _variance_left(self, shared: Array, targets: Sequence[int], known: Sequence[int]) -> float:
        """Mean over `targets` of the share of their variance that the `known` leave."""
        inner = shared[np.ix_(known, known)] + np.diag(self.noise[list(known)])
        across = shared[np.ix_(known, targets)]
        whole = np.diag(shared)[list(targets)] + self.noise[list(targets)]
        told = np.einsum("kt,kt->t", across, np.linalg.solve(inner, across))
        return float(np.mean(1.0 - told / whole))
