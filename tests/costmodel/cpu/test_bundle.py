"""The packaged bundle: answers for machines by their fields, names and lscpu, attributed to its source."""

from __future__ import annotations

from pathlib import Path

import pytest

import costmodel
from costmodel.cpu.adapt import Adapter
from costmodel.cpu.predictor import CpuPredictor
from costmodel.cpu.sparecores import HEADLINE
from costmodel.cpu.whatif import what_if
from costmodel.domain import Domain
from featurizers.cpu import CpuFeaturizer
from featurizers.errors import InputError, UnknownNameError

BUNDLE = Path(costmodel.__file__).parent / "pretrained" / "cpu"
DEVICE = "spare-cores"


@pytest.fixture(scope="module")
def predictor() -> CpuPredictor:
    return CpuPredictor.load(BUNDLE)


def test_it_is_small_and_attributed(predictor: CpuPredictor):
    assert sum(path.stat().st_size for path in BUNDLE.rglob("*") if path.is_file()) < 10e6
    assert "Spare Cores" in predictor.card["attribution"]
    assert predictor.card["licence"] == "CC BY-SA 4.0"
    assert set(HEADLINE.values()) <= set(predictor.targets)


def test_more_cores_score_more_and_a_newer_core_beats_an_older_one(predictor: CpuPredictor):
    raws = [{"server": f"aws/{name}"} for name in ("m5.large", "m5.4xlarge", "m8a.4xlarge")]
    small, large, newer = (
        outcome[0].value
        for outcome in predictor.predict(raws, [DEVICE], ["passmark:SUMM_CPU"])
        if not isinstance(outcome, InputError)
    )
    assert small < large < newer
    ranked, errors = predictor.rank(raws, DEVICE, "passmark:SUMM_CPU")
    assert [place.index for place in ranked] == [2, 1, 0]
    assert errors == {}


def test_a_spec_with_only_a_name_is_an_error_of_that_item_alone(predictor: CpuPredictor):
    raws = [{"cpu_name": "AMD EPYC 9654"}, {"server": "aws/m7i.large"}]
    bad, good = predictor.predict(raws, [DEVICE], ["passmark:ME_LATENCY"])
    assert isinstance(bad, InputError)
    assert not isinstance(good, InputError)
    assert 20 < good[0].value < 200


def test_an_unknown_benchmark_is_named_with_the_nearest(predictor: CpuPredictor):
    with pytest.raises(UnknownNameError, match=r"Nearest: [^.]*passmark:SUMM_CPU"):
        predictor.predict([{"logical_cpus": 2}], [DEVICE], ["passmark:SUM_CPU"])


def test_an_unknown_cpu_gets_a_wider_interval(predictor: CpuPredictor):
    known = {"server": "aws/m7i.2xlarge"}
    unknown = {"logical_cpus": 8, "base_ghz": 2.4, "threads_per_core": 2, "cpu_name": "Elbrus-16S", "memory_gb": 32}
    first, second = predictor.predict([known, unknown], [DEVICE], ["passmark:CPU_SINGLETHREAD"])
    assert not isinstance(first, InputError)
    assert not isinstance(second, InputError)
    assert second[0].high / second[0].low > first[0].high / first[0].low
    assert first[0].in_domain
    assert not second[0].in_domain
    assert "'Elbrus-16S' is in no table of ours" in second[0].reasons[0]


@pytest.mark.parametrize("raw", [{"logical_cpus": 16}, {"cpu_name": "Elbrus 16S", "logical_cpus": 16}])
def test_a_machine_without_clocks_is_answered_with_numbers(predictor: CpuPredictor, raw: dict[str, object]):
    (found,) = predictor.predict([raw], [DEVICE])
    assert not isinstance(found, InputError)
    assert all(0 < p.low < p.value < p.high < float("inf") for p in found)


def test_more_cores_than_the_model_has_are_marked(predictor: CpuPredictor):
    raw = {"cpu_name": "AMD EPYC 9124 16-Core Processor", "logical_cpus": 256, "threads_per_core": 2}
    (found,) = predictor.predict([raw | {"cores_per_socket": 128, "sockets": 1}], [DEVICE], ["passmark:SUMM_CPU"])
    assert not isinstance(found, InputError)
    assert any("has 16 cores on a socket, not 128" in reason for reason in found[0].reasons)


def test_what_if_gives_a_change_with_an_interval(predictor: CpuPredictor):
    targets = ["passmark:CPU_SINGLETHREAD"]
    change = what_if(predictor, {"server": "aws/m7i.2xlarge"}, {"max_ghz": 4.4, "allcore_ghz": 3.7}, targets=targets)[0]
    assert change.ratio > 1
    assert change.ratio_low < change.ratio < change.ratio_high
    rare = what_if(predictor, {"server": "aws/m7i.2xlarge"}, {"memory_channels": 12}, targets=targets)[0]
    assert any("from other designs" in warning for warning in rare.warnings)


def test_three_known_scores_answer_hundreds(predictor: CpuPredictor):
    adapter, featurizer = Adapter.load(BUNDLE / "tables"), CpuFeaturizer()
    machine = featurizer.features([featurizer.parse({"server": "aws/m7i.2xlarge"})])
    level, deviation = adapter.posterior(machine, {})
    names = [target.name for target in adapter.targets]
    quick = ("stressng_cpu:cores=all", "passmark:CPU_SINGLETHREAD", "bw_mem:rd:64.00MB")
    known = {name: float(2.718281828 ** (level[names.index(name)] + 0.1)) for name in quick}
    found = adapter.adapt(machine, known)
    assert len(found) > 300
    narrowed = adapter.posterior(machine, known)[1]
    assert (narrowed <= deviation + 1e-9).all()
    assert all(p.low <= p.value <= p.high for p in found)


def test_nearest_measured_machines(predictor: CpuPredictor):
    explanation = predictor.explain({"server": "aws/c8g.2xlarge"}, DEVICE, "passmark:SUMM_CPU")
    nearest = explanation.neighbours
    assert nearest[0].name.startswith("Neoverse")
    assert nearest[0].likeness >= nearest[1].likeness
    assert any("MT/s" in text or "GHz" in text for text in nearest[0].differences)
    assert nearest[0].value is not None
    assert explanation.shares == ()
    assert explanation.prediction.higher_is_better


def test_all_targets_share_one_domain_check(predictor: CpuPredictor, monkeypatch: pytest.MonkeyPatch):
    domains = {id(predictor.model(DEVICE, name).domain) for name in predictor.targets}
    assert len(domains) == 1
    checked: list[int] = []
    whole = Domain.check
    monkeypatch.setattr(Domain, "check", lambda self, features: checked.append(len(features)) or whole(self, features))
    machine = {"logical_cpus": 8, "base_ghz": 2.4, "threads_per_core": 2, "cpu_name": "Elbrus-16S", "memory_gb": 32}
    (outcome,) = predictor.predict([machine], [DEVICE])
    assert checked == [1]
    assert not isinstance(outcome, InputError)
    assert all(prediction.reasons == outcome[0].reasons for prediction in outcome)


def test_all_scores_at_once_are_those_of_one_by_one(predictor: CpuPredictor):
    raws = [
        {"server": "aws/m7i.large"},
        {"cpu_name": "AMD EPYC 9654", "logical_cpus": 192, "threads_per_core": 2, "sockets": 1, "memory_gb": 768},
        {"cpu_name": "Unheard Of 1", "logical_cpus": 3, "max_ghz": 9.0, "memory_gb": 5000},
    ]
    targets = predictor.devices[DEVICE].targets
    for raw, together in zip(raws, predictor.predict(raws, [DEVICE]), strict=True):
        assert not isinstance(together, InputError)
        assert [prediction.target for prediction in together] == list(targets)
        for prediction in together[::4]:
            ((alone,),) = predictor.predict([raw], [DEVICE], [prediction.target])
            numbers = [(each.value, each.low, each.high) for each in (prediction, alone)]
            assert numbers[0] == pytest.approx(numbers[1], rel=1e-3)
            assert (prediction.reasons, prediction.unit) == (alone.reasons, alone.unit)
            assert prediction.higher_is_better == alone.higher_is_better
    some = list(targets)[:12][::-1]
    (asked,) = predictor.predict(raws[:1], [DEVICE], some)
    assert [prediction.target for prediction in asked] == some
