"""Reuse factors, parts and configurations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.hls4ml import BOARDS, HlsFeaturizer, closest_reuse_factor, find_board, valid_reuse_factors
from featurizers.hls4ml.config import parse_config

FEATURIZER = HlsFeaturizer()


def model(*units, **fields):
    return {"layers": [{"class": "Dense", "name": f"fc{i}", "units": n} for i, n in enumerate(units)],
            "input_shape": [16], **fields}  # fmt: skip


@given(st.integers(1, 48), st.integers(1, 48))
def test_valid_reuse_factors_are_those_of_hls4mls_assertions(n_in, n_out):
    def is_built(rf):
        limit = -(-n_in * n_out // min(n_in, rf))
        first = limit % n_out == 0 or rf >= n_in
        return first and (rf % n_in == 0 or rf < n_in) and (n_in * n_out) % rf == 0

    assert valid_reuse_factors(n_in, n_out) == tuple(rf for rf in range(1, n_in * n_out + 1) if is_built(rf))


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 5000))
def test_the_closest_is_closest_and_the_smaller_of_two(n_in, n_out, asked):
    valid = valid_reuse_factors(n_in, n_out)
    assert closest_reuse_factor(n_in, n_out, asked) == min(valid, key=lambda rf: (abs(rf - asked), rf))


def test_a_corrected_reuse_factor_is_said():
    config = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 7, "Strategy": "Resource"}}
    design = FEATURIZER.parse(model(64, hls_config=config))
    layer = design.layers[-1]
    assert (layer.reuse_factor, layer.reuse_requested) == (8, 7)
    assert "reuse factor 7" in design.notes[0]
    assert "8 is built" in design.notes[0]


def test_strict_refuses_instead():
    config = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 7, "Strategy": "Resource"}}
    with pytest.raises(InputError, match=r"must divide 16\*64 = 1024.*nearest is 8.*Got 7"):
        FEATURIZER.parse(model(64, hls_config=config, strict=True))


def test_a_reuse_factor_of_zero_is_corrected_and_said():
    config = {"Model": {"ReuseFactor": 0, "Precision": "fixed<8,3>", "Strategy": "Resource"}}
    for raw in (model(4, hls_config=config), {"layers": [{"class": "Dense", "units": 4, "reuse_factor": 0}],
                                              "input_shape": [16]}):  # fmt: skip
        design = FEATURIZER.parse(raw)
        assert design.layers[-1].reuse_factor == 1
        assert "reuse factor 0" in design.notes[0]
        with pytest.raises(InputError, match="at least 1"):
            FEATURIZER.parse({**raw, "strict": True})


def test_fields_that_do_not_exist_are_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"clock_perod.*Nearest: clock_period"):
        FEATURIZER.parse({**model(4), "clock_perod": 3})
    with pytest.raises(InputError, match="strict"):
        FEATURIZER.parse({**model(4), "strict": "no"})


@pytest.mark.parametrize("value", [-1, 2.5, "many", True])
def test_a_reuse_factor_without_sense_is_refused(value):
    with pytest.raises(InputError, match="reuse factor"):
        FEATURIZER.parse(model(4, hls_config={"Model": {"ReuseFactor": value, "Precision": "fixed<8,3>"}}))


def test_boards_are_found_by_any_usual_name():
    assert find_board("xcu250-figd2104-2L-e") is find_board("U250") is find_board("alveo-u250")
    assert find_board("xczu9eg-ffvb1156-1-e").name == "zcu102"
    assert find_board("pynq_z2").limit("bram") == 280
    assert len({board.name for board in BOARDS}) == len(BOARDS) >= 10


def test_an_unknown_part_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'zcu103'.*Nearest: zcu10"):
        FEATURIZER.parse(model(4, part="zcu103"))


def test_innermost_word_of_the_configuration_wins():
    config = {
        "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerType": {"Dense": {"ReuseFactor": 4, "Strategy": "Resource", "Precision": "fixed<12,4>"}},
        "LayerName": {"fc1": {"Precision": {"weight": "fixed<6,1>"}, "ReuseFactor": 8}},
    }
    _, first, second = FEATURIZER.parse(model(16, 16, hls_config=config)).layers
    assert (first.reuse_factor, first.strategy, first.weight.width) == (4, "resource", 12)
    assert (second.reuse_factor, second.strategy, second.weight.width) == (8, "resource", 6)
    assert second.accum.width == 12


def test_a_configured_layer_that_does_not_exist_is_named():
    with pytest.raises(InputError, match=r"LayerName.*fc0, fc1.*'fc9'"):
        FEATURIZER.parse(model(4, 4, hls_config={"Model": {}, "LayerName": {"fc9": {"ReuseFactor": 2}}}))


def test_a_split_activation_may_be_configured():
    raw = model(4)
    raw["layers"][0]["activation"] = "relu"
    raw["hls_config"] = {"LayerName": {"fc0_relu": {"Precision": "ufixed<4,0>"}, "fc0_linear": {}}}
    assert str(FEATURIZER.parse(raw).layers[-1].result) == "ufixed<4,0>"


def test_a_project_yml_gives_part_clock_and_io():
    yml = "Part: xcu250-figd2104-2L-e\nClockPeriod: 4\nIOType: io_stream\nHLSConfig:\n  Model:\n    ReuseFactor: 2\n"
    design = FEATURIZER.parse(model(4, hls_config=yml))
    assert (design.board.name, design.clock_ns, design.io_type) == ("alveo-u250", 4.0, "io_stream")


def test_tags_in_a_yml_are_read_as_text_and_never_run():
    config = parse_config("KerasModel: !keras_model my/model.h5\nHLSConfig: {Model: {ReuseFactor: 3}}")
    assert config.model["reusefactor"] == 3


@pytest.mark.parametrize("yml", ["a: [1,", "- 1\n- 2", "a: &x [1]\nb: *x\n"])
def test_a_yml_that_is_none_is_refused(yml):
    with pytest.raises(InputError, match="hls4ml configuration"):
        FEATURIZER.parse(model(4, hls_config=yml))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"clock_period": "fast"}, "clock"),
        ({"clock_period": 0}, "clock"),
        ({"io_type": "io_serial"}, "io_type"),
        ({"backend": "quartus9"}, "backend"),
        ({"part": 7}, "part"),
        ({"hls_config": {"Model": {"Strategy": "Quick"}}}, "strategy"),
        ({"hls_config": {"Model": {"Precision": 16}}}, "precision"),
        ({"hls_config": []}, "configuration"),
        ({"input_shape": None}, "input_shape"),
        ({"input_shape": [0]}, "input_shape"),
        ({"layers": "Dense"}, "layers"),
        ({"layers": [{"class": "Magic"}]}, "layer class"),
        ({"layers": [{"class": "Dense"}]}, "units"),
        ({"onnx": b"x"}, "exactly one"),
    ],
)
def test_bad_fields_are_named(fields, word):
    with pytest.raises(InputError, match=word):
        FEATURIZER.parse({**model(4), **fields})


def test_sizes_have_limits():
    with pytest.raises(LimitError):
        FEATURIZER.parse(model(1 << 40))


def test_an_input_that_is_no_object_is_refused():
    with pytest.raises(InputError, match="exactly one"):
        FEATURIZER.parse({})
