"""Predictions by the workers of a cluster: each holds the models, and answers a part of the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from costmodel.predictor import Outcome
from featurizers.core import Raw

if TYPE_CHECKING:
    from costmodel.distributed.cluster import Cluster
    from costmodel.predictor import Predictor

_TOGETHER = 512
"""Inputs of one task."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a worker is asked. models_dir : a folder that it has too; None for its champions, else the packaged."""

    kind: str
    inputs: tuple[Raw, ...]
    devices: tuple[str, ...]
    targets: tuple[str, ...] | None
    models_dir: str | None


class Predicts(Protocol):
    """The method of `costmodel.client.Client` that a list of inputs needs."""

    def predict(
        self, kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]: ...


class ByCluster:
    """`predict` as `costmodel.client.Client` has it, by the workers of a cluster."""

    def __init__(self, cluster: Cluster, models_dir: Path | None = None):
        self._cluster = cluster
        self._models_dir = None if models_dir is None else str(models_dir.resolve())

    def predict(
        self, kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]:
        """As `Predictor.predict`, in the order of the inputs."""
        asked = None if targets is None else tuple(targets)
        questions = (Question(kind, part, tuple(devices), asked, self._models_dir) for part in _parts(inputs))
        return [outcome for answered in self._cluster.map(answer, questions) for outcome in answered]


def _parts(inputs: Sequence[Raw]) -> Iterator[tuple[Raw, ...]]:
    left = iter(inputs)
    while part := tuple(islice(left, _TOGETHER)):
        yield part


def answer(question: Question) -> list[Outcome]:
    """What a worker does."""
    predictor = _predictor(question.kind, question.models_dir)
    return predictor.predict(question.inputs, question.devices, question.targets)


@lru_cache(maxsize=8)
def _predictor(kind: str, models_dir: str | None) -> Predictor:
    from costmodel.registry import ModelStore

    if models_dir is not None:
        return ModelStore(Path(models_dir), use_registry=False).predictor(kind)
    store = ModelStore()
    store.refresh()
    return store.predictor(kind)
