"""What is said of a design beside its predictions: its share of the part, will it fit, what was corrected, by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.closed_forms import latency_cycles
from costmodel.hls4ml.forms import HLS_TARGETS, RESOURCES
from costmodel.hls4ml.layers import Layers, Values
from costmodel.hls4ml.report import as_vivado_report
from featurizers.core import Features
from featurizers.hls4ml import HlsDesign

if TYPE_CHECKING:
    from costmodel.hls4ml.answers import TargetAnswer
    from costmodel.hls4ml.model import HlsModel

_LAYER_KEYS = ("lut", "ff", "dsp", "bram_18k")
_DIGITS = 4


class Details:
    """Of the designs of one call, computed together when the first is asked for. answers : of every HLS target.

    found : their layers, with what was worked out about them for the answers.
    """

    def __init__(
        self,
        model: HlsModel,
        designs: Sequence[HlsDesign],
        features: Features,
        answers: Mapping[str, TargetAnswer],
        found: Layers,
    ):
        self._model, self._designs, self._features, self._answers = model, designs, features, answers
        self._found = found

    def of(self, index: int) -> dict[str, Any]:
        """Of one design, in JSON types: probabilities are None without a part, `layers` sum up to the predictions."""
        design = self._designs[index]
        values = {name: float(answer.value[index]) for name, answer in self._answers.items()}
        return {
            "part": None if design.board is None else design.board.part,
            "percent_of_part": percent_of_part(design, values),
            "p_fits": self._fits["csynth"][index],
            "p_fits_vsynth": self._fits["vsynth"][index],
            "p_synthesis_succeeds": self._success[index],
            "notes": list(design.notes),
            "layers": self._layers(index),
            "report": as_vivado_report(design, values),
        }

    @cached_property
    def _fits(self) -> dict[str, list[float | None]]:
        boards = [design.board for design in self._designs]
        found = {stage: self._model.fits(self._answers, boards, stage) for stage in RESOURCES}
        return {
            stage: [None if np.isnan(chance) else round(float(chance), _DIGITS) for chance in chances]
            for stage, chances in found.items()
        }

    @cached_property
    def _success(self) -> list[float]:
        return [round(float(chance), _DIGITS) for chance in self._model.synthesises(self._features, self._found)]

    @cached_property
    def _shares(self) -> tuple[Values, Values, npt.NDArray[np.int64]]:
        """Resources (layers, 4) and cycles (layers,) of every layer, and where each design's layers begin (n + 1,)."""
        layers = self._found
        columns = []
        for name in RESOURCES["csynth"]:
            costs = np.maximum(self._model.layer_costs(HLS_TARGETS[name], layers), 0.0)
            total = layers.total(costs)
            scale = np.divide(self._answers[name].value, total, out=np.zeros(len(total)), where=total > 0)
            columns.append(costs * scale[layers.owner])
        starts = np.append(layers.starts, len(layers.owner))
        return np.round(np.stack(columns, axis=1), 1), latency_cycles(layers)[1], starts

    def _layers(self, index: int) -> list[dict[str, Any]]:
        resources, cycles, starts = self._shares
        rows = range(int(starts[index]), int(starts[index + 1]))
        return [
            {
                "name": layer.name,
                "kind": layer.kind,
                "strategy": layer.strategy,
                "reuse_factor": layer.reuse_factor,
                **dict(zip(_LAYER_KEYS, resources[row].tolist(), strict=True)),
                "cycles": float(cycles[row]),
            }
            for row, layer in zip(rows, self._designs[index].layers, strict=True)
        ]


def percent_of_part(design: HlsDesign, values: Mapping[str, float]) -> dict[str, float]:
    """By target that the part limits; empty without a part."""
    if design.board is None:
        return {}
    limits = {name: spec.limit(design.board) for name, spec in HLS_TARGETS.items() if name in values and spec.resource}
    return {name: round(100 * values[name] / limit, _DIGITS) for name, limit in limits.items() if limit > 0}
