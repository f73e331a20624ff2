"""Simulated accelerators: exact, noise-free costs of a network's convolutions and matrix products."""

from costmodel.simulate.base import CLOCK_HZ, Cost, Simulator, latency_ms, network_cost
from costmodel.simulate.layers import Layer, Workload, workload_of
from costmodel.simulate.registry import SIMULATORS, simulator

__all__ = [
    "CLOCK_HZ",
    "SIMULATORS",
    "Cost",
    "Layer",
    "Simulator",
    "Workload",
    "latency_ms",
    "network_cost",
    "simulator",
    "workload_of",
]
