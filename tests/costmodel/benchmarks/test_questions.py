"""What the benchmarks of the service ask: inputs that are all different, and that the packaged models answer."""

from __future__ import annotations

import json

import pytest

from costmodel.benchmarks.questions import questions
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
