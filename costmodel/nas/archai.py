"""Archai: predicted latency as a `ModelEvaluator`, for ``SearchObjectives.add_objective``."""

from __future__ import annotations

from collections.abc import Callable

from archai.discrete_search.api.archai_model import ArchaiModel
from archai.discrete_search.api.model_evaluator import ModelEvaluator
from overrides import overrides

from costmodel.nas.oracle import Oracle
from featurizers.core import Raw
from featurizers.errors import InputError

FIELD = "costmodel"


def of_metadata(model: ArchaiModel) -> Raw:
    """The raw input that the search space left in ``model.metadata["costmodel"]``."""
    raw = model.metadata.get(FIELD)
    if not isinstance(raw, dict):
        rule = f"must hold '{FIELD}', a raw input such as {{'nasbench201': ...}}; or give the evaluator 'encode'"
        raise InputError("The metadata of an Archai model", rule, sorted(model.metadata))
    return raw


class LatencyEvaluator(ModelEvaluator):  # type: ignore[misc]
    """Milliseconds, lower is better. encode : an Archai model -> raw input, e.g. its ONNX file."""

    def __init__(self, oracle: Oracle, encode: Callable[[ArchaiModel], Raw] = of_metadata):
        self._oracle, self._encode = oracle, encode

    @overrides  # type: ignore[untyped-decorator]
    def evaluate(self, arch: ArchaiModel, budget: float | None = None) -> float:
        """Predicted latency; `budget` changes nothing."""
        (latency,) = self._oracle.latency([self._encode(arch)])
        return latency.ms
