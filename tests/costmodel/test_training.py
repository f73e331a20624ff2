"""Training on the toy kind: what is learned from totals and from measured parts, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel import Predictor, kinds
from costmodel.corpus import PartLabels
from costmodel.training import TrainRequest, TrainResult, evaluate, train
from costmodel.training.fitting import FeatureStore, FitSettings, fit_target
from costmodel.training.parts import part_subjects
from featurizers.errors import InputError, UnknownNameError
from tests.toy_kind import BOX, box_corpus

pytestmark = pytest.mark.usefixtures("box_kind")


def test_the_learned_model_beats_the_baseline_on_every_device_and_split(
    box_training: tuple[Path, TrainResult],
) -> None:
    rows = box_training[1].rows
    assert {row["split"] for row in rows} == {"train", "validation", "test_seen", "test_unseen"}
    for row in rows:
        assert row["median_error"] < 0.05 < row["constant_median_error"]
        assert row["label_noise"] == pytest.approx(0.02)


def test_intervals_cover_what_was_not_seen(box_training: tuple[Path, TrainResult]) -> None:
    rows = [row for row in box_training[1].rows if row["split"] == "test_seen"]
    assert 0.8 <= np.mean([row["coverage"] for row in rows]) <= 0.98


def test_evaluating_the_saved_bundle_gives_the_table_of_training(box_training: tuple[Path, TrainResult]) -> None:
    folder, result = box_training
    again = evaluate(Predictor.load(folder), folder)
    for row, other in zip(result.rows, again, strict=True):
        assert row == pytest.approx(other, nan_ok=True)


def test_the_card_says_data_licence_and_accuracy(box_training: tuple[Path, TrainResult]) -> None:
    card = Predictor.load(box_training[0]).card
    assert card["data"] == "boxes"
    assert card["licence"] == "Apache-2.0"
    assert {row["split"] for row in card["accuracy"]} == {"test_seen", "test_unseen"}


def test_measured_parts_become_subjects_weighted_by_their_share() -> None:
    corpus = box_corpus(Path())
    store = FeatureStore(corpus)
    a, b, c = corpus.raws[0]["sides"]
    measured = ({"name": name} for name in (*(f"layer{i}" for i in range(c)), "no such layer"))
    parts = PartLabels(
        np.zeros(c + 1, dtype=np.int64), tuple(measured), np.array([*range(1, c + 1), 99], dtype=float), np.zeros(c + 1)
    )
    labels = replace(corpus.labels[0], parts=parts)
    plain = store.features(labels).take(np.arange(2))
    y, groups, weights = np.zeros(2), np.array(["box0", "box1"]), np.ones(2)
    grown, target, owner, weight = part_subjects(
        plain, y, groups, weights, store.part_table(labels), labels, np.arange(2), np.array(corpus.ids), 0.5
    )
    assert len(grown) == 2 + c
    assert np.exp(target[2:]).tolist() == pytest.approx([*range(1, c + 1)])
    assert set(owner[2:]) == {"box0"}
    assert weight[2:].sum() == pytest.approx(0.5)
    assert grown.parts is not None
    work = grown.parts.total(grown.parts.matrix[:, 1].astype(float), len(grown))
    assert work[2:].tolist() == [a * b] * c


def test_noisy_labels_move_the_fit_less() -> None:
    corpus = box_corpus(Path())
    store = FeatureStore(corpus)
    wrong = np.arange(300) % 3 == 0
    value = np.where(wrong, corpus.labels[0].value * 4, corpus.labels[0].value)
    settings = FitSettings("roofline")
    shifts = []
    for noise in (np.full(300, 0.02), np.where(wrong, 0.6, 0.02)):
        labels = replace(corpus.labels[0], value=value, noise=noise)
        model = fit_target(store, labels, settings, lambda _: None)
        shifts.append(
            float(np.median(model.regressor.predict(store.features(labels)).point - np.log(corpus.labels[0].value)))
        )
    assert abs(shifts[1]) < 0.3 * abs(shifts[0])


def test_tuning_keeps_the_learner_and_is_reproducible() -> None:
    from costmodel.training.tuning import tuned

    store = FeatureStore(replace(box_corpus(Path()), labels=box_corpus(Path()).labels[:1]))
    start = FitSettings("lightgbm", parameters={"rounds": 40})
    said: list[str] = []
    first, second = (tuned(store, start, 2, said.append) for _ in range(2))
    assert first == second
    assert first.learner == "lightgbm"
    assert (first.parameters or {})["rounds"] == 40
    assert "best of 2" in said[0]
    with pytest.raises(InputError, match="'constant' cannot be tuned; these can: kernel-sum, lightgbm"):
        tuned(store, FitSettings("constant"), 1, lambda _: None)


def test_a_request_that_cannot_be_met_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="kind 'bocks'"):
        TrainRequest("bocks", tmp_path)
    with pytest.raises(UnknownNameError, match="learner 'magic'"):
        TrainRequest("box", tmp_path, learner="magic")
    with pytest.raises(InputError, match=r"'coverage' must be at least 0\.5 and below 1\. Got 1\.5"):
        TrainRequest("box", tmp_path, coverage=1.5)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="'out' must not exist, or be an empty folder"):
        TrainRequest("box", tmp_path, out=tmp_path)
    with pytest.raises(UnknownNameError, match="device 'medium' is not known"):
        train(TrainRequest("box", tmp_path, devices=("medium",), track=False), log=lambda _: None)
    monkeypatch.setitem(kinds.KINDS, "box", replace(BOX, corpus=None))
    with pytest.raises(InputError, match="'box' has no corpus to train on"):
        train(TrainRequest("box", tmp_path, track=False), log=lambda _: None)
