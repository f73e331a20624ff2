"""The predictor, its bundle on disk, and a fifth kind driven from registry entry to answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from costmodel import BundleError, Prediction, Predictor
from costmodel.bundle_format import write_checksums
from costmodel.kinds import KINDS, kind_of, register_kind
from costmodel.regressors.base import read_compressed_json
from costmodel.training import TrainResult
from featurizers.errors import InputError, UnknownNameError
from tests.toy_kind import BOX

pytestmark = pytest.mark.usefixtures("box_kind")
Trained = tuple[Path, TrainResult]


def test_a_reloaded_bundle_predicts_the_same(box_training: Trained) -> None:
    folder, result = box_training
    raws = [{"sides": [3, 4, 5]}, {"sides": [20, 9, 2]}]
    assert Predictor.load(folder).predict(raws, ["slow", "fast"]) == result.predictor.predict(raws, ["slow", "fast"])


def test_answers_are_right_and_carry_unit_interval_and_model(box_training: Trained) -> None:
    (outcome,) = box_training[1].predictor.predict([{"sides": [10, 10, 10]}], ["slow"])
    assert not isinstance(outcome, InputError)
    (answer,) = outcome
    assert answer.low < 5050 < answer.high
    assert (answer.target, answer.unit, answer.coverage, answer.in_domain) == ("latency_ns", "ns", 0.9, True)
    assert (answer.device, answer.model, answer.model_version) == ("slow", "costmodel-box", "0.1.0")


def test_each_input_gets_its_answer_or_its_error_in_order(box_training: Trained) -> None:
    raws = [{"sides": [2, 3, 4]}, {"sides": [0, 1, 1]}, {"size": 3}, {"sides": [5, 5, 5]}]
    outcomes = box_training[1].predictor.predict(raws, ["fast"])
    assert [isinstance(outcome, InputError) for outcome in outcomes] == [False, True, True, False]
    assert str(outcomes[1]) == "'sides' must lie between 1 and 1000. Got [0, 1, 1]. (at $.sides)"


def test_what_lies_far_outside_is_flagged_and_widened(box_training: Trained) -> None:
    near, far = box_training[1].predictor.predict([{"sides": [9, 9, 9]}, {"sides": [900, 900, 900]}], ["fast"])
    assert not isinstance(near, InputError)
    assert not isinstance(far, InputError)
    assert near[0].in_domain
    assert not far[0].in_domain
    assert any("volume" in reason for reason in far[0].reasons)
    assert far[0].high / far[0].low > near[0].high / near[0].low


def test_unknown_device_and_target_are_refused_with_what_is_known(box_training: Trained) -> None:
    predictor = box_training[1].predictor
    with pytest.raises(UnknownNameError, match="'slw' is not known. Nearest: slow. Known: fast, slow"):
        predictor.predict([{"sides": [1, 1, 1]}], ["slw"])
    with pytest.raises(UnknownNameError, match="target of device 'slow' 'watts'"):
        predictor.predict([{"sides": [1, 1, 1]}], ["slow"], ["watts"])
    with pytest.raises(InputError, match="at least one of: fast, slow"):
        predictor.predict([{"sides": [1, 1, 1]}], [])


def test_rank_puts_the_best_first_and_says_how_sure_it_is(box_training: Trained) -> None:
    raws = [{"sides": [20, 20, 20]}, {"sides": [2, 2, 2]}, {"sides": []}, {"sides": [20, 20, 21]}]
    ranked, errors = box_training[1].predictor.rank(raws, "slow")
    assert [entry.index for entry in ranked] == [1, 0, 3]
    assert [entry.place for entry in ranked] == [0, 1, 2]
    sure, unsure, last = (entry.p_better_than_next for entry in ranked)
    assert sure is not None and unsure is not None and last is None  # noqa: PT018
    assert sure > 0.999
    assert 0.5 < unsure < 0.99
    assert list(errors) == [2]


def test_explain_shares_the_total_among_the_parts(box_training: Trained) -> None:
    explanation = box_training[1].predictor.explain({"sides": [7, 8, 4]}, "fast")
    assert [share.names for share in explanation.shares] == [("layer0",), ("layer1",), ("layer2",), ("layer3",)]
    assert sum(share.value for share in explanation.shares) == pytest.approx(explanation.prediction.value)
    assert sum(share.fraction for share in explanation.shares) == pytest.approx(1)


def test_a_stream_is_answered_lazily(box_training: Trained) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield {"sides": [2, 2, 2]}

    stream = box_training[1].predictor.predict_stream(endless(), ["fast"])  # type: ignore[arg-type]
    first = next(stream)
    assert isinstance(first, tuple)
    assert isinstance(first[0], Prediction)
    assert taken < 5000


def test_a_domain_is_read_where_older_bundles_have_it_too(box_training: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(box_training[0], folder)
    for compressed in folder.glob("models/*/domain.json.zst"):
        own = compressed.with_name("target.json")
        own.write_text(json.dumps(json.loads(own.read_text()) | {"domain": read_compressed_json(compressed)}))
        compressed.unlink()
    write_checksums(folder)
    raws = [{"sides": [3, 4, 5]}, {"sides": [900, 9, 2]}]
    new, old = (Predictor.load(own).predict(raws, ["slow"]) for own in (box_training[0], folder))
    assert new == old


@pytest.mark.parametrize("content", [b"", b"no zstd", None])
def test_a_domain_that_is_missing_or_broken_is_no_bundle(
    box_training: Trained, tmp_path: Path, content: bytes | None
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(box_training[0], folder)
    place = json.loads((folder / "bundle.json").read_text())["models"]["slow|latency_ns"]
    victim = folder / place / "domain.json.zst"
    victim.unlink() if content is None else victim.write_bytes(content)
    write_checksums(folder)
    with pytest.raises(BundleError, match="not a model of this version"):
        Predictor.load(folder).model("slow", "latency_ns")


@pytest.mark.parametrize("damage", ["change", "remove", "add", "truncate", "not_json"])
def test_a_damaged_bundle_is_refused(box_training: Trained, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(box_training[0], folder)
    victim = folder / "models" / "000" / "target.json"
    if damage == "change":
        victim.write_text(victim.read_text().replace("0.9", "0.8"))
    elif damage == "remove":
        victim.unlink()
    elif damage == "add":
        (folder / "surprise.py").write_text("print('hello')")
    elif damage == "truncate":
        victim.write_bytes(victim.read_bytes()[:40])
    else:
        (folder / "bundle.json").write_text("{")
    with pytest.raises(BundleError):
        Predictor.load(folder)


def test_a_bundle_of_another_format_or_featurizer_is_refused_with_what_to_do(
    box_training: Trained, tmp_path: Path
) -> None:
    from costmodel.bundle_format import write_manifest

    content = json.loads((box_training[0] / "bundle.json").read_text())
    content["format_version"] = 999
    write_manifest(tmp_path, {key: value for key, value in content.items() if key != "format_version"})
    text = (tmp_path / "bundle.json").read_text().replace('"featurizer_version": "1"', '"featurizer_version": "0"')
    write_manifest(tmp_path, {key: value for key, value in json.loads(text).items() if key != "format_version"})
    with pytest.raises(BundleError, match="version 0 of the box featurizer; this one is version 1. Train again"):
        Predictor.load(tmp_path)


def test_a_name_that_is_taken_is_refused_naming_both_owners() -> None:
    with pytest.raises(ValueError, match="'box' is registered already: by tests.toy_kind and tests.toy_kind"):
        register_kind(BOX)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="network"):
        kind_of("nettwork")
    assert "network" in KINDS


def test_expected_regret_is_small_for_the_best_and_the_excess_for_a_sure_loser() -> None:
    from costmodel.prediction import Target
    from costmodel.predictor import _in_order

    def said(value: float, width: float) -> Prediction:
        return Prediction("t", value, "ms", value / width, value * width, 0.9, True, (), "d", "m", "1")

    first, second = _in_order([(0, said(2.0, 1.001)), (1, said(1.0, 1.001))], Target("t", "ms"))
    assert (first.index, second.index) == (1, 0)
    assert first.expected_regret == pytest.approx(0.0, abs=1e-6)
    assert second.expected_regret == pytest.approx(1.0, rel=0.01)
    unsure, _ = _in_order([(0, said(1.0, 2.0)), (1, said(1.1, 2.0))], Target("t", "ms"))
    assert unsure.expected_regret is not None
    assert 0.1 < unsure.expected_regret < 1.0
    (alone,) = _in_order([(0, said(1.0, 2.0))], Target("t", "ms"))
    assert alone.expected_regret is None
    assert (
        _in_order([(0, said(1.0, 2.0)), (1, said(2.0, 2.0))], Target("t", "1/s", True, True))[0].expected_regret is None
    )
