"""The learner of scores: what it finds, what it forgets, and that it is the same after a reload."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costmodel.cpu.baselines import CoreGhzBaseline
from costmodel.cpu.blend import ScoreBlend
from costmodel.cpu.crossvalidation import by_vendor, target_models, unseen_baseline, unseen_predictions
from costmodel.cpu.kernel import Shape, Support, own_covariance
from costmodel.cpu.process import LAWS, ScoreProcess, choose_law, fit_together, merge
from costmodel.regressors import Regressor, group_folds
from tests.costmodel.cpu.small import world


@pytest.fixture(scope="module")
def made():
    return world()


def test_laws_are_found_from_the_scores(made):
    features, y, groups = made
    assert [choose_law(features, y[:, t], groups) for t in range(3)] == list(LAWS)


@pytest.mark.parametrize("new", [ScoreProcess, ScoreBlend, CoreGhzBaseline])
def test_reload_gives_equal_answers(made, tmp_path: Path, new):
    features, y, groups = made
    fitted = new().fit(features, y[:, 0], groups, seed=1)
    fitted.save(tmp_path)
    loaded = new.load(tmp_path)
    assert isinstance(loaded, Regressor)
    before, after = fitted.predict(features), loaded.predict(features)
    assert np.array_equal(before.point, after.point)
    assert np.array_equal(before.spread, after.spread)


def test_same_seed_same_model(made):
    features, y, groups = made
    first, second = (ScoreBlend().fit(features, y[:, 1], groups, seed=3).predict(features) for _ in range(2))
    assert np.array_equal(first.point, second.point)


def test_a_cpu_model_left_out_is_predicted_better_than_by_core_ghz(made):
    features, y, groups = made
    folds = group_folds(groups, 4, seed=0)
    unseen = unseen_predictions(features, y[:, :2], groups, folds, seed=0)
    analytic = unseen_baseline(features, y[:, :2], groups, folds, 0, CoreGhzBaseline)
    error = np.median(np.abs(unseen.point - y[:, :2]))
    assert error < 0.12
    assert error < np.median(np.abs(analytic - y[:, :2]))


def test_leaving_groups_out_in_closed_form_is_what_a_refit_gives(made):
    features, y, groups = made
    process = fit_together(features, y[:, :1], groups, 0, Shape())[0]
    held = groups == "AMD EPYC 9R14"
    merged = merge(features, groups)
    assert len(merged.support.points) == len(features)
    rows = np.flatnonzero(~held)
    law = features.column("log_core_ghz").astype(float)
    points = merged.support.points[merged.row_of]
    support = Support(points[rows], merged.support.scaling)
    covariance = support.covariances(points[rows], Shape()).astype(float)
    same = groups[rows][:, None] == groups[rows][None, :]
    from costmodel.cpu.kernel import size_kernel

    covariance += same * (Shape().group + Shape().group_size * size_kernel(points[rows], Shape()))
    covariance[np.diag_indices_from(covariance)] += Shape().noise
    weights = np.linalg.solve(covariance, (y[:, 0] - law)[rows])
    refit = support.covariances(points[held], Shape()) @ weights + law[held]
    assert process.out_of_fold[held] == pytest.approx(refit, abs=2e-3)


def test_a_benchmark_that_some_servers_did_not_run(made):
    features, y, groups = made
    holes = y.copy()
    holes[::3, 1] = np.nan
    models = fit_together(features, holes, groups, 0, Shape())
    assert np.isnan(models[1].out_of_fold[::3]).all()
    assert np.isfinite(models[1].predict(features).point).all()
    assert np.isfinite(models[0].out_of_fold).all()


def test_intervals_cover_cpu_models_left_out(made):
    features, y, groups = made
    unseen = unseen_predictions(features, y, groups, group_folds(groups, 4, seed=0), seed=0)
    inside = (y >= unseen.low) & (y <= unseen.high)
    assert inside.mean() > 0.8


def test_answers_are_ordered(made):
    features, y, groups = made
    model = target_models(features, y[:, :1], groups, seed=0)[0]
    answers = model.answer(features)
    assert (answers.low < answers.value).all()
    assert (answers.value < answers.high).all()


def test_own_covariance_is_the_diagonal(made):
    features, _, groups = made
    support = merge(features, groups).support
    full = support.covariances(support.points, Shape())
    assert np.diag(full) == pytest.approx(own_covariance(support.points, Shape()), rel=1e-4)


def test_vendors_left_out(made):
    features, _, _ = made
    masks = by_vendor(features)
    assert [int(mask.sum()) for mask in masks] == [30, 30]


def test_a_vendor_never_seen_widens_the_interval_by_its_distance(made):
    features, y, groups = made
    amd = features.column("vendor_amd") == 1
    (model,) = target_models(features, y[:, :1], groups, 0)
    familiar, novel = (
        model.novelty(features),
        target_models(features.take(np.flatnonzero(amd)), y[amd, :1], groups[amd], 0),
    )
    assert familiar == pytest.approx(0, abs=0.05)
    assert (novel[0].novelty(features)[~amd] > familiar[~amd]).all()
    assert np.isfinite(model.regressor.process.out_of_vendor.point).all()
