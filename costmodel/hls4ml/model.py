"""Every answer about a design at once: resources, cycles, will it fit, will it synthesise, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.calibration import NORMAL_90, Calibration
from costmodel.domain import Domain
from costmodel.hls4ml.answers import DesignAnswer, Place, Shared, TargetAnswer, at_clock, in_units
from costmodel.hls4ml.basis import PRIORS, terms
from costmodel.hls4ml.details import percent_of_part
from costmodel.hls4ml.forms import HLS_TARGETS, RESOURCES, TARGETS, YOSYS_TARGETS, HlsTarget, totals
from costmodel.hls4ml.layers import Layers, Values, layers_of
from costmodel.hls4ml.outside import WIDEST, half_outside, rehearse
from costmodel.hls4ml.regressor import HlsPhysics, learner_matrix, regimes
from costmodel.hls4ml.residual import NETWORKS, check_learner, fit_network, load_network, network_residuals
from costmodel.hls4ml.rows import LabelledDesign
from costmodel.hls4ml.success import SuccessModel
from costmodel.prediction import Prediction, Share
from costmodel.regressors.base import Array, Estimate, read_json, write_json
from featurizers.core import Features
from featurizers.errors import InputError
from featurizers.hls4ml import HlsDesign, HlsFeaturizer
from featurizers.hls4ml.boards import Board
from featurizers.hls4ml.design import KINDS

if TYPE_CHECKING:
    from costmodel.regressors.gnn.regressor import Gnn

FORMAT = 3
_NETWORK = "network"
_COVERAGE = 0.9
_NEVER_LEARNED_SPREAD = 0.7
_NEVER_LEARNED_EXACT = 0.1
"""Of a target without labels, answered by its closed form alone; less where that form has no fitted constants."""

_OTHER_STAGE_SPREAD = {"lut_vsynth": 0.7, "ff_vsynth": 1.4}
"""What is added where logic synthesis is told from C-synthesis: LUTs fall 1.4 to 5 times, flip-flops are a guess
(HLS does not count them all, and later tools retime)."""

_VSYNTH_SHARES = {"lut_vsynth": ("lut_csynth", 0.42), "ff_vsynth": ("ff_csynth", 0.9)}
"""Without labels of logic synthesis: HLS counts 1.4 to 5 times its LUTs, and about its flip-flops."""

_FARTHEST_ERROR = 3.0
"""Standard deviations: the far tails of errors inside the domain say nothing about wide intervals outside of it."""

_JOINT_ROWS = 100


@dataclass(slots=True)
class _Learned:
    regressor: HlsPhysics
    calibration: Calibration
    outside: float


def _calibrated(
    regressor: HlsPhysics, features: Features, y: Array, groups: npt.NDArray[np.str_]
) -> tuple[_Learned, Array]:
    spread = regressor.spreads[regimes(layers_of(features))]
    fitted = Calibration.fit(Estimate(regressor.out_of_fold, spread), y, _COVERAGE)
    unshifted = Calibration(_COVERAGE, fitted.edges, fitted.quantiles, fitted.outside, 0.0)
    outside = rehearse(regressor.settings["target"], features, y, groups)
    return _Learned(regressor, unshifted, outside), spread


class HlsModel:
    """A closed form, a residual and a calibration per target; one domain check and one success model for all.

    learner : of `RESIDUALS`, what learns the residual: boosting per target, or one network over layers for all targets.
    """

    kind = "hls4ml"

    def __init__(self, name: str = "hls4ml", version: str = "1", rounds: int = 120, learner: str = "lightgbm"):
        self.name, self.version, self.rounds = name, version, rounds
        self.learner = check_learner(learner)
        self.network: Gnn | None = None
        self.featurizer = HlsFeaturizer()
        self.learned: dict[str, _Learned] = {}
        self.domain: Domain | None = None
        self.success: SuccessModel | None = None
        self.joint: dict[str, Array] = {}
        self._shapes: dict[str, Array] = {}
        self.card: dict[str, Any] = {}

    @property
    def extras(self) -> frozenset[str]:
        """What its features need beside vectors and parts."""
        return frozenset({"graphs"}) if self.learner in NETWORKS else frozenset()

    def fit(self, designs: Sequence[LabelledDesign], features: Features | None = None, seed: int = 0) -> Self:
        """Learn every target that any design is labelled with."""
        if features is None:
            subjects = [self.featurizer.parse(design.raw) for design in designs]
            features = self.featurizer.features(subjects, extras=self.extras)
        groups = np.array([design.group for design in designs])
        done = np.array([design.success for design in designs])
        self.success = SuccessModel.fit(features, done) if not done.all() else None
        self.domain = Domain.fit(features.take(np.flatnonzero(done)))
        answers: dict[str, tuple[npt.NDArray[np.int64], Array]] = {}
        for name, spec in TARGETS.items():
            rows = np.array([i for i, design in enumerate(designs) if name in design.labels], dtype=np.int64)
            if len(rows) > 0:
                labels = np.array([designs[i].labels[name] for i in rows], dtype=np.float64)
                answers[name] = rows, np.log(labels + spec.offset)
        rounds = self.rounds if self.learner == "lightgbm" else 0
        fitted = {
            name: HlsPhysics(name, rounds=rounds).fit(features.take(rows), y, groups[rows], seed)
            for name, (rows, y) in answers.items()
        }
        if self.learner in NETWORKS:
            self.network = fit_network(self.learner, fitted, answers, features, groups, seed)
        errors = {}
        for name, (rows, y) in answers.items():
            self.learned[name], spread = _calibrated(fitted[name], features.take(rows), y, groups[rows])
            errors[name] = rows, (y - fitted[name].out_of_fold) / spread
        self._fit_joint(errors, seed)
        return self

    def _fit_joint(self, errors: Mapping[str, tuple[npt.NDArray[np.int64], Array]], seed: int) -> None:
        """Errors of the four resources side by side, so that P(fits) knows which go together."""
        self._shapes.clear()
        for stage, names in RESOURCES.items():
            if any(name not in errors for name in names):
                continue
            rows = errors[names[0]][0]
            together = np.stack([errors[name][1] for name in names], axis=1)
            kept = np.random.default_rng(seed).permutation(len(rows))[:_JOINT_ROWS]
            self.joint[stage] = np.clip(together[kept], -6, 6)

    def layers(self, features: Features) -> Layers:
        """The layers of designs as the tool builds them that this model learned from."""
        return layers_of(features, pixels_apart=bool(self.learned) and self.learned.keys() <= YOSYS_TARGETS.keys())

    def answer(
        self,
        features: Features,
        targets: Sequence[str] | None = None,
        reasons: Sequence[tuple[str, ...]] | None = None,
        layers: Layers | None = None,
    ) -> dict[str, TargetAnswer]:
        """Values and intervals of many designs, by target. reasons, layers : as `reasons` and `layers` gave them."""
        layers = self.layers(features) if layers is None else layers
        sums = totals(layers)
        place = self._place(features, layers, self.reasons(features) if reasons is None else reasons)
        residuals = network_residuals(self.network, features)
        shared = Shared(layers, sums, learner_matrix(features, sums), place, place.trust, residuals)
        names = list(targets or HLS_TARGETS)
        learned = [self._estimate("cycles_max" if name == "latency_ns" else name, shared) for name in names]
        points, halves = (np.array(column) for column in zip(*((e.point, half) for e, half in learned), strict=True))
        found = dict(zip(names, in_units([TARGETS[name] for name in names], points, halves), strict=True))
        if "latency_ns" in found:
            found["latency_ns"] = at_clock(found["latency_ns"], features.column("clock_ns").astype(np.float64))
        return found

    def _place(self, features: Features, layers: Layers, reasons: Sequence[tuple[str, ...]]) -> Place:
        inside = np.array([not reason for reason in reasons], dtype=bool)
        if self.domain is None:
            return Place(inside & False, np.full(len(features), 2.0), np.ones(len(features), dtype=bool))
        distance = np.maximum(self.domain.distance(features), 1e-6)
        known = layers.is_kind(*self.domain.words.get("op_class", KINDS))
        return Place(inside, distance, layers.most(~known) > 0)

    def _estimate(self, name: str, shared: Shared) -> tuple[Estimate, Array]:
        """Once per call and target, since some targets are told from others."""
        if name not in shared.estimates:
            estimate, half = self._estimate_anew(name, shared)
            if name == "interval":  # a design takes its next input one cycle after it has told the last, at the latest
                latest = np.log(np.exp(self._estimate("cycles_max", shared)[0].point) + 1)
                estimate = Estimate(np.minimum(estimate.point, latest), estimate.spread)
            shared.estimates[name] = estimate, half
        return shared.estimates[name]

    def _estimate_anew(self, name: str, shared: Shared) -> tuple[Estimate, Array]:
        learned = self.learned.get(name)
        if learned is None:
            return self._unlearned(name, shared)
        estimate = learned.regressor.predict_with(
            shared.layers, shared.sums, shared.matrix, shared.trust, shared.residuals.get(name)
        )
        place = shared.place
        half = learned.calibration.half_width(estimate, place.inside)
        if place.inside.all():
            return estimate, half
        outside = half_outside(TARGETS[name], learned.outside, place)
        return estimate, np.where(place.inside, half, np.minimum(np.maximum(half, outside), WIDEST))

    def _unlearned(self, name: str, shared: Shared) -> tuple[Estimate, Array]:
        if name in _VSYNTH_SHARES and _VSYNTH_SHARES[name][0] in self.learned:
            source, share = _VSYNTH_SHARES[name]
            estimate, half = self._estimate(source, shared)
            return Estimate(estimate.point + np.log(share), estimate.spread), half + _OTHER_STAGE_SPREAD[name]
        plain = HlsPhysics(name, rounds=0)
        spec = TARGETS[name]
        if spec.form == "terms":
            plain.coefficients = PRIORS[spec.resource] * spec.prior_share
        estimate = plain.predict_with(shared.layers, shared.sums, shared.matrix, shared.trust)
        if spec.form in ("terms", "index tiles"):
            return estimate, np.full(len(estimate.point), NORMAL_90 * _NEVER_LEARNED_SPREAD)
        return estimate, half_outside(spec, NORMAL_90 * _NEVER_LEARNED_EXACT, shared.place)

    def reasons(self, features: Features) -> list[tuple[str, ...]]:
        """Why each design lies outside of what was trained on; empty when it does not."""
        if self.domain is None:
            return [("nothing was trained",)] * len(features)
        return self.domain.check(features)

    def fits(self, answers: Mapping[str, TargetAnswer], boards: Sequence[Board | None], stage: str) -> Array:
        """P(every resource is within the part's limits), (n,); NaN without a part."""
        names = RESOURCES[stage]
        specs = [TARGETS[name] for name in names]
        of_board = {board: [spec.limit(board) if board else np.nan for spec in specs] for board in set(boards)}
        limits = np.array([of_board[board] for board in boards])
        points = np.stack([answers[name].point for name in names], axis=1)
        halves = np.stack([answers[name].half for name in names], axis=1) / NORMAL_90
        draws = points[:, None, :] + halves[:, None, :] * self._error_shapes(stage)[None, :, :]
        offsets = np.array([TARGETS[name].offset for name in names])
        inside = draws <= np.log(limits + offsets)[:, None, :]
        probability = inside.all(axis=2).mean(axis=1)
        return np.where(np.isnan(limits[:, 0]), np.nan, probability)

    def _error_shapes(self, stage: str) -> Array:
        """Joint errors of the four resources in standard deviations, (rows, 4); of the model alone, so kept."""
        known = self._shapes.get(stage)
        if known is None:
            errors = self.joint.get(stage)
            if errors is None:
                alike = np.random.default_rng(0).standard_normal((_JOINT_ROWS, 1))
                errors = alike.repeat(len(RESOURCES[stage]), axis=1)
            scale = np.maximum(np.quantile(np.abs(errors), _COVERAGE, axis=0), 1e-9) / NORMAL_90
            known = self._shapes[stage] = np.clip(errors / scale, -_FARTHEST_ERROR, _FARTHEST_ERROR)
        return known

    def synthesises(self, features: Features, layers: Layers | None = None) -> Array:
        """P(synthesis succeeds), (n,); 1 where nothing is known of failures."""
        if self.success is None:
            return np.ones(len(features))
        return self.success.probability(self.layers(features) if layers is None else layers)

    def predict(
        self, designs: Sequence[HlsDesign], targets: Sequence[str] | None = None, stage: str = "csynth"
    ) -> list[DesignAnswer]:
        """Everything about each design. `stage` : whose resources decide whether it fits."""
        features = self.featurizer.features(designs, extras=self.extras)
        listed = list(targets or HLS_TARGETS)
        reasons, layers = self.reasons(features), self.layers(features)
        needed = list(dict.fromkeys([*listed, *RESOURCES[stage], "latency_ns"]))
        answers = self.answer(features, needed, reasons, layers)
        fits = self.fits(answers, [design.board for design in designs], stage)
        success = self.synthesises(features, layers)
        predictions = self.predictions(answers, listed, reasons, [d.board.name if d.board else "" for d in designs])
        latency = answers["latency_ns"]
        return [
            DesignAnswer(
                predictions[i],
                percent_of_part(design, {name: float(answer.value[i]) for name, answer in answers.items()}),
                (float(latency.value[i]), float(latency.low[i]), float(latency.high[i])),
                None if np.isnan(fits[i]) else float(fits[i]),
                float(success[i]),
                design.notes,
            )
            for i, design in enumerate(designs)
        ]

    def predictions(
        self,
        answers: Mapping[str, TargetAnswer],
        targets: Sequence[str],
        reasons: Sequence[tuple[str, ...]],
        devices: Sequence[str],
    ) -> list[tuple[Prediction, ...]]:
        """Per design one `Prediction` for each of `targets`."""
        columns = []
        for name in targets:
            found, unit = answers[name], TARGETS[name].unit
            numbers = zip(found.value.tolist(), found.low.tolist(), found.high.tolist(), reasons, devices, strict=True)
            columns.append(
                [
                    Prediction(name, value, unit, low, high, _COVERAGE, not why, why, device, self.name, self.version)
                    for value, low, high, why, device in numbers
                ]
            )
        return list(zip(*columns, strict=True))

    def shares(self, design: HlsDesign, target: str) -> tuple[Share, ...]:
        """The predicted total divided among the layers, in proportion to what the closed form gives each."""
        spec = TARGETS.get(target)
        if spec is None:
            raise InputError("The target", f"must be one of {', '.join(TARGETS)}", target)
        features = self.featurizer.features([design], names=True, extras=self.extras)
        value = float(self.answer(features, [target])[target].value[0])
        weights = np.maximum(self.layer_costs(spec, self.layers(features)), 0.0)
        total = float(weights.sum())
        fractions = weights / total if total > 0 else np.full(len(weights), 1 / max(len(weights), 1))
        return tuple(
            Share((layer.name,), layer.kind, float(fraction * value), float(fraction))
            for layer, fraction in zip(design.layers, fractions, strict=True)
        )

    def layer_costs(self, spec: HlsTarget, layers: Layers) -> Values:
        """What the closed form gives each layer of every design, (layers,)."""
        from costmodel.hls4ml import closed_forms
        from costmodel.hls4ml.basis import memory_terms

        if spec.form == "terms":
            source = _VSYNTH_SHARES.get(spec.name, (spec.name, 1.0))[0]
            learned = self.learned.get(spec.name) or self.learned.get(source)
            return terms(layers) @ learned.regressor.coefficients if learned else np.zeros(len(layers["n_in"]))
        if spec.form == "dsp":
            return closed_forms.dsps(layers)
        if spec.form in ("blocks", "index tiles"):
            return np.asarray(memory_terms(layers).sum(axis=1))
        return closed_forms.latency_cycles(layers)[1]

    def save(self, folder: Path) -> None:
        """JSON and LightGBM text into an existing empty folder; no pickle."""
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "rounds": self.rounds,
            "learner": self.learner,
            "featurizer": self.featurizer.version,
            "targets": {name: learned.calibration.to_json() for name, learned in self.learned.items()},
            "outside": {name: learned.outside for name, learned in self.learned.items()},
            "domain": None if self.domain is None else self.domain.to_json(),
            "success": None if self.success is None else self.success.to_json(),
            "joint": {stage: np.round(rows, 4).tolist() for stage, rows in self.joint.items()},
            "card": self.card,
        }
        write_json(folder / "hls_model.json", content)
        for name, learned in self.learned.items():
            (folder / name).mkdir()
            learned.regressor.save(folder / name)
        if self.network is not None:
            (folder / _NETWORK).mkdir()
            self.network.save(folder / _NETWORK)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote. Raises InputError for another format or featurizer version."""
        content = read_json(folder / "hls_model.json")
        loaded = cls(content["name"], content["version"], content["rounds"], content["learner"])
        if content["format"] != FORMAT or content["featurizer"] != loaded.featurizer.version:
            raise InputError(
                "The model's format and featurizer version",
                f"must be {FORMAT} and {loaded.featurizer.version}",
                (content["format"], content["featurizer"]),
            )
        for name, calibration in content["targets"].items():
            regressor = HlsPhysics.load(folder / name)
            loaded.learned[name] = _Learned(regressor, Calibration.from_json(calibration), content["outside"][name])
        if loaded.learner in NETWORKS:
            loaded.network = load_network(folder / _NETWORK)
        loaded.domain = None if content["domain"] is None else Domain.from_json(content["domain"])
        loaded.success = None if content["success"] is None else SuccessModel.from_json(content["success"])
        loaded.joint = {stage: np.asarray(rows, dtype=np.float64) for stage, rows in content["joint"].items()}
        loaded.card = content["card"]
        return loaded
