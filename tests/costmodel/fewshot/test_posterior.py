"""The regression learns a law that is linear in log space, and one that is a sum of costs, each by its own mode."""

import numpy as np
import pytest

from costmodel.fewshot.posterior import Hypers, infer

HYPERS = Hypers(np.zeros((8, 1)), np.linspace(-9.0, -3.0, 8), np.full(8, 4.0))
ONE_GROUP = np.zeros(2, dtype=np.int64)


@pytest.mark.parametrize("additive", [False, True])
def test_each_mode_learns_its_own_law_and_not_the_other(additive: bool) -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(-0.6, 0.6, (40, 2))
    signal = features @ np.array([0.7, 0.5])
    residual = (np.log1p(signal) if additive else signal) + 0.005 * rng.standard_normal(40)
    errors = {
        mode: np.abs(
            infer(residual[:20], features[:20], ONE_GROUP, HYPERS, additive=mode).point(np.zeros(20), features[20:])
            - residual[20:]
        ).mean()
        for mode in (False, True)
    }
    assert errors[additive] < 0.02
    assert errors[additive] < 0.5 * errors[not additive]


def test_structures_are_optional_and_share_the_answer() -> None:
    assert HYPERS.structure.tolist() == [0] * 8
    two = Hypers(HYPERS.log_variance, HYPERS.log_noise, HYPERS.tails, np.arange(8) % 2)
    features = np.random.default_rng(1).normal(size=(10, 2))
    shared = infer(features[:, 0], features, ONE_GROUP, two).structures
    assert shared.shape == (2,)
    assert shared.sum() == pytest.approx(1)
