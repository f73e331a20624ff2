"""Labels: a neighbour's slowdown is taken out, flicker is left alone, halves are compared as they should be."""

import numpy as np
import pytest

from costmodel.measure.labels import QuietState, Round, agreement, estimate_gammas, make_label

QUIET = QuietState(typical_ms=0.4, limit_ms=0.48)


def round_of(latency_ms: float, slowdown: float, gamma: float, flicker: float = 1.0) -> Round:
    """A noise-free round while the reference is `slowdown` times slower and the network slowdown^gamma times."""
    references = np.full(5, 0.4 * slowdown * flicker)
    return Round(np.full(5, latency_ms * slowdown**gamma), references, 1.2, 0.0, 0.0)


def test_a_record_gives_each_block_the_references_around_it() -> None:
    record = {"times": [1.0, 2.0], "references": [0.4, 0.6, 0.8], "segment": [0, 1], "memory": [1.0, 3.0], "at": 5.0}
    found = Round.of(record)
    assert found.references.tolist() == pytest.approx([0.5, 0.7])
    assert (found.median_ms, found.memory_ms, found.at) == (1.5, 2.0, 5.0)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_loud_rounds_are_carried_over_to_the_quiet_state(gamma: float) -> None:
    networks = [[round_of(ms, s, gamma) for s in (1.0, 1.0, 1.8, 1.9, 1.7, 1.8)] for ms in (0.1, 1.0, 30.0)]
    device, gammas = estimate_gammas(networks, QUIET)
    assert device == pytest.approx(gamma, abs=1e-9)
    for rounds, exponent, ms in zip(networks, gammas, (0.1, 1.0, 30.0), strict=True):
        label = make_label(rounds, exponent, QUIET)
        assert label.latency_ms == pytest.approx(ms)
        assert label.raw_latency_ms == pytest.approx(ms * 1.75**gamma, rel=0.05)
        assert (label.rounds, label.quiet_rounds) == (6, 2)


def test_flicker_of_the_reference_changes_nothing() -> None:
    rounds = [round_of(2.0, 1.0, 1.0, flicker) for flicker in (0.95, 1.0, 1.1, 1.15)]
    label = make_label(rounds, 1.0, QUIET)
    assert label.latency_ms == pytest.approx(2.0)
    assert label.spread == pytest.approx(0.0, abs=1e-12)


def test_three_quiet_rounds_are_enough_to_leave_the_loud_ones_out() -> None:
    rounds = [round_of(2.0, 1.0, 1.0)] * 3 + [round_of(9.0, 1.8, 1.0)] * 6
    assert make_label(rounds, 1.0, QUIET).latency_ms == pytest.approx(2.0)
    assert make_label(rounds, 1.0, QUIET, prefer_quiet=False).latency_ms > 2.5


def test_a_network_never_seen_loud_takes_its_devices_gamma() -> None:
    seen = [[round_of(1.0, s, 0.7) for s in (1.0, 1.8, 1.0, 1.8)] for _ in range(3)]
    calm = [round_of(5.0, 1.0, 0.7)] * 4
    device, gammas = estimate_gammas([*seen, calm], QUIET)
    assert gammas[-1] == pytest.approx(device)


def test_one_loud_round_moves_gamma_only_part_of_the_way() -> None:
    seen = [[round_of(1.0, s, 1.0) for s in (1.0, 1.8, 1.0, 1.8)] for _ in range(5)]
    odd = [round_of(1.0, s, 0.2) for s in (1.0, 1.0, 1.0, 1.8)]
    _, gammas = estimate_gammas([*seen, odd], QUIET)
    assert 0.2 < gammas[-1] < 1.0


def test_the_quiet_state_is_found_in_what_was_measured() -> None:
    rounds = [round_of(1.0, s, 1.0, f) for s in (1.0, 1.0, 1.0, 1.8) for f in (1.0, 1.05, 1.1)]
    found = QuietState.of(rounds)
    assert 0.4 <= found.typical_ms <= 0.44
    assert found.limit_ms == pytest.approx(0.48)


def test_agreement_of_halves() -> None:
    steady = [[round_of(ms, 1.0, 1.0)] * 4 for ms in (1.0, 2.0, 3.0)]
    drifting = [[round_of(1.0, s, 1.0) for s in (1.0, 1.8, 1.0, 1.8)]]
    found = agreement(steady + drifting, QUIET)
    assert found["raw"]["within_10pct"] == pytest.approx(0.75)
    assert found["ratio"]["within_10pct"] == pytest.approx(1.0)
    assert found["raw"]["networks"] == 4


def test_agreement_needs_four_rounds() -> None:
    assert agreement([[round_of(1.0, 1.0, 1.0)] * 3], QUIET) == {}
