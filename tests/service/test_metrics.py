"""GET /metrics counts what users and operators ask about."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families


@pytest.fixture
def sample(client):
    def read(name, **labels):
        families = text_string_to_metric_families(client.get("/metrics").text)
        found = [s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(found)

    return read


def test_requests_and_errors_by_operation(client, sample):
    client.post("/v1/predict/box", json={"device": "oak", "inputs": [{"sides": [1]}]})
    client.post("/v1/predict/box", json={"device": "fir", "inputs": [{"sides": [1]}]})
    client.get("/v1/devices")
    client.get("/nowhere")
    assert sample("costmodel_requests_total", operation="predict", status="200") == 1
    assert sample("costmodel_requests_total", operation="predict", status="422") == 1
    assert sample("costmodel_requests_total", operation="list_devices", status="200") == 1
    assert sample("costmodel_requests_total", operation="unmatched", status="404") == 1
    assert sample("costmodel_answer_seconds_count", operation="predict", kind="box") == 2


def test_predictions_that_are_out_of_domain_and_inputs_that_failed(client, sample):
    inputs = [{"sides": [1]}, {"sides": [100, 100]}, {"sides": []}]
    client.post("/v1/predict/box", json={"device": "oak", "target": "weight_kg", "inputs": inputs})
    assert sample("costmodel_predictions_total", kind="box") == 2
    assert sample("costmodel_predictions_out_of_domain_total", kind="box") == 1
    assert sample("costmodel_failed_inputs_total", kind="box") == 1
    assert sample("costmodel_interval_width_ratio_sum", kind="box") == pytest.approx(2.25)


def test_unknown_kinds_and_paths_make_no_new_series(client, sample):
    for i in range(20):
        client.post(f"/v1/predict/kind{i}", json={})
        client.get(f"/path{i}")
    assert sample("costmodel_requests_total", status="404") == 40
    assert client.get("/metrics").text.count("costmodel_requests_total{") == 3
