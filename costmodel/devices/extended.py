"""A kind's predictor with the devices that users added: the same class, so that nobody who asks it can tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from costmodel.devices.held import HeldDevice
from costmodel.devices.protocol import Answer
from costmodel.operations import KindOperation
from costmodel.prediction import Explanation, Prediction, Target
from costmodel.predictor import Device, Outcome, Predictor, Ranked
from costmodel.target_model import TargetModel
from featurizers.core import Raw
from featurizers.errors import InputError

_CHUNK = 2048


class ExtendedPredictor(Predictor):
    """Answers of `base` for its devices as if there were no others; of `added` for theirs."""

    def __init__(self, base: Predictor, added: Sequence[HeldDevice]):
        self.base = base
        self.added = {held.record.name: held for held in added if held.record.name not in base.devices}
        self.kind, self.name, self.version, self.card = base.kind, base.name, base.version, base.card
        self.featurizer, self.default_device, self.folder = base.featurizer, base.default_device, base.folder
        self.devices = {**base.devices, **{name: held.device for name, held in self.added.items()}}
        own = {held.adapter.target.name: held.adapter.target for held in self.added.values()}
        self.targets: Mapping[str, Target] = {**own, **base.targets}

    def __getattr__(self, name: str) -> Any:
        """What a kind's own predictor has beside the methods of all, for the kind's own operations."""
        if name == "base":
            raise AttributeError(name)
        return getattr(self.base, name)

    @property
    def operations(self) -> Mapping[str, KindOperation]:
        return self.base.operations

    def model(self, device: str, target: str) -> TargetModel:
        return self.base.model(device, target)

    def load_models(self) -> None:
        self.base.load_models()

    def warm_up(self) -> None:
        self.base.warm_up()

    def save(self, folder: Path) -> None:
        self.base.save(folder)

    def predict_stream(
        self, raws: Iterable[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> Iterator[Outcome]:
        if not any(name in self.added for name in devices):
            yield from self.base.predict_stream(raws, devices, targets)
            return
        asked = self._asked(devices, targets)
        iterator = iter(raws)
        while chunk := list(islice(iterator, _CHUNK)):
            yield from self._predict_chunk(chunk, asked)

    def rank(
        self, raws: Sequence[Raw], device: str, target: str | None = None, weights: Mapping[str, float] | None = None
    ) -> tuple[list[Ranked], dict[int, InputError]]:
        if device not in self.added:
            return self.base.rank(raws, device, target, weights)
        return super().rank(raws, device, target, weights)

    def explain(self, raw: Raw, device: str, target: str | None = None) -> Explanation:
        if device not in self.added:
            return self.base.explain(raw, device, target)
        learner = self.added[device].adapted.learner
        rule = f"has no breakdown: its learner '{learner}' knows totals only"
        raise InputError(f"The device '{device}'", rule)

    def _predict_chunk(
        self, raws: Sequence[Raw], asked: list[tuple[Device, Target]], together: bool = False
    ) -> list[Outcome]:
        known = [(device, target) for device, target in asked if device.name not in self.added]
        from_base = iter(self.base._predict_chunk(raws, known)) if known else None
        columns = {device.name: self._column(device, raws) for device, _ in asked if device.name in self.added}
        return [
            _joined(next(from_base) if from_base else (), [columns[d.name][i] for d, _ in asked if d.name in columns])
            for i in range(len(raws))
        ]

    def _column(self, device: Device, raws: Sequence[Raw]) -> list[Prediction | InputError]:
        held = self.added[device.name]
        return [self._prediction(held, entry) for entry in held.answer(raws)]

    def _prediction(self, held: HeldDevice, answer: Answer | InputError) -> Prediction | InputError:
        if isinstance(answer, InputError):
            return answer
        target = held.adapter.target
        return Prediction(
            target.name, answer.value, target.unit, answer.low, answer.high, held.adapter.coverage,
            not answer.reasons, answer.reasons, held.record.name, held.model, str(held.record.version),
            target.higher_is_better,
        )  # fmt: skip


def _joined(base: Outcome, added: Sequence[Prediction | InputError]) -> Outcome:
    """Predictions of one input on all devices asked, packaged ones first; its error where any cannot answer it."""
    if isinstance(base, InputError):
        return base
    predictions = list(base)
    for entry in added:
        if isinstance(entry, InputError):
            return entry
        predictions.append(entry)
    return tuple(predictions)
