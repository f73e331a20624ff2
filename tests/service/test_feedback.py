"""Reported measurements: kept beside their prediction, once, and told where the intervals do not hold."""

from __future__ import annotations

import pytest

from costmodel.state import Database, StateUnavailableError
from service import Settings, create_app

ORDER = {"kind": "box", "device": "oak", "target": "weight_kg"}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def client(url, source, client_of):
    return client_of(create_app(Settings(database_url=url, refresh_interval_s=0.02), source))


def report(client, values, side=2, **members):
    measurements = [{"input": {"sides": [side]}, "value": value} for value in values]
    return client.post("/v1/measurements", json=ORDER | {"measurements": measurements} | members)


def standings(client):
    client.wait(0.3)
    return client.get("/v1/models/costmodel-box/health").json()


def test_a_measured_value_stands_beside_its_prediction(client):
    answer = report(client, [4.4, 40.0]).json()
    first, second = answer["judged"]
    assert (answer["model"], answer["model_version"]) == ("costmodel-box", "1")
    assert (first["predicted"], first["inside"], first["ratio"]) == (4.0, True, pytest.approx(1.1))
    assert second["inside"] is False


def test_conditions_are_a_note_and_no_archive(client, assert_problem):
    measured = {"input": {"sides": [2]}, "value": 4.0, "conditions": {"note": "x" * 5000}}
    answer = client.post("/v1/measurements", json=ORDER | {"measurements": [measured]})
    assert_problem(answer, 413, where="$.measurements[0].conditions")


def test_few_reports_tell_nothing_and_many_tell_what_does_not_hold(client):
    assert standings(client) == {"model": "costmodel-box", "model_version": "1", "in_band": None, "standings": []}
    report(client, [4.4, 40.0])
    [few] = standings(client)["standings"]
    assert (few["reports"], few["coverage"], few["in_band"]) == (2, 0.5, None)
    report(client, [40.0] * 30)
    health = standings(client)
    assert health["in_band"] is False
    assert "too narrow" in health["standings"][0]["told"]


def test_a_model_that_keeps_its_promise_is_in_its_band(client):
    report(client, [4.0] * 36 + [40.0] * 4)
    health = standings(client)
    assert health["in_band"] is True
    assert health["standings"][0]["median_error"] == 0.0
    text = client.get("/metrics").text
    labels = '{device="oak",model="costmodel-box",target="weight_kg"}'
    assert f"costmodel_reported_coverage{labels} 0.9" in text
    assert f"costmodel_reports{labels} 40.0" in text


def test_what_is_out_of_the_domain_is_counted_apart(client):
    report(client, [1.0] * 25, side=2000)
    [standing] = standings(client)["standings"]
    assert (standing["out_of_domain"], standing["coverage"], standing["in_band"]) == (25, None, None)


def test_a_report_that_is_sent_again_is_kept_once(client, assert_problem):
    headers = {"idempotency-key": "k1"}
    body = ORDER | {"measurements": [{"input": {"sides": [2]}, "value": 4.0}]}
    answers = {client.post("/v1/measurements", json=body, headers=headers).text for _ in range(3)}
    assert len(answers) == 1
    assert standings(client)["standings"][0]["reports"] == 1
    other = body | {"measurements": [{"input": {"sides": [3]}, "value": 4.0}]}
    assert_problem(client.post("/v1/measurements", json=other, headers=headers), 422)


def test_another_process_sees_them(client, url, source, client_of):
    report(client, [4.0] * 3)
    other = client_of(create_app(Settings(database_url=url, refresh_interval_s=0.02), source))
    assert standings(other)["standings"][0]["reports"] == 3


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"device": "fir"}, 422),
        ({"target": "mass"}, 422),
        ({"target": None}, 422),
        ({"kind": "cone"}, 422),
        ({"measurements": []}, 422),
        ({"measurements": [{"input": {"sides": [1]}, "value": -1}]}, 422),
        ({"measurements": [{"input": {"sides": [1]}, "value": 1}, {"input": {"sides": []}, "value": 1}]}, 422),
        ({"measurements": [{"input": {"blob": "?"}, "value": 1}]}, 422),
        ({"measurements": [{"input": {"sides": [1]}}]}, 422),
    ],
)
def test_a_wrong_report_is_named_and_nothing_is_kept(client, assert_problem, members, status):
    assert_problem(report(client, [4.0], **members), status)
    assert standings(client)["standings"] == []


def test_a_database_that_is_gone_is_a_503_and_predictions_go_on(client, monkeypatch, assert_problem):
    def gone(*_):
        raise StateUnavailableError("The database does not answer now.")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "writing", gone)
        refused = report(client, [4.0])
        assert_problem(refused, 503)
        assert refused.headers["retry-after"] == "1"
        question = {"device": "oak", "inputs": [{"sides": [1]}]}
        assert client.post("/v1/predict/box", json=question).status_code == 200
    assert report(client, [4.0]).status_code == 200
