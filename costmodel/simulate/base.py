"""What every simulator offers, and how costs of layers become the cost of a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from costmodel.simulate.layers import Layer, Workload

CLOCK_HZ = 1e9
"""Clock at which cycles are turned into time. The simulators know cycles only."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cycles, and energy in microjoule where the simulator models it."""

    cycles: float
    energy_uj: float | None = None

    def times(self, count: int) -> Cost:
        """The cost of `count` of these, one after another."""
        return Cost(self.cycles * count, None if self.energy_uj is None else self.energy_uj * count)


class Simulator(Protocol):
    """An accelerator under simulation. Equal layers give equal costs, in any order, on any machine."""

    @property
    def device(self) -> str:
        """Its name, always ``sim-...``: no silicon stands behind it."""

    def pieces(self, layer: Layer) -> tuple[Layer, int]:
        """The layer as the simulator sees it, and how many such pieces run one after another."""

    def simulate(self, piece: Layer) -> Cost:
        """The cost of one piece."""


def latency_ms(cost: Cost) -> float:
    """Time at `CLOCK_HZ`."""
    return cost.cycles / CLOCK_HZ * 1e3


def network_cost(workload: Workload, cost_of: Callable[[Layer], Cost]) -> Cost:
    """The sum over all layers: the accelerator runs them one after another and keeps nothing between them."""
    costs = [cost_of(layer).times(count) for layer, count in sorted(workload.layers.items())]
    energies = [cost.energy_uj for cost in costs if cost.energy_uj is not None]
    return Cost(sum(cost.cycles for cost in costs), sum(energies) if len(energies) == len(costs) else None)
