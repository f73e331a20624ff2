"""Signed digits of constants, from every place that knows the weights."""

import numpy as np
import pytest

from featurizers.errors import InputError
from featurizers.hls4ml import HlsFeaturizer
from featurizers.hls4ml.digits import expected_digits, signed_digits
from featurizers.hls4ml.precision import Precision


def naive(value):
    """Digit by digit, from the right."""
    value, count = abs(value), 0
    while value:
        if value & 1:
            count, value = count + 1, value - (2 - value % 4)
        value //= 2
    return count


def test_digits_are_those_of_the_non_adjacent_form():
    whole = np.arange(-128, 128)
    expected = np.mean([naive(int(value)) for value in whole])
    assert signed_digits(whole / 128, Precision(8, 1)) == pytest.approx(expected)
    assert expected_digits(8) == pytest.approx(expected, rel=0.1)


def test_constants_are_rounded_and_saturate_as_their_type_does():
    narrow = Precision(3, 1)
    assert signed_digits(np.array([0.1]), narrow) == 0
    assert signed_digits(np.array([100.0, -100.0]), narrow) == (naive(3) + naive(4)) / 2
    assert signed_digits(np.array([-1.0]), Precision(3, 1, signed=False)) == 0


def layer(**fields):
    return {"class": "Dense", "units": 4, "strategy": "distributed_arithmetic", **fields}


def digits_of(raw):
    design = HlsFeaturizer().parse(raw)
    features = HlsFeaturizer().features([design])
    return float(features.parts.matrix[1, [c.name for c in features.part_columns].index("digits")])


def test_unknown_weights_have_one_digit_in_three():
    raw = {"layers": [layer(weight="fixed<8,1>", nonzero=0.5)], "input_shape": [8]}
    assert digits_of(raw) == 1.5
    assert digits_of({"layers": [layer(digits=2.25)], "input_shape": [8]}) == 2.25


@pytest.mark.parametrize("digits", [-1, "many", True, 1e9])
def test_impossible_digits_are_refused(digits):
    with pytest.raises(InputError, match="'digits' of"):
        HlsFeaturizer().parse({"layers": [layer(digits=digits)], "input_shape": [8]})


def test_weights_of_an_onnx_model_are_counted():
    onnx = pytest.importorskip("onnx")
    weights = np.array([[0.5, 0.75], [0.0, 0.25]], dtype=np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 2])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 2])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    config = {"Model": {"Precision": "ap_fixed<8,1>", "Strategy": "distributed_arithmetic"}}
    raw = {"onnx": onnx.helper.make_model(graph).SerializeToString(), "hls_config": config}
    assert digits_of(raw) == (1 + 2 + 0 + 1) / 4


@pytest.mark.parametrize("cutoff", [0, 1.5, True, "none", -2])
def test_impossible_cutoffs_are_refused(cutoff):
    with pytest.raises(InputError, match="latency_cutoff"):
        HlsFeaturizer().parse({"layers": [layer()], "input_shape": [8], "latency_cutoff": cutoff})


@pytest.mark.parametrize(("given", "kept"), [(-1, 0), (None, 0), (3, 3)])
def test_cutoff_is_kept(given, kept):
    raw = {"layers": [layer()], "input_shape": [8], "latency_cutoff": given}
    assert HlsFeaturizer().parse(raw).latency_cutoff == kept
