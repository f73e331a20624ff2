"""Planned measurements teach more than random ones, respect what was measured, and come from what is offered."""

import numpy as np
import pytest

from costmodel.fewshot import FewShotRegressor
from costmodel.fewshot.planning import greedy_plan
from featurizers.errors import InputError
from featurizers.network.nas_physics import OpIndices
from tests.costmodel.fewshot.conftest import SPACE, law, noisy

NEW = (40.0, 1.5e3, 1.2e4)


def test_planned_ten_leave_less_variance_than_random_ten(meta: FewShotRegressor) -> None:
    others = SPACE.sample(200, np.random.default_rng(1)).tolist()

    def left(ops: list[list[int]]) -> float:
        latency = law(np.array(ops), *NEW)
        device = meta.adapt(ops, latency)
        return float(device.posterior.variance(meta.features(meta.parse(others))[1]).mean())

    planned = left(meta.plan(10))
    drawn = [left(SPACE.sample(10, np.random.default_rng(seed)).tolist()) for seed in range(5)]
    assert planned < min(drawn)


def test_a_plan_begins_with_every_smaller_plan(meta: FewShotRegressor) -> None:
    assert meta.plan(8)[:3] == meta.plan(3)


def test_a_plan_is_of_the_candidates_once_each_without_those_measured(meta: FewShotRegressor) -> None:
    candidates = SPACE.sample(12, np.random.default_rng(2)).tolist()
    planned = meta.plan(20, already=candidates[:4], candidates=candidates + candidates)
    assert sorted(planned) == sorted(candidates[4:])


def test_the_next_plan_after_measurements_is_new(meta: FewShotRegressor, pool: OpIndices) -> None:
    first = meta.plan(6)
    device = meta.adapt(first, noisy(law(np.array(first), *NEW), 1))
    assert not {tuple(row) for row in device.plan(6)} & {tuple(row) for row in first}


def test_nothing_to_plan_is_refused(meta: FewShotRegressor) -> None:
    with pytest.raises(InputError, match="at least 1"):
        meta.plan(0)


def test_greedy_choice_on_a_line() -> None:
    """With the level nearly known and a slope to learn, the far end goes first; the middle says nothing."""
    candidates = np.array([[0.0], [0.5], [3.0], [-2.0]])
    covariance = np.diag([1e-6, 1.0])
    assert greedy_plan(candidates, np.linspace(-3, 3, 13)[:, None], covariance, 0.01, 4).tolist()[::3] == [2, 0]


def test_measured_points_count_as_seen() -> None:
    candidates, population = np.array([[3.0], [-3.0]]), np.linspace(-3, 3, 13)[:, None]
    covariance = np.diag([4.0, 1.0])
    assert greedy_plan(candidates, population, covariance, 0.01, 1, np.array([[3.0]])).tolist() == [1]
    assert greedy_plan(candidates, population, covariance, 0.01, 1, np.array([[-3.0]])).tolist() == [0]
