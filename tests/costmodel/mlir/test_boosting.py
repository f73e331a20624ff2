"""Counts: from which probability they are answered; groups: what their rows weigh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel.corpora.mlir_programs import load_corpus
from costmodel.mlir.boosting import CodeBoosting, _by_group, _threshold
from costmodel.predictor import Predictor
from costmodel.regressors.base import quick_of
from costmodel.training.fitting import FeatureStore, FitSettings
from costmodel.training.shared import fit_shared
from featurizers.core import Features
from featurizers.mlir.columns import COLUMNS


def test_a_count_is_answered_where_it_is_exact_more_often_than_0() -> None:
    y = np.log1p(np.array([0.0, 0.0, 0.0, 4.0, 4.0, 9.0]))
    predicted = np.log1p(np.array([3.0, 3.0, 3.0, 4.0, 4.0, 2.0]))
    assert _threshold(np.array([0.1, 0.2, 0.7, 0.8, 0.9, 0.5]), predicted, y) == 0.7
    never_right = _threshold(np.full(6, 0.9), np.log1p(np.full(6, 50.0)), y)
    assert never_right >= 0.9, "0 is the best answer to all"


def test_a_large_group_counts_by_the_root_of_its_size() -> None:
    weights = _by_group(np.array(["a"] * 4 + ["b"]))
    assert weights == pytest.approx([0.5] * 4 + [1.0])


def test_a_quick_copy_learns_the_same_target_by_fewer_trees_and_one_network() -> None:
    whole = CodeBoosting(leaves=15).for_target("cycles")
    quick = quick_of(whole)
    assert isinstance(quick, CodeBoosting)
    assert quick.settings == whole.settings | {"rounds": 120, "networks": 1, "orders": False}
    assert whole.settings["networks"] == 2
    assert quick_of(CodeBoosting(rounds=10)).settings["rounds"] == 10  # type: ignore[attr-defined]


def test_the_spread_is_learned_from_families_left_out() -> None:
    """Half of each family has a bias of its own, which folds of functions learn and new families lack."""
    rng = np.random.default_rng(0)
    family, strange = np.repeat(np.arange(12), 60), np.tile([0.0, 1.0], 360)
    x = np.zeros((720, len(COLUMNS)), dtype=np.float32)
    places = {column.name: place for place, column in enumerate(COLUMNS)}
    x[:, places["operations"]], x[:, places["arguments"]] = strange, family
    y = rng.normal(0, 0.01, 720) + strange * rng.normal(0, 1.0, 12)[family]
    features = Features(x, COLUMNS)
    groups = np.array([str(number) for number in range(720)])
    regressor = CodeBoosting(min_leaf=3, orders=False).fit(features, y, groups, 0)
    before = regressor.predict(features).spread
    said = regressor.spread_beyond(features, y, groups, [family % 4 == fold for fold in range(4)], 0)
    after = regressor.predict(features).spread
    known, new = strange == 0, strange == 1
    assert np.median(after[new]) > 3 * np.median(before[new])
    assert np.median(after[new]) > 3 * np.median(after[known])
    error = np.abs(said.point - y)
    assert np.median(error[new]) > 0.3, "no copy has seen the family that it is asked about"
    assert np.median(said.spread[new]) > 3 * np.median(said.spread[known])


def test_training_on_many_families_leaves_each_out_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []

    def beyond(regressor: CodeBoosting, features: Features, y: Any, groups: Any, folds: Any, seed: int) -> Any:
        asked.append(np.sum(folds, axis=0).tolist())
        return original(regressor, features, y, groups, folds, seed)

    original = CodeBoosting.spread_beyond
    monkeypatch.setattr(CodeBoosting, "spread_beyond", beyond)
    store = FeatureStore(load_corpus(data))
    settings = FitSettings("mlir-boost", parameters={"rounds": 60, "min_leaf": 3})
    labels = [own for own in store.corpus.labels if own.target.name == "cycles"]
    store.corpus = replace(store.corpus, labels=tuple(labels), family=np.asarray(store.corpus.ids))
    fit_shared(store, settings, lambda _: None)
    train = sum(int((store.corpus.split[own.subject] == "train").sum()) for own in labels)
    assert asked == [[1] * train]


def test_the_threshold_is_saved_with_the_model(predictor: Predictor) -> None:
    regressor = predictor.model("cortex-a55", "register_spills").regressor
    assert isinstance(regressor, CodeBoosting)
    assert 0.4 <= regressor.settings["likely"] <= 0.95
