"""Closed forms against what public reports say of single designs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.hls4ml.closed_forms import ram_blocks
from costmodel.hls4ml.forms import fixed_form
from costmodel.hls4ml.layers import layers_of, once
from featurizers.hls4ml import HlsFeaturizer
from tests.costmodel.hls4ml.conftest import dense

FEATURIZER = HlsFeaturizer()


def form(name, raw):
    features = FEATURIZER.features([FEATURIZER.parse(raw)])
    return float(fixed_form(name, layers_of(features))[0])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (dense([64, 160], 8, 512), {"cycles max": 514, "cycles min": 513, "interval": 512, "dsp": 20, "blocks": 6}),
        (dense([64, 160], 4, 512), {"dsp": 0, "blocks": 4}),
        (dense([192, 64], 2, 384), {"cycles max": 385, "cycles min": 384, "dsp": 0, "blocks": 2}),
        (dense([32, 32], 8, 1, "resource"), {"cycles max": 1, "interval": 2}),
        (dense([80, 24, 120], 10, 960, backend="vitis"), {"cycles max": 1925, "dsp": 5, "index tiles": 1}),
        (dense([80, 24, 120], 6, 960, backend="vitis"), {"dsp": 0}),
    ],
)
def test_reports_of_dense_layers(raw, expected):
    assert {name: form(name, raw) for name in expected} == expected


def test_a_chain_adds_three_cycles_a_layer_and_one_a_link():
    assert form("cycles max", dense([16, 16, 16, 16], 8, 32)) == 3 * 32 + 8


def test_tables_are_blocks_that_serve_two_values():
    raw = dense([8, 64], 8, 8)
    raw["layers"].append({"class": "Activation", "activation": "sigmoid"})
    assert form("blocks", raw) - form("blocks", dense([8, 64], 8, 8)) == 32


@given(st.integers(1, 40_000), st.integers(1, 400))
def test_blocks_hold_what_they_store(depth, width):
    blocks = float(ram_blocks(np.array([depth], float), np.array([width], float))[0])
    assert blocks * 18_432 >= depth * width
    assert float(ram_blocks(np.array([depth], float), np.array([width + 1], float))[0]) >= blocks


@given(st.sampled_from([8, 16, 32, 64]), st.sampled_from([8, 16, 32, 64]), st.integers(3, 16), st.integers(1, 4096))
def test_more_reuse_is_slower_and_never_needs_more_dsps(n_in, n_out, bits, reuse):
    fast, slow = dense([n_in, n_out], bits, reuse), dense([n_in, n_out], bits, 2 * reuse)
    assert form("cycles max", fast) <= form("cycles max", slow)
    if FEATURIZER.parse(fast).layers[1].reuse_factor > 1:
        assert form("dsp", fast) >= form("dsp", slow)


def test_a_form_is_worked_out_once_for_the_same_layers():
    asked = []

    @once
    def width(layers):
        asked.append(layers)
        return layers.total(layers["weight_bits"])

    raws = [dense([16, 8], 6), dense([16, 8, 4], 6)]
    layers = layers_of(FEATURIZER.features([FEATURIZER.parse(raw) for raw in raws]))
    other = layers_of(FEATURIZER.features([FEATURIZER.parse(raws[0])]))
    assert [width(layers).tolist(), width(layers).tolist(), width(other).tolist()] == [[6, 12], [6, 12], [6]]
    assert asked == [layers, other]


def test_a_design_costs_the_same_alone_and_among_others():
    raws = [dense([16, 24, 8], 6, 8), dense([64, 32], 4, 1, "latency"), dense([80, 24, 120], 10, 960)]
    together = layers_of(FEATURIZER.features([FEATURIZER.parse(raw) for raw in raws]))
    for name in ("cycles max", "interval", "dsp", "blocks"):
        assert fixed_form(name, together).tolist() == [form(name, raw) for raw in raws]
