"""What a search asks: the latency of candidates on one device, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from costmodel.predictor import Outcome
from featurizers.core import Raw
from featurizers.errors import InputError

TARGET = "latency_ms"
_NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; the truth lies in [low_ms, high_ms] with probability 0.9 where `in_domain`."""

    ms: float
    low_ms: float
    high_ms: float
    in_domain: bool = True

    @property
    def sd_ms(self) -> float:
        """Standard deviation of a normal distribution with this interval."""
        return (self.high_ms - self.low_ms) / 2 / _NORMAL_90


class Oracle(Protocol):
    """Anything that says what candidates take. Raises InputError for a candidate that it cannot answer."""

    def latency(self, raws: Sequence[Raw]) -> list[Latency]: ...


class Predicts(Protocol):
    """`costmodel.client.Client`, or `costmodel.cli.answering.InProcess`."""

    def predict(
        self, kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]: ...


class DeviceOracle:
    """One device of a service or of this process. Raises InputError for a candidate, naming what is wrong with it."""

    def __init__(self, answers: Predicts, device: str, kind: str = "network"):
        self._answers, self.device, self._kind = answers, device, kind

    def latency(self, raws: Sequence[Raw]) -> list[Latency]:
        """Of raw inputs such as ``{"nasbench201": "|...|"}`` or ``{"onnx": b"..."}``."""
        return [_latency(outcome) for outcome in self._answers.predict(self._kind, raws, [self.device], [TARGET])]


def _latency(outcome: Outcome) -> Latency:
    if isinstance(outcome, InputError):
        raise outcome
    (found,) = outcome
    return Latency(found.value, found.low, found.high, found.in_domain)


def oracle(device: str, url: str | None = None) -> DeviceOracle:
    """A packaged or added device: of the service at `url`, else answered in this process."""
    if url is not None:
        from costmodel.client import Client

        return DeviceOracle(Client(url), device)
    from costmodel.cli.answering import InProcess
    from costmodel.registry import ModelStore

    store = ModelStore()
    store.refresh()
    return DeviceOracle(InProcess(store), device)
