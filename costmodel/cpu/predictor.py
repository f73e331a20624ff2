"""The third seam for servers: marks machines that our tables do not know, and explains by the nearest measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from costmodel.cpu.adapt import Adapter
from costmodel.cpu.catalogue import Catalogue
from costmodel.cpu.together import Together
from costmodel.prediction import Explanation, Neighbour, Prediction, Target
from costmodel.predictor import Device, Predictor
from costmodel.regressors.native_lightgbm import read_waiting
from featurizers.core import Raw
from featurizers.cpu.spec import ServerSpec
from featurizers.errors import InputError

TABLES = "tables"
"""Folder of a bundle that holds the catalogue of measured machines, and the factors of `adapt`."""


_MANY_TARGETS = 8
"""From so many on, answering all of a device's targets at once takes less than answering these one by one."""


class CpuPredictor(Predictor):
    """As `Predictor`, and what only this kind answers: see `costmodel.cpu.operations`."""

    default_device = "spare-cores"
    folder: Path | None = None
    """Where the bundle's tables lie; None for a predictor that was just trained."""

    @cached_property
    def _joined(self) -> dict[str, Together | None]:
        return {}

    @cached_property
    def adapter(self) -> Adapter:
        """Raises InputError where the bundle has no factors."""
        return Adapter.load(self._tables())

    @cached_property
    def catalogue(self) -> Catalogue:
        """Raises InputError where the bundle has no catalogue."""
        return Catalogue.load(self._tables())

    def _tables(self) -> Path:
        if self.folder is None or not (self.folder / TABLES).is_dir():
            rule = "has no tables of measured machines; python -m costmodel.cpu.training writes a bundle with them"
            raise InputError(f"The model '{self.name}' {self.version}", rule)
        return self.folder / TABLES

    def warm_up(self) -> None:
        """Read every model and table now instead of at first use."""
        super().warm_up()
        if self.folder is not None and (self.folder / TABLES).is_dir():
            _ = self.adapter, self.catalogue
        for device in self.devices.values():
            self._together(device)
        read_waiting()

    def _together(self, device: Device) -> Together | None:
        """All targets of a device as one model; None where they do not share what makes that possible."""
        found = self._joined.get(device.name, self)
        if found is self:
            models = {target: self.model(device.name, target) for target in device.targets}
            found = self._joined[device.name] = Together.of(models)
        return found  # type: ignore[return-value]

    def _predicted(
        self, subjects: Sequence[Any], asked: Sequence[tuple[Device, Target]], together: bool = False
    ) -> list[tuple[Prediction, ...]]:
        first = asked[0][0]
        alone = len(asked) < _MANY_TARGETS or any(device is not first for device, _ in asked)
        joined = None if alone else self._together(first)
        if joined is None:
            return super()._predicted(subjects, asked, together)
        features = self.featurizer.features(subjects, profile=first.profile)
        reasons = self._reasons(subjects, joined.domain.check(features))
        answers = joined.answer(features, reasons)
        targets = [target for _, target in asked]
        names = [target.name for target in targets]
        if names != list(joined.names):
            answers = answers[:, :, [joined.names.index(name) for name in names]]
        coverage = [self.model(first.name, name).calibration.coverage for name in names]
        return [
            tuple(
                self._prediction_of(first, target, value, low, high, covered, why)
                for target, low, value, high, covered in zip(targets, *numbers, coverage, strict=True)
            )
            for *numbers, why in zip(*answers.tolist(), reasons, strict=True)
        ]

    def _reasons(self, subjects: Sequence[Any], found: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        return [marked(subject, reasons) for subject, reasons in zip(subjects, found, strict=True)]

    def explain(self, raw: Raw, device: str, target: str | None = None) -> Explanation:
        """The prediction and the nearest measured CPU models: how they differ, and what was measured on them."""
        wanted, quantity = self._asked([device], None if target is None else [target])[0]
        spec: ServerSpec = self.featurizer.parse(raw)
        features, model = self.featurizer.features([spec]), self.model(wanted.name, quantity.name)
        answers = model.answer(features, self._reasons([spec], model.domain.check(features)))
        prediction = self._predictions(answers, wanted, quantity)[0]
        return Explanation(prediction, (), tuple(self.nearest(spec, quantity.name)))

    def nearest(self, spec: ServerSpec, target: str | None = None, count: int = 3) -> list[Neighbour]:
        """The `count` most alike CPU models, each by its most alike server, with its score in `target`."""
        return self.catalogue.nearest(spec, self.adapter.support, self.adapter.shape, target, count)

    def save(self, folder: Path) -> None:
        """As `Predictor.save`, with the tables that this one was loaded with."""
        if self.folder is not None and (self.folder / TABLES).is_dir() and not (folder / TABLES).exists():
            (folder / TABLES).mkdir()
            for path in sorted((self.folder / TABLES).iterdir()):
                (folder / TABLES / path.name).write_bytes(path.read_bytes())
        super().save(folder)

    @classmethod
    def load(cls, folder: Path, version: str | None = None) -> Self:
        """Read a bundle, after its checksums. Raises BundleError."""
        loaded = super().load(folder, version)
        loaded.folder = folder
        return loaded


def marked(spec: ServerSpec, reasons: tuple[str, ...]) -> tuple[str, ...]:
    """`reasons`, with those of our tables: a CPU whose design they do not have, more cores than its model has."""
    notes = [note for note in (_unknown(spec), _too_many_cores(spec)) if note and note not in reasons]
    return (*notes, *reasons)


def _unknown(spec: ServerSpec) -> str:
    if spec.microarchitecture:
        return ""
    name = f"'{spec.cpu_name}'" if spec.cpu_name else "of this machine"
    return f"the CPU {name} is in no table of ours: answered from the given fields alone"


def _too_many_cores(spec: ServerSpec) -> str:
    """A guest may be shown two sockets as one, but no more."""
    cores = spec.processor.facts.get("cores", spec.cores_per_socket) if spec.processor else spec.cores_per_socket
    if not spec.cores_per_socket > 2 * cores:
        return ""
    return f"{spec.cpu_name} has {cores:g} cores on a socket, not {spec.cores_per_socket:g}"
