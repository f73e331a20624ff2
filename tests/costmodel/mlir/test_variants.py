"""The order of a function's variants is learned from pairs; what are no variants is left to the points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costmodel.mlir.ranking import pairs_right
from costmodel.mlir.variants import Pairs, VariantOrder, variant_sets
from costmodel.predictor import Predictor
from costmodel.regressors.base import Array, Groups
from costmodel.target_model import brought_into_order
from featurizers.core import Column, Features
from tests.costmodel.mlir.conftest import CPUS, text_of

COLUMNS = (
    Column("work", "1", "totals"),
    Column("unrolled", "1", "unrolling"),
    Column("noise", "1", "totals"),
    Column("lanes", "1", "cpu"),
)


def functions(count: int, seed: int) -> tuple[Features, Array, Groups]:
    """Functions of six variants on two CPUs. What a variant costs beside the others, one small column says."""
    rng = np.random.default_rng(seed)
    rows, y, groups = [], [], []
    for f in range(count):
        work = np.exp(rng.uniform(3, 12))
        for lanes in (4.0, 8.0):
            for unrolled in rng.permutation([1.0, 2.0, 3.0, 4.0, 6.0, 8.0]):
                rows.append([work * rng.uniform(0.99, 1.01), unrolled, rng.normal(), lanes])
                y.append(np.log(work / lanes) - 0.3 * np.log(unrolled))
                groups.append(f"f{f}")
    return Features(np.asarray(rows, dtype=np.float32), COLUMNS), np.asarray(y), np.asarray(groups)


@pytest.fixture(scope="module")
def order() -> VariantOrder:
    features, y, groups = functions(60, seed=0)
    unaware = np.log(features.vectors[:, 0].astype(float))
    found = VariantOrder.fit(features, y, groups, unaware, rounds=60, seed=0)
    assert found is not None
    return found


def test_sets_are_functions_on_one_cpu() -> None:
    features, _, groups = functions(3, seed=1)
    sets = variant_sets(features, groups)
    assert np.bincount(sets).tolist() == [6] * 6
    assert len({(g, lanes, s) for g, lanes, s in zip(groups, features.vectors[:, 3], sets, strict=True)}) == 6


def test_pairs_leave_ties_out_and_weigh_what_a_wrong_choice_costs() -> None:
    y = np.log(np.array([1.0, 1.005, 2.0, 50.0]))
    pairs = Pairs.of(np.array([0, 0, 0, 1]), y)
    assert sorted(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(0, 2), (1, 2)]
    weights = pairs.weights(np.array([0, 0, 0, 1]))
    assert weights[0] / weights[1] == pytest.approx(np.log(2.0) / np.log(2.0 / 1.005))


def test_variants_are_ordered_where_points_say_nothing(order: VariantOrder) -> None:
    features, y, groups = functions(20, seed=2)
    sets = variant_sets(features, groups)
    point, said = np.log(features.vectors[:, 0].astype(float)), np.zeros(len(y))
    for own in range(sets.max() + 1):
        rows = np.flatnonzero(sets == own)
        apart = order.relative(features.take(rows), point[rows])
        assert apart is not None
        assert apart.mean() == pytest.approx(0.0, abs=1e-9)
        said[rows] = apart
    right, total = pairs_right(sets.astype(str).tolist(), np.exp(y), np.exp(said))
    alone, _ = pairs_right(sets.astype(str).tolist(), np.exp(y), np.exp(point))
    assert right / total > 0.9 > 0.7 > alone / total


def test_programs_that_are_no_variants_of_one_another_are_left_to_their_points(order: VariantOrder) -> None:
    features, _, _ = functions(2, seed=3)
    far = features.vectors[:2].copy()
    far[:, 0] = (10.0, 1e9)
    assert order.relative(Features(far, COLUMNS), np.zeros(2)) is None
    assert order.relative(features.take(np.array([0])), np.zeros(1)) is None


def test_it_reloads_to_the_same(order: VariantOrder, tmp_path: Path) -> None:
    features, _, _ = functions(1, seed=4)
    order.save(tmp_path)
    again = VariantOrder.load(tmp_path)
    assert again is not None
    rows = features.take(np.arange(6))
    np.testing.assert_allclose(again.relative(rows, np.arange(6.0)), order.relative(rows, np.arange(6.0)), rtol=1e-5)
    assert VariantOrder.load(tmp_path / "nowhere") is None


def test_functions_without_variants_teach_no_order() -> None:
    features, y, _ = functions(5, seed=5)
    assert VariantOrder.fit(features, y, np.arange(len(y)).astype(str), y, rounds=5, seed=0) is None


def test_rank_asks_about_all_variants_at_once_and_predict_about_each(predictor: Predictor) -> None:
    model = predictor.model(CPUS[0], "cycles")
    raws = [{"mlir": text_of(400, chain)} for chain in (2, 6, 9)]
    features = predictor.featurizer.features([predictor.featurizer.parse(raw) for raw in raws], profile=CPUS[0])
    alone = model.answer(features)
    together = model.answer(features, together=True)
    compared = model.compared(features, np.log(alone.value))
    assert np.argsort(together.value).tolist() == np.argsort(compared).tolist()
    ranked, _ = predictor.rank(raws, CPUS[0], "cycles")
    assert [entry.prediction.value for entry in ranked] == pytest.approx(sorted(together.value))


def test_ranked_values_are_those_predicted_unless_the_order_of_variants_contradicts_them() -> None:
    point, agreeing = np.array([3.0, 1.0, 2.0]), np.array([0.3, -0.2, 0.1])
    assert brought_into_order(point, agreeing) == pytest.approx(point)
    contradicting = brought_into_order(point, np.array([0.1, -0.2, 0.3]))
    assert contradicting == pytest.approx([2.5, 1.0, 2.5])
    assert np.argsort(contradicting).tolist() == [1, 0, 2]
