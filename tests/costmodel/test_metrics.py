from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from costmodel.evaluation.metrics import accuracy, interval_quality, kendall, spearman


def test_rank_correlations_agree_with_scipy_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 20, 200).astype(float), rng.integers(0, 20, 200).astype(float)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert kendall(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)


def test_figures_by_hand() -> None:
    figures = accuracy(np.array([1.0, 2.0, 4.0, 8.0]), np.array([1.05, 2.0, 5.0, 6.0]))
    assert figures["median_error"] == pytest.approx(0.15)
    assert figures["within_10pct"] == 0.5
    assert figures["pairwise"] == 1.0
    assert figures["spearman"] == 1.0
    assert figures["mape"] == pytest.approx((0.05 + 0 + 0.25 + 0.25) / 4)


def test_nothing_to_judge_gives_no_figure_instead_of_a_perfect_one() -> None:
    assert np.isnan(accuracy(np.array([]), np.array([]))["within_10pct"])
    assert np.isnan(spearman(np.array([1.0, 1.0]), np.array([1.0, 2.0])))


def test_interval_quality() -> None:
    quality = interval_quality(np.array([1.0, 5.0]), np.array([0.5, 1.0]), np.array([2.0, 4.0]))
    assert quality == {"coverage": 0.5, "width_ratio": 4.0}
    counts = interval_quality(np.zeros(3), np.zeros(3), np.array([0.0, 2.0, 4.0]))
    assert counts == {"coverage": 1.0, "width_ratio": np.inf}, "no division by the 0 that a count may be"
