"""Lists in pages: every entry once, whatever comes and goes between the pages; a foreign cursor is refused."""

from __future__ import annotations

import pytest

from service import Settings, create_app
from service.paging import cursor_of, key_of, page_of

ENTRIES = [f"entry{i:03d}" for i in range(25)]


def all_pages(entries_of, limit):
    seen, cursor = [], None
    while True:
        page, cursor = page_of(entries_of(len(seen)), str, limit, cursor)
        seen += page
        if cursor is None:
            return seen


@pytest.mark.parametrize("limit", [1, 7, 25, 100])
def test_every_entry_comes_once(limit):
    assert all_pages(lambda _: ENTRIES, limit) == ENTRIES


def test_what_goes_meanwhile_moves_nothing_else():
    found = all_pages(lambda seen: ENTRIES if seen == 0 else [e for e in ENTRIES if e != "entry006"], 7)
    assert found == ENTRIES
    assert all_pages(lambda seen: ENTRIES if seen == 0 else ENTRIES[7:], 7) == ENTRIES


@pytest.mark.parametrize("cursor", ["", "x", "é", "YWZ0ZXI6\n", "bm8", cursor_of("abc")[:-1]])
def test_a_cursor_of_nobody_is_refused(client, assert_problem, cursor):
    for path in ("/v1/devices", "/v1/models", "/v1/measurements"):
        assert_problem(client.get(path, params={"cursor": cursor}), 422, what="The parameter 'cursor'")


def test_a_cursor_stands_for_its_key():
    assert key_of(cursor_of("box/oak é")) == "box/oak é"


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1001", "1e3"])
def test_a_limit_that_is_none_is_refused(client, assert_problem, limit):
    assert_problem(client.get("/v1/devices", params={"limit": limit}), 422)


def test_devices_in_pages_are_all_devices(client):
    whole = client.get("/v1/devices").json()
    assert "next_cursor" not in whole
    first = client.get("/v1/devices", params={"limit": 1}).json()
    second = client.get("/v1/devices", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["devices"] + second["devices"] == sorted(whole["devices"], key=lambda device: device["name"])
    assert "next_cursor" not in second
    assert "next_cursor" not in client.get("/v1/models", params={"limit": 1}).json()


def test_reports_come_newest_first_in_pages(tmp_path, source, client_of):
    client = client_of(create_app(Settings(database_url=f"sqlite:///{tmp_path / 'state.db'}"), source))
    assert client.get("/v1/measurements").json() == {"measurements": []}
    for value in range(1, 6):
        report = {"input": {"sides": [value]}, "value": value, "conditions": {"n": value}}
        body = {"kind": "box", "device": "oak", "target": "weight_kg", "measurements": [report]}
        assert client.post("/v1/measurements", json=body).status_code == 200
    seen, cursor = [], {}
    while True:
        page = client.get("/v1/measurements", params={"limit": 2, "device": "oak", **cursor}).json()
        seen += page["measurements"]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [report["measured"] for report in seen] == [5, 4, 3, 2, 1]
    assert (seen[0]["input"], seen[0]["conditions"], seen[0]["device"]) == ({"sides": [5]}, {"n": 5}, "oak")
    assert client.get("/v1/measurements", params={"device": "fir"}).json()["measurements"] == []
