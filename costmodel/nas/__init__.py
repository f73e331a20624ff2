"""Predicted latency inside other people's searches: Optuna, Ax, syne-tune, NASLib, Archai, and in nn-Meter's place.

Each client is a module of its own, imported where its library is installed, and asks an `Oracle`: in this process or
over HTTP, the same.
"""

from costmodel.nas.oracle import DeviceOracle, Latency, Oracle, oracle

__all__ = ["DeviceOracle", "Latency", "Oracle", "oracle"]
