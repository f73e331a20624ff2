"""The learner of benchmark scores: a Gaussian process over facts of processors, beside an analytic law of scaling.

There are thousands of servers but only about a hundred CPU models, and the question is always the next model. So rows
that differ in nothing are merged, rows of one CPU model share an unknown offset (a model with 150 server types then
counts as about one), and the answer for a new model comes from facts, not from its name.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.cpu.kernel import Scaling, Shape, Support, own_covariance, shape_from_json, size_kernel
from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from featurizers.core import Chosen, Features, FloatArray

_SCALES_WITH_SIZE = 0.35
_SPREAD_NOISE = 0.6
_MIN_ERROR = 0.01
_TYPICAL_GHZ = 3.0

LAWS = ("log_core_ghz", "log_boost_ghz", "")
"""Closed forms that a log score follows with slope 1: all cores at their clock, one core at its clock, or none."""
_CLOCKED = LAWS[:-1]
_CLOCKS = Chosen(_CLOCKED)


@dataclass(frozen=True)
class Merged:
    """Training rows that differ in nothing that the kernel sees, once each.

    points : float32 (s, columns). groups : (s,). row_of : (n,) the merged row of each training row. first : (s,) a
    training row of each merged one.
    """

    support: Support
    groups: Groups
    row_of: npt.NDArray[np.int64]
    count: Array
    first: npt.NDArray[np.int64]

    def mean(self, y: Array) -> Array:
        """Mean of `y` (n, t) over each merged row's training rows, (s, t); NaN where none has a value."""
        known = np.isfinite(y)
        total = np.zeros((len(self.count), y.shape[1]))
        number = np.zeros_like(total)
        np.add.at(total, self.row_of, np.where(known, y, 0.0))
        np.add.at(number, self.row_of, known)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / np.where(number > 0, number, np.nan))


def merge(features: Features, groups: Groups) -> Merged:
    """Equal rows of one group together."""
    _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    scaling = Scaling.fit(features, 1.0 / size[code])
    points = scaling.apply(features)
    keyed = np.concatenate([np.round(points, 3), code[:, None].astype(np.float32)], axis=1)
    _, first, row_of, count = np.unique(keyed, axis=0, return_index=True, return_inverse=True, return_counts=True)
    support = Support(points[first], scaling)
    return Merged(support, np.asarray(groups)[first], row_of.reshape(-1), count.astype(float), first)


@dataclass(frozen=True)
class OutOfVendor:
    """Of each training row, (n,), NaN where the target is missing: the point by the other CPU vendors alone, how large
    an error was expected, and how far the row lies from their machines (see `ScoreProcess.novelty`)."""

    point: Array
    spread: Array
    novelty: Array


class ScoreProcess:
    """See the module. `law` is one of `LAWS`; `weights` (s,) on the support give the rest of the log score."""

    name = "cpu-process"

    def __init__(self, **shape: float):
        self.shape = Shape(**shape)
        self.law = ""
        self.support: Support | None = None
        self.weights: FloatArray = np.empty(0, dtype=np.float32)
        self.spread_weights: FloatArray = np.empty(0, dtype=np.float32)
        self.spread_mean = 0.0
        self.out_of_fold: Array = np.empty(0)
        self.out_of_fold_spread: Array = np.empty(0)
        self.out_of_vendor = OutOfVendor(np.empty(0), np.empty(0), np.empty(0))

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        """`weights` change nothing: the shared offset of a CPU model weighs the rows."""
        fitted = fit_together(features, np.asarray(y)[:, None], groups, seed, self.shape)[0]
        self.__dict__.update(fitted.__dict__)
        return self

    def predict(self, features: Features) -> Estimate:
        assert self.support is not None, "fit or load first"
        covariances = shared_covariances(self.support, features, self.shape)
        point = covariances @ self.weights
        spread = bounded_spread(self.spread_mean + covariances @ self.spread_weights)
        return Estimate(point + law_of(features, self.law), spread)

    def part_costs(self, features: Features) -> Array | None:
        return None

    def novelty(self, features: Features) -> Array:
        """How far each machine lies from all training machines, (n,): 1 - its highest correlation with one of them."""
        assert self.support is not None, "fit or load first"
        held = _last.novelty
        if held is not None and held.is_of(features, self.support, self.shape):
            return held.found
        covariances = shared_covariances(self.support, features, self.shape)
        own = own_covariance(self.support.scaling.apply(features), self.shape)
        novelty = _novelty(covariances / self.support.deviations(self.shape), own)
        _last.novelty = _Held(features, self.support.digest, self.shape, novelty)
        return novelty

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        assert self.support is not None, "fit first"
        write_json(
            folder / "process.json",
            {"law": self.law, "shape": asdict(self.shape), "spread_mean": self.spread_mean},
        )
        self.support.save(folder)
        tensors = {"weights": self.weights, "spread_weights": self.spread_weights}
        save_file(tensors, str(folder / "process.safetensors"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors.numpy import load_file

        content = read_json(folder / "process.json")
        tensors = load_file(str(folder / "process.safetensors"))
        loaded = cls()
        loaded.shape = shape_from_json(content["shape"])
        loaded.law, loaded.spread_mean = content["law"], content["spread_mean"]
        loaded.support = Support.load(folder)
        loaded.weights, loaded.spread_weights = tensors["weights"], tensors["spread_weights"]
        return loaded


@dataclass(frozen=True, slots=True)
class _Held:
    """What was found of features by comparing them with a support."""

    features: Features
    digest: str
    shape: Shape
    found: Array

    def is_of(self, features: Features, support: Support, shape: Shape) -> bool:
        return self.features is features and self.digest == support.digest and self.shape == shape


class _Last(threading.local):
    """What this thread compared last. One of each: several would hold the features of requests answered long ago."""

    covariances: _Held | None = None
    novelty: _Held | None = None


_last = _Last()


def shared_covariances(support: Support, features: Features, shape: Shape) -> Array:
    """Covariances with the support, kept for the next target: all targets of a bundle compare with the same servers."""
    held = _last.covariances
    if held is not None and held.is_of(features, support, shape):
        return held.found
    covariances = support.covariances(support.scaling.apply(features), shape)
    _last.covariances = _Held(features, support.digest, shape, covariances)
    return covariances


def laws_of(features: Features) -> Array:
    """`law_of` each of `LAWS`, (n, laws)."""
    found = np.zeros((len(features), len(LAWS)))
    found[:, : len(_CLOCKED)] = _CLOCKS(features)
    if np.isnan(found).any():
        for place, law in enumerate(_CLOCKED):
            found[:, place] = law_of(features, law)
    return found


def law_of(features: Features, law: str) -> Array:
    """The closed form's log, float64 (n,); a machine whose clocks nobody knows runs at a typical one."""
    if not law:
        return np.zeros(len(features))
    found = features.column(law).astype(np.float64)
    if not np.isnan(found).any():
        return found
    size = features.column("log_core_equivalents").astype(np.float64) if law == "log_core_ghz" else 0.0
    return np.asarray(np.where(np.isnan(found), size + np.log(_TYPICAL_GHZ), found))


def choose_law(features: Features, y: Array, groups: Groups) -> str:
    """From the slope of the log score over the log number of cores inside CPU models."""
    known = np.isfinite(y)
    size = features.column("log_core_equivalents").astype(np.float64)[known]
    _, code = np.unique(np.asarray(groups)[known], return_inverse=True)
    count = np.bincount(code)
    x = size - (np.bincount(code, weights=size) / count)[code]
    z = y[known] - (np.bincount(code, weights=y[known]) / count)[code]
    slope = float((x * z).sum() / max((x * x).sum(), 1e-9))
    if slope > _SCALES_WITH_SIZE:
        return LAWS[0]
    clock = features.column("log_boost_ghz").astype(np.float64)[known]
    rises = np.corrcoef(clock, y[known])[0, 1] > 0 if np.std(clock) > 0 and np.std(y[known]) > 0 else False
    return LAWS[1] if rises else LAWS[2]


def fit_together(
    features: Features, y: Array, groups: Groups, seed: int, shape: Shape, spread: bool = True
) -> list[ScoreProcess]:
    """A model per column of `y` (n, t), NaN where a benchmark was not run, all on one support.

    spread : whether to learn how large errors are, too, which takes as long again.
    """
    merged = merge(features, groups)
    laws = [choose_law(features, y[:, t], groups) for t in range(y.shape[1])]
    rest = y - np.stack([law_of(features, law) for law in laws], axis=1)
    means = merged.mean(rest)
    covariance = _training_covariance(merged, shape)
    vendors = vendor_of(features)[merged.first]
    patterns: dict[bytes, list[int]] = {}
    for t in range(y.shape[1]):
        patterns.setdefault(np.isfinite(means[:, t]).tobytes(), []).append(t)
    fitted: dict[int, ScoreProcess] = {}
    for targets in patterns.values():
        rows = np.flatnonzero(np.isfinite(means[:, targets[0]]))
        own = merged.groups[rows]
        solved = _solve(covariance[np.ix_(rows, rows)], means[rows][:, targets], own, vendors[rows], spread)
        novelty = _vendor_novelty(merged.support.points[rows], vendors[rows], shape) if spread else None
        for k, t in enumerate(targets):
            model = ScoreProcess(**asdict(shape))
            model.support, model.law = merged.support, laws[t]
            model.weights = _embed(solved.weights[:, k], rows, len(means))
            model.spread_weights = _embed(solved.spread_weights[:, k], rows, len(means))
            model.spread_mean = float(solved.spread_mean[k])
            model.out_of_fold = _spread_out(solved.unseen[:, k], rows, merged) + law_of(features, laws[t])
            model.out_of_fold[~np.isfinite(y[:, t])] = np.nan
            model.out_of_fold_spread = bounded_spread(_spread_out(solved.unseen_spread[:, k], rows, merged))
            if novelty is not None:
                law = law_of(features, laws[t])
                model.out_of_vendor = _out_of_vendor(solved, k, novelty, rows, merged, law, np.isfinite(y[:, t]))
            fitted[t] = model
    return [fitted[t] for t in range(y.shape[1])]


def vendor_of(features: Features) -> npt.NDArray[np.str_]:
    """CPU vendor of each machine, (n,); "" where none of those that we know."""
    out = np.full(len(features), "", dtype="<U5")
    for name in ("intel", "amd", "arm"):
        out[features.column(f"vendor_{name}") == 1] = name
    return out


def _novelty(scaled: npt.NDArray[Any], own: FloatArray) -> Array:
    """scaled (n, s) : covariances over the standard deviations of the s; own (n,) : variances of the n."""
    return np.asarray(np.clip(1.0 - scaled.max(axis=1) / np.sqrt(own), 0.0, 1.0), dtype=np.float64)


def _vendor_novelty(points: FloatArray, vendors: Groups, shape: Shape) -> Array:
    """Novelty of each point (s,) beside those of the other vendors; 0 where there is one vendor."""
    own = own_covariance(points, shape)
    out = np.zeros(len(points))
    for vendor in np.unique(vendors):
        mine = vendors == vendor
        if mine.all():
            continue
        others = Support(points[~mine], _NO_SCALING)
        out[mine] = _novelty(others.covariances(points[mine], shape) / np.sqrt(own[~mine]), own[mine])
    return out


_NO_SCALING = Scaling(np.zeros(0), np.zeros(0), np.ones(0))


def _out_of_vendor(
    solved: _Solved, k: int, novelty: Array, rows: npt.NDArray[np.int64], merged: Merged, law: Array, known: Any
) -> OutOfVendor:
    point = _spread_out(solved.new_vendor[:, k], rows, merged) + law
    point[~known] = np.nan
    spread = bounded_spread(_spread_out(solved.new_vendor_spread[:, k], rows, merged))
    return OutOfVendor(point, spread, _spread_out(novelty, rows, merged))


def _embed(values: Array, rows: npt.NDArray[np.int64], size: int) -> FloatArray:
    out = np.zeros(size, dtype=np.float32)
    out[rows] = values
    return out


def _spread_out(values: Array, rows: npt.NDArray[np.int64], merged: Merged) -> Array:
    full = np.full(len(merged.count), np.nan)
    full[rows] = values
    return np.asarray(full[merged.row_of])


def _training_covariance(merged: Merged, shape: Shape) -> Array:
    """Between support points: what any server shares with them, what a common CPU model adds, and noise."""
    points = merged.support.points
    full = merged.support.covariances(points, shape)
    same = merged.groups[:, None] == merged.groups[None, :]
    full += same * (shape.group + shape.group_size * size_kernel(points, shape))
    full[np.diag_indices_from(full)] += shape.noise
    return full


def bounded_spread(log_spread: Array) -> Array:
    """A typical error in log units, between what no measurement repeats and a factor of seven."""
    return np.minimum(np.maximum(np.exp(log_spread), 0.01), 2.0)


@dataclass(frozen=True)
class _Solved:
    """Each (s, t) but for `spread_mean` (t,): `unseen` and `unseen_spread` (log) are by the other groups alone."""

    weights: Array
    unseen: Array
    spread_weights: Array
    unseen_spread: Array
    spread_mean: Array
    new_vendor: Array
    new_vendor_spread: Array


def _solve(covariance: Array, y: Array, groups: Groups, vendors: Groups, spread: bool) -> _Solved:
    inverse = _inverse(covariance)
    unseen = _without_own_group(inverse, y, groups)
    error = np.log(np.maximum(np.abs(y - unseen), _MIN_ERROR))
    spread_mean = error.mean(axis=0)
    if not spread:
        flat = np.zeros_like(y)
        return _Solved(inverse @ y, unseen, flat, flat + spread_mean, spread_mean, unseen, flat)
    noisy = covariance.copy()
    noisy[np.diag_indices_from(noisy)] += _SPREAD_NOISE
    inverse_noisy = _inverse(noisy)
    rest = error - spread_mean
    unseen_spread = _without_own_group(inverse_noisy, rest, groups) + spread_mean
    new_vendor, new_vendor_spread = unseen, unseen_spread
    if len(np.unique(vendors)) > 1:
        new_vendor = _without_own_group(inverse, y, vendors)
        new_vendor_spread = _without_own_group(inverse_noisy, rest, vendors) + spread_mean
    return _Solved(inverse @ y, unseen, inverse_noisy @ rest, unseen_spread, spread_mean, new_vendor, new_vendor_spread)


def _inverse(covariance: Array) -> Array:
    """By Cholesky, for a symmetric positive definite matrix: a third of the work of LU."""
    from scipy.linalg.lapack import dpotrf, dpotri

    factor, wrong = dpotrf(covariance, lower=1)
    if wrong:
        raise np.linalg.LinAlgError("The covariance of the training machines is not positive definite.")
    lower = np.tril(dpotri(factor, lower=1)[0])
    return np.asarray(lower + np.tril(lower, -1).T, dtype=np.float64)


def _without_own_group(inverse: npt.NDArray[Any], y: Array, groups: Groups) -> Array:
    """Predictions (s, t) of each group by the others: Rasmussen & Williams (2006), eq. 5.12, for blocks.

    Between groups the covariance holds nothing of a common CPU model, so this is what a model that was not seen gets.
    """
    weights = inverse @ y
    out = np.empty_like(y)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        out[own] = y[own] - np.linalg.solve(inverse[np.ix_(own, own)], weights[own])
    return out
