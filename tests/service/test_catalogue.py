"""GET /v1/devices and /v1/models."""

from __future__ import annotations

from costmodel.tracking.versions import ModelVersion, VersionsError


def test_devices_tell_their_targets_units_and_conditions(client):
    devices = client.get("/v1/devices").json()["devices"]
    assert [device["name"] for device in devices] == ["pine", "oak"]
    shared = {"positive": True, "higher_is_better": False, "count": False, "of_pieces": "sum"}
    assert devices[1] == {
        "name": "oak",
        "kind": "box",
        "profile": "",
        "targets": [
            {"name": "weight_kg", "unit": "kg", **shared},
            {"name": "price_eur", "unit": "EUR", **shared},
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


def test_importance_is_asked_by_device_and_target(client, assert_problem):
    at = "/v1/models/costmodel-box/importance"
    answer = client.get(f"{at}?device=oak&target=weight_kg").json()
    assert answer == {"device": "oak", "target": "weight_kg", "trees": 0, "groups": []}
    assert_problem(client.get(f"{at}?device=elm&target=weight_kg"), 422, known=["oak", "pine"])
    assert_problem(client.get(f"{at}?device=oak&target=age"), 422, known=["price_eur", "weight_kg"])
    assert_problem(client.get(f"{at}?device=oak"), 422)
    assert_problem(client.get("/v1/models/costmodel-bxo/importance?device=oak&target=weight_kg"), 404)


def test_versions_come_from_the_registry_and_its_failure_is_told(client, monkeypatch, assert_problem):
    at = "/v1/models/costmodel-box/versions"
    version = ModelVersion("2", True, "2026-01-01T00:00:00+00:00", "gnn", "ab", None, "sum", "commit", 0.1, ())
    monkeypatch.setattr("service.routes.models.versions", lambda name: [version])
    assert client.get(at).json()["versions"][0]["run_id"] == "ab"

    def away(name: str) -> None:
        raise VersionsError("The model registry: no route to host")

    monkeypatch.setattr("service.routes.models.versions", away)
    assert "no route" in assert_problem(client.get(at), 503)["detail"]
    assert_problem(client.get("/v1/models/costmodel-bxo/versions"), 404)
