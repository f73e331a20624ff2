from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.calibration import Calibration, Flagged, conformal_quantile
from costmodel.regressors import Estimate


def noisy(n: int, seed: int) -> tuple[Estimate, np.ndarray]:
    """Truths with noise that grows with size, which the spread knows only in part."""
    rng = np.random.default_rng(seed)
    point = rng.uniform(0, 9, n)
    return Estimate(point, 0.05 + 0.01 * point), point + rng.normal(0, 0.02 + 0.03 * point, n)


def coverage_of(calibration: Calibration, estimate: Estimate, y: np.ndarray, inside: bool = True) -> float:
    half = calibration.half_width(estimate, np.full(len(y), inside))
    return float((np.abs(y - estimate.point - calibration.shift) <= half).mean())


def test_intervals_cover_new_subjects_in_every_size_group() -> None:
    calibration = Calibration.fit(*noisy(3000, 1))
    estimate, y = noisy(6000, 2)
    assert coverage_of(calibration, estimate, y) == pytest.approx(0.9, abs=0.015)
    for low, high in ((0, 3), (3, 6), (6, 9)):
        rows = (estimate.point >= low) & (estimate.point < high)
        part = Estimate(estimate.point[rows], estimate.spread[rows])
        assert coverage_of(calibration, part, y[rows]) == pytest.approx(0.9, abs=0.03)


@given(coverage=st.floats(0.6, 0.98), seed=st.integers(0, 50))
def test_a_higher_coverage_is_never_narrower(coverage: float, seed: int) -> None:
    estimate, y = noisy(200, seed)
    narrow, wide = Calibration.fit(estimate, y, coverage), Calibration.fit(estimate, y, 0.99)
    inside = np.ones(200, dtype=bool)
    assert (wide.half_width(estimate, inside) >= narrow.half_width(estimate, inside) - 1e-12).all()


def test_outside_the_domain_intervals_are_wider() -> None:
    estimate, y = noisy(500, 1)
    calibration = Calibration.fit(estimate, y)
    inside = np.ones(500, dtype=bool)
    within, without = calibration.half_width(estimate, inside), calibration.half_width(estimate, ~inside)
    np.testing.assert_allclose(without, 1.5 * within)


def test_parts_never_seen_widen_by_what_such_parts_were_wrong_before() -> None:
    estimate, y = noisy(500, 1)
    novelty = np.linspace(0, 1, 400)
    error = np.where(novelty < 0.02, 0.1, 0.8 * novelty)
    calibration = Calibration.fit(estimate, y, flagged=Flagged(error, np.full(400, 0.05), novelty))
    assert 0.5 < calibration.extra < 0.8
    outside = np.zeros(500, dtype=bool)
    none, all_new = (calibration.half_width(estimate, outside, np.full(500, share)) for share in (0.0, 1.0))
    np.testing.assert_allclose(all_new - none, calibration.extra)


def test_groups_left_out_widen_what_is_said_of_both_kinds() -> None:
    (seen, y), (left_out, truth) = noisy(3000, 1), noisy(3000, 2)
    truth = left_out.point + 2 * (truth - left_out.point)
    alone, both = Calibration.fit(seen, y), Calibration.fit(seen, y, beyond=(left_out, truth))
    np.testing.assert_allclose(both.quantiles, 1.5 * np.array(alone.quantiles), rtol=0.08)
    assert coverage_of(both, seen, y) > 0.95
    assert 0.7 < coverage_of(both, left_out, truth) < 0.85


def test_a_constant_bias_is_taken_off() -> None:
    estimate, y = noisy(2000, 1)
    calibration = Calibration.fit(estimate, y + 0.5)
    assert calibration.shift == pytest.approx(0.5, abs=0.02)
    assert coverage_of(calibration, *noisy(2000, 3)) < 0.5


def test_json_round_trip() -> None:
    calibration = Calibration.fit(*noisy(100, 1))
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_the_conformal_quantile_is_an_order_statistic() -> None:
    assert conformal_quantile(np.arange(1.0, 100.0), 0.9) == 90.0
    assert conformal_quantile(np.array([3.0]), 0.9) == 3.0


def test_what_never_errs_has_intervals_without_width() -> None:
    estimate = Estimate(np.zeros(100), np.full(100, 0.01))
    flagged = Flagged(np.zeros(50), np.full(50, 0.01), np.zeros(50))
    calibration = Calibration.fit(estimate, np.zeros(100), 0.9, flagged=flagged)
    assert all(np.isfinite(number) for number in (calibration.outside, calibration.extra, *calibration.quantiles))
    assert calibration.half_width(estimate, np.zeros(100, dtype=bool)).max() == 0
