"""Three known scores narrow the others; what-if; nearest measured machines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costmodel.cpu.adapt import Adapter, suggested
from costmodel.cpu.catalogue import Catalogue, describe_differences
from costmodel.cpu.factors import Factors
from costmodel.cpu.kernel import Shape
from costmodel.cpu.process import merge
from costmodel.cpu.whatif import changed_spec, variants
from costmodel.prediction import Target
from featurizers.cpu import CpuFeaturizer
from featurizers.errors import InputError, UnknownNameError
from tests.costmodel.cpu.small import raws, world

TARGETS = tuple(Target(name, "score", higher_is_better=True) for name in ("many", "single", "latency"))


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    features, y, groups = world()
    return Adapter.fit_scores(features, np.exp(y), TARGETS, groups, seed=0)


def test_factors_recover_what_benchmarks_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.2, (300, 1))
    errors = shared @ np.ones((1, 6)) + rng.normal(0, 0.02, (300, 6))
    errors[rng.random(errors.shape) < 0.2] = np.nan
    factors = Factors.fit(errors, np.ones(300), rank=2)
    mean, deviation = factors.posterior(np.array([0.3, 0.3, 0.3, np.nan, np.nan, np.nan]))
    assert mean[3:] == pytest.approx(0.3, abs=0.05)
    nothing, wide = factors.posterior(np.full(6, np.nan))
    assert nothing == pytest.approx(factors.offset)
    assert (deviation[3:] < wide[3:] / 3).all()


def test_a_known_score_moves_the_others_towards_it(adapter: Adapter):
    features, y, _ = world()
    machine = features.take(np.array([7]))
    prior, _ = adapter.posterior(machine, {})
    faster, _ = adapter.posterior(machine, {"single": float(np.exp(prior[1] + 0.1))})
    assert faster[0] > prior[0]
    names = [p.target for p in adapter.adapt(machine, {"single": float(np.exp(y[7, 1]))})]
    assert names == ["many", "latency"]


def test_adapter_reloads_equal(adapter: Adapter, tmp_path: Path):
    adapter.save(tmp_path)
    loaded = Adapter.load(tmp_path)
    features, _, _ = world()
    assert np.array_equal(loaded.prior(features), adapter.prior(features))
    assert loaded.quantile == adapter.quantile


def test_unknown_benchmarks_and_impossible_scores_are_refused(adapter: Adapter):
    features, _, _ = world()
    machine = features.take(np.array([0]))
    with pytest.raises(UnknownNameError, match="Nearest: single"):
        adapter.posterior(machine, {"singel": 3.0})
    with pytest.raises(InputError, match="must be a positive number"):
        adapter.posterior(machine, {"single": -1.0})


def test_nearest_machines_are_other_models_with_their_differences(tmp_path: Path):
    features, _, groups = world()
    merged = merge(features, groups)
    _, first = np.unique(merged.row_of, return_index=True)
    catalogue = Catalogue(tuple(groups[first]), tuple(f"s{i}" for i in first), features.vectors[first])
    catalogue.save(tmp_path)
    found = Catalogue.load(tmp_path).nearest(CpuFeaturizer().parse(raws()[0]), merged.support, Shape())
    assert found[0].name == "AMD EPYC 7763 64-Core Processor"
    assert found[0].likeness == pytest.approx(1.0, abs=1e-3)
    assert len({neighbour.name for neighbour in found}) == 3
    assert any("GHz" in text for neighbour in found[1:] for text in neighbour.differences)


def test_no_difference_no_words():
    features, _, _ = world()
    assert describe_differences(features.vectors[0], features.vectors[0]) == ()


def test_what_if_changes_what_it_says_and_nothing_that_cannot_be():
    featurizer = CpuFeaturizer()
    spec = featurizer.parse(raws()[0])
    faster = changed_spec(spec, {"memory_mts": 4200, "max_ghz": 4.0})
    columns = featurizer.features([spec, faster])
    assert columns.column("memory_mts").tolist() == [3200, 4200]
    assert columns.column("boost_ghz")[1] == pytest.approx(4.0)
    with pytest.raises(UnknownNameError, match="Nearest: memory_mts"):
        changed_spec(spec, {"memory_mt": 1})
    with pytest.raises(InputError, match="must lie between"):
        changed_spec(spec, {"max_ghz": 400})
    with pytest.raises(InputError, match="at least one field"):
        changed_spec(spec, {})


def test_variants_count_distinct_values_per_design():
    featurizer = CpuFeaturizer()
    counts = variants([featurizer.parse(raw) for raw in raws()])
    assert counts["zen3"]["logical_cpus"] == 5
    assert counts["zen3"]["max_ghz"] == 2


def test_what_says_most_about_a_benchmark_is_found_and_counted_once():
    rng = np.random.default_rng(1)
    core, memory = rng.normal(0, 0.2, (2, 400))
    noise = rng.normal(0, 0.02, (400, 5))
    errors = np.stack([core, core, memory, memory, rng.normal(0, 0.2, 400)], axis=1) + noise
    names = [
        "stressng_cpu:cores=all",
        "stressng_cpu:cores=1",
        "passmark:ME_LATENCY",
        "bw_mem:rd:64.00MB",
        "openssl:sm4",
    ]
    factors = Factors.fit(errors, np.ones(400), rank=5)
    assert suggested(factors, names, ["stressng_cpu:cores=all"], count=1) == ["stressng_cpu:cores=1"]
    assert suggested(factors, names, ["passmark:ME_LATENCY"], count=1) == ["bw_mem:rd:64.00MB"]
    assert suggested(factors, names, [names[0], names[2]], ["stressng_cpu:cores=1"], 1) == ["bw_mem:rd:64.00MB"]
    mean, deviation = factors.given([1], 0, errors[:5, 1:2])
    one, wide = factors.posterior(np.array([np.nan, errors[0, 1], np.nan, np.nan, np.nan]))
    assert mean[0] == pytest.approx(one[0])
    assert deviation == pytest.approx(wide[0])
