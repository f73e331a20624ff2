"""A new device from ten measurements: the learner that was meta-trained on known devices, and the adapted device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from costmodel.fewshot.basis import Basis, KnownDevices
from costmodel.fewshot.calibrate import COVERAGE, FewShotCalibration, own_scale
from costmodel.fewshot.checks import check_agreement, check_measurements, check_scale
from costmodel.fewshot.deep import DeepCosts
from costmodel.fewshot.planning import PlanningPrior, greedy_plan
from costmodel.fewshot.posterior import Hypers, Posterior, infer
from costmodel.fewshot.synthetic import SyntheticDevices
from costmodel.regressors.base import Array, Estimate, read_json, write_json
from featurizers.errors import InputError
from featurizers.network.nas_physics import OpIndices, space_of

FORMAT_VERSION = 3
_CANDIDATES, _POPULATION = 600, 500
_CLEARLY = 3.0
"""Difference of log evidence that outweighs the habit of averaging (odds of 20)."""
_MANY = 20
_DEEP = "deep.onnx"
Encodings = Sequence[object]


@dataclass(frozen=True, slots=True)
class AdaptedDevice:
    """A device after its measurements: predicts any architecture of the space.

    learner : which learner it is of. trust : (n,) weight of each measurement, towards 0 for outliers. evidence : log
    density of the measurements under the learner, for choosing among learners; left_out : the same of each measurement
    given the others. structures : share that each of the learner's sets of features has in the answer, by name.
    """

    owner: FewShotRegressor
    learner: str
    posterior: Posterior
    ops: OpIndices

    @property
    def trust(self) -> Array:
        return self.posterior.trust

    @property
    def evidence(self) -> float:
        return self.posterior.evidence

    @property
    def left_out(self) -> float:
        return self.posterior.left_out

    @property
    def structures(self) -> dict[str, float]:
        return dict(zip(self.owner.structures, self.posterior.structures.tolist(), strict=True))

    def predict(self, encodings: Encodings) -> Estimate:
        """Log latency in ms and the spread of one future measurement of it, each (n,). Raises InputError."""
        return self.predict_features(*self.owner.features(self.owner.parse(encodings)))

    def predict_features(self, offset: Array, features: Array) -> Estimate:
        """The same from the owner's `features`, for many questions about the same architectures."""
        scale = own_scale(self.posterior.surprise, self.posterior.off)
        widen = self.owner.calibration.quantile(len(self.ops)) / _NORMAL_90 * scale
        variance = self.posterior.variance(features) + self.posterior.noise
        return Estimate(self.posterior.point(offset, features), widen * np.sqrt(variance))

    def interval(self, estimate: Estimate, coverage: float = COVERAGE) -> tuple[Array, Array]:
        """Bounds in ms, (n,) each, that hold with probability `coverage` (calibrated at 0.9)."""
        if not 0 < coverage < 1:
            raise InputError("The coverage", "lies between 0 and 1", coverage)
        from statistics import NormalDist

        half = NormalDist().inv_cdf(0.5 + coverage / 2) * estimate.spread
        return np.exp(estimate.point - half), np.exp(estimate.point + half)

    def plan(self, n: int, candidates: Encodings | None = None, seed: int = 0) -> list[list[int]]:
        """The next `n` architectures to measure, best first, given what was measured."""
        return self.owner.plan_from(self.posterior.covariance, self.posterior.noise, n, self.ops, candidates, seed)


_NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class FewShotRegressor:
    """Meta-trained on known devices of one space; `adapt` takes milliseconds and numpy only.

    hypers : draws of what each group may explain. structures : names of the sets of groups that it averages over.
    card : families and models of the known devices, how many architectures taught, and under `left_out` how well each
    known device was answered in the role of the new one (Spearman and median error by number of random measurements).
    """

    learner: str
    known: KnownDevices
    basis: Basis
    planning: PlanningPrior
    hypers: Hypers
    calibration: FewShotCalibration
    structures: tuple[str, ...]
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def devices(self) -> tuple[str, ...]:
        """The known devices, on whose tables this was trained."""
        return self.known.names

    def parse(self, encodings: Encodings) -> OpIndices:
        """User encodings -> op indices (n, positions). Raises InputError with the index of the wrong one."""
        return self.known.space.parse(encodings)

    def features(self, ops: OpIndices) -> tuple[Array, Array]:
        """Offset (n,) and features (n, p)."""
        return self.basis(self.known.inputs(ops))

    def adapt(self, encodings: Encodings, latency_ms: Sequence[float] | Array, *, scale: bool = True) -> AdaptedDevice:
        """A new device from at least three measurements.

        scale : refuse latencies that no plausible device has in milliseconds; switch off for truly exotic hardware.
        Raises InputError: too few, duplicates, contradictions, not positive, another unit, an unknown encoding.
        """
        ops = self.parse(encodings)
        values = check_measurements(ops, latency_ms)
        return self.adapt_features(ops, *self.features(ops), values, scale=scale)

    def adapt_features(
        self, ops: OpIndices, offset: Array, features: Array, latency_ms: Array, *, scale: bool = True
    ) -> AdaptedDevice:
        """`adapt` without parsing or checks of single measurements, from the rows' `features`."""
        residual = np.log(latency_ms) - offset
        if scale:
            check_scale(float(np.median(residual)), self.basis.arrays["known_mean"])
            check_agreement(residual, latency_ms, lambda: self.known.space.composition(ops).kept)
        posterior = infer(residual, features, self.basis.group_of, self.hypers, additive=True)
        return AdaptedDevice(self, self.learner, posterior, ops)

    def plan(
        self, n: int, already: Encodings = (), candidates: Encodings | None = None, seed: int = 0
    ) -> list[list[int]]:
        """Which `n` architectures to measure on a device of which nothing is known, as op indices, best first.

        already : architectures that are measured or will be. candidates : choose among these (default: a random draw).
        """
        covariance, noise = self.planning.covariance(self.basis.group_of), self.planning.noise
        return self.plan_from(covariance, noise, n, self.parse(already), candidates, seed, conditioned=False)

    def plan_from(
        self, covariance: Array, noise: float, n: int, already: OpIndices, candidates: Encodings | None, seed: int,
        conditioned: bool = True,
    ) -> list[list[int]]:  # fmt: skip
        """A plan from the weights' covariance now; `conditioned`: it knows of `already`."""
        if n < 1:
            raise InputError("The number of architectures to plan", "is at least 1", n)
        rng = np.random.default_rng(seed)
        space = self.known.space
        offered = space.sample(_CANDIDATES, rng) if candidates is None else self.parse(candidates)
        population = space.sample(_POPULATION, rng) if candidates is None else offered
        if len(population) > _POPULATION:
            population = population[rng.choice(len(population), _POPULATION, replace=False)]
        taken = {row.tobytes() for row in already}
        distinct = list({row.tobytes(): i for i, row in reversed(list(enumerate(offered)))}.values())
        offered = offered[[i for i in sorted(distinct) if offered[i].tobytes() not in taken]]
        measured = None if conditioned or not len(already) else self.features(already)[1]
        chosen = greedy_plan(self.features(offered)[1], self.features(population)[1], covariance, noise, n, measured)
        return [[int(value) for value in row] for row in offered[chosen]]

    def save(self, folder: Path) -> None:
        """regressor.json and arrays.safetensors into an existing folder."""
        from safetensors.numpy import save_file

        arrays = {f"basis.{name}": value for name, value in self.basis.arrays.items()}
        arrays |= {f"synthetic.{name}": value for name, value in self.known.synthetic.parameters.items()}
        arrays |= {"known.coefficients": self.known.coefficients, "known.typical_ms": self.known.typical_ms}
        arrays |= {"planning.variance": self.planning.variance, "planning.noise": np.array([self.planning.noise])}
        arrays |= {"hypers.log_variance": self.hypers.log_variance, "hypers.log_noise": self.hypers.log_noise}
        arrays |= {"hypers.tails": self.hypers.tails, "hypers.structure": self.hypers.structure.astype(np.float64)}
        save_file(
            {k: np.ascontiguousarray(v, dtype=np.float64) for k, v in arrays.items()}, folder / "arrays.safetensors"
        )
        if self.known.deep is not None:
            (folder / _DEEP).write_bytes(self.known.deep.onnx)
        write_json(folder / "regressor.json", {
            "format_version": FORMAT_VERSION, "learner": self.learner, "space": self.known.space.name,
            "devices": list(self.known.names), "groups": list(self.basis.groups),
            "group_of": self.basis.group_of.tolist(), "quantiles": list(self.calibration.quantiles),
            "structures": list(self.structures), "card": self.card,
        })  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote. ValueError for another format."""
        from safetensors.numpy import load_file

        content = read_json(folder / "regressor.json")
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError(
                f"{folder}: few-shot format {content['format_version']}, this version reads {FORMAT_VERSION}."
            )
        arrays = load_file(folder / "arrays.safetensors")

        def part(prefix: str) -> dict[str, Array]:
            return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}

        known = KnownDevices(
            space_of(content["space"]), tuple(content["devices"]), arrays["known.coefficients"],
            arrays["known.typical_ms"], SyntheticDevices(part("synthetic.")), _deep(content["space"], folder / _DEEP),
        )  # fmt: skip
        basis = Basis(tuple(content["groups"]), np.array(content["group_of"], dtype=np.int64), part("basis."))
        hypers = Hypers(
            arrays["hypers.log_variance"], arrays["hypers.log_noise"], arrays["hypers.tails"],
            arrays["hypers.structure"].astype(np.int64),
        )  # fmt: skip
        planning = PlanningPrior(arrays["planning.variance"], float(arrays["planning.noise"][0]))
        calibration = FewShotCalibration(tuple(content["quantiles"]))
        structures = tuple(content["structures"])
        return cls(content["learner"], known, basis, planning, hypers, calibration, structures, content["card"])


def _deep(space: str, path: Path) -> DeepCosts | None:
    return DeepCosts(space, path.read_bytes()) if path.exists() else None


def champion(adapted: Sequence[AdaptedDevice]) -> AdaptedDevice:
    """Of one device adapted by several learners the one to trust; its `learner` names it.

    The first (the default learner, which averages over the structures of the others), unless another is clearly better:
    by leave-one-out density from `_MANY` measurements on, before that by the evidence of the meta-learned priors.
    """
    if not adapted:
        raise ValueError("There is no learner to choose from.")

    def score(device: AdaptedDevice) -> float:
        return device.left_out if len(device.ops) >= _MANY else device.evidence

    best = max(adapted, key=score)
    return best if score(best) > score(adapted[0]) + _CLEARLY else adapted[0]
