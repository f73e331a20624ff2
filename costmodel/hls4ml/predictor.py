"""The third seam for this kind: one model answers all targets of a chunk at once, in whole counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np

from costmodel.bundle_format import BundleError, read_manifest, write_manifest
from costmodel.hls4ml.advise import Advice, advise
from costmodel.hls4ml.details import Details
from costmodel.hls4ml.forms import HLS_TARGETS, TARGETS, YOSYS_TARGETS
from costmodel.hls4ml.model import HlsModel
from costmodel.prediction import Explanation, Prediction, Predictions, Target
from costmodel.predictor import Device, Predictor
from costmodel.regressors.native_lightgbm import read_waiting
from costmodel.target_model import Answers
from featurizers.core import Features, Raw
from featurizers.errors import InputError
from featurizers.hls4ml import BOARDS, HlsDesign

DEVICE = "vivado-vitis"
_OPEN = "open_flow"
"""The part, the clock and the tool's version are fields of the input; HLS for them is the one 'device'."""


OPEN_DEVICE = "yosys-xcup"
"""Logic synthesis of open RTL by Yosys for UltraScale+: other numbers than Vivado's, never mixed with them."""


def devices(*, has_open: bool = True) -> dict[str, Device]:
    """The devices by name, with the parts whose limits are known."""
    parts = {board.name: board.part for board in BOARDS}
    descriptor = {"vendor": "AMD", "tool": "Vivado HLS, Vitis HLS", "parts": parts}
    found = {DEVICE: Device(DEVICE, "", tuple(HLS_TARGETS), descriptor)}
    if has_open:
        tools = {"vendor": "open", "tool": "da4ml 0.6.0, Yosys 0.70 synth_xilinx -family xcup"}
        found[OPEN_DEVICE] = Device(OPEN_DEVICE, "", tuple(YOSYS_TARGETS), tools)
    return found


class HlsTargetModel:
    """One target as training and evaluation see it: answers with intervals, above zero since they take logs."""

    positive = True

    def __init__(self, hls: HlsModel, target: str):
        self._hls, self._target = hls, target
        self.regressor = hls

    def answer(self, features: Features) -> Answers:
        """As `TargetModel.answer`."""
        reasons = self._hls.reasons(features)
        found = self._hls.answer(features, [self._target], reasons)[self._target]
        least = TARGETS[self._target].step
        value, low, high = (np.maximum(part, least) for part in (found.value, found.low, found.high))
        return Answers(value, low, high, reasons)


class HlsPredictor(Predictor):
    """As `Predictor`, and by `self.hls` what only this kind answers: fit, success, advice, reports."""

    default_device = DEVICE

    def __init__(self, hls: HlsModel, open_flow: HlsModel | None = None):
        targets = {name: Target(name, spec.unit, positive=False) for name, spec in TARGETS.items()}
        self.kind, self.name, self.version, self.card = "hls4ml", hls.name, hls.version, hls.card
        self.devices, self.targets = devices(has_open=open_flow is not None), targets
        self.featurizer = hls.featurizer
        self.hls, self.open_flow = hls, open_flow

    def model(self, device: str, target: str) -> Any:
        """One target's `HlsTargetModel`."""
        return HlsTargetModel(self._model_of(device), target)

    def _model_of(self, device: str) -> HlsModel:
        return self.open_flow if device == OPEN_DEVICE and self.open_flow is not None else self.hls

    def load_models(self) -> None:
        """Everything is read when the bundle is loaded."""

    def warm_up(self) -> None:
        """Have LightGBM read its models, and start what reads files, where that is another process."""
        read_waiting()
        self.featurizer.warm(())

    def _predicted(
        self, subjects: Sequence[Any], asked: Sequence[tuple[Device, Target]], together: bool = False
    ) -> list[tuple[Prediction, ...]]:
        named: dict[str, list[str]] = {}
        for device, target in asked:
            named.setdefault(device.name, []).append(target.name)
        found = [self._answers(subjects, names, device) for device, names in named.items()]
        return [_joined(answers) for answers in zip(*found, strict=True)]

    def _answers(self, designs: Sequence[HlsDesign], names: Sequence[str], device: str = DEVICE) -> list[Predictions]:
        """With details: all of them when every target was asked for, else what was corrected in the design."""
        model = self._model_of(device)
        features = self.featurizer.features(designs, extras=model.extras)
        reasons, layers = model.reasons(features), model.layers(features)
        answers = model.answer(features, names, reasons, layers)
        listed = model.predictions(answers, names, reasons, [device] * len(designs))
        whole = Details(model, designs, features, answers, layers) if answers.keys() >= HLS_TARGETS.keys() else None
        tell = [partial(_notes, design) if whole is None else partial(whole.of, i) for i, design in enumerate(designs)]
        return [Predictions(predictions, told) for predictions, told in zip(listed, tell, strict=True)]

    def explain(self, raw: Raw, device: str, target: str | None = None) -> Explanation:
        """The predicted total, layer by layer."""
        wanted, quantity = self._asked([device], None if target is None else [target])[0]
        design = self.featurizer.parse(raw)
        prediction = self._answers([design], [quantity.name], wanted.name)[0][0]
        return Explanation(prediction, self._model_of(wanted.name).shares(design, quantity.name))

    def advise(
        self, raw: Raw, reuse_factors: Sequence[int] | None = None, weight_bits: Sequence[int] | None = None
    ) -> Advice:
        """The Pareto front over reuse factor and width of the weights. Raises InputError."""
        return advise(self.hls, self.featurizer.parse(raw), reuse_factors, weight_bits)

    def report(self, raw: Raw) -> Mapping[str, Any]:
        """`Details` of one design, with ``report`` under the keys of hls4ml's own. Raises InputError."""
        return self._answers([self.featurizer.parse(raw)], list(HLS_TARGETS))[0].details

    def save(self, folder: Path) -> None:
        """Write the bundle into an existing empty folder."""
        (folder / "models").mkdir()
        self.hls.save(folder / "models")
        if self.open_flow is not None:
            (folder / _OPEN).mkdir()
            self.open_flow.save(folder / _OPEN)
        content = {
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "featurizer_version": self.featurizer.version,
            "targets": sorted(self.targets),
            "card": dict(self.card),
        }
        write_manifest(folder, content)

    @classmethod
    def load(cls, folder: Path, version: str | None = None) -> Self:
        """Read a bundle, after its checksums. Raises BundleError."""
        content: Mapping[str, Any] = read_manifest(folder)
        if content["kind"] != "hls4ml":
            raise BundleError(f"{folder} is a bundle of the kind '{content['kind']}', not 'hls4ml'.")
        try:
            hls = HlsModel.load(folder / "models")
            open_flow = HlsModel.load(folder / _OPEN) if (folder / _OPEN).is_dir() else None
        except InputError as error:
            raise BundleError(f"{folder}: {error}") from error
        hls.version = version or content["version"]
        if open_flow is not None:
            open_flow.version = hls.version
        loaded = cls(hls, open_flow)
        loaded.folder = folder
        return loaded


def _notes(design: HlsDesign) -> dict[str, Any]:
    return {"notes": list(design.notes)}


def _joined(answers: Sequence[Predictions]) -> Predictions:
    """Predictions of several devices in a row; the first that has details tells them."""
    if len(answers) == 1:
        return answers[0]
    return Predictions(chain(*answers), lambda: max((a.details for a in answers), key=len))
