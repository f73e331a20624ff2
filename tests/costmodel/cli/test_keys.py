"""``costmodel keys``, and a service that refuses to be put where others reach it before there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from costmodel.cli import main
from costmodel.state import Database, KeyStore
from costmodel.state.keys import key_of


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTMODEL_DATABASE_URL", f"sqlite:///{tmp_path / 'state.db'}")


def test_a_key_is_made_listed_and_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["keys", "create", "build farm", "--scope", "write"]) == 0
    token = capsys.readouterr().out.strip()
    key = key_of(token, KeyStore(Database()).living())
    assert key is not None
    assert (key.name, key.scope) == ("build farm", "write")
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert key.id in listed
    assert "build farm" in listed
    assert token.split("_")[2] not in listed
    assert main(["keys", "revoke", key.id]) == 0
    assert main(["keys", "revoke", key.id]) == 2
    assert KeyStore(Database()).living() == {}


def test_a_public_address_without_a_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--port", "1"]) == 2
    assert "costmodel keys create" in capsys.readouterr().err
