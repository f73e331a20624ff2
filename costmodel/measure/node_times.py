"""From the profiler's times to what each node contributes to its network's latency.

The profiler's own work (two clock reads, and the text of every shape) lies inside the time that it reports for a
node: some microseconds each, several times what a small node takes. That overhead is estimated per device from how far
the nodes' sum exceeds the latency measured without the profiler, growing with the number of nodes; it is taken off
every node, and the rest is scaled so that the nodes of a network add up to its label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.measure.labels import Label, QuietState

Floats = npt.NDArray[np.float64]
_SHORT_MS = 3.0
"""The overhead is estimated on networks shorter than this; in longer ones it drowns."""
_LEAST_SHARE = 0.05
"""Of its reported time every node keeps at least this, however small it is."""
_MIN_NETWORKS = 20


@dataclass(frozen=True, slots=True)
class ProfiledNetwork:
    """The nodes of one network on one device in order of execution, `reported_ms` each, and its label."""

    network: str
    device: str
    nodes: Sequence[Mapping[str, Any]]
    reported_ms: Floats
    label_ms: float

    def contributions_ms(self, overhead_ms: float) -> Floats:
        """Each node's part of the label."""
        net = np.maximum(self.reported_ms - overhead_ms, _LEAST_SHARE * self.reported_ms)
        return np.asarray(net * (self.label_ms / net.sum()))


def merge_profiles(profiles: Iterable[Mapping[str, Any]], label: Label, quiet: QuietState) -> Floats:
    """Reported time per node in milliseconds at the quiet state: the mean of the middle half of all runs.

    All profiles are of the same network on the same device, so that their nodes are the same.
    """
    runs: list[Floats] = []
    for profile in profiles:
        points = np.asarray(profile["references"], float)
        segment = np.asarray(profile["segment"], int)
        factors = np.exp(-label.gamma * quiet.loudness((points[segment] + points[segment + 1]) / 2))
        runs.append(np.array([node["us"] for node in profile["nodes"]], float) * factors)
    ordered = np.sort(np.concatenate(runs, axis=1), axis=1)
    count = ordered.shape[1]
    return np.asarray(ordered[:, count // 4 : count - count // 4].mean(axis=1) / 1e3)


def estimate_overhead_ms(networks: Sequence[ProfiledNetwork]) -> float:
    """The profiler's time per node on one device, at least zero; zero when there are too few short networks."""
    short = [n for n in networks if n.label_ms < _SHORT_MS]
    if len(short) < _MIN_NETWORKS:
        return 0.0
    excess = np.array([n.reported_ms.sum() - n.label_ms for n in short])
    columns = np.array([[len(n.nodes), n.label_ms] for n in short])
    weight = 1 / np.sqrt(np.array([n.label_ms for n in short]) + 0.05)
    solution = np.linalg.lstsq(columns * weight[:, None], excess * weight, rcond=None)[0]
    return max(0.0, float(solution[0]))
