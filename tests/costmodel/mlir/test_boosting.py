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
from costmodel.regressors.boosting import QUICK_ROUNDS
from costmodel.training.fitting import FeatureStore, FitSettings
from costmodel.training.shared import fit_shared


def test_a_count_is_answered_where_it_is_exact_more_often_than_0() -> None:
    y = np.log1p(np.array([0.0, 0.0, 0.0, 4.0, 4.0, 9.0]))
    predicted = np.log1p(np.array([3.0, 3.0, 3.0, 4.0, 4.0, 2.0]))
    assert _threshold(np.array([0.1, 0.2, 0.7, 0.8, 0.9, 0.5]), predicted, y) == 0.7
    never_right = _threshold(np.full(6, 0.9), np.log1p(np.full(6, 50.0)), y)
    assert never_right >= 0.9, "0 is the best answer to all"


def test_a_large_group_counts_by_the_root_of_its_size() -> None:
    weights = _by_group(np.array(["a"] * 4 + ["b"]))
    assert weights == pytest.approx([0.5] * 4 + [1.0])


def test_a_quick_copy_learns_the_same_target_by_a_few_trees_alone() -> None:
    whole = CodeBoosting(leaves=15).for_target("cycles")
    quick = quick_of(whole)
    assert isinstance(quick, CodeBoosting)
    assert quick.settings == whole.settings | {"rounds": QUICK_ROUNDS, "networks": 0, "orders": False}
    assert whole.settings["networks"] == 2
    assert quick_of(CodeBoosting(rounds=10)).settings["rounds"] == 10  # type: ignore[attr-defined]


def test_errors_on_unseen_families_are_a_quick_copys(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[dict[str, Any]] = []

    def fit(regressor: CodeBoosting, *arguments: Any) -> CodeBoosting:
        fitted.append(dict(regressor.settings))
        return original(regressor, *arguments)

    original = CodeBoosting.fit
    monkeypatch.setattr(CodeBoosting, "fit", fit)
    store = FeatureStore(load_corpus(data))
    settings = FitSettings("mlir-boost", parameters={"rounds": 60, "min_leaf": 3})
    labels = [own for own in store.corpus.labels if own.target.name == "cycles"]
    store.corpus = replace(store.corpus, labels=tuple(labels), family=np.asarray(store.corpus.ids))
    fit_shared(store, settings, lambda _: None)
    rounds = [one["rounds"] for one in fitted]
    assert rounds == [60] + [QUICK_ROUNDS] * 4


def test_the_threshold_is_saved_with_the_model(predictor: Predictor) -> None:
    regressor = predictor.model("cortex-a55", "register_spills").regressor
    assert isinstance(regressor, CodeBoosting)
    assert 0.4 <= regressor.settings["likely"] <= 0.95
