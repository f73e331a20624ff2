"""GET /healthz, /readyz and what happens when the registry changes or goes away."""

from __future__ import annotations

ASKED = {"device": "oak", "inputs": [{"sides": [1]}]}


def test_ready_names_its_models(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok", "models": {"box": "costmodel-box 1"}}


def test_without_its_registry_it_answers_from_memory_and_says_so(client, source):
    source.problem = "The registry at sqlite:///gone cannot be opened."
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["problem"] == source.problem
    assert client.post("/v1/predict/box", json=ASKED).status_code == 200


def test_without_any_model_it_is_not_ready(client, source):
    source.predictors.clear()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"


def test_a_new_champion_answers_without_a_restart(client, source):
    old = source.predictors["box"]
    source.on_refresh = lambda: source.predictors.update(box=type(old)("2"))
    client.wait(0.3)
    [result] = client.post("/v1/predict/box", json=ASKED).json()["results"]
    assert {prediction["model_version"] for prediction in result["predictions"]} == {"2"}


def test_a_failing_refresh_does_not_stop_the_next_one(client, source, caplog):
    calls = []

    def fail():
        calls.append(1)
        raise OSError("disk gone")

    source.on_refresh = fail
    client.wait(0.4)
    assert len(calls) >= 2
    assert "disk gone" in caplog.text
    assert client.post("/v1/predict/box", json=ASKED).status_code == 200
