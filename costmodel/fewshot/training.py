"""Meta-training: known devices, one after the other, in the role of the new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from costmodel.evaluation.metrics import spearman
from costmodel.fewshot.basis import Basis, Inputs, KnownDevices
from costmodel.fewshot.calibrate import SIZES, FewShotCalibration, Scores, calibrate, own_scale
from costmodel.fewshot.deep import DeepCosts, train_deep
from costmodel.fewshot.hyper import HyperPrior, combine, fit_device, union
from costmodel.fewshot.planning import PlanningPrior, greedy_plan
from costmodel.fewshot.posterior import Hypers, infer
from costmodel.fewshot.regressor import FewShotRegressor
from costmodel.regressors.base import Array
from featurizers.errors import UnknownNameError
from featurizers.network.nas_physics import OpIndices, Space

Structure = tuple[str, ...]
LEARNERS: dict[str, dict[str, Structure]] = {
    "transfer": {"transfer": ("fixed", "known", "network")},
    "meta": {
        "hardware": ("fixed", "known", "synthetic"),
        "transfer": ("fixed", "known", "network"),
        "lookup": ("fixed", "known", "synthetic", "network", "stage", "block"),
    },
    "gnn": {"deep": ("fixed", "known", "deep")},
}
"""Per closed-form learner the sets of feature groups that it averages over, by name, each with hyper-parameters of its
own; the first one plans (what only explains leftovers is not worth a measurement)."""
_DRAWS = 32
_POOL = 4000
_REPEATS, _SCORED, _OFFERED = 3, 1000, 400
_DEEP_FOLDS, _DEEP_SYNTHETIC = 3, 64
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
    offset: Array
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
    structures = tuple(LEARNERS[learner].values())
    groups = tuple(dict.fromkeys(group for structure in structures[::-1] for group in structure))
    deep = _deep(known, ops, devices, seed) if "deep" in groups else {}
    known = replace(known, deep=deep.get(None))
    inputs = known.inputs(ops[rows])
    roles = []
    for i, device in enumerate(devices):
        own = deep.get(device.model)
        seen = inputs if own is None else replace(inputs, deep=own(ops[rows]))
        roles.append(_role(i, devices, rows, seen, groups, structures, rng))
    calibration, left_out = _calibrate(roles, groups, structures, rng)
    card = {
        "families": [device.family for device in devices], "models": [device.model for device in devices],
        "architectures": len(ops),
        "left_out": {device.name: figures for device, figures in zip(devices, left_out, strict=True)},
    }  # fmt: skip
    basis = Basis.fit(inputs, groups)
    priors = _priors(roles, structures)
    hypers, planning = _hypers(priors, groups, structures), _spread_out(priors[0], groups, structures[0])
    names = tuple(LEARNERS[learner])
    return FewShotRegressor(learner, known, basis, planning, hypers, calibration, names, card)


def _deep(
    known: KnownDevices, ops: OpIndices, devices: Sequence[KnownDevice], seed: int
) -> dict[str | None, DeepCosts]:  # fmt: skip
    """The graph network of all devices under None, and per model of hardware one that never saw it. Random roofline
    hardware teaches too: from fifteen GPUs alone no column would learn what a phone pays for."""
    models = sorted({device.model for device in devices})
    folds = [set(models[i :: min(_DEEP_FOLDS, len(models))]) for i in range(min(_DEEP_FOLDS, len(models)))]

    synthetic = known.synthetic.latency(known.space.composition(ops))[:, :_DEEP_SYNTHETIC]

    def trained(without: set[str]) -> DeepCosts:
        kept = [device.latency_ms for device in devices if device.model not in without]
        return train_deep(known.space.name, ops, [*kept, *synthetic.T], seed)

    found: dict[str | None, DeepCosts] = {None: trained(set())}
    for fold in folds:
        found |= dict.fromkeys(fold, trained(fold))
    return found


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
    return _Role(devices[index].family, offset, residual, features, basis, tuple(fitted))


def _priors(roles: Sequence[_Role], structures: Sequence[Structure]) -> list[HyperPrior]:
    families = [role.family for role in roles]
    return [
        combine(np.array([role.fitted[i] for role in roles]), families, structure)
        for i, structure in enumerate(structures)
    ]


def _hypers(priors: Sequence[HyperPrior], groups: tuple[str, ...], structures: Sequence[Structure]) -> Hypers:
    used = [np.array([groups.index(group) for group in structure], dtype=np.int64) for structure in structures]
    return union([priors[i].draws(_DRAWS, at, len(groups), i) for i, at in enumerate(used)])


def _spread_out(prior: HyperPrior, groups: tuple[str, ...], structure: Structure) -> PlanningPrior:
    places = [groups.index(group) for group in structure]
    variance = np.zeros(len(groups))
    variance[places] = np.exp(prior.mean[:-1])
    return PlanningPrior(variance, max(float(np.exp(prior.mean[-1])), _PLANNED_NOISE))


def _calibrate(
    roles: Sequence[_Role], groups: tuple[str, ...], structures: Sequence[Structure], rng: np.random.Generator
) -> tuple[FewShotCalibration, list[dict[str, float]]]:
    """Quantiles, and per role how good the answers were: on devices that neither features nor priors had seen."""
    scores, figures = [], []
    for index, role in enumerate(roles):
        others = [other for i, other in enumerate(roles) if i != index]
        priors = _priors(others, structures)
        hypers, planning = _hypers(priors, groups, structures), _spread_out(priors[0], groups, structures[0])
        tried = {size: [_try(role, hypers, size, rng) for _ in range(_REPEATS)] for size in SIZES}
        planned = {size: [_try(role, hypers, size, rng, planning) for _ in range(_REPEATS)] for size in SIZES}
        standardised = {
            size: np.concatenate([one.standardised for one in [*tried[size], *planned[size]]]) for size in SIZES
        }
        scores.append(Scores(role.family, standardised))
        figures.append({
            f"{name}_{size}": float(np.mean([getattr(one, name) for one in found]))
            for size, found in tried.items() for name in ("spearman", "median_error")
        })  # fmt: skip
    return calibrate(scores), figures


@dataclass(frozen=True, slots=True)
class _Trial:
    """standardised : |error| / spread on architectures that were not measured."""

    standardised: Array
    spearman: float
    median_error: float


def _try(
    role: _Role, hypers: Hypers, size: int, rng: np.random.Generator, planning: PlanningPrior | None = None
) -> _Trial:  # fmt: skip
    """One draw of `size` measurements: at random, or planned in steps among a random part of the pool."""
    rows = rng.permutation(len(role.residual))
    measured = rows[:size] if planning is None else _planned(role, hypers, size, rows[-_OFFERED:], planning)
    held = np.setdiff1d(rows[size : size + _SCORED], measured)
    posterior = infer(role.residual[measured], role.features[measured], role.basis.group_of, hypers, additive=True)
    point = posterior.point(np.zeros(len(held)), role.features[held])
    scale = own_scale(posterior.surprise, posterior.off)
    spread = scale * np.sqrt(posterior.variance(role.features[held]) + posterior.noise)
    error, offset = role.residual[held] - point, role.offset[held]
    ranked = spearman(offset + role.residual[held], offset + point)
    return _Trial(np.abs(error) / spread, ranked, float(np.median(np.abs(np.expm1(-error)))))


def _planned(
    role: _Role, hypers: Hypers, size: int, offered: npt.NDArray[np.int64], planning: PlanningPrior
) -> npt.NDArray[np.int64]:  # fmt: skip
    """Five before anything was measured, then what tells most given the measurements so far."""
    features, group_of = role.features[offered], role.basis.group_of
    covariance, noise = planning.covariance(group_of), planning.noise
    chosen: list[int] = []
    for step in sorted({min(5, size), *(n for n in SIZES if n < size), size}):
        left = np.setdiff1d(np.arange(len(offered)), chosen)
        chosen += left[greedy_plan(features[left], features, covariance, noise, step - len(chosen))].tolist()
        at = offered[chosen]
        posterior = infer(role.residual[at], role.features[at], group_of, hypers, additive=True)
        covariance, noise = posterior.covariance, posterior.noise
    return offered[chosen]
