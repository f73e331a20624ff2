"""An input gets one answer: alone, in a list, and while other threads ask."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from costmodel.benchmarks.questions import questions
from costmodel.kinds import load_bundle
from costmodel.predictor import Outcome, Predictor
from costmodel.registry import PRETRAINED
from featurizers.errors import InputError

KINDS = ("cpu", "hls4ml", "mlir", "network")
_INPUTS = 14


@pytest.fixture(scope="module")
def asked() -> dict[str, tuple[str, list[Any]]]:
    return {kind: (device, inputs[:_INPUTS]) for kind, (device, inputs) in questions().items()}


@pytest.fixture(scope="module", params=KINDS)
def predictor(request: pytest.FixtureRequest) -> Predictor:
    loaded = load_bundle(PRETRAINED / request.param)
    loaded.warm_up()
    return loaded


def numbers(outcomes: Sequence[Outcome]) -> list[float]:
    found = []
    for outcome in outcomes:
        assert not isinstance(outcome, InputError), outcome
        found += [number for p in outcome for number in (p.low, p.value, p.high)]
    return found


@pytest.mark.parametrize("together", [2, 3, _INPUTS])
def test_a_list_says_of_each_what_is_said_of_it_alone(
    predictor: Predictor, asked: dict[str, tuple[str, list[Any]]], together: int
) -> None:
    device, inputs = asked[predictor.kind]
    alone = [number for each in inputs for number in numbers(predictor.predict([each], [device]))]
    lists = [inputs[start : start + together] for start in range(0, _INPUTS, together)]
    found = [number for each in lists for number in numbers(predictor.predict(each, [device]))]
    assert found == pytest.approx(alone, rel=1e-12)


def test_one_target_is_told_as_among_all(predictor: Predictor, asked: dict[str, tuple[str, list[Any]]]) -> None:
    device, inputs = asked[predictor.kind]
    target = predictor.devices[device].targets[0]
    among = [each[0] for each in predictor.predict(inputs[:4], [device]) if not isinstance(each, InputError)]
    single = [each[0] for each in predictor.predict(inputs[:4], [device], [target]) if not isinstance(each, InputError)]
    assert [p.value for p in single] == pytest.approx([p.value for p in among], rel=1e-12)


def test_threads_that_ask_at_once_change_nothing(predictor: Predictor, asked: dict[str, tuple[str, list[Any]]]) -> None:
    device, inputs = asked[predictor.kind]
    alone = [numbers(predictor.predict([each], [device])) for each in inputs]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda each: numbers(predictor.predict([each], [device])), inputs * 6))
    assert found == alone * 6
