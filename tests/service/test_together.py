"""Small questions that wait at the same time are one question to the model, and each caller gets its own answer."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import pytest

from service import Settings, create_app
from tests.service.conftest import BoxSource

FRESH = Settings(memory_bytes_max=0)


@pytest.fixture
def source():
    return BoxSource()


@pytest.fixture
def calls(source):
    """How many inputs each call of the predictor had."""
    predictor, counted = source.predictors["box"], []
    answer = predictor.predict
    predictor.predict = lambda raws, *rest: counted.append(len(raws)) or answer(raws, *rest)
    return counted


def ask_all(app, bodies, path="/v1/predict/box"):
    """The answers to bodies that are sent at the same time."""

    async def sent():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"content-type": "application/json"}
            return await asyncio.gather(*(client.post(path, content=body, headers=headers) for body in bodies))

    return asyncio.run(sent())


def body(*sides, **fields):
    return json.dumps({"device": "oak", "inputs": [{"sides": [side]} for side in sides], **fields}).encode()


def test_twenty_callers_are_one_call_of_the_model(source, calls):
    bodies = [body(side) for side in range(1, 21)]
    answers = ask_all(create_app(FRESH, source), bodies)
    together = list(calls)
    alone = [ask_all(create_app(FRESH, source), [each])[0] for each in bodies]
    assert together == [20]
    assert [answer.content for answer in answers] == [answer.content for answer in alone]


def test_other_devices_and_targets_are_asked_apart(source, calls):
    bodies = [body(2), body(3, target="weight_kg"), body(4, device="pine"), body(5), body(6, 7)]
    answers = [answer.json()["results"] for answer in ask_all(create_app(FRESH, source), bodies)]
    assert sorted(calls) == [1, 1, 4]
    assert [[len(result["predictions"]) for result in results] for results in answers] == [[2], [1], [2], [2], [2, 2]]
    assert [result["predictions"][0]["value"] for result in answers[4]] == [12, 14]


def test_no_more_than_a_turn_takes(source, calls):
    answers = ask_all(create_app(FRESH, source), [body(*range(1, 9))] * 20)
    assert max(calls) <= 32
    assert sum(calls) == 160
    assert {answer.status_code for answer in answers} == {200}


def test_a_wrong_input_is_its_own_callers(source, calls):
    answers = ask_all(create_app(FRESH, source), [body(1), body(-1), body(2), body(3, -3)])
    assert [answer.status_code for answer in answers] == [200, 422, 200, 200]
    assert calls == [5]
    assert answers[1].json()["input"] == 0
    assert "error" in answers[3].json()["results"][1]


def test_an_unexpected_failure_is_its_own_callers(source):
    predictor = source.predictors["box"]
    answer = predictor.predict

    def failing(raws, *rest):
        if any(raw["sides"] == [13] for raw in raws):
            raise RuntimeError("thirteen")
        return answer(raws, *rest)

    predictor.predict = failing
    answers = ask_all(create_app(FRESH, source), [body(1), body(13), body(2)])
    assert [answer.status_code for answer in answers] == [200, 500, 200]
    assert "thirteen" not in answers[1].text


def test_a_model_that_answers_too_few_is_an_error_and_nobody_waits_for_ever(source):
    predictor = source.predictors["box"]
    answer = predictor.predict
    predictor.predict = lambda raws, *rest: answer(raws, *rest)[: 1 if len(raws) < 3 else -1]
    answers = ask_all(create_app(FRESH, source), [body(1), body(2), body(3, 4)])
    assert [each.status_code for each in answers] == [200, 200, 500]


def test_what_is_remembered_waits_for_nobody(source, calls):
    app = create_app(Settings(), source)
    ask_all(app, [body(1), body(2)])
    answers = ask_all(app, [body(1, 3), body(2), body(1)])
    assert calls == [2, 1]
    assert answers[0].json()["results"][0] == answers[2].json()["results"][0]


def test_the_loop_waits_for_no_kind_that_another_process_reads(source):
    """While one program is read, the next programs wait and are one call; boxes are answered."""
    source.add("program")
    source.apart = frozenset({"program"})
    predictor, box_answered, calls = source.predictors["program"], threading.Event(), []
    answer, answer_box = predictor.predict, source.predictors["box"].predict

    def slow(raws, *rest):
        calls.append(len(raws))
        assert box_answered.wait(10)
        return answer(raws, *rest)

    def seen(raws, *rest):
        box_answered.set()
        return answer_box(raws, *rest)

    predictor.predict, source.predictors["box"].predict = slow, seen

    async def sent(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"content-type": "application/json"}

            def post(kind, content):
                return client.post(f"/v1/predict/{kind}", content=content, headers=headers)

            first = asyncio.ensure_future(post("program", body(1)))
            while not calls:
                await asyncio.sleep(0.001)
            return await asyncio.gather(first, *(post("program", body(i)) for i in (2, 3, -4)), post("box", body(5)))

    answers = asyncio.run(sent(create_app(FRESH, source)))
    assert [each.status_code for each in answers] == [200, 200, 200, 422, 200]
    assert [each.json()["results"][0]["predictions"][0]["value"] for each in answers[:3]] == [2, 4, 6]
    assert calls == [1, 3]


@pytest.mark.parametrize("operation", ["rank", "explain"])
def test_other_operations_of_it_are_answered_in_a_thread(source, operation):
    source.apart = frozenset({"box"})
    predictor, threads = source.predictors["box"], []
    answer = getattr(predictor, operation)
    setattr(predictor, operation, lambda *asked: threads.append(threading.current_thread()) or answer(*asked))
    [told] = ask_all(create_app(FRESH, source), [body(1, target="weight_kg")], f"/v1/{operation}/box")
    assert told.status_code == 200
    assert threads != [threading.main_thread()]
