"""A new device from a few measurements: Bayesian regression with heavy tails, averaged over hyper-parameters.

    latency = exp(offset(x) + level) (1 + constant + features(x) . w) (1 + noise),    w_j ~ N(0, variance of j's group)

Linear in milliseconds, because a latency is a sum of costs; with relative noise, because measurements have it. The
noise is Student-t (a busy phone is slow, now and then by a factor), fitted by reweighting; its scale and the group
variances are not estimated from ten numbers but averaged over draws from a prior learned on known devices, each
weighted by its evidence (Laplace approximation: MacKay, "Information Theory, Inference and Learning Algorithms",
chapters 27 and 28). numpy only; the draws are one batch of n x n systems.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array

CONSTANT_VARIANCE = 4.0
"""Of the device's overall level around the median of its measurements, in squared log units: nearly free."""
_NOISE_FLOOR = 1e-8
_ANNEALING = (30.0, 10.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Reweighting starts with wide noise, so that an outlier is found from where most measurements agree."""
_NEGLIGIBLE = 1e-3
_SMALLEST_SHARE = 0.1
"""Of the offset's latency: a sum below it is bent towards zero and never reaches it."""
_SIZES = (0.2, 5.0)
"""Bounds of a measurement's share for the size of its noise, so that a wild first fit does not decide it."""
_EXPECTED = 2.0
"""Imagined measurements with errors as expected, that keep `surprise` from trusting a few."""


@dataclass(frozen=True, slots=True)
class Hypers:
    """Draws of hyper-parameters. log_variance : (s, groups); log_noise : (s,), squared scale; tails : (s,), Student-t's
    degrees of freedom; structure : (s,) index of the set of groups that the draw uses (default: all the same)."""

    log_variance: Array
    log_noise: Array
    tails: Array
    structure: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if not len(self.structure):
            object.__setattr__(self, "structure", np.zeros(len(self.tails), dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Posterior:
    """Weights over (constant, features). level : added to every answer. noise : variance of one measurement.

    evidence : log density of the measurements, averaged over the draws. trust : (n,) weight that each measurement got,
    about 1 for those that agree with the rest and towards 0 for outliers. surprise : size of the leave-one-out errors
    among the measurements over what was expected; below 1 for a device that is easier than the prior thinks.
    structures : (structures,) share of the answer that each set of groups has by its evidence. left_out : log density
    of each measurement given all the others (their sum), for choosing by cross-validation. off : (n,) size of each
    one's leave-one-out error in standard deviations of a future measurement. additive : the features are shares of the
    offset's latency, else they add up in log space.
    """

    level: float
    mean: Array
    covariance: Array
    noise: float
    evidence: float
    trust: Array
    surprise: float
    structures: Array
    left_out: float
    off: Array
    additive: bool = False

    def point(self, offset: Array, features: Array) -> Array:
        """Log latency, (n,)."""
        if not self.additive:
            return np.asarray(offset + self.level + self.mean[0] + features @ self.mean[1:])
        return np.asarray(offset + self.level + np.log(self._share(features)))

    def variance(self, features: Array) -> Array:
        """Of the log latency itself, without a measurement's noise, (n,)."""
        extended = with_constant(features)
        variance = np.maximum(((extended @ self.covariance) * extended).sum(axis=1), 0.0)
        return np.asarray(variance / self._share(features) ** 2 if self.additive else variance)

    def _share(self, features: Array) -> Array:
        share = 1 + self.mean[0] + features @ self.mean[1:]
        bent = _SMALLEST_SHARE * np.exp(np.clip(share / _SMALLEST_SHARE - 1, -2.0, 0.0))
        return np.asarray(np.where(share > _SMALLEST_SHARE, share, bent))


def shares(residual: Array, level: float) -> Array:
    """Log latency minus offset (n,) -> latency over the offset's at `level`, minus 1."""
    return np.asarray(np.expm1(residual - level))


def noise_sizes(fitted: Array) -> Array:
    """Variance of a share's noise relative to a share of 1, from fitted shares minus 1."""
    return np.asarray(np.clip(1 + fitted, *_SIZES) ** 2)


def with_constant(features: Array) -> Array:
    """Features (n, p) -> (n, 1 + p) with the constant in front."""
    return np.column_stack([np.ones(len(features)), features])


def prior_variances(log_variance: Array, group_of: npt.NDArray[np.int64]) -> Array:
    """Per draw and weight, (s, 1 + p)."""
    spread = np.exp(log_variance)[:, group_of]
    return np.column_stack([np.full(len(spread), CONSTANT_VARIANCE), spread])


def infer(
    residual: Array, features: Array, group_of: npt.NDArray[np.int64], hypers: Hypers, *, additive: bool = False
) -> Posterior:  # fmt: skip
    """Posterior from log latency minus offset (n,) and features (n, p) of the measured architectures.

    additive : the features are costs as shares of the offset's latency, as `costmodel.fewshot.basis` makes them; else
    the log latency itself is linear in them.
    """
    level = float(np.median(residual))
    target = shares(residual, level) if additive else residual - level
    extended = with_constant(features)
    variances = prior_variances(hypers.log_variance, group_of)
    kernel = np.matmul(extended * variances[:, None, :], extended.T)
    scale = (np.exp(hypers.log_noise) + _NOISE_FLOOR)[:, None]
    tails = hypers.tails[:, None]
    trust, size = _reweight(kernel, target, scale, tails, additive)
    noise = scale * size / trust
    inverse = np.linalg.inv(kernel + _diagonal(noise))
    dual = inverse @ target
    log_evidence = _evidence(kernel, target, dual, scale * size, tails, noise)
    weight = np.exp(log_evidence - log_evidence.max())
    to_log = float(np.log1p(target).sum()) if additive else 0.0
    average = float(log_evidence.max() + math.log(weight.mean()) + to_log)
    weight /= weight.sum()
    means = variances * (dual @ extended)
    covariance = _mixture_covariance(weight, means, variances, extended, inverse)
    kept = np.minimum(weight @ trust, 1.0)
    precision = np.diagonal(inverse, axis1=1, axis2=2)
    surprise = math.sqrt((_EXPECTED + float((weight @ (dual**2 / precision)).sum())) / (_EXPECTED + len(target)))
    # As a future measurement is judged: an outlier among these is not excused by the little trust it got.
    error, variance = dual / precision, 1 / precision - noise + scale * size
    off = np.sqrt(weight @ (error**2 / variance))
    shared = np.bincount(hypers.structure, weight).astype(np.float64)
    left_out = float(np.log(weight @ np.exp(_log_student(error, variance, tails))).sum()) + to_log
    noise_variance = float(weight @ scale[:, 0])
    return Posterior(
        level, weight @ means, covariance, noise_variance, average, kept, surprise, shared, left_out, off, additive
    )


def _log_student(error: Array, variance: Array, tails: Array) -> Array:
    """Log density of Student's t with squared scales `variance`, all (s, n)."""
    constant = np.array([math.lgamma((t + 1) / 2) - math.lgamma(t / 2) for t in tails[:, 0]])[:, None]
    density = constant - 0.5 * np.log(np.pi * tails * variance)
    return np.asarray(density - (tails + 1) / 2 * np.log1p(error**2 / (tails * variance)))


def _diagonal(noise: Array) -> Array:
    return np.asarray(np.eye(noise.shape[1]) * noise[:, None, :])


def _reweight(kernel: Array, target: Array, scale: Array, tails: Array, additive: bool) -> tuple[Array, Array]:
    """Per draw and measurement (s, n) its trust and the relative variance of its noise."""
    trust = np.ones((len(kernel), len(target)))
    size = np.broadcast_to(noise_sizes(target), trust.shape) if additive else np.ones_like(trust)
    for wider in _ANNEALING:
        noise = scale * size * wider / trust
        dual = np.linalg.solve(kernel + _diagonal(noise), np.broadcast_to(target[:, None], (*trust.shape, 1)))[..., 0]
        error = noise * dual
        size = noise_sizes(target - error) if additive else size
        trust = (tails + 1) / (tails + error**2 / (scale * size * wider))
    return trust, size


def _evidence(kernel: Array, target: Array, dual: Array, scale: Array, tails: Array, noise: Array) -> Array:
    """Laplace approximation of the log evidence per draw, (s,)."""
    fitted = np.matmul(kernel, dual[..., None])[..., 0]
    density = _log_student(target - fitted, scale, tails)
    _, log_determinant = np.linalg.slogdet(kernel + _diagonal(noise))
    complexity = -0.5 * log_determinant + 0.5 * np.log(noise).sum(axis=1)
    return np.asarray(density.sum(axis=1) - 0.5 * (fitted * dual).sum(axis=1) + complexity)


def _mixture_covariance(weight: Array, means: Array, variances: Array, extended: Array, inverse: Array) -> Array:
    """Covariance of the weights under the mixture of all draws, (1 + p, 1 + p)."""
    used = weight > _NEGLIGIBLE * weight.max()
    share = weight[used] / weight[used].sum()
    scaled = variances[used][:, None, :] * extended
    explained = np.matmul(inverse[used], scaled)
    within = -np.einsum("s,snp,snq->pq", share, scaled, explained, optimize=True)
    within[np.diag_indices_from(within)] += share @ variances[used]
    apart = means[used] - share @ means[used]
    return np.asarray(within + (apart * share[:, None]).T @ apart)
