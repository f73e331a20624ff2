"""Advice: a front that nothing beats, within what was asked."""

import pytest

from costmodel.hls4ml.advise import advise, as_table, plot, summarise
from featurizers.errors import InputError, LimitError
from featurizers.hls4ml import HlsFeaturizer
from tests.costmodel.hls4ml.conftest import dense

DESIGN = HlsFeaturizer().parse({**dense([64, 64, 32], 8, 32), "part": "zcu102"})


def test_no_option_of_the_front_beats_another(model):
    front = advise(model, DESIGN, [32, 64, 128, 256], [8, 10, 12])
    table = as_table(front)
    assert len(table) >= 2
    for a in table:
        assert not any(
            b["latency_ns"] <= a["latency_ns"] and b["percent_of_part"] < a["percent_of_part"] for b in table
        )
    assert {row["reuse_factor"] for row in table} <= {32, 64, 128, 256}
    assert summarise(front)["fastest"]["latency_ns"] <= summarise(front)["smallest"]["latency_ns"]


def test_every_option_is_built_with_valid_reuse_factors(model):
    for option in advise(model, DESIGN):
        for layer in option.design.layers:
            assert not layer.n_in or (layer.n_in * layer.n_out) % layer.reuse_factor == 0


def test_a_picture_is_drawn(model):
    assert b"<svg" in plot(advise(model, DESIGN, [32, 64]))


def test_bad_questions_are_refused(model):
    homeless = HlsFeaturizer().parse({k: v for k, v in dense([8, 8]).items() if k != "part"})
    with pytest.raises(InputError, match="part"):
        advise(model, homeless)
    with pytest.raises(InputError, match="at least 1"):
        advise(model, DESIGN, [0])
    with pytest.raises(LimitError):
        advise(model, DESIGN, range(1, 3000))
