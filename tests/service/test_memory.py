"""What was answered before is looked up: the same bytes, counted alike, and never of another model."""

from __future__ import annotations

import itertools

import pytest

from service import Settings, create_app
from service.memory import Memory, Told
from tests.service.conftest import BoxPredictor


def ask(client, inputs, **fields):
    return client.post("/v1/predict/box", json={"device": "oak", "inputs": inputs, **fields})


@pytest.fixture
def computed(source):
    """How many inputs the predictor was given."""
    predictor, counted = source.predictors["box"], []
    answer = predictor.predict
    predictor.predict = lambda raws, *rest: counted.extend(raws) or answer(raws, *rest)
    return counted


def test_the_same_input_is_computed_once_whatever_stands_beside_it(client, computed):
    first = ask(client, [{"sides": [2]}, {"sides": [3]}]).json()["results"]
    again = ask(client, [{"sides": [4]}, {"sides": [3]}, {"sides": [2]}]).json()["results"]
    assert again[1:] == first[::-1]
    assert len(computed) == 3


def test_another_device_or_target_is_another_question(client, computed):
    values = {
        (device, target): ask(client, [{"sides": [2]}], device=device, target=target).json()["results"][0]
        for device, target in itertools.product(("oak", "pine"), ("weight_kg", "price_eur"))
    }
    assert len(computed) == 4
    for (device, target), result in values.items():
        [prediction] = result["predictions"]
        assert (prediction["device"], prediction["target"]) == (device, target)


def test_a_new_model_remembers_nothing(client, source, computed):
    ask(client, [{"sides": [2]}])
    source.predictors["box"] = BoxPredictor(version="2")
    [prediction, _] = ask(client, [{"sides": [2]}]).json()["results"][0]["predictions"]
    assert prediction["model_version"] == "2"


def test_a_wrong_input_is_looked_at_every_time(client, computed, assert_problem):
    for _ in range(2):
        assert_problem(ask(client, [{"sides": []}]), 422, input=0)
    assert len(computed) == 2


def test_it_can_be_switched_off(source, computed, client_of):
    client = client_of(create_app(Settings(memory_bytes_max=0), source))
    assert ask(client, [{"sides": [2]}]).json() == ask(client, [{"sides": [2]}]).json()
    assert len(computed) == 2


def test_it_stays_within_its_bound_and_keeps_what_is_asked_for():
    memory, told = Memory(100_000), Told(b"x" * 100, 1, 0, 0, ())
    memory.put("asked for", 5, told)
    for i in range(10_000):
        memory.put(i, 5, told)
        assert memory.get("asked for", 5) is told
    assert 90 < len(memory) <= 100_000 / 500
    memory.put("huge", 60_000, told)
    assert memory.get("huge", 60_000) is None
