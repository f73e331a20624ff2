"""Unsound inputs of every kind against the running service: never a 5xx, never a caller who gets no answer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import httpx
import pytest

from costmodel.benchmarks.mutation_seeds import Seed, seeds
from costmodel.benchmarks.mutations import mutant, row_of
from costmodel.benchmarks.mutators import zipped
from costmodel.benchmarks.servers import Server, our_server
from costmodel.kinds import load_bundle
from costmodel.registry import PRETRAINED

KINDS = ("network", "cpu", "hls4ml", "mlir")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}"
    with our_server(PRETRAINED, {"COSTMODEL_DATABASE_URL": url}) as server:
        yield server


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def sound(kind: str) -> list[Seed]:
    return seeds(kind, load_bundle(PRETRAINED / kind))


def test_what_mutants_are_made_from_is_sound(server: Server, sound: list[Seed]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        for seed in sound:
            answer = client.post(seed.path, content=seed.body, headers={"content-type": seed.content_type})
            assert answer.is_success, (seed.name, answer.text)
            assert '"error":' not in answer.text.replace('"error":null', ""), seed.name


def test_mutants_are_the_same_for_the_same_seed(sound: list[Seed]) -> None:
    first, second = ([mutant(sound, random.Random(f"1/{n}")) for n in range(50)] for _ in range(2))
    assert first == second
    assert len({json.dumps([m.path, m.body.hex()]) for m in first}) > 45


def test_an_archive_is_the_same_whenever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for seconds in (1e9, 1.1e9):
        monkeypatch.setattr("time.time", lambda seconds=seconds: seconds)
        made.append(zipped({"a.json": b"{}", "b.h": "int b;"}))
    assert made[0] == made[1]


def test_mutants_break_nothing(server: Server, kind: str) -> None:
    row = row_of(server, PRETRAINED, kind, count=120, seed=7)
    assert row | {"inputs": 120, "server_errors": 0, "no_answer": 0, "process_lost": 0, "other_failed": 0} == row
    assert row["refused"] > 40
    assert row["others"] > 0
