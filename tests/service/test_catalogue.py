"""GET /v1/devices and /v1/models."""

from __future__ import annotations


def test_devices_tell_their_targets_units_and_conditions(client):
    devices = client.get("/v1/devices").json()["devices"]
    assert [device["name"] for device in devices] == ["pine", "oak"]
    assert devices[1] == {
        "name": "oak",
        "kind": "box",
        "profile": "",
        "targets": [
            {"name": "weight_kg", "unit": "kg", "positive": True, "higher_is_better": False, "count": False},
            {"name": "price_eur", "unit": "EUR", "positive": True, "higher_is_better": False, "count": False},
        ],
        "descriptor": {"made_of": "oak"},
    }


def test_devices_of_one_kind(client, source, assert_problem):
    source.add("crate")
    assert {d["kind"] for d in client.get("/v1/devices?kind=crate").json()["devices"]} == {"crate"}
    assert_problem(client.get("/v1/devices?kind=bag"), 422, known=["box", "crate"])


def test_a_model_tells_its_source_card_and_metrics(client):
    [model] = client.get("/v1/models").json()["models"]
    assert model["name"] == "costmodel-box"
    assert model["version"] == "1"
    assert model["source"] == "packaged"
    assert model["devices"] == ["pine", "oak"]
    assert model["card"]["licence"] == "CC0-1.0"
    assert client.get("/v1/models/costmodel-box").json() == model


def test_an_unknown_model_is_named_with_the_known_ones(client, assert_problem):
    assert_problem(client.get("/v1/models/costmodel-bxo"), 404, known=["costmodel-box"])
