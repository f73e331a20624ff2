"""The load generator of the serving benchmark counts what it says it counts."""

from __future__ import annotations

import itertools
import json
from urllib.parse import urlsplit

import pytest

from costmodel.benchmarks.http_load import load, post
from costmodel.benchmarks.questions import cells
from featurizers.network import NetworkFeaturizer
from tests.served_box import box_models, box_url

__all__ = ["box_models", "box_url"]


@pytest.mark.parametrize("connections", [1, 3])
def test_answers_and_failures_are_counted(box_url: str, connections: int) -> None:
    good = json.dumps({"device": "fast", "inputs": [{"sides": [1, 2, 3]}]}).encode()
    wrong = json.dumps({"device": "fsat", "inputs": [{"sides": [1, 2, 3]}]}).encode()
    port = urlsplit(box_url).port
    assert port is not None
    sent = [post("localhost", "/v1/predict/box", body) for body in (good, wrong)]
    found = load(port, sent, connections, seconds=0.5)
    assert found.requests >= 2 * connections
    assert abs(found.failed - found.requests / 2) <= connections
    assert 0 < found.p50_ms <= found.p99_ms
    assert load(port, sent[:1], connections, seconds=0.1).failed == 0


def test_cells_are_distinct_and_of_the_space() -> None:
    chosen = cells(50, seed=3)
    assert len(set(chosen)) == 50
    assert chosen == cells(50, seed=3) != cells(50, seed=4)
    featurizer = NetworkFeaturizer()
    for cell in itertools.islice(chosen, 10):
        featurizer.parse({"nasbench201": cell})
