"""Counts: from which probability they are answered; groups: what their rows weigh."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.mlir.boosting import CodeBoosting, _by_group, _threshold
from costmodel.predictor import Predictor


def test_a_count_is_answered_where_it_is_exact_more_often_than_0() -> None:
    y = np.log1p(np.array([0.0, 0.0, 0.0, 4.0, 4.0, 9.0]))
    predicted = np.log1p(np.array([3.0, 3.0, 3.0, 4.0, 4.0, 2.0]))
    assert _threshold(np.array([0.1, 0.2, 0.7, 0.8, 0.9, 0.5]), predicted, y) == 0.7
    never_right = _threshold(np.full(6, 0.9), np.log1p(np.full(6, 50.0)), y)
    assert never_right >= 0.9, "0 is the best answer to all"


def test_a_large_group_counts_by_the_root_of_its_size() -> None:
    weights = _by_group(np.array(["a"] * 4 + ["b"]))
    assert weights == pytest.approx([0.5] * 4 + [1.0])


def test_the_threshold_is_saved_with_the_model(predictor: Predictor) -> None:
    regressor = predictor.model("cortex-a55", "register_spills").regressor
    assert isinstance(regressor, CodeBoosting)
    assert 0.4 <= regressor.settings["likely"] <= 0.95
