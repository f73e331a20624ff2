"""Rounds of MLPerf: scaling with chips, new tasks, and chips unlike any before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from costmodel.cpu.mlperf import RoundForecast, results_of


def row(accelerator: str, benchmark: str, round_: str, result: float, count: int = 8, **more: Any) -> dict[str, Any]:
    return {
        "round": round_,
        "submitter": "x",
        "benchmark_std": benchmark,
        "scenario": "Offline",
        "result": result,
        "higher_is_better": True,
        "accelerator": accelerator,
        "accelerators_total": count,
        "nodes": 1,
        **more,
    }


@pytest.fixture(scope="module")
def forecast() -> RoundForecast:
    rows = []
    for name, rate in (("NVIDIA A100-SXM-80GB", 38000.0), ("NVIDIA A30", 18000.0), ("NVIDIA A2", 3000.0)):
        for count in (1, 2, 4, 8):
            rows += [
                row(name, "resnet", "v2.0", rate * count, count),
                row(name, "bert-99", "v2.0", rate * count / 12, count),
            ]
    return RoundForecast().fit(results_of(rows))


def test_a_chip_seen_repeats_itself(forecast: RoundForecast):
    later = results_of([row("NVIDIA A100-SXM-80GB", "resnet", "v2.1", 38000.0 * 8)])
    level, deviation = forecast.predict(later)
    assert np.exp(level[0]) == pytest.approx(38000, rel=0.05)
    assert 0 < deviation[0] < 0.5


def test_a_chip_unseen_lies_between_and_is_less_certain(forecast: RoundForecast):
    asked = results_of([row("NVIDIA A10", "resnet", "v2.1", 1.0), row("NVIDIA A30", "resnet", "v2.1", 1.0)])
    level, deviation = forecast.predict(asked)
    assert 3000 < np.exp(level[0]) < 38000
    assert deviation[0] > deviation[1]


def test_new_tasks_are_told_apart(forecast: RoundForecast):
    asked = results_of([row("NVIDIA A30", "llama2-70b-99", "v4.1", 1.0), row("NVIDIA A30", "resnet", "v4.1", 1.0)])
    assert forecast.knows(asked).tolist() == [False, True]


def test_latency_is_learned_as_its_reciprocal():
    rows = [row("NVIDIA A30", "resnet", "v2.0", 2.0, 1, higher_is_better=False, scenario="SingleStream")]
    assert results_of(rows).level[0] == pytest.approx(-np.log(2.0))
