"""Devices of the kind `mlir`: a CPU that was never labelled, added from a few labelled programs.

`costmodel.mlir.adapt` behind the seam of `costmodel.devices.protocol`. The descriptor's field ``cpu`` may name the CPU
of the descriptor table that is closest (LLVM's name): answers then start from its prediction, else from the mean of
all known ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.devices.protocol import Adapted, Adapter, Answer
from costmodel.devices.transfer import TransferAdapter
from costmodel.mlir.adapt import Adapted as Weights
from costmodel.mlir.adapt import check_enough, fit, log_points
from costmodel.predictor import Predictor
from costmodel.regressors.base import Array
from featurizers.core import Raw
from featurizers.errors import InputError

SPACE, TARGET = "mlir", "cycles"
FIELDS = ("mlir", "file")
CLOSEST = "cpu"
LEARNER = "known-cpu-ridge"
_TAILS = 3.0
_DOMAIN = 2.0
"""Intervals of programs that no known CPU's model was made for are so much wider, in log space."""


class CpuAdapter(TransferAdapter):
    """See the module. Known CPUs are those that the bundle was trained on for cycles."""

    def __init__(self, predictor: Predictor):
        super().__init__(SPACE, FIELDS, predictor, TARGET, None)

    def adapt(
        self, raws: Sequence[Raw], values: Sequence[float], *, any_scale: bool = False,
        descriptor: Mapping[str, Any] | None = None,
    ) -> Adapted:  # fmt: skip
        check_enough(len(raws))
        closest = self.closest(descriptor or {})
        logs, measured = self.matrix(raws), np.asarray(values, dtype=np.float64)
        if not any_scale:
            self.check_scale(logs, np.log(measured))
        start, known = self.start(raws, logs, closest), dict(zip(self.devices, logs.T, strict=True))
        return CpuDevice(self, closest, fit(closest or "mean", TARGET, start, known, measured), measured, start, known)

    def closest(self, descriptor: Mapping[str, Any]) -> str | None:
        """The CPU that the descriptor names. UnknownNameError with those of the table."""
        from featurizers.mlir.cpus import cpu

        named = descriptor.get(CLOSEST)
        return None if named is None else cpu(str(named)).name

    def start(self, raws: Sequence[Raw], logs: Array, closest: str | None) -> Array:
        """Log predictions (n,) before any measurement counts."""
        if closest is None:
            return np.asarray(logs.mean(axis=1))
        if closest in self.devices:
            return np.asarray(logs[:, self.devices.index(closest)])
        return log_points(self.predictor, closest, [self.predictor.featurizer.parse(raw) for raw in raws], TARGET)


@dataclass(frozen=True, slots=True)
class CpuDevice:
    """An `Adapted`. values, start, known : of the measured programs."""

    adapter: CpuAdapter
    closest: str | None
    weights: Weights
    values: Array
    start: Array
    known: Mapping[str, Array]
    learner: str = LEARNER

    @property
    def trust(self) -> Array:
        error = np.log(self.values / self.weights.values(self.start, self.known))
        scale = 1.4826 * float(np.median(np.abs(error))) + 1e-3
        return np.asarray((_TAILS + 1) / (_TAILS + np.maximum((error / scale) ** 2, 1.0)))

    def answer(self, raws: Sequence[Raw]) -> list[Answer | InputError]:
        found = self.adapter.known(raws)
        good = [i for i, entry in enumerate(found) if not isinstance(entry, InputError)]
        answers: list[Answer | InputError] = [e if isinstance(e, InputError) else _NONE for e in found]
        if good:
            logs = np.array([entry.log for entry in found if not isinstance(entry, InputError)])
            start = self.adapter.start([raws[i] for i in good], logs, self.closest)
            values = self.weights.values(start, dict(zip(self.adapter.devices, logs.T, strict=True)))
            reasons = [entry.reasons for entry in found if not isinstance(entry, InputError)]
            for i, value, why in zip(good, values.tolist(), reasons, strict=True):
                answers[i] = self._answer(value, why)
        return answers

    def _answer(self, value: float, reasons: tuple[str, ...]) -> Answer:
        half = self.weights.half_width * (_DOMAIN if reasons else 1.0)
        return Answer(value, value * math.exp(-half), value * math.exp(half), reasons)


_NONE = Answer(math.nan, math.nan, math.nan)


def cpu_adapter(predictor: Predictor) -> Adapter:
    """The entry of `Kind.adapters`."""
    return CpuAdapter(predictor)


ADAPTERS = {SPACE: cpu_adapter}
