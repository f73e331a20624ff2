"""A device with a known law is learned from ten measurements, with intervals that hold and outliers named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.evaluation.metrics import spearman
from costmodel.fewshot import LEARNERS, FewShotRegressor, champion, meta_train
from costmodel.fewshot.checks import check_agreement
from featurizers.errors import InputError, UnknownNameError
from featurizers.network.nas_physics import OpIndices
from tests.costmodel.fewshot.conftest import SPACE, law, noisy

NEW = (40.0, 1.5e3, 1.2e4)
"""A law unlike any known device's."""


@pytest.fixture(scope="module")
def others() -> OpIndices:
    return SPACE.sample(300, np.random.default_rng(9))


def ten(sd: float = 0.02, seed: int = 3) -> tuple[list[list[int]], list[float]]:
    ops = SPACE.sample(10, np.random.default_rng(seed))
    return ops.tolist(), noisy(law(ops, *NEW), seed, sd).tolist()


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_ten_measurements_rank_and_time_the_rest(
    learner: str, train: Callable[[str], FewShotRegressor], others: OpIndices
) -> None:
    estimate = train(learner).adapt(*ten()).predict(others.tolist())
    truth = law(others, *NEW)
    assert spearman(estimate.point, truth) > 0.95
    assert np.median(np.abs(np.exp(estimate.point) / truth - 1)) < 0.03


def test_more_measurements_make_it_surer_and_better(meta: FewShotRegressor, others: OpIndices) -> None:
    ops = SPACE.sample(50, np.random.default_rng(4))
    latency, truth = noisy(law(ops, *NEW), 4), law(others, *NEW)
    errors, spreads = [], []
    for n in (5, 50):
        estimate = meta.adapt(ops[:n].tolist(), latency[:n]).predict(others.tolist())
        errors.append(float(np.abs(estimate.point - np.log(truth)).mean()))
        spreads.append(float(estimate.spread.mean()))
    assert errors[1] < errors[0]
    assert spreads[1] < spreads[0]


def test_intervals_cover_new_measurements(meta: FewShotRegressor, others: OpIndices) -> None:
    covered = []
    for seed in range(8):
        device = meta.adapt(*ten(seed=seed))
        low, high = device.interval(device.predict(others.tolist()))
        measured = noisy(law(others, *NEW), 50 + seed)
        covered.append(float(((measured >= low) & (measured <= high)).mean()))
    assert 0.8 < np.mean(covered) <= 1


def test_an_outlier_loses_its_trust_and_does_little_harm(meta: FewShotRegressor, others: OpIndices) -> None:
    ops = SPACE.sample(15, np.random.default_rng(6))
    latency = noisy(law(ops, *NEW), 6, 0.01)
    latency[4] *= 2.5
    device = meta.adapt(ops.tolist(), latency)
    assert int(np.argmin(device.trust)) == 4
    assert device.trust[4] < 0.1 < np.median(device.trust)
    error = np.abs(np.exp(device.predict(others.tolist()).point) / law(others, *NEW) - 1)
    assert np.median(error) < 0.03


def test_scaling_every_latency_scales_every_answer(meta: FewShotRegressor, others: OpIndices) -> None:
    ops, latency = ten()
    once = meta.adapt(ops, latency).predict(others.tolist())
    twice = meta.adapt(ops, [2 * value for value in latency]).predict(others.tolist())
    np.testing.assert_allclose(twice.point, once.point + np.log(2), rtol=0, atol=1e-9)
    np.testing.assert_allclose(twice.spread, once.spread, rtol=1e-9)


def test_order_of_measurements_does_not_matter(meta: FewShotRegressor, others: OpIndices) -> None:
    ops, latency = ten()
    forward = meta.adapt(ops, latency).predict(others.tolist())
    backward = meta.adapt(ops[::-1], latency[::-1]).predict(others.tolist())
    np.testing.assert_allclose(backward.point, forward.point, atol=1e-8)


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_a_reloaded_learner_gives_the_same_numbers(
    learner: str, train: Callable[[str], FewShotRegressor], others: OpIndices, tmp_path: Path
) -> None:
    original = train(learner)
    original.save(tmp_path)
    loaded = FewShotRegressor.load(tmp_path)
    first, second = (one.adapt(*ten()).predict(others.tolist()) for one in (original, loaded))
    np.testing.assert_array_equal(first.point, second.point)
    np.testing.assert_array_equal(first.spread, second.spread)
    assert loaded.plan(4) == original.plan(4)
    assert loaded.devices == original.devices
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5_000_000


def test_training_twice_gives_the_same_learner(train: Callable[[str], FewShotRegressor], pool: OpIndices) -> None:
    from tests.costmodel.fewshot.conftest import DEVICES

    known = [type_of(name, noisy(law(pool, *numbers), seed)) for seed, (name, numbers) in enumerate(DEVICES.items())]
    again = meta_train("transfer", SPACE, pool, known)
    estimates = [learner.adapt(*ten()).predict(pool[:20].tolist()) for learner in (train("transfer"), again)]
    np.testing.assert_array_equal(estimates[0].point, estimates[1].point)


def type_of(name: str, latency: np.ndarray) -> object:
    from costmodel.fewshot import KnownDevice

    return KnownDevice(name, latency, name, name.rstrip("2"))


def test_the_champion_is_the_default_unless_another_is_clearly_better(
    train: Callable[[str], FewShotRegressor],
) -> None:
    adapted = [train(name).adapt(*ten()) for name in ("meta", "transfer")]
    far, near = (replace(adapted[1].posterior, evidence=adapted[0].evidence + more) for more in (4.0, 2.0))
    assert champion([adapted[0], replace(adapted[1], posterior=near)]).learner == "meta"
    assert champion([adapted[0], replace(adapted[1], posterior=far)]).learner == "transfer"
    with pytest.raises(ValueError, match="no learner"):
        champion([])


def test_with_many_measurements_the_champion_is_chosen_by_what_was_left_out(
    train: Callable[[str], FewShotRegressor],
) -> None:
    ops = SPACE.sample(25, np.random.default_rng(5))
    adapted = [train(name).adapt(ops.tolist(), noisy(law(ops, *NEW), 5)) for name in ("meta", "transfer")]
    better = replace(adapted[1].posterior, evidence=-1e9, left_out=adapted[0].left_out + 4.0)
    assert champion([adapted[0], replace(adapted[1], posterior=better)]).learner == "transfer"


def test_the_answer_says_which_features_it_rests_on(train: Callable[[str], FewShotRegressor]) -> None:
    device = train("meta").adapt(*ten())
    assert list(device.structures) == list(LEARNERS["meta"])
    assert sum(device.structures.values()) == pytest.approx(1)
    assert train("transfer").adapt(*ten()).structures == {"transfer": pytest.approx(1)}


def test_an_unknown_learner_and_too_few_devices_are_refused(pool: OpIndices) -> None:
    with pytest.raises(UnknownNameError, match="oracle"):
        meta_train("oracle", SPACE, pool, [])
    with pytest.raises(ValueError, match="at least two"):
        meta_train("meta", SPACE, pool, [])


BAD = {
    "two measurements": (lambda ops, ms: (ops[:2], ms[:2]), "at least 3"),
    "a zero": (lambda ops, ms: (ops, [0.0, *ms[1:]]), "positive"),
    "a negative": (lambda ops, ms: (ops, [-1.0, *ms[1:]]), "measurement 0"),
    "not a number": (lambda ops, ms: (ops, [float("nan"), *ms[1:]]), "finite"),
    "text": (lambda ops, ms: (ops, ["fast", *ms[1:]]), "numbers in milliseconds"),
    "fewer latencies": (lambda ops, ms: (ops, ms[:-1]), "one for each"),
    "a duplicate": (lambda ops, ms: ([*ops, ops[0]], [*ms, ms[0]]), "measurements 0 and 10"),
    "a contradiction": (lambda ops, ms: ([*ops, ops[0]], [*ms, 3 * ms[0]]), "contradict"),
    "microseconds": (lambda ops, ms: (ops, [1e3 * value for value in ms]), "microseconds"),
    "nanoseconds": (lambda ops, ms: (ops, [1e6 * value for value in ms]), "nanoseconds"),
    "seconds": (lambda ops, ms: (ops, [1e-3 * value for value in ms]), "in seconds"),
    "one in nanoseconds": (lambda ops, ms: (ops, [1e6 * ms[0], *ms[1:]]), r"10\^6.*measurement 0"),
    "one in seconds": (lambda ops, ms: (ops, [*ms[:-1], 1e-3 * ms[-1]]), r"10\^3.*measurement 9"),
    "an unknown operation": (lambda ops, ms: ([[9] * 22, *ops[1:]], ms), "architecture 0"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_measurements_are_refused_with_the_reason(case: str, meta: FewShotRegressor) -> None:
    change, message = BAD[case]
    with pytest.raises(InputError, match=message):
        meta.adapt(*change(*ten()))


def test_a_network_that_may_be_folded_away_may_take_no_time() -> None:
    residual, latency = np.array([-8.0, 0.0, 0.0, 0.1]), np.array([1e-3, 2.0, 2.0, 2.2])
    check_agreement(residual, latency, lambda: np.array([0.0, 1.0, 1.0, 1.0]))
    with pytest.raises(InputError, match="measurement 0"):
        check_agreement(residual, latency, lambda: np.ones(4))


def test_truly_exotic_hardware_can_be_let_through(meta: FewShotRegressor) -> None:
    ops, latency = ten()
    device = meta.adapt(ops, [1e3 * value for value in latency], scale=False)
    assert np.median(np.exp(device.predict(ops).point)) == pytest.approx(1e3 * np.median(latency), rel=0.05)


def test_a_coverage_outside_zero_and_one_is_refused(meta: FewShotRegressor) -> None:
    device = meta.adapt(*ten())
    with pytest.raises(InputError, match="coverage"):
        device.interval(device.predict(ten()[0]), 1.0)
