"""LUT and FF of a layer as a sum of physical terms; how much of each there is, fitted to reports, is one number a term.

The cost of a design is the sum over its layers, so what is fitted to one layer speaks about ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.closed_forms import (
    dsp_unrolled,
    index_blocks,
    is_combinational,
    is_one_input,
    pool_divisions,
    table_blocks,
    weight_blocks,
)
from costmodel.hls4ml.layers import Layers, Values, once

_HATS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0)
_APART = _HATS[1] - _HATS[0]
_CENTERS = np.array(_HATS)[:, None]
_MUX_BITS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
_MUX_LUTS = (20.0, 45.0, 90.0, 181.0, 301.0, 701.0, 1390.0, 2780.0, 5560.0)
"""LUTs of a 16-bit read-modify-write of one of 2^bits outputs, as C-synthesis counts them (dense1, 5 to 8 bits)."""

TERMS: Final[tuple[str, ...]] = (
    "serial layer",
    "input mux",
    "output registers",
    "output mux",
    "two-way output mux",
    "products in DSPs",
    "products in LUTs",
    "product bits in LUTs",
    "product bits of two-way layers",
    "weights in LUT memory",
    "weight bits in LUT memory",
    "weights of shallow layers",
    "products of shallow layers",
    "single product",
    "counter bits",
    "inner inputs",
    *(f"unrolled, {int(bits)} bit" for bits in _HATS),
    *(f"shared, {int(bits)} bit" for bits in _HATS),
    *(f"unrolled resource, {int(bits)} bit" for bits in _HATS),
    "constant products in DSPs",
    "combinational product bits",
    "combinational outputs",
    "unrolled outputs",
    "unrolled inputs",
    "relu bits",
    "table lookups",
    "softmax values",
    "other element bits",
    "stream layer",
    "stream window bits",
    "stream word bits",
    "layer",
    "distributed adder bits",
    "distributed output bits",
    "distributed register bits",
    "one-input products",
    "one-input bits",
    "pool input bits",
    "pool comparison bits",
    "pool divisions",
)
"""Names of the terms, for `explain` and the card."""


_UNROLLED_LUTS = (6.0, 11.0, 21.0, 28.0, 26.0, 23.0, 20.0, 19.0)
_UNROLLED_FFS = (0.9, 1.1, 1.7, 2.3, 2.7, 3.0, 3.1, 3.2)
_SHARED_FFS = (0.4, 0.7, 1.3, 9.6, 11.9, 11.3, 12.3, 12.3)
_RESOURCE_FFS = (0.3, 0.6, 1.2, 3.6, 7.3, 8.2, 8.4, 8.6)


def _prior(unrolled: Sequence[float], shared: Sequence[float], resource: Sequence[float], **rest: float) -> Values:
    named = {
        name.replace("_", " ").replace("two way", "two-way").replace("one input", "one-input"): value
        for name, value in rest.items()
    }
    hats = {
        **{f"unrolled, {int(bits)} bit": value for bits, value in zip(_HATS, unrolled, strict=True)},
        **{f"shared, {int(bits)} bit": value for bits, value in zip(_HATS, shared, strict=True)},
        **{f"unrolled resource, {int(bits)} bit": value for bits, value in zip(_HATS, resource, strict=True)},
    }
    return np.array([{**hats, **named}.get(name, 0.0) for name in TERMS])


PRIORS: Final[Mapping[str, Values]] = {
    "lut": _prior(
        _UNROLLED_LUTS, _UNROLLED_LUTS, _UNROLLED_LUTS, serial_layer=4500, input_mux=32,
        combinational_product_bits=3.7, single_product=23, output_registers=24,
        output_mux=1, two_way_output_mux=42, products_in_LUTs=5, unrolled_inputs=20, unrolled_outputs=10, relu_bits=2.8,
        table_lookups=80, softmax_values=150, other_element_bits=1, stream_layer=30, stream_window_bits=5,
        stream_word_bits=0.5, layer=20,
        distributed_adder_bits=0.5, distributed_output_bits=0.5, one_input_products=7, pool_comparison_bits=2,
        pool_divisions=500,
    ),
    "ff": _prior(
        _UNROLLED_FFS, _SHARED_FFS, _RESOURCE_FFS, serial_layer=110,
        combinational_outputs=16, single_product=16, output_registers=16, products_in_DSPs=15,
        product_bits_in_LUTs=1, unrolled_outputs=16, unrolled_inputs=8, relu_bits=0.5, table_lookups=20,
        softmax_values=60, other_element_bits=0.5, stream_layer=20, stream_window_bits=3, stream_word_bits=1, layer=20,
        distributed_adder_bits=0.2, distributed_output_bits=1, one_input_bits=1, pool_input_bits=1,
        pool_divisions=790,
    ),
}  # fmt: skip
"""What a term costs where nothing labelled has it: rounded from C-synthesis reports (Apache-2.0 ones) and estimates."""


@once
def terms(layers: Layers) -> Values:
    """How much of each term every layer has, float64 (layers, len(TERMS))."""
    serial, reuse = layers.serial, layers["reuse"]
    products, bits, outputs = layers["multipliers"], layers["weight_bits"], layers["n_out"]
    word = layers["accum_bits"] / 16
    is_two_way = serial & (layers["outputs_per_multiplier"] == 2)
    is_mux = serial & (layers["outputs_per_multiplier"] > 2)
    mux = np.interp(np.ceil(np.log2(np.maximum(outputs, 4.0))), _MUX_BITS, _MUX_LUTS)
    in_dsp = layers.dsp_products
    deep = serial & (reuse > 1024)
    stored = layers["multiplications"] / 64
    columns = [
        serial,
        serial * layers["n_in"] * layers["source_bits"] / 16,
        serial * outputs * word,
        is_mux * products * mux * word,
        is_two_way * products * word,
        (is_mux & in_dsp) * products,
        serial * ~in_dsp * products,
        (is_mux & ~in_dsp) * products * bits,
        (is_two_way & in_dsp) * products * bits,
        deep * stored,
        deep * stored * bits,
        (serial & ~deep) * stored * bits,
        (serial & ~deep) * products,
        (serial & (products == 1)) * outputs * word,
        serial * np.ceil(np.log2(np.maximum(reuse, 2.0))),
        serial * ~_is_first(layers) * layers["n_in"],
        *_unrolled_terms(layers),
        layers.unrolled * ~is_combinational(layers) * outputs * word,
        layers.unrolled * ~is_one_input(layers) * layers["n_in"],
        *_other_terms(layers),
        np.ones(len(reuse)),
        *_distributed_terms(layers),
        *_simple_terms(layers),
    ]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _is_first(layers: Layers) -> npt.NDArray[np.bool_]:
    seen = np.cumsum(layers.matrix)
    start = np.searchsorted(layers.owner, layers.owner)
    before: Values = seen[start] - layers.matrix[start]
    return np.asarray(layers.matrix & (seen - before == 1))


def _unrolled_terms(layers: Layers) -> list[Values]:
    adders = 1 - 1 / np.maximum(layers["n_in"], 1.0)
    every = (
        layers.unrolled
        * ~layers.is_strategy("distributed_arithmetic")
        * layers["multiplications"]
        * layers["nonzero"]
        * adders
    )
    combinational = is_combinational(layers)
    is_shared = layers["reuse"] > 1
    is_resource = layers.is_strategy("resource")
    amounts = every * ~combinational * _hats(layers["weight_bits"])
    alone = amounts * ~is_shared
    return [
        *(alone * ~is_resource),
        *(amounts * is_shared),
        *(alone * is_resource),
        dsp_unrolled(layers) * ~is_one_input(layers),
        every * combinational * layers["weight_bits"],
        combinational * ~is_one_input(layers) * layers["n_out"] * layers["accum_bits"] / 16,
    ]


def _distributed_terms(layers: Layers) -> list[Values]:
    """Bits of the adders of distributed arithmetic, one a signed digit of the constants but the first of each output;
    where pixels stand apart every output pixel of a convolution has its own adders, else they take turns."""
    copies = np.maximum(layers["positions"], 1.0) if layers.pixels_apart else 1.0
    everywhere = layers.is_strategy("distributed_arithmetic") * copies
    width = layers["source_bits"] + layers["weight_bits"] / 2 + np.log2(np.maximum(layers["n_in"], 1.0))
    additions = np.maximum(layers["multiplications"] * layers["digits"] - layers["n_out"], 0.0)
    registers = np.divide(additions, layers["latency_cutoff"], out=0 * additions, where=layers["latency_cutoff"] > 0)
    return [
        everywhere * layers.matrix * additions * width,
        everywhere * layers.matrix * layers["n_out"] * (layers["source_bits"] + layers["weight_bits"]),
        everywhere * layers.matrix * registers * width,
    ]


def _simple_terms(layers: Layers) -> list[Values]:
    """Layers without an adder tree: what they read is registered, and little else (hls4ml's own tests)."""
    is_one, is_pool = is_one_input(layers), layers.is_kind("pooling", "global_pooling")
    at_once = np.where(layers["stream"] > 0, np.maximum(layers["positions"], 1.0), 1.0)
    comparisons = layers["out_elements"] / at_once * np.maximum(layers["window"] - 1, 0.0)
    return [
        is_one * layers["n_out"],
        is_one * layers["n_in"] * layers["source_bits"],
        is_pool * (layers["stream"] == 0) * layers["in_elements"] * layers["source_bits"],
        is_pool * comparisons * layers["source_bits"],
        pool_divisions(layers),
    ]


def _hats(bits: Values) -> Values:
    """Piecewise linear, (len(_HATS), layers): each 1 at its own bit width, 0 at the neighbours'."""
    within = np.minimum(np.maximum(bits, _HATS[0]), _HATS[-1])
    return np.asarray(np.maximum(1 - np.abs(within - _CENTERS) / _APART, 0.0))


def _other_terms(layers: Layers) -> list[Values]:
    width = layers["result_bits"]
    at_once = np.where(layers["stream"] > 0, np.maximum(layers["positions"], 1.0), 1.0)
    elements = np.asarray(layers["out_elements"] / at_once)
    is_relu = layers["function"] == 1
    has_table = (layers["table_entries"] > 0) & ~layers.is_kind("softmax", "embedding")
    named = layers.is_kind("input", "softmax", "reshape", "pooling", "global_pooling")
    rest = ~layers.matrix & ~named & ~is_relu & ~has_table
    stream = layers["stream"] > 0
    return [
        np.asarray(is_relu * elements * width, dtype=np.float64),
        has_table * elements,
        layers.is_kind("softmax") * elements,
        rest * elements * width,
        np.asarray(stream, dtype=np.float64),
        stream * layers["window"] * layers["source_bits"] * layers.matrix,
        stream * ~layers.is_kind("input", "reshape") * elements * width,
    ]


@once
def memory_terms(layers: Layers) -> Values:
    """Of each layer: 18 Kb blocks for output indices, weights, tables; float64 (layers, 3)."""
    return np.stack([index_blocks(layers), weight_blocks(layers), table_blocks(layers)], axis=1)
