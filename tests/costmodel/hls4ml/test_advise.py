"""Advice: a front that nothing beats, within what was asked."""

import json
import xml.etree.ElementTree as ElementTree

import msgspec
import pytest

from costmodel.hls4ml.advise import advise
from costmodel.hls4ml.operations import OPERATIONS
from costmodel.hls4ml.plot import png, svg
from costmodel.hls4ml.predictor import HlsPredictor
from featurizers.errors import InputError, LimitError
from featurizers.hls4ml import HlsFeaturizer
from tests.costmodel.hls4ml.conftest import dense

RAW = {**dense([64, 64, 32], 10, 32), "part": "zcu102"}
DESIGN = HlsFeaturizer().parse(RAW)


def beats(a, b):
    pairs = [(a["latency_ns"], b["latency_ns"]), (a["percent_of_part"], b["percent_of_part"]),
             (-a["weight_bits"], -b["weight_bits"])]  # fmt: skip
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def test_no_option_of_the_front_beats_another(model):
    advice = advise(model, DESIGN, [32, 64, 128, 256], [8, 10, 12])
    table = advice.to_json()["options"]
    assert len(table) >= 3
    assert not any(beats(a, b) for a in table for b in table)
    assert {row["reuse_factor"] for row in table} <= {32, 64, 128, 256}
    assert [row["latency_ns"] for row in table] == sorted(row["latency_ns"] for row in table)
    assert advice.tried == 12


def test_narrower_weights_are_tried_unless_widths_are_given(model):
    assert {option.weight_bits for option in advise(model, DESIGN).options} <= {10, 8, 6, 4}
    assert {option.weight_bits for option in advise(model, DESIGN, None, [10]).options} == {10}


def test_every_option_is_built_with_valid_reuse_factors(model):
    for option in advise(model, DESIGN).options:
        for layer in option.design.layers:
            assert not layer.n_in or (layer.n_in * layer.n_out) % layer.reuse_factor == 0


def test_what_does_not_fit_is_left_out_or_said(model):
    roomy = advise(model, DESIGN)
    assert roomy.fits
    assert all(option.answer.fits >= 0.5 for option in roomy.options)
    tight = HlsFeaturizer().parse({**dense([512, 512, 512], 14, 32), "part": "minized"})
    assert not advise(model, tight, [1, 2]).fits


def test_the_plot_is_an_svg_that_names_every_option(model):
    advice = advise(model, DESIGN, [32, 64, 128]).to_json()
    root = ElementTree.fromstring(svg(advice))
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(advice["options"])
    pytest.importorskip("matplotlib")
    assert png(advice).startswith(b"\x89PNG")


def test_the_operation_answers_in_json_types(model):
    question = {"input": RAW, "reuse_factors": [32, 64], "weight_bits": [8], "plot": True}
    found = msgspec.to_builtins(OPERATIONS["advise"].ask(HlsPredictor(model), question))
    assert found == json.loads(json.dumps(found))
    assert found["tried"] == 2
    assert found["limits"]["dsp"] == 2520
    assert found["svg"].startswith("<svg")


@pytest.mark.parametrize(
    "wish",
    [{"reuse_factors": "fast"}, {"reuse_factors": []}, {"reuse_factors": [0]}, {"weight_bits": [2.5]}, {"p_fits": 2},
     {"plot": "yes"}, {"speed": 3}],
)  # fmt: skip
def test_bad_wishes_are_refused(model, wish):
    with pytest.raises(InputError):
        OPERATIONS["advise"].ask(HlsPredictor(model), {"input": RAW, **wish})


def test_bad_questions_are_refused(model):
    homeless = HlsFeaturizer().parse({k: v for k, v in dense([8, 8]).items() if k != "part"})
    with pytest.raises(InputError, match="part"):
        advise(model, homeless)
    with pytest.raises(InputError, match="at least 1"):
        advise(model, DESIGN, [0])
    with pytest.raises(LimitError):
        advise(model, DESIGN, range(1, 3000))
