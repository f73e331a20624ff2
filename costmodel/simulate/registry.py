"""Which simulated accelerators there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from costmodel.simulate.base import Simulator
from featurizers.errors import UnknownNameError


def _scale_sim() -> Simulator:
    from costmodel.simulate.scale_sim import WeightStationaryArray

    return WeightStationaryArray(64, 64)


def _zigzag() -> Simulator:
    from costmodel.simulate.zigzag_dse import EdgeTpuLike

    return EdgeTpuLike()


SIMULATORS: Mapping[str, Callable[[], Simulator]] = {
    "sim-scalesim-ws64x64": _scale_sim,
    "sim-zigzag-edge-tpu-like": _zigzag,
}


def simulator(device: str) -> Simulator:
    """The simulator of that name. UnknownNameError for any other; ImportError when its package is not installed."""
    if device not in SIMULATORS:
        raise UnknownNameError("simulated accelerator", device, SIMULATORS)
    try:
        return SIMULATORS[device]()
    except ModuleNotFoundError as error:
        hint = "pip install 'costmodel[simulate]'"
        raise ImportError(f"'{device}' needs a package that is not installed: {hint}", name=error.name) from error
