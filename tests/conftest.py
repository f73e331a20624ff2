"""Fixtures that more than one folder uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from costmodel import kinds
from costmodel.kinds import register_kind
from costmodel.training import TrainRequest, TrainResult, train
from tests.toy_kind import BOX


@pytest.fixture(scope="session", autouse=True)
def own_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees or changes the devices of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSTMODEL_DATABASE_URL", f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}")
        yield


@pytest.fixture(scope="session", autouse=True)
def own_registry() -> Iterator[None]:
    """No test asks or fills the MLflow store that whoever runs it has chosen."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
            patch.delenv(name)
        yield


@pytest.fixture
def box_kind(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The toy kind in a registry of its own."""
    monkeypatch.setattr(kinds, "KINDS", dict(kinds.KINDS))
    monkeypatch.setitem(kinds.KINDS, "box", BOX)
    return "box"


@pytest.fixture(scope="session")
def box_training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, TrainResult]]:
    """A bundle of the toy kind on disk, trained once for all tests (without MLflow)."""
    register_kind(BOX)
    try:
        folder = tmp_path_factory.mktemp("box") / "bundle"
        yield folder, train(TrainRequest("box", folder, out=folder, track=False), log=lambda _: None)
    finally:
        del kinds.KINDS["box"]
