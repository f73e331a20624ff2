"""Measures what networks cost on this host: runtimes, a reference workload, campaigns, labels."""

from costmodel.measure.api import Measurement, measure_model
from costmodel.measure.devices import DEVICES, device_name, host_name
from costmodel.measure.runtimes import RUNTIMES, UnsupportedModelError

__all__ = [
    "DEVICES",
    "RUNTIMES",
    "Measurement",
    "UnsupportedModelError",
    "device_name",
    "host_name",
    "measure_model",
]
