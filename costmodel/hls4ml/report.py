"""A prediction under the keys of hls4ml's ``parse_vivado_report``, so that scripts read it as they read a report."""

from __future__ import annotations

from collections.abc import Mapping

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


def as_vivado_report(design: HlsDesign, values: Mapping[str, float]) -> dict[str, dict[str, str]]:
    """``{"CSynthesisReport": {...}, "VivadoSynthReport": {...}}``, values as text like hls4ml's.

    values : by target.

    Only what was predicted is there: no estimated clock, no UltraRAM. hls4ml's ``VivadoSynthReport`` counts block RAM
    in 36 Kb tiles under the key ``BRAM_18K``; so does this.
    """
    csynth = {"TargetClockPeriod": f"{design.clock_ns:.2f}"}
    csynth.update({key: _text(values[name]) for key, name in _CSYNTH.items() if name in values})
    if design.board is not None:
        csynth.update({key: str(getattr(design.board, field)) for key, field in _AVAILABLE.items()})
    vsynth = {key: _text(values[name]) for key, name in _VSYNTH.items() if name in values}
    return {"CSynthesisReport": csynth, "VivadoSynthReport": vsynth}


def _text(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
