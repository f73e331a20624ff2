"""A prediction under the keys of hls4ml's ``parse_vivado_report``, so that scripts read it as they read a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.hls4ml.model import DesignAnswer
from featurizers.hls4ml import HlsDesign

_CSYNTH = {
    "BestLatency": "cycles_min",
    "WorstLatency": "cycles_max",
    "IntervalMin": "interval",
    "IntervalMax": "interval",
    "BRAM_18K": "bram_csynth",
    "DSP": "dsp_csynth",
    "FF": "ff_csynth",
    "LUT": "lut_csynth",
}
_VSYNTH = {"LUT": "lut_vsynth", "FF": "ff_vsynth", "BRAM_18K": "bram_vsynth", "DSP48E": "dsp_vsynth"}
_AVAILABLE = {
    "AvailableBRAM_18K": "bram_18k",
    "AvailableDSP": "dsp",
    "AvailableFF": "ff",
    "AvailableLUT": "lut",
    "AvailableURAM": "uram",
}


def as_vivado_report(design: HlsDesign, answer: DesignAnswer) -> dict[str, dict[str, str]]:
    """``{"CSynthesisReport": {...}, "VivadoSynthReport": {...}}``, values as text like hls4ml's.

    Only what was predicted is there: no estimated clock, no UltraRAM. hls4ml's ``VivadoSynthReport`` counts block RAM
    in 36 Kb tiles under the key ``BRAM_18K``; so does this.
    """
    values = {prediction.target: prediction.value for prediction in answer.predictions}
    csynth = {"TargetClockPeriod": f"{design.clock_ns:.2f}"}
    csynth.update({key: _text(values[name]) for key, name in _CSYNTH.items() if name in values})
    if design.board is not None:
        csynth.update({key: str(getattr(design.board, field)) for key, field in _AVAILABLE.items()})
    vsynth = {key: _text(values[name]) for key, name in _VSYNTH.items() if name in values}
    return {"CSynthesisReport": csynth, "VivadoSynthReport": vsynth}


def as_json(design: HlsDesign, answer: DesignAnswer) -> Mapping[str, Any]:
    """Everything in JSON types: predictions with intervals, percent of the part, probabilities, notes, report."""
    return {
        "predictions": [
            {
                "target": p.target,
                "value": p.value,
                "unit": p.unit,
                "low": p.low,
                "high": p.high,
                "coverage": p.coverage,
                "in_domain": p.in_domain,
                "reasons": list(p.reasons),
            }
            for p in answer.predictions
        ],
        "percent_of_part": dict(answer.percent),
        "latency_ns": {"value": answer.latency_ns[0], "low": answer.latency_ns[1], "high": answer.latency_ns[2]},
        "p_fits": answer.fits,
        "p_synthesis_succeeds": answer.synthesises,
        "notes": list(answer.notes),
        "report": as_vivado_report(design, answer),
    }


def _text(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
