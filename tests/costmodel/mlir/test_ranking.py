"""Pairs within functions, and the area under the curve."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.mlir.ranking import area_under_curve, pairs_right


def test_pairs_of_equal_labels_do_not_count_and_predicted_ties_count_half() -> None:
    truth = np.array([10.0, 10.05, 20.0])
    assert pairs_right(["f"] * 3, truth, np.array([1.0, 9.0, 2.0])) == (1.0, 2)
    assert pairs_right(["f"] * 3, truth, np.ones(3)) == (1.0, 2)
    assert pairs_right(["f", "g", "h"], truth, np.ones(3)) == (0.0, 0)


def test_area_under_curve() -> None:
    assert area_under_curve(np.array([True, False]), np.array([0.5, 0.5])) == 0.5
    assert area_under_curve(np.array([True, True, False]), np.array([0.1, 0.9, 0.5])) == 0.5
    assert np.isnan(area_under_curve(np.array([True]), np.array([0.5])))
    assert area_under_curve(np.array([True, False, False]), np.array([0.9, 0.2, 0.8])) == pytest.approx(1.0)
