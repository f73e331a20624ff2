"""What the benchmarks of the service ask: inputs that are all different, and that the packaged models answer."""

from __future__ import annotations

import json

import pytest

from costmodel.benchmarks import phases
from costmodel.benchmarks.phases import phase_row
from costmodel.benchmarks.questions import encodings, questions
from costmodel.kinds import load_bundle
from costmodel.registry import PRETRAINED
from featurizers.errors import InputError

ASKED = questions()


@pytest.mark.parametrize("kind", ASKED)
def test_inputs_are_distinct_and_answered(kind: str) -> None:
    device, inputs = ASKED[kind]
    assert len({json.dumps(each) for each in inputs}) == len(inputs) == 10_000
    some = [inputs[place] for place in (0, 95, 96, 5_000, 9_999)]
    for outcome in load_bundle(PRETRAINED / kind).predict(some, [device]):
        assert not isinstance(outcome, InputError), str(outcome)
        assert len(outcome) > 0


def test_encodings_are_answered_and_their_phases_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "_ENOUGH_INPUTS", 10)  # of each timing: a benchmark's are more
    device, _ = ASKED["network"]
    predictor = load_bundle(PRETRAINED / "network")
    for space, inputs in encodings().items():
        assert len({json.dumps(each) for each in inputs}) == len(inputs) == 1000
        row = phase_row(predictor, device, inputs[:100], 1)
        assert row["kind"] == "network"
        assert row["parse_us"] > 0 < row["features_us"], space
        assert row["read_json_us"] + row["write_json_us"] < row["parse_us"] + row["features_us"]
