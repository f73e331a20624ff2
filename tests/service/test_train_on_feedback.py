"""Reported to a running service, trained on: ``costmodel train --include-feedback`` learns what was measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from costmodel.cli import main
from costmodel.predictor import Predictor
from costmodel.training import TrainRequest, TrainResult, train
from featurizers.errors import InputError
from tests.served_box import box_models, box_url
from tests.toy_kind import NS_PER_UNIT, box_corpus

__all__ = ["box_models", "box_url"]

LARGE = [[300 + 10 * i, 310, 290 + i] for i in range(40)]
"""Far larger than any box of the corpus."""


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTMODEL_DATABASE_URL", f"sqlite:///{tmp_path / 'state.db'}")


def slower(sides: list[int]) -> float:
    """What such a box really takes: three times what the corpus' rate says."""
    return 3 * float(np.prod(sides)) * NS_PER_UNIT["slow"]


def report(url: str, boxes: list[list[int]], **conditions: Any) -> httpx.Response:
    measurements = [{"input": {"sides": box}, "value": slower(box), "conditions": conditions} for box in boxes]
    answer = httpx.post(
        f"{url}/v1/measurements",
        json={"kind": "box", "device": "slow", "measurements": measurements},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return answer


def retrained(log: list[str], **request: Any) -> TrainResult:
    return train(TrainRequest("box", Path(), learner="lightgbm", track=False, **request), log=log.append)


def median_error(predictor: Predictor) -> float:
    outcomes = predictor.predict([{"sides": box} for box in LARGE], ["slow"])
    assert not any(isinstance(outcome, InputError) for outcome in outcomes)
    return float(np.median([abs(o[0].value / slower(box) - 1) for o, box in zip(outcomes, LARGE, strict=True)]))  # type: ignore[index]


def test_a_model_learns_from_what_was_reported(box_url: str) -> None:
    report(box_url, LARGE, threads=1, room="cold")
    log: list[str] = []
    plain, taught = retrained(log), retrained(log, include_feedback=True)
    assert "feedback: 40 labels of 40 inputs joined the data" in log
    assert median_error(taught.predictor) < 0.4 < median_error(plain.predictor)
    assert taught.predictor.card["feedback"] == {
        "labels": 40, "subjects": 40, "left_out": {}, "conditions": [{"threads": 1, "room": "cold"}],
    }  # fmt: skip
    assert taught.predictor.card["data_checksum"] != plain.predictor.card["data_checksum"]
    assert "feedback" not in plain.predictor.card


def test_what_was_reported_twice_is_one_label_and_the_same_model_comes_of_it(box_url: str) -> None:
    for _ in range(2):
        report(box_url, LARGE)
    log: list[str] = []
    first, second = (retrained(log, include_feedback=True) for _ in range(2))
    assert log.count("feedback: 40 labels of 40 inputs joined the data") == 2
    assert median_error(first.predictor) == median_error(second.predictor)


def test_what_does_not_fit_is_left_out_and_counted(box_url: str) -> None:
    corpus = box_corpus(Path())
    held_out = [raw["sides"] for raw, split in zip(corpus.raws, corpus.split, strict=True) if split == "test_unseen"]
    report(box_url, LARGE[:3], threads=4)
    report(box_url, held_out[:2])
    report(box_url, LARGE[3:4])
    result = retrained([], include_feedback=True)
    assert Counter(result.predictor.card["feedback"]["left_out"]) == {
        "condition 'threads' is not that of device 'slow'": 3,
        "the data hold this input out for testing": 2,
    }
    assert result.predictor.card["feedback"]["labels"] == 1


def test_the_command_takes_it_as_mlflow_passes_it(
    box_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(box_url, LARGE)
    arguments = ["train", "--kind", "box", "--data", str(tmp_path), "--no-track", "--include-feedback"]
    assert main([*arguments, "true"]) == 0
    assert "feedback: 40 labels of 40 inputs" in capsys.readouterr().out
    assert main([*arguments, "false"]) == 0
    assert "feedback" not in capsys.readouterr().out
