"""What twenty programs say of a CPU is taken for what it is worth."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.mlir.adapt import _shrunk_median, _simplest, fit


def test_a_median_that_does_not_stand_out_of_its_error_counts_less() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 1.0, 20)
    shift = _shrunk_median(noise + 0.2 - np.median(noise))
    assert 0.0 <= shift < 0.1
    assert _shrunk_median(noise * 1e-3 + 0.5) == pytest.approx(0.5, abs=2e-3)
    assert _shrunk_median(np.zeros(5)) == 0.0


def test_noise_alone_moves_answers_hardly_and_its_interval_holds() -> None:
    rng = np.random.default_rng(1)
    known = {name: rng.normal(8.0, 2.0, 400) for name in ("a", "b")}
    start = np.mean(list(known.values()), axis=0)
    y = np.exp(start + rng.normal(0.0, 0.4, 400))
    shown, rest = np.arange(400) < 20, np.arange(400) >= 20
    adapted = fit("new", "cycles", start[shown], {k: v[shown] for k, v in known.items()}, y[shown])
    said = adapted.values(start[rest], {k: v[rest] for k, v in known.items()})
    ours, untouched = (np.median(np.abs(p / y[rest] - 1)) for p in (said, np.exp(start[rest])))
    assert ours < untouched + 0.03
    assert np.mean(np.abs(np.log(said / y[rest])) <= adapted.half_width) > 0.75


def test_weights_are_given_only_where_they_say_more_than_chance() -> None:
    rng = np.random.default_rng(2)
    start = rng.normal(8.0, 2.0, 20)
    known = {name: start + rng.normal(0.0, 0.5, 20) for name in ("a", "b", "c")}
    noise = np.exp(start + rng.normal(0.0, 0.3, 20))
    assert max(map(abs, fit("new", "cycles", start, known, noise).weights.values())) < 0.05
    alike = fit("new", "cycles", start, known, np.exp(known["a"] + rng.normal(0.0, 0.03, 20)))
    assert alike.weights["a"] > 0.5 > alike.weights["b"]


def test_of_ridges_as_good_as_the_best_the_largest_is_taken() -> None:
    best = np.linspace(0.1, 0.5, 20)
    often_worse = best + np.where(np.arange(20) % 2, 0.3, -0.28)
    assert _simplest({1.0: best, 10.0: often_worse, 100.0: best + 0.2}) == 10.0
