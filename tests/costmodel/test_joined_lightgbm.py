import numpy as np
import pytest

from costmodel.cpu.blend import boosted
from costmodel.regressors.joined_lightgbm import joined_booster
from costmodel.regressors.native_lightgbm import NativeBooster


def booster(seed: int, rounds: int = 5, columns: int = 4, leaves: int = 4) -> NativeBooster:
    random = np.random.default_rng(seed)
    x = random.normal(size=(60, columns)).astype(np.float32)
    x[::7, 0] = np.nan
    own = {"num_leaves": leaves, "min_data_in_leaf": 2, "rounds": rounds}
    return boosted(x, x[:, 1] * seed + random.normal(size=60), np.ones(60), seed, own)


def test_each_output_of_a_joined_model_is_that_of_its_own_booster() -> None:
    boosters = [booster(seed) for seed in (1, 2, 3)]
    x = np.random.default_rng(9).normal(size=(20, 4)).astype(np.float32)
    x[3] = np.nan
    joined = joined_booster(boosters)
    assert joined.predict(x).shape == (20, 3)
    np.testing.assert_array_equal(joined.predict(x), np.stack([each.predict(x) for each in boosters], axis=1))
    np.testing.assert_array_equal(joined.predict(x[:1])[0], joined.predict(x)[0])
    assert joined.predict(x[:0]).shape == (0, 3)


@pytest.mark.parametrize("leaves", [2, 8, 9])
def test_a_row_alone_gets_what_it_gets_among_others_bit_by_bit(leaves: int) -> None:
    joined = joined_booster([booster(seed, rounds=12, leaves=leaves) for seed in (1, 2, 3)])
    x = np.random.default_rng(4).normal(size=(200, 4)).astype(np.float32)
    x[::5, 0] = np.nan
    x[1::5, 1:3] = np.nan
    x[2::5, 3] = 0.0
    x[3::50] = np.inf, -np.inf, 1e38, -1e38
    np.testing.assert_array_equal(np.concatenate([joined.predict(x[i : i + 1]) for i in range(200)]), joined.predict(x))


def test_boosters_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"equal trees and columns .*\(5, 4\), \(6, 4\)"):
        joined_booster([booster(1), booster(2, rounds=6)])
    with pytest.raises(ValueError, match=r"\(5, 3\), \(5, 4\)"):
        joined_booster([booster(1), booster(2, columns=3)])
    with pytest.raises(ValueError, match="Two boosters"):
        joined_booster([booster(1)])
