"""Large requests go to threads: others go on meanwhile, and too many are refused."""

from __future__ import annotations

import asyncio
import threading
import time

import httpx

from service import Settings, create_app, workers

SMALL = {"device": "oak", "inputs": [{"sides": [1]}]}
LARGE = {"device": "oak", "inputs": [{"blob": "AAAA"}]}


def test_small_requests_pass_a_large_one_and_a_full_queue_is_a_503(source, assert_problem):
    entered, leave = threading.Event(), threading.Event()
    predictor = source.predictors["box"]
    answer = predictor.predict

    def slow(raws, devices, targets=None):
        if "blob" in raws[0]:
            entered.set()
            assert leave.wait(10)
        return answer(raws, devices, targets)

    predictor.predict = slow

    async def scenario():
        app = create_app(Settings(threads=1, queue_max=1, retry_after_s=7), source)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            waiting = [asyncio.create_task(client.post("/v1/predict/box", json=LARGE)) for _ in range(2)]
            await asyncio.to_thread(entered.wait, 10)
            small = await client.post("/v1/predict/box", json=SMALL)
            refused = await client.post("/v1/predict/box", json=LARGE)
            leave.set()
            return small, refused, [(await task).status_code for task in waiting]

    small, refused, waited = asyncio.run(scenario())
    assert small.status_code == 200
    assert_problem(refused, 503)
    assert refused.headers["retry-after"] == "7"
    assert waited == [200, 200]


def test_memory_is_given_back_once_when_nothing_is_at_work(monkeypatch):
    given = []
    monkeypatch.setattr(workers, "_TIDY_AFTER_S", 0.05)
    monkeypatch.setattr(workers, "give_memory_back", lambda: given.append(1))

    async def scenario():
        pool = workers.Workers(threads=2, queue_max=10, retry_after_s=1)
        await asyncio.gather(*(pool.run(lambda: time.sleep(0.01)) for _ in range(5)))
        long = asyncio.create_task(pool.run(lambda: time.sleep(0.3)))
        await asyncio.sleep(0.15)
        while_at_work = len(given)
        await long
        await asyncio.sleep(0.3)
        pool.close()
        return while_at_work

    assert asyncio.run(scenario()) == 0
    assert given == [1]


def test_memory_that_was_freed_is_given_back():
    workers.give_memory_back()
