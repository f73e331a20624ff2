"""Who may ask, and how often: nobody from another machine without a key, and no key beyond its scope."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from costmodel.state import Database, KeyStore, StateUnavailableError
from featurizers.errors import InputError
from service import Settings, create_app
from service.access import Access, needed_scope, on_this_machine

QUESTION = {"device": "oak", "inputs": [{"sides": [1]}]}


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("COSTMODEL_DATABASE_URL", f"sqlite:///{tmp_path / 'state.db'}")
    return KeyStore(Database())


@pytest.fixture
def ask(source, store):
    """Requests of a caller at `peer` to an application with these settings, with the keys as they are now."""

    def request(method="POST", path="/v1/predict/box", peer="203.0.113.7", token=None, times=1, **settings):
        async def run():
            app = create_app(Settings(**settings), source)
            async with app.router.lifespan_context(app):
                await asyncio.sleep(0)
                app.front._access.refresh()
                transport = httpx.ASGITransport(app, client=(peer, 1))
                headers = {} if token is None else {"authorization": f"Bearer {token}"}
                async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                    body = {"json": QUESTION} if method == "POST" else {}
                    return [await client.request(method, path, **body) for _ in range(times)][-1]

        return asyncio.run(run())

    return request


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", ""])
def test_callers_on_this_machine_need_no_key(ask, peer):
    assert on_this_machine(peer)
    assert ask(peer=peer).status_code == 200


@pytest.mark.parametrize("peer", ["203.0.113.7", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "elsewhere"])
def test_all_others_do(ask, assert_problem, peer):
    refused = ask(peer=peer)
    assert_problem(refused, 401)
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_unless_the_service_is_open_by_a_setting_or_closed_to_all(ask, assert_problem):
    assert ask(access="open").status_code == 200
    assert_problem(ask(access="keys", peer="127.0.0.1"), 401)
    with pytest.raises(InputError, match="Nearest: open"):
        Settings(access="opne")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_balancer_asks_for_health_without_a_key(ask, path):
    assert ask("GET", path, access="keys").status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/v1/models", "/openapi.json", "/docs", "/nowhere"])
def test_nothing_else_is_told(ask, assert_problem, path):
    assert_problem(ask("GET", path), 401)


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_a_key_may_do_what_its_scope_says(ask, store, assert_problem, scope):
    token = store.create("somebody", scope)
    assert ask(token=token).status_code == 200
    written = ask(path="/v1/devices", token=token)
    if scope == "read":
        assert_problem(written, 403)
    else:
        assert written.status_code not in (401, 403)


def test_a_wrong_or_revoked_key_is_refused_also_on_this_machine(ask, store, assert_problem):
    token = store.create("somebody", "read")
    for wrong in (token[:-1], token + "0", "cm__", "", "cm_" + token, token.replace("cm_", "cm_0")):
        assert_problem(ask(token=wrong, peer="127.0.0.1"), 401)
    assert store.revoke(token.split("_")[1])
    assert not store.revoke(token.split("_")[1])
    assert_problem(ask(token=token), 401)


def test_only_a_digest_is_kept(store, tmp_path):
    token = store.create("somebody", "admin")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.split("_")[1].encode() in kept
    assert token.split("_")[2].encode() not in kept


def test_a_running_service_learns_of_a_revoked_key(store):
    access = Access("auto", store)
    token = store.create("somebody", "read")
    access.refresh()
    assert access.check("GET", "/v1/models", "10.0.0.1", token)
    store.revoke(token.split("_")[1])
    access.refresh()
    with pytest.raises(Exception, match="revoked"):
        access.check("GET", "/v1/models", "10.0.0.1", token)


def test_keys_in_memory_stay_where_the_database_is_gone(store):
    token = store.create("somebody", "read")
    access = Access("auto", store)
    access.refresh()

    class Gone:
        def revision(self):
            raise StateUnavailableError("gone")

    access._keys = Gone()
    with pytest.raises(StateUnavailableError):
        access.refresh()
    assert access.check("GET", "/v1/models", "10.0.0.1", token)


def test_more_than_its_rate_is_a_429_that_says_when_to_come_again(ask, assert_problem):
    assert ask(peer="127.0.0.1", requests_per_s_max=2, times=4).status_code == 200
    refused = ask(peer="127.0.0.1", requests_per_s_max=2, times=5)
    assert_problem(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 2


def test_one_callers_rate_is_not_anothers():
    access = Access("open", None, per_s=0.5)
    access.check("GET", "/v1/models", "10.0.0.1", None)
    with pytest.raises(Exception, match="per second"):
        access.check("GET", "/v1/models", "10.0.0.1", None)
    assert access.check("GET", "/v1/models", "10.0.0.2", None) == "10.0.0.2"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/healthz", None),
        ("GET", "/v1/devices", "read"),
        ("POST", "/v1/predict/network", "read"),
        ("POST", "/v1/devices", "write"),
        ("POST", "/v1/devices/plan", "read"),
        ("DELETE", "/v1/devices/a", "write"),
        ("POST", "/v1/measurements", "write"),
        ("GET", "/v1/keys", "admin"),
    ],
)
def test_scopes_by_route(method, path, scope):
    assert needed_scope(method, path) == scope
