"""One conformance suite over every registered learner, and what each promises beyond it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.regressors import LEARNERS, Regressor, group_folds, learner
from costmodel.regressors.base import quick_of
from costmodel.regressors.boosting import QUICK_ROUNDS, boosted
from costmodel.regressors.gradient_boosting import GradientBoosting
from costmodel.regressors.kernel_sum import KernelSum
from costmodel.regressors.roofline import AdditiveRoofline
from featurizers.core import Column, Features, Parts
from featurizers.errors import UnknownNameError
from featurizers.graphs import chained

FAST = {
    "kernel-sum": {"rounds": 60},
    "lightgbm": {"rounds": 60},
    "conv1d": {"hidden": 8, "embedding": 4, "epochs": 1, "batch": 128},
    "lstm": {"hidden": 8, "embedding": 4, "epochs": 1, "batch": 128},
    "gnn": {"hidden": 8, "layers": 1, "epochs": 2, "batch": 128},
}
FLOAT32 = {"gnn", "conv1d", "lstm"}
"""Learners that compute in float32: alone and in a batch they agree to its rounding."""
PART_COLUMNS = ("op_class", "flops", "bytes_in", "bytes_weights", "bytes_out", "channels")


def part_costs(matrix: np.ndarray) -> np.ndarray:
    """What a part truly costs: per class a call, a rate and a bandwidth; odd channel counts cost half as much again."""
    op_class, flops, traffic, channels = matrix[:, 0], matrix[:, 1], matrix[:, 2], matrix[:, 5]
    return 1e-3 * (1 + op_class) + flops * 1e-8 * (1 + op_class) * (1 + 0.5 * (channels % 16 != 0)) + traffic * 1e-8


def made_up(subjects: int, seed: int) -> tuple[Features, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    distinct = 400
    matrix = np.zeros((distinct, len(PART_COLUMNS)), dtype=np.float32)
    matrix[:, 0] = rng.integers(0, 4, distinct)
    matrix[:, 1] = np.exp(rng.uniform(9, 16, distinct))
    matrix[:, 2] = np.exp(rng.uniform(7, 12, distinct))
    matrix[:, 5] = rng.choice([8, 16, 24, 32, 48], distinct)
    lengths = rng.integers(2, 15, subjects)
    owner = np.repeat(np.arange(subjects), lengths)
    part = rng.integers(0, distinct, lengths.sum())
    parts = Parts(matrix, owner, part, np.ones(len(part), dtype=np.float32))
    truth = parts.total(part_costs(matrix), subjects)
    flops = parts.total(matrix[:, 1].astype(float), subjects)
    vectors = np.stack([flops, lengths], axis=1).astype(np.float32)
    columns = (Column("flops", "FLOP", "size"), Column("parts", "1", "size"))
    words = ("conv", "pool", "gemm", "other")
    part_columns = tuple(Column(n, "1", "part", words if n == "op_class" else ()) for n in PART_COLUMNS)
    features = chained(Features(vectors, columns, parts, part_columns), "op_class")
    tokens = tuple(graph.node_types for graph in features.graphs)
    features = replace(
        features, sequences={"ops_operands": tokens}, vocabularies={**features.vocabularies, "ops_operands": words}
    )
    return features, np.log(truth), np.array([f"g{i // 3}" for i in range(subjects)])


@pytest.fixture(scope="module", params=sorted(LEARNERS))
def fitted(request: pytest.FixtureRequest) -> Regressor:
    features, y, groups = made_up(240, seed=1)
    name = request.param
    return learner(name)(**FAST.get(name, {})).fit(features, y, groups, seed=3)


def test_a_reloaded_regressor_predicts_the_same(fitted: Regressor, tmp_path: Path) -> None:
    features, _, _ = made_up(50, seed=2)
    fitted.save(tmp_path)
    again = learner(fitted.name).load(tmp_path)
    assert np.array_equal(again.predict(features).point, fitted.predict(features).point)
    assert np.array_equal(again.predict(features).spread, fitted.predict(features).spread)


def test_nothing_on_disk_is_a_pickle(fitted: Regressor, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".json", ".zst"}


def test_the_same_seed_gives_the_same_model(fitted: Regressor) -> None:
    features, y, groups = made_up(240, seed=1)
    again = learner(fitted.name)(**FAST.get(fitted.name, {})).fit(features, y, groups, seed=3)
    assert np.array_equal(again.predict(features).point, fitted.predict(features).point)


def test_answers_are_finite_and_spreads_positive(fitted: Regressor) -> None:
    features, _, _ = made_up(30, seed=5)
    estimate = fitted.predict(features)
    assert estimate.point.shape == estimate.spread.shape == (30,)
    assert np.isfinite(estimate.point).all()
    assert (estimate.spread > 0).all()


def test_an_answer_does_not_depend_on_its_neighbours(fitted: Regressor) -> None:
    features, _, _ = made_up(20, seed=6)
    together = fitted.predict(features).point
    alone = [fitted.predict(features.take(np.array([i]))).point[0] for i in range(20)]
    np.testing.assert_allclose(alone, together, rtol=1e-5 if fitted.name in FLOAT32 else 1e-9)


def test_a_quick_booster_has_few_trees_and_its_own_settings() -> None:
    whole = GradientBoosting(rounds=300, leaves=7)
    quick = quick_of(whole)
    assert isinstance(quick, GradientBoosting)
    assert quick.settings == whole.settings | {"rounds": QUICK_ROUNDS}
    assert whole.settings["rounds"] == 300


def test_part_costs_add_up_to_the_prediction(fitted: Regressor) -> None:
    features, _, _ = made_up(40, seed=7)
    costs = fitted.part_costs(features)
    if costs is None:
        assert fitted.name in {"constant", "random", "log-linear", "lightgbm", *FLOAT32}
        return
    assert features.parts is not None
    total = features.parts.total(costs, 40)
    np.testing.assert_allclose(np.log(total), fitted.predict(features).point, atol=0.05)


def test_the_kernel_sum_beats_its_prior_where_the_roofline_lacks_a_fact() -> None:
    features, y, groups = made_up(400, seed=1)
    test, truth, _ = made_up(100, seed=1)
    features.parts.matrix[:] = test.parts.matrix  # type: ignore[union-attr]
    learned = KernelSum(rounds=150).fit(features, y, groups, seed=0)
    prior = AdditiveRoofline().fit(features, y, groups, seed=0)
    error = [float(np.median(np.abs(m.predict(test).point - truth))) for m in (learned, prior)]
    assert error[0] < 0.7 * error[1]


def test_a_roofline_recovers_rates_it_can_express() -> None:
    features, _, groups = made_up(300, seed=1)
    assert features.parts is not None
    features.parts.matrix[:, 5] = 16
    y = np.log(features.parts.total(part_costs(features.parts.matrix), 300))
    fitted = AdditiveRoofline().fit(features, y, groups, seed=0)
    np.testing.assert_allclose(fitted.coefficients[2], [3e-3, 3e-8, 1e-8], rtol=0.05)


def test_an_op_class_never_measured_is_dear_not_free() -> None:
    features, y, groups = made_up(100, seed=1)
    fitted = AdditiveRoofline().fit(features, y, groups, seed=0)
    known = fitted.part_costs(features)
    features.parts.matrix[:, 0] = 9  # type: ignore[union-attr]
    assert (fitted.part_costs(features) >= known * 0.999).all()


def test_folds_keep_groups_whole_and_cover_everything_once() -> None:
    groups = np.array([f"g{i % 7}" for i in range(50)])
    folds = group_folds(groups, 3, seed=0)
    assert np.array_equal(np.sum(folds, axis=0), np.ones(50))
    for fold in folds:
        assert not set(groups[fold]) & set(groups[~fold])


def test_an_unknown_learner_is_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match="kernel-sun.*kernel-sum"):
        learner("kernel-sun")


def test_one_row_alone_gets_the_number_it_gets_in_a_table_from_any_thread() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 12)).astype(np.float32)
    booster = boosted({"num_leaves": 7, "min_data_in_leaf": 5}, x, x[:, 0] * x[:, 1], np.ones(200), 20, 0)
    together = booster.predict(x).tolist()

    def alone(_: int) -> list[float]:
        return [float(booster.predict(row[None])[0]) for row in x]

    with ThreadPoolExecutor(4) as threads:
        assert all(got == together for got in threads.map(alone, range(8)))
