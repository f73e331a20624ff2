"""Meta-training: known devices, one after the other, in the role of the new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.fewshot.basis import Basis, Inputs, KnownDevices
from costmodel.fewshot.calibrate import SIZES, FewShotCalibration, Scores, calibrate
from costmodel.fewshot.hyper import HyperPrior, combine, fit_device
from costmodel.fewshot.posterior import infer
from costmodel.fewshot.regressor import FewShotRegressor
from costmodel.regressors.base import Array
from featurizers.errors import UnknownNameError
from featurizers.network.nas_physics import OpIndices, Space

LEARNERS: dict[str, tuple[str, ...]] = {
    "transfer": ("slope", "known", "network"),
    "meta": ("slope", "known", "synthetic", "network", "stage", "block"),
}
"""The groups of features of each closed-form learner."""
_DRAWS = 64
_POOL = 4000
_REPEATS, _SCORED = 4, 1000


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A fully measured device. latency_ms : (n,) over all architectures of the table. model : the hardware without its
    batch size or settings; family : the sort of hardware (families count alike in the priors)."""

    name: str
    latency_ms: Array
    model: str
    family: str


@dataclass(frozen=True, slots=True)
class _Role:
    """A known device as if it were new: its log latency over the pool and what the others say about it."""

    family: str
    residual: Array
    features: Array
    basis: Basis
    fitted: Array


def meta_train(
    learner: str, space: Space, ops: OpIndices, devices: Sequence[KnownDevice], seed: int = 0
) -> FewShotRegressor:
    """Learn from tables of known devices over the architectures `ops` (n, positions).

    Raises UnknownNameError for a learner that is not closed-form, ValueError for fewer than two devices.
    """
    if learner not in LEARNERS:
        raise UnknownNameError("few-shot learner", learner, LEARNERS)
    if len(devices) < 2:
        raise ValueError(f"Meta-training needs at least two known devices, got {[d.name for d in devices]}.")
    rng = np.random.default_rng(seed)
    known = KnownDevices.fit(space, ops, {device.name: device.latency_ms for device in devices}, seed=seed)
    rows = np.sort(rng.choice(len(ops), min(_POOL, len(ops)), replace=False))
    inputs = known.inputs(ops[rows])
    groups = LEARNERS[learner]
    roles = [_role(i, devices, rows, inputs, groups, rng) for i in range(len(devices))]
    fitted = np.array([role.fitted for role in roles])
    prior = combine(fitted, [role.family for role in roles], groups)
    card = {"families": [d.family for d in devices], "models": [d.model for d in devices], "architectures": len(ops)}
    calibration = _calibrate(roles, groups, rng)
    return FewShotRegressor(learner, known, Basis.fit(inputs, groups), prior, prior.draws(_DRAWS), calibration, card)


def _role(
    index: int, devices: Sequence[KnownDevice], rows: np.ndarray[tuple[int], np.dtype[np.int64]], inputs: Inputs,
    groups: tuple[str, ...], rng: np.random.Generator,
) -> _Role:  # fmt: skip
    others = [i for i, device in enumerate(devices) if device.model != devices[index].model]
    others = others or [i for i in range(len(devices)) if i != index]
    seen = inputs.take(np.arange(len(rows)), others)
    basis = Basis.fit(seen, groups)
    offset, features = basis(seen)
    residual = np.log(devices[index].latency_ms[rows]) - offset
    fitted = fit_device(residual, features, basis.group_of, groups, rng)
    return _Role(devices[index].family, residual, features, basis, fitted)


def _calibrate(roles: Sequence[_Role], groups: tuple[str, ...], rng: np.random.Generator) -> FewShotCalibration:
    scores = []
    for index, role in enumerate(roles):
        others = [other for i, other in enumerate(roles) if i != index]
        prior = combine(np.array([o.fitted for o in others]), [o.family for o in others], groups)
        by_size = {size: _scores(role, prior, size, rng) for size in SIZES}
        scores.append(Scores(role.family, by_size))
    return calibrate(scores)


def _scores(role: _Role, prior: HyperPrior, size: int, rng: np.random.Generator) -> Array:
    """|error| / spread on architectures that were not measured, over repeated draws of `size` measurements."""
    hypers, found = prior.draws(_DRAWS), []
    for _ in range(_REPEATS):
        rows = rng.permutation(len(role.residual))
        measured, held = rows[:size], rows[size : size + _SCORED]
        posterior = infer(role.residual[measured], role.features[measured], role.basis.group_of, hypers)
        point = posterior.point(np.zeros(len(held)), role.features[held])
        spread = np.sqrt(posterior.variance(role.features[held]) + posterior.noise)
        found.append(np.abs(role.residual[held] - point) / spread)
    return np.concatenate(found)
