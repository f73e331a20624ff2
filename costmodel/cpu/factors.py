"""What three scores of a new machine say about the other three hundred: low-rank benchmark x machine factors.

The process's errors on one machine are alike over benchmarks: who runs hotter than its specification says does so in
all of them. So the errors of unseen CPU models, benchmark by benchmark, are written as ``L f + noise`` with few factors
f per machine; a new machine's f follows from its known scores in closed form. Factor analysis with missing values by
EM: Bishop, "Pattern Recognition and Machine Learning" (2006), ch. 12.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costmodel.regressors import Array

_ITERATIONS = 12
_MIN_NOISE = 1e-4


@dataclass(frozen=True)
class Factors:
    """loadings (t, r); noise (t,), the variance of a benchmark's own part; offset (t,), its mean error."""

    loadings: Array
    noise: Array
    offset: Array

    @classmethod
    def fit(cls, errors: Array, weights: Array, rank: int, seed: int) -> Factors:
        """`errors` (n, t) in log units, NaN where a benchmark was not run; `weights` (n,) per machine."""
        known = np.isfinite(errors)
        filled = np.where(known, errors, 0.0)
        w = weights[:, None] * known
        offset = (w * filled).sum(axis=0) / np.maximum(w.sum(axis=0), 1e-12)
        centered = np.where(known, filled - offset, 0.0)
        variance = (w * centered**2).sum(axis=0) / np.maximum(w.sum(axis=0), 1e-12)
        loadings = np.random.default_rng(seed).normal(size=(errors.shape[1], rank))
        loadings *= 0.3 * np.sqrt(variance)[:, None]
        noise = np.maximum(variance / 2, _MIN_NOISE)
        for _ in range(_ITERATIONS):
            mean, second = _expectation(centered, known, loadings, noise)
            loadings, noise = _maximisation(centered, known, weights, mean, second, variance)
        return cls(loadings, noise, offset)

    def posterior(self, errors: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (t,) of one machine's errors, given those that are known (t,), NaN elsewhere."""
        known = np.isfinite(errors)
        part, noise = self.loadings[known], self.noise[known]
        precision = np.eye(self.loadings.shape[1]) + (part / noise[:, None]).T @ part
        covariance = np.linalg.inv(precision)
        factor = covariance @ (part.T @ ((errors[known] - self.offset[known]) / noise))
        mean = self.offset + self.loadings @ factor
        own = np.einsum("tr,rs,ts->t", self.loadings, covariance, self.loadings)
        return np.asarray(mean, dtype=np.float64), np.asarray(np.sqrt(own + self.noise), dtype=np.float64)


def _expectation(centered: Array, known: Array, loadings: Array, noise: Array) -> tuple[Array, Array]:
    """Factors' means (n, r) and second moments (n, r, r)."""
    inverse = known / noise
    rank = loadings.shape[1]
    outer = np.einsum("tr,ts->trs", loadings, loadings).reshape(len(loadings), -1)
    precision = (inverse @ outer).reshape(-1, rank, rank) + np.eye(rank)
    covariance = np.linalg.inv(precision)
    mean = np.einsum("nrs,ns->nr", covariance, (inverse * centered) @ loadings)
    second = covariance + np.einsum("nr,ns->nrs", mean, mean)
    return np.asarray(mean, dtype=np.float64), np.asarray(second, dtype=np.float64)


def _maximisation(
    centered: Array, known: Array, weights: Array, mean: Array, second: Array, variance: Array
) -> tuple[Array, Array]:
    w = weights[:, None] * known
    rank = mean.shape[1]
    moment = (w.T @ second.reshape(len(second), -1)).reshape(-1, rank, rank) + 1e-6 * np.eye(rank)
    cross = (w * centered).T @ mean
    loadings = np.linalg.solve(moment, cross[:, :, None])[:, :, 0]
    explained = (loadings * cross).sum(axis=1) / np.maximum(w.sum(axis=0), 1e-12)
    own = np.maximum(variance - explained, np.maximum(_MIN_NOISE, 0.02 * variance))
    return np.asarray(loadings, dtype=np.float64), np.asarray(own, dtype=np.float64)
