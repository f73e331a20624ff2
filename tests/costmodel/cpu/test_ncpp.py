"""The group-attention network: learns, saves as ONNX, and reloads to equal predictions without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costmodel.cpu.ncpp import GroupAttentionRegressor, group_sizes
from tests.costmodel.cpu.small import world

pytest.importorskip("torch", reason="the network is trained by torch")


@pytest.fixture(scope="module")
def fitted() -> GroupAttentionRegressor:
    features, y, groups = world()
    return GroupAttentionRegressor(epochs=200).fit_scores(features, y, groups, seed=0)


def test_it_learns_several_scores_at_once(fitted: GroupAttentionRegressor):
    features, y, _ = world()
    error = np.abs(fitted.predict_scores(features) - y)
    assert error.shape == y.shape
    assert (np.median(error, axis=0) < 0.5 * np.median(np.abs(y - np.median(y, axis=0)), axis=0)).all()


def test_same_seed_same_model_and_reload_gives_equal_predictions(fitted: GroupAttentionRegressor, tmp_path: Path):
    features, y, groups = world()
    again = GroupAttentionRegressor(epochs=200).fit_scores(features, y, groups, seed=0)
    assert np.array_equal(again.predict_scores(features), fitted.predict_scores(features))
    fitted.save(tmp_path)
    loaded = GroupAttentionRegressor.load(tmp_path)
    assert np.array_equal(loaded.predict_scores(features), fitted.predict_scores(features))
    assert np.array_equal(loaded.predict(features).spread, fitted.predict(features).spread)


def test_missing_scores_and_columns_are_no_obstacle():
    features, y, groups = world()
    y = y.copy()
    y[::3, 0] = np.nan
    out = GroupAttentionRegressor(epochs=20).fit_scores(features, y, groups, seed=1).predict_scores(features)
    assert np.isfinite(out).all()


def test_every_column_is_in_a_group():
    features, _, _ = world()
    assert sum(group_sizes(features)) == len(features.columns)
