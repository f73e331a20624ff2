"""Later measurements: outliers are named, a common shift is drift and no outlier, agreement is silence."""

import numpy as np
import pytest

from costmodel.fewshot import AdaptedDevice, FewShotRegressor, compare
from featurizers.errors import InputError
from tests.costmodel.fewshot.conftest import SPACE, law, noisy

NEW = (40.0, 1.5e3, 1.2e4)
LATER = SPACE.sample(12, np.random.default_rng(21))


@pytest.fixture(scope="module")
def device(meta: FewShotRegressor) -> AdaptedDevice:
    ops = SPACE.sample(20, np.random.default_rng(20))
    return meta.adapt(ops.tolist(), noisy(law(ops, *NEW), 20))


def test_agreeing_measurements_say_nothing(device: AdaptedDevice) -> None:
    found = compare(device, LATER.tolist(), noisy(law(LATER, *NEW), 22))
    assert found.outliers == ()
    assert found.drift is None


def test_an_outlier_is_named_with_both_numbers(device: AdaptedDevice) -> None:
    latency = noisy(law(LATER, *NEW), 22)
    latency[7] *= 2
    (outlier,) = compare(device, LATER.tolist(), latency).outliers
    assert outlier.index == 7
    assert outlier.measured_ms == latency[7]
    assert outlier.predicted_ms == pytest.approx(latency[7] / 2, rel=0.1)


def test_a_throttled_device_has_drifted_and_no_outliers(device: AdaptedDevice) -> None:
    found = compare(device, LATER.tolist(), 1.4 * noisy(law(LATER, *NEW), 22))
    assert found.drift == pytest.approx(1.4, rel=0.05)
    assert found.outliers == ()


def test_nothing_to_compare_is_refused(device: AdaptedDevice) -> None:
    with pytest.raises(InputError, match="at least one"):
        compare(device, [], [])
