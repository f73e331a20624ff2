"""How much each group of features may explain, and how noisy a device is: a prior learned on known devices.

Each known device plays the new one, described by the devices of other families; its group variances and noise are
fitted by marginal likelihood on many of its measurements. Mean and spread over devices, families counting alike, form
the prior. A prior from few families is a prior from little: it is averaged with a generic one that stands for
`_GENERIC_FAMILIES` more, so that knowing only GPUs does not mean being certain about phones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from costmodel.fewshot.posterior import CONSTANT_VARIANCE, Hypers, noise_sizes, shares
from costmodel.regressors.base import Array

GENERIC: dict[str, tuple[float, float]] = {
    "fixed": (-5.0, 1.5),
    "known": (-5.0, 1.5),
    "synthetic": (-0.5, 1.0),
    "network": (-7.0, 1.5),
    "stage": (-7.5, 1.5),
    "block": (-8.0, 1.5),
    "deep": (-7.0, 1.5),
    "noise": (-7.0, 2.0),
}
"""Mean and standard deviation of each group's log variance, set by hand: physics may explain everything
(`synthetic` has its own scale), the rest is a correction."""
_GENERIC_FAMILIES = 3.0
_START_SD = 2.0
_NOTHING = -40.0
_TAILS = (2.0, 4.0)
_FIT_TAILS = 3.0
_BOUNDS, _NOISE_BOUNDS = (-14.0, 4.0), (-16.0, 0.0)


@dataclass(frozen=True, slots=True)
class HyperPrior:
    """Independent normals of the log group variances and, last, of the log squared noise; both (groups + 1,)."""

    mean: Array
    sd: Array

    def draws(self, size: int, used: npt.NDArray[np.int64], groups: int, structure: int) -> Hypers:
        """`size` well-spread draws (Sobol points through the normal quantile), the same ones every time.

        used : indices of this prior's groups among all `groups`; the others explain nothing.
        """
        from scipy.stats import norm, qmc

        uniform = qmc.Sobol(len(self.mean), seed=0).random(size)
        values = self.mean + self.sd * norm.ppf(np.clip(uniform, 0.02, 0.98))
        log_variance = np.full((size, groups), _NOTHING)
        log_variance[:, used] = values[:, :-1]
        return Hypers(log_variance, values[:, -1], np.resize(np.array(_TAILS), size), np.full(size, structure))


def union(parts: Sequence[Hypers]) -> Hypers:
    """Draws of several structures side by side: evidence then weighs the structures too."""
    return Hypers(
        np.concatenate([part.log_variance for part in parts]), np.concatenate([part.log_noise for part in parts]),
        np.concatenate([part.tails for part in parts]), np.concatenate([part.structure for part in parts]),
    )  # fmt: skip


def combine(fitted: Array, families: Sequence[str], groups: Sequence[str]) -> HyperPrior:
    """The prior from each device's fit (d, groups + 1) and the family of each device."""
    generic = np.array([GENERIC[name] for name in (*groups, "noise")])
    share = np.array([1.0 / families.count(name) for name in families])
    count, share = share.sum(), share / share.sum()
    mean = share @ fitted
    within = share @ (fitted - mean) ** 2
    total = count + _GENERIC_FAMILIES
    centre = (count * mean + _GENERIC_FAMILIES * generic[:, 0]) / total
    learned = within + (mean - centre) ** 2
    assumed = generic[:, 1] ** 2 + (generic[:, 0] - centre) ** 2
    return HyperPrior(centre, np.sqrt((count * learned + _GENERIC_FAMILIES * assumed) / total))


def fit_device(
    residual: Array, blocks: Sequence[Array], groups: Sequence[str], rng: np.random.Generator, size: int = 100,
    repeats: int = 2,
) -> Array:  # fmt: skip
    """Log variances and log noise (groups + 1,) of one device: the mean of `repeats` fits to `size` measurements.

    residual : (n,) log latency minus offset. blocks : per group its features (n, k).
    """
    fits = []
    for _ in range(repeats):
        rows = rng.choice(len(residual), min(size, len(residual)), replace=False)
        target = shares(residual[rows], float(np.median(residual[rows])))
        fits.append(_maximise([block[rows] @ block[rows].T for block in blocks], target, groups))
    return np.asarray(np.mean(fits, axis=0))


def _maximise(kernels: list[Array], target: Array, groups: Sequence[str]) -> Array:
    """Marginal likelihood and reweighting in turns."""
    from scipy.optimize import minimize

    start = np.array([GENERIC[name][0] for name in (*groups, "noise")])
    bounds = [_BOUNDS] * len(kernels) + [_NOISE_BOUNDS]
    trust, at = 1 / noise_sizes(target), start
    for _ in range(3):
        found = minimize(
            _negative, at, args=(kernels, target, trust, start), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 30},
        )  # fmt: skip
        at = np.asarray(found.x)
        scale = float(np.exp(at[-1]))
        covariance = _prior_covariance(at, kernels)
        for _ in range(5):
            error = scale / trust * np.linalg.solve(covariance + np.diag(scale / trust), target)
            size = noise_sizes(target - error)
            trust = (_FIT_TAILS + 1) / (_FIT_TAILS + error**2 / (scale * size)) / size
    return at


def _prior_covariance(at: Array, kernels: list[Array]) -> Array:
    weighted = [np.exp(a) * kernel for a, kernel in zip(at[:-1], kernels, strict=True)]
    return np.asarray(np.sum(weighted, axis=0) + CONSTANT_VARIANCE)


def _negative(at: Array, kernels: list[Array], target: Array, trust: Array, start: Array) -> tuple[float, Array]:
    """Minus the log posterior of hyper-parameters, and its gradient."""
    noise = np.exp(at[-1]) / trust
    covariance = _prior_covariance(at, kernels) + np.diag(noise)
    inverse = np.linalg.inv(covariance)
    dual = inverse @ target
    slope = np.outer(dual, dual) - inverse
    gradient = [0.5 * np.exp(a) * float((slope * kernel).sum()) for a, kernel in zip(at[:-1], kernels, strict=True)]
    gradient.append(0.5 * float((np.diag(slope) * noise).sum()))
    off = (at - start) / _START_SD
    value = -0.5 * target @ dual - 0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * off @ off
    return -float(value), -(np.array(gradient) - off / _START_SD)
