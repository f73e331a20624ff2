"""Number types: what hls4ml writes is read back, what it would not accept is refused with its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurizers.errors import InputError
from featurizers.hls4ml import parse_precision
from featurizers.hls4ml.quantizers import parse_quantizer


@pytest.mark.parametrize(
    ("text", "width", "integer", "signed"),
    [
        ("ap_fixed<16,6>", 16, 6, True),
        ("fixed<16, 6>", 16, 6, True),
        ("ap_ufixed<8,0,AP_RND_CONV,AP_SAT>", 8, 0, False),
        ("ufixed<4,0,RND,SAT,0>", 4, 0, False),
        ("ap_int<5>", 5, 5, True),
        ("uint<1>", 1, 1, False),
        ("ac_fixed<10,3,true>", 10, 3, True),
        ("ac_int<4,false>", 4, 4, False),
        ("quantized_bits<6,0>", 6, 1, True),
        ("fixed<8,-2>", 8, -2, True),
        ("binary", 1, 1, False),
    ],
)
def test_types_that_hls4ml_writes(text, width, integer, signed):
    precision = parse_precision(text)
    assert (precision.width, precision.integer, precision.signed) == (width, integer, signed)


def test_modes_are_kept():
    precision = parse_precision("ap_fixed<12,4,AP_RND,AP_SAT>")
    assert (precision.rounding, precision.saturation) == ("RND", "SAT")


def test_auto_says_nothing_and_float_is_no_fixed_point():
    assert parse_precision("auto") is None
    assert parse_precision("float").floating


@pytest.mark.parametrize(
    "text",
    ["ap_fixed<16,>", "ap_fixed<16>", "ap_fixed<,6>", "fixed<a,b>", "fixed<0,0>", "fixed<4096,6>", "wide<16,6>",
     "fixed<16,6", "", "fixed<8,4,ROUND>"],
)  # fmt: skip
def test_what_does_not_parse_is_named(text):
    with pytest.raises(InputError) as error:
        parse_precision(text, "layer 'fc1'")
    assert "layer 'fc1'" in str(error.value)
    assert repr(text) in str(error.value) or "width" in str(error.value)


@given(st.integers(1, 64), st.integers(-8, 64), st.booleans())
def test_text_round_trips(width, integer, signed):
    text = f"{'' if signed else 'u'}fixed<{width},{integer}>"
    assert str(parse_precision(text)) == text


@pytest.mark.parametrize(
    ("raw", "function", "text"),
    [
        ("quantized_relu(6,2)", "relu", "ufixed<6,2>"),
        ({"class_name": "quantized_bits", "config": {"bits": 4, "integer": 1}}, "linear", "fixed<4,2>"),
        ("ternary()", "ternary", "fixed<2,2>"),
    ],
)
def test_quantizers(raw, function, text):
    found, precision = parse_quantizer(raw, "layer 'a'")
    assert (found, str(precision)) == (function, text)


def test_a_quantizer_without_sense_is_refused():
    with pytest.raises(InputError, match="bits"):
        parse_quantizer("quantized_bits(0,0)", "layer 'a'")
