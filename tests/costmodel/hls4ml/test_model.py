"""The model of a kind: answers, intervals, probabilities, a bundle that comes back the same."""

import json

import numpy as np
import pytest

from costmodel.bundle_format import BundleError
from costmodel.hls4ml import HLS_TARGETS, HlsModel
from costmodel.hls4ml.predictor import DEVICE, HlsPredictor
from costmodel.hls4ml.report import as_vivado_report
from costmodel.hls4ml.success import area_under_curve
from featurizers.errors import InputError, UnknownNameError
from featurizers.hls4ml import HlsFeaturizer
from tests.costmodel.hls4ml.conftest import dense, invented

FEATURIZER = HlsFeaturizer()


def answers(model, raw):
    return {p.target: p for p in model.predict([FEATURIZER.parse(raw)])[0].predictions}


def test_unseen_designs_are_within_their_intervals(model):
    hits = []
    random = np.random.default_rng(8)
    for _ in range(60):
        sizes = [int(n) for n in random.choice([16, 24, 32, 48, 64, 80, 96], size=2)]
        raw = dense(sizes, 10, int(random.choice([32, 64, 128])))
        truth = invented(raw, float(np.exp(random.normal(0, 0.05))))
        found = answers(model, raw)
        hits += [found[name].low <= value <= found[name].high for name, value in truth.items() if name != "bram_csynth"]
    assert np.mean(hits) > 0.85


def test_exact_forms_stay_exact(model):
    raw = dense([48, 64, 32], 12, 96)
    truth, found = invented(raw, 1.0), answers(model, raw)
    for name in ("dsp_csynth", "cycles_max", "interval"):
        assert found[name].value == truth[name]
        assert found[name].low <= truth[name] <= found[name].high


def test_counts_are_whole_and_ordered(model):
    for prediction in answers(model, dense([32, 64], 8, 64)).values():
        assert prediction.value % HLS_TARGETS[prediction.target].step == 0
        assert 0 <= prediction.low <= prediction.value <= prediction.high
        assert prediction.unit


def test_what_was_never_seen_is_said_and_widened(model):
    strange = {"layers": [{"class": "Conv2D", "filters": 8, "kernel_size": 3}], "input_shape": [28, 28, 3],
               "part": "zcu102", "io_type": "io_stream"}  # fmt: skip
    found, seen = answers(model, strange)["lut_csynth"], answers(model, dense([32, 64], 8, 64))["lut_csynth"]
    assert seen.in_domain
    assert not found.in_domain
    assert found.reasons
    assert found.high / found.value > 2 * seen.high / seen.value


def test_targets_without_labels_are_answered_widely(model, known_targets):
    learned, every = known_targets
    assert set(learned) < set(every)
    found = answers(model, dense([32, 64], 8, 64))
    assert found["lut_vsynth"].value < found["lut_csynth"].value
    assert found["lut_vsynth"].high > 2 * found["lut_vsynth"].value


def test_fits_falls_with_the_part(model):
    chances = []
    for part in ("alveo-u250", "zcu102", "minized"):
        raw = {**dense([96, 96, 96], 14, 32), "part": part}
        chances.append(model.predict([FEATURIZER.parse(raw)])[0].fits)
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.95
    assert chances[-1] < 0.05


def test_no_part_no_percent(model):
    raw = dense([32, 32])
    del raw["part"]
    answer = model.predict([FEATURIZER.parse(raw)])[0]
    assert answer.fits is None
    assert answer.percent == {}


def test_unrolling_too_much_is_unlikely_to_synthesise(model, designs):
    few, many = dense([32, 32], 8, 64), dense([128, 128], 8, 1, "latency")
    found = model.predict([FEATURIZER.parse(raw) for raw in (few, many)])
    assert found[0].synthesises > 0.9
    assert found[1].synthesises < 0.2


def test_latency_is_cycles_times_the_clock(model):
    answer = model.predict([FEATURIZER.parse(dense([32, 32], 8, 64, clock_period=4))])[0]
    assert answer.latency_ns[0] == 4 * answers(model, dense([32, 32], 8, 64))["cycles_max"].value


def test_shares_add_up_to_the_total(model):
    design = FEATURIZER.parse(dense([32, 64, 16], 8, 64))
    for target in HLS_TARGETS:
        total = answers(model, dense([32, 64, 16], 8, 64))[target].value
        shares = model.shares(design, target)
        assert sum(share.value for share in shares) == pytest.approx(total)
        assert [share.op for share in shares] == ["input", "dense", "dense"]
    with pytest.raises(InputError, match="target"):
        model.shares(design, "watts")


def test_the_same_seed_gives_the_same_model(designs, model):
    again = HlsModel(rounds=20).fit(designs)
    assert answers(again, dense([24, 56], 8, 56)) == answers(model, dense([24, 56], 8, 56))


def test_a_bundle_comes_back_the_same(model, tmp_path):
    predictor = HlsPredictor(model)
    predictor.save(tmp_path)
    loaded = HlsPredictor.load(tmp_path)
    raws = [dense([32, 64], 8, 64), {"layers": 3}, dense([16, 16, 16], 12, 32)]
    before, after = predictor.predict(raws, [DEVICE]), loaded.predict(raws, [DEVICE])
    assert [before[0], before[2]] == [after[0], after[2]]
    assert isinstance(after[1], InputError)
    assert len(after[0]) == len(HLS_TARGETS)
    next(tmp_path.rglob("residual.txt.zst")).write_bytes(b"changed")
    with pytest.raises(BundleError, match="changed"):
        HlsPredictor.load(tmp_path)


def test_the_predictor_ranks_and_explains(model):
    predictor = HlsPredictor(model)
    raws = [dense([96, 96], 8, 32), dense([16, 16], 8, 32)]
    ranked, errors = predictor.rank(raws, DEVICE, "lut_csynth")
    assert [item.index for item in ranked] == [1, 0]
    assert not errors
    explained = predictor.explain(raws[0], DEVICE, "lut_csynth")
    assert sum(share.value for share in explained.shares) == pytest.approx(explained.prediction.value)
    with pytest.raises(UnknownNameError, match="device"):
        predictor.predict(raws, ["abacus"])


def test_the_predictor_advises_and_reports_in_json_types(model):
    predictor = HlsPredictor(model)
    rows = predictor.advise(dense([32, 64], 8, 64), [32, 64, 128]).to_json()["options"]
    assert rows == json.loads(json.dumps(rows))
    assert rows[0]["latency_ns"] <= rows[-1]["latency_ns"]
    report = predictor.report(dense([32, 64], 8, 64))
    assert report == json.loads(json.dumps(report))
    assert 0 <= report["p_synthesis_succeeds"] <= 1
    assert report["part"] == "xcu250-figd2104-2l-e"


def test_layers_of_the_details_sum_up_to_the_predictions(model):
    raw = dense([32, 64, 16], 8, 64)
    (outcome,) = HlsPredictor(model).predict([raw], [DEVICE])
    layers = outcome.details["layers"]
    assert [layer["kind"] for layer in layers] == ["input", "dense", "dense"]
    for key, target in (("lut", "lut_csynth"), ("dsp", "dsp_csynth")):
        predicted = next(p.value for p in outcome if p.target == target)
        assert sum(layer[key] for layer in layers) == pytest.approx(predicted, abs=0.2)


def test_a_corrected_reuse_factor_is_said_whatever_is_asked(model):
    raw = dense([32, 64], 8, 63)
    for targets in (None, ["lut_csynth"]):
        (outcome,) = HlsPredictor(model).predict([raw], [DEVICE], targets)
        assert any("63" in note and "64" in note for note in outcome.details["notes"])
    (refused,) = HlsPredictor(model).predict([{**raw, "strict": True}], [DEVICE])
    assert isinstance(refused, InputError)


def test_reports_read_like_hls4mls(model):
    design = FEATURIZER.parse(dense([32, 64], 8, 64))
    report = as_vivado_report(design, {p.target: p.value for p in model.predict([design])[0].predictions})
    assert report["CSynthesisReport"]["AvailableDSP"] == "12288"
    assert int(report["CSynthesisReport"]["WorstLatency"]) == 66
    assert {"LUT", "FF", "DSP48E", "BRAM_18K"} == set(report["VivadoSynthReport"])
    assert all(isinstance(value, str) for part in report.values() for value in part.values())


def test_area_under_curve_counts_pairs():
    score, positive = np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True])
    assert area_under_curve(score, positive) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
