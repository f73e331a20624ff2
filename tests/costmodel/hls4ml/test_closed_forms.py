"""Closed forms against what public reports say of single designs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.hls4ml.basis import TERMS, terms
from costmodel.hls4ml.closed_forms import combinational_registers, ram_blocks
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


STREAM = {"io_type": "io_stream", "part": "alveo-u250"}
PLAIN = {"reuse_factor": 1, "strategy": "latency"}


def after(activation, backend, units=64):
    layers = [{"class": "Dense", "units": units, **PLAIN}, {"class": "Activation", "activation": activation}]
    return {"layers": layers, "input_shape": [1], "backend": backend, **STREAM}


@pytest.mark.parametrize(
    ("raw", "cycles", "interval"),
    [
        (after("relu", "vitis"), 2, 2),
        (after("relu", "vivado"), 2, 1),
        (after("sigmoid", "vitis"), 4, 4),
        (after("sigmoid", "vivado"), 4, 1),
        (
            {"layers": [{"class": "DepthwiseConv1D", "kernel_size": 3, **PLAIN}], "input_shape": [32, 3], **STREAM},
            35,
            36,
        ),
    ],
)
def test_reports_of_layers_in_a_stream(raw, cycles, interval):
    """hls4ml's own unit tests (Apache-2.0), Vivado 2020.1 and Vitis 2023.1."""
    assert (form("cycles max", raw), form("interval", raw)) == (cycles, interval)


def test_a_stream_pools_every_pixel_that_enters():
    raw = {"layers": [{"class": "MaxPooling2D", "pool_size": 2}], "input_shape": [16, 16, 4], **STREAM}
    assert 256 <= form("interval", raw) <= 260


def test_the_matrices_of_a_recurrent_step_stand_side_by_side_and_steps_wait_for_each_other():
    layer = {"class": "GRU", "units": 8, "reuse_factor": 48, "strategy": "resource"}
    raw = {"layers": [layer], "input_shape": [10, 6], "part": "alveo-u250"}
    assert 10 * 50 <= form("interval", raw) <= form("cycles max", raw) < 10 * 2 * 50


def test_pixels_of_an_adder_tree_take_turns_unless_they_stand_apart():
    layer = {"class": "Conv2D", "filters": 4, "kernel_size": 3, "strategy": "distributed_arithmetic"}
    features = FEATURIZER.features([FEATURIZER.parse({"layers": [layer], "input_shape": [8, 8, 2]})])
    column = TERMS.index("distributed adder bits")
    turns, apart = (layers_of(features, pixels_apart=each) for each in (False, True))
    assert turns.total(terms(apart))[0, column] == 36 * turns.total(terms(turns))[0, column] > 0


def test_wide_normalisation_multiplies_in_dsps():
    raw = {"layers": [{"class": "BatchNormalization"}], "input_shape": [8, 8, 4], **STREAM}
    assert form("dsp", raw) == 4
    assert form("dsp", {**raw, "hls_config": {"Model": {"Precision": "fixed<8,3>"}}}) == 0


def test_gates_and_softmax_multiply_in_dsps():
    gru = {"class": "GRU", "units": 8, "reuse_factor": 48, "strategy": "resource"}
    raw = {"layers": [gru], "input_shape": [10, 6], "part": "alveo-u250"}
    assert form("dsp", raw) == 3 * 8 + (6 * 24 + 8 * 24) / 48
    softmax = {"layers": [{"class": "Softmax"}], "input_shape": [5]}
    assert form("dsp", softmax) == 5


def test_a_combinational_design_registers_its_input():
    """hls4ml's own tests: 18 flip-flops of 64 activations of one input, 12,962 of a pool over 18 x 15 x 3."""
    relu = {**after("relu", "vivado"), "io_type": "io_parallel"}
    pool = {"layers": [{"class": "MaxPooling2D", "pool_size": 2}], "input_shape": [18, 15, 3], "part": "vu13p"}
    layers = layers_of(FEATURIZER.features([FEATURIZER.parse(raw) for raw in (relu, pool, dense([64, 64]))]))
    assert combinational_registers(layers)[:2].tolist() == [18, 12_962]
    assert np.isnan(combinational_registers(layers)[2])
