"""The targets of this kind, and the closed form that each starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from costmodel.hls4ml import closed_forms
from costmodel.hls4ml.basis import TERMS, memory_terms, terms
from costmodel.hls4ml.layers import Layers, Values, once
from costmodel.prediction import Target
from featurizers.hls4ml import Board

FORMS: Final[Mapping[str, Callable[[Layers], Values]]] = {
    "dsp": lambda layers: layers.total(closed_forms.dsps(layers)),
    "blocks": lambda layers: layers.total(memory_terms(layers).sum(axis=1)),
    "index tiles": lambda layers: layers.total(memory_terms(layers)[:, [0, 2]].sum(axis=1)) / 2,
    "yosys dsp": lambda layers: layers.total(closed_forms.yosys_dsps(layers)),
    "cycles min": lambda layers: closed_forms.design_cycles(layers)[0],
    "cycles max": lambda layers: closed_forms.design_cycles(layers)[1],
    "interval": lambda layers: closed_forms.design_cycles(layers)[2],
}
"""Closed forms that need nothing fitted. ``terms`` (LUT, FF) is the other one: a fitted sum of `basis.TERMS`."""


@dataclass(frozen=True, slots=True)
class HlsTarget:
    """form : a key of `FORMS`, or 'terms'. offset : learning space is ``log(value + offset)``, since counts may be 0.

    step : counts come in multiples of it. resource : the part's limit that it is held against, '' for none.
    scale : of that limit in this target's unit (a 36 Kb tile is two 18 Kb blocks).
    prior_share : of C-synthesis' coefficients, where nothing labelled has a term.
    """

    name: str
    unit: str
    form: str
    offset: float = 1.0
    step: float = 1.0
    resource: str = ""
    scale: float = 1.0
    prior_share: float = 1.0

    def limit(self, board: Board) -> float:
        """How much of the resource a part has, in this target's unit."""
        return board.limit(self.resource) * self.scale

    @property
    def target(self) -> Target:
        """As the rest of the project knows it."""
        return Target(self.name, self.unit)


HLS_TARGETS: Final[Mapping[str, HlsTarget]] = {
    target.name: target
    for target in (
        HlsTarget("lut_csynth", "LUT", "terms", resource="lut"),
        HlsTarget("ff_csynth", "FF", "terms", resource="ff"),
        HlsTarget("dsp_csynth", "DSP", "dsp", resource="dsp"),
        HlsTarget("bram_csynth", "18Kb block", "blocks", resource="bram"),
        HlsTarget("cycles_min", "cycle", "cycles min"),
        HlsTarget("cycles_max", "cycle", "cycles max"),
        HlsTarget("interval", "cycle", "interval"),
        HlsTarget("latency_ns", "ns", "cycles max"),
        HlsTarget("lut_vsynth", "LUT", "terms", resource="lut", prior_share=0.42),
        HlsTarget("ff_vsynth", "FF", "terms", resource="ff", prior_share=0.9),
        HlsTarget("dsp_vsynth", "DSP", "dsp", resource="dsp"),
        HlsTarget("bram_vsynth", "36Kb tile", "index tiles", 0.5, 0.5, "bram", 0.5),
    )
}
"""``_csynth``: what HLS estimates. ``_vsynth``: after logic synthesis. Cycles are the HLS schedule's; ``latency_ns`` is
``cycles_max`` at the design's clock."""

RESOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    stage: tuple(f"{resource}_{stage}" for resource in ("lut", "ff", "dsp", "bram")) for stage in ("csynth", "vsynth")
}
"""By stage the targets that a part limits."""


def fixed_form(form: str, layers: Layers) -> Values:
    """A closed form's value per design, (n,)."""
    return np.maximum(FORMS[form](layers), 0.0)


@once
def totals(layers: Layers) -> Values:
    """Sums over layers of every term and kind of memory block, float64 (n, len(TERMS) + 3).

    Their logs are what the residual learner sees beside the design's own columns.
    """
    return layers.total(np.concatenate([terms(layers), memory_terms(layers)], axis=1))


SUMMARY_NAMES: Final = (*TERMS, "index blocks", "weight blocks", "table blocks")

YOSYS_TARGETS: Final[Mapping[str, HlsTarget]] = {
    target.name: target
    for target in (
        HlsTarget("lut_yosys", "LUT", "terms", resource="lut"),
        HlsTarget("ff_yosys", "FF", "terms", resource="ff"),
        HlsTarget("dsp_yosys", "DSP", "yosys dsp"),
        HlsTarget("carry_yosys", "CARRY8", "terms", resource="lut", prior_share=0.2),
    )
}
"""Of the open flow (da4ml or shared multipliers as Verilog, then Yosys): another tool, so targets of their own."""

TARGETS: Final[Mapping[str, HlsTarget]] = {**HLS_TARGETS, **YOSYS_TARGETS}
"""Every target that data may label."""
