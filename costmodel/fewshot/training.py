"""Meta-training: known devices, one after the other, in the role of the new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from costmodel.fewshot.basis import Basis, Inputs, KnownDevices
from costmodel.fewshot.calibrate import SIZES, FewShotCalibration, Scores, calibrate
from costmodel.fewshot.hyper import HyperPrior, combine, fit_device, union
from costmodel.fewshot.planning import PlanningPrior
from costmodel.fewshot.posterior import Hypers, infer
from costmodel.fewshot.regressor import FewShotRegressor
from costmodel.regressors.base import Array
from featurizers.errors import UnknownNameError
from featurizers.network.nas_physics import OpIndices, Space

Structure = tuple[str, ...]
LEARNERS: dict[str, tuple[Structure, ...]] = {
    "transfer": (("slope", "known", "network"),),
    "meta": (
        ("slope", "known", "synthetic"),
        ("slope", "known", "network"),
        ("slope", "known", "synthetic", "network", "stage", "block"),
    ),
}
"""Per closed-form learner the sets of feature groups that it averages over, each with hyper-parameters of its own; the
first one plans (what only explains leftovers is not worth a measurement)."""
_DRAWS = 32
_POOL = 4000
_REPEATS, _SCORED = 4, 1000
_PLANNED_NOISE = 0.003
"""Squared; a plan that trusts each measurement to better than 5 % rests on too few of them when a phone is busy."""


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
    """A known device as if it were new: its log latency over the pool and what the others say about it.

    fitted : per structure the hyper-parameters that fit this device.
    """

    family: str
    residual: Array
    features: Array
    basis: Basis
    fitted: tuple[Array, ...]


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
    structures = LEARNERS[learner]
    groups = tuple(dict.fromkeys(group for structure in structures[::-1] for group in structure))
    roles = [_role(i, devices, rows, inputs, groups, structures, rng) for i in range(len(devices))]
    card = {"families": [d.family for d in devices], "models": [d.model for d in devices], "architectures": len(ops)}
    calibration = _calibrate(roles, groups, structures, rng)
    basis = Basis.fit(inputs, groups)
    priors = _priors(roles, structures)
    hypers, planning = _hypers(priors, groups, structures), _spread_out(priors[0], groups, structures[0])
    return FewShotRegressor(learner, known, basis, planning, hypers, calibration, card)


def _role(
    index: int, devices: Sequence[KnownDevice], rows: npt.NDArray[np.int64], inputs: Inputs, groups: tuple[str, ...],
    structures: Sequence[Structure], rng: np.random.Generator,
) -> _Role:  # fmt: skip
    others = [i for i, device in enumerate(devices) if device.model != devices[index].model]
    others = others or [i for i in range(len(devices)) if i != index]
    seen = inputs.take(np.arange(len(rows)), others)
    basis = Basis.fit(seen, groups)
    offset, features = basis(seen)
    residual = np.log(devices[index].latency_ms[rows]) - offset
    block = {group: features[:, basis.group_of == i] for i, group in enumerate(groups)}
    fitted = [fit_device(residual, [block[group] for group in structure], structure, rng) for structure in structures]
    return _Role(devices[index].family, residual, features, basis, tuple(fitted))


def _priors(roles: Sequence[_Role], structures: Sequence[Structure]) -> list[HyperPrior]:
    families = [role.family for role in roles]
    return [
        combine(np.array([role.fitted[i] for role in roles]), families, structure)
        for i, structure in enumerate(structures)
    ]


def _hypers(priors: Sequence[HyperPrior], groups: tuple[str, ...], structures: Sequence[Structure]) -> Hypers:
    used = [np.array([groups.index(group) for group in structure], dtype=np.int64) for structure in structures]
    return union([prior.draws(_DRAWS, at, len(groups)) for prior, at in zip(priors, used, strict=True)])


def _spread_out(prior: HyperPrior, groups: tuple[str, ...], structure: Structure) -> PlanningPrior:
    places = [groups.index(group) for group in structure]
    variance = np.zeros(len(groups))
    variance[places] = np.exp(prior.mean[:-1])
    return PlanningPrior(variance, max(float(np.exp(prior.mean[-1])), _PLANNED_NOISE))


def _calibrate(
    roles: Sequence[_Role], groups: tuple[str, ...], structures: Sequence[Structure], rng: np.random.Generator
) -> FewShotCalibration:
    scores = []
    for index, role in enumerate(roles):
        others = [other for i, other in enumerate(roles) if i != index]
        hypers = _hypers(_priors(others, structures), groups, structures)
        scores.append(Scores(role.family, {size: _scores(role, hypers, size, rng) for size in SIZES}))
    return calibrate(scores)


def _scores(role: _Role, hypers: Hypers, size: int, rng: np.random.Generator) -> Array:
    """|error| / spread on architectures that were not measured, over repeated draws of `size` measurements."""
    found = []
    for _ in range(_REPEATS):
        rows = rng.permutation(len(role.residual))
        measured, held = rows[:size], rows[size : size + _SCORED]
        posterior = infer(role.residual[measured], role.features[measured], role.basis.group_of, hypers)
        point = posterior.point(np.zeros(len(held)), role.features[held])
        spread = posterior.surprise * np.sqrt(posterior.variance(role.features[held]) + posterior.noise)
        found.append(np.abs(role.residual[held] - point) / spread)
    return np.concatenate(found)
