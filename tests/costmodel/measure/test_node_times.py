"""The profiler's overhead is found and taken off, and nodes add up to the network's latency."""

import numpy as np
import pytest

from costmodel.measure.labels import Label, QuietState
from costmodel.measure.node_times import ProfiledNetwork, estimate_overhead_ms, merge_profiles

QUIET = QuietState(0.4, 0.48)
LABEL = Label(1.0, 1.0, 0.0, 6, 6, 0.4, 1.0)


def network(true_ms: np.ndarray, overhead_ms: float) -> ProfiledNetwork:
    return ProfiledNetwork("n", "ort-fp32-b1", [{}] * len(true_ms), true_ms + overhead_ms, float(true_ms.sum()))


@pytest.mark.parametrize("overhead_ms", [0.0, 0.004])
def test_overhead_is_recovered_and_contributions_are_the_true_times(overhead_ms: float) -> None:
    rng = np.random.default_rng(0)
    networks = [network(rng.lognormal(-4, 1.0, rng.integers(5, 60)), overhead_ms) for _ in range(60)]
    found = estimate_overhead_ms(networks)
    assert found == pytest.approx(overhead_ms, abs=1e-9)
    for n in networks:
        np.testing.assert_allclose(n.contributions_ms(found), n.reported_ms - overhead_ms, rtol=0.05)
        assert n.contributions_ms(found).sum() == pytest.approx(n.label_ms)


def test_a_node_smaller_than_the_overhead_keeps_a_little() -> None:
    found = network(np.array([0.5, 0.001]), 0.004).contributions_ms(0.006)
    assert found[1] > 0
    assert found[0] / found[1] > 100


def test_too_few_networks_give_no_overhead() -> None:
    assert estimate_overhead_ms([network(np.array([0.5]), 0.1)]) == 0.0


def test_runs_of_several_profiles_are_merged_and_loud_ones_corrected() -> None:
    nodes = [{"us": [10, 10, 10, 10]}, {"us": [40, 40, 40, 40]}]
    loud = [{"us": [20, 20, 20, 20]}, {"us": [80, 80, 80, 80]}]
    quiet_profile = {"nodes": nodes, "references": [0.4, 0.4], "segment": [0, 0, 0, 0]}
    loud_profile = {"nodes": loud, "references": [0.8, 0.8], "segment": [0, 0, 0, 0]}
    found = merge_profiles([quiet_profile, loud_profile], LABEL, QUIET)
    np.testing.assert_allclose(found, [0.01, 0.04])
