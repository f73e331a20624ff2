"""An added device in memory: its record, and what its measurements made of it, learned when first asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from threading import RLock

import numpy as np

from costmodel.devices.protocol import BATCH, Adapted, Adapter, Answer, batch_of
from costmodel.devices.wire import Fit, Residual
from costmodel.predictor import Device
from costmodel.regressors.base import Array
from costmodel.state import DeviceRecord, Measurement
from featurizers.core import Raw
from featurizers.errors import InputError

_LEFT_OUT_MAX = 20


class HeldDevice:
    """`record` as `adapter` understands it. Of repeated inputs the newest measurement counts."""

    def __init__(self, record: DeviceRecord, adapter: Adapter, adapted: Adapted | None = None):
        self.record = record
        self.adapter = adapter
        self._adapted = adapted
        self._lock = RLock()

    @cached_property
    def newest(self) -> list[Measurement]:
        """One measurement per input, in the order in which inputs were first measured."""
        return newest(self.adapter, self.record.measurements)

    @property
    def raws(self) -> list[Raw]:
        return [measurement.raw for measurement in self.newest]

    @property
    def adapted(self) -> Adapted:
        """Learned the first time. Raises InputError where the measurements are no longer understood."""
        with self._lock:
            if self._adapted is None:
                values = [measurement.value for measurement in self.newest]
                self._adapted = self.adapter.adapt(
                    self.raws, values, any_scale=self.record.any_scale, descriptor=self.record.descriptor
                )
            return self._adapted

    @cached_property
    def device(self) -> Device:
        """The entry among the predictor's devices."""
        record = self.record
        origin = {"added": True, "id": record.id, "space": record.space, "batch": record.batch}
        counted = {"measurements": len(self.newest), "version": record.version}
        descriptor = {**record.descriptor, **record.conditions, **origin, **counted}
        return Device(record.name, "", (self.adapter.target.name,), descriptor)

    @property
    def model(self) -> str:
        """The model's name in predictions."""
        return f"fewshot-{self.record.space}-{self.adapted.learner}"

    def answer(self, raws: Sequence[Raw]) -> list[Answer | InputError]:
        """Per input its value or what is wrong with it, another batch size than the device's among it."""
        wrong = {i: error for i, raw in enumerate(raws) if (error := self._other_batch(raw)) is not None}
        good = [raw for i, raw in enumerate(raws) if i not in wrong]
        answers = iter(self.adapted.answer(good) if good else [])
        return [wrong[i] if i in wrong else next(answers) for i in range(len(raws))]

    def _other_batch(self, raw: Raw) -> InputError | None:
        if not isinstance(raw, dict) or BATCH not in raw or batch_of(raw) == self.record.batch:
            return None
        rule = f"must be that of its measurements, {self.record.batch}: another batch size is another device"
        return InputError(f"The batch size on device '{self.record.name}'", rule, raw[BATCH])

    def fit(self) -> Fit:
        """Every measurement beside its answer, and how well each is predicted by the others."""
        answers = self.adapted.answer(self.raws)
        rows = zip(self.newest, answers, self.adapted.trust.tolist(), strict=True)
        residuals = [
            Residual(shown(measured.raw), measured.value, answer.value, answer.low, answer.high, trust)
            for measured, answer, trust in rows
            if isinstance(answer, Answer)
        ]
        return Fit(self.adapted.learner, len(self.newest), self.left_out_error, residuals)

    @cached_property
    def left_out_error(self) -> float | None:
        """Median relative error of up to twenty measurements, each predicted from all others."""
        values = np.array([measurement.value for measurement in self.newest])
        errors = []
        for i in range(min(len(values), _LEFT_OUT_MAX)):
            found = self._without(i, values)
            if found is not None:
                errors.append(abs(found / values[i] - 1))
        return float(np.median(errors)) if errors else None

    def _without(self, i: int, values: Array) -> float | None:
        others = [raw for j, raw in enumerate(self.raws) if j != i]
        try:
            left = np.delete(values, i).tolist()
            adapted = self.adapter.adapt(others, left, any_scale=True, descriptor=self.record.descriptor)
        except InputError:
            return None  # too few without it
        (answer,) = adapted.answer([self.raws[i]])
        return answer.value if isinstance(answer, Answer) else None


def newest(adapter: Adapter, measurements: Sequence[Measurement]) -> list[Measurement]:
    """One measurement per input, the newest, in the order in which inputs were first measured."""
    return list({adapter.identity(measurement.raw): measurement for measurement in measurements}.values())


def shown(raw: Raw) -> dict[str, object]:
    """A raw input as JSON shows it: a file by its length."""
    return {name: f"{len(value)} bytes" if isinstance(value, bytes) else value for name, value in raw.items()}
