"""LUT and FF of a layer as a sum of physical terms; how much of each there is, fitted to reports, is one number a term.

The cost of a design is the sum over its layers, so what is fitted to one layer speaks about ten.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.closed_forms import (
    dsp_unrolled,
    index_blocks,
    is_combinational,
    table_blocks,
    weight_blocks,
)
from costmodel.hls4ml.layers import Layers, Values

_HATS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0)
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
    "unrolled outputs",
    "unrolled inputs",
    "relu bits",
    "table lookups",
    "softmax values",
    "other element bits",
    "stream layer",
    "stream window bits",
    "layer",
)
"""Names of the terms, for `explain` and the card."""


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
        layers.unrolled * outputs * word,
        layers.unrolled * layers["n_in"],
        *_other_terms(layers),
        np.ones(len(reuse)),
    ]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _is_first(layers: Layers) -> npt.NDArray[np.bool_]:
    seen = np.cumsum(layers.matrix)
    start = np.searchsorted(layers.owner, layers.owner)
    before: Values = seen[start] - layers.matrix[start]
    return np.asarray(layers.matrix & (seen - before == 1))


def _unrolled_terms(layers: Layers) -> list[Values]:
    every = layers.unrolled * layers["multiplications"] * layers["nonzero"]
    combinational = is_combinational(layers)
    amount = every * ~combinational
    is_shared = layers["reuse"] > 1
    is_resource = layers.is_strategy("resource")
    hats = [_hat(layers["weight_bits"], i) for i in range(len(_HATS))]
    return [
        *(amount * ~is_shared * ~is_resource * hat for hat in hats),
        *(amount * is_shared * hat for hat in hats),
        *(amount * ~is_shared * is_resource * hat for hat in hats),
        dsp_unrolled(layers),
        every * combinational * layers["weight_bits"],
    ]


def _hat(bits: Values, index: int) -> Values:
    """Piecewise linear: 1 at its own bit width, 0 at the neighbours'."""
    heights = np.zeros(len(_HATS))
    heights[index] = 1.0
    return np.interp(bits, _HATS, heights)


def _other_terms(layers: Layers) -> list[Values]:
    elements, width = layers["out_elements"], layers["result_bits"]
    is_relu = layers["function"] == 1
    has_table = (layers["table_entries"] > 0) & ~layers.is_kind("softmax", "embedding")
    rest = ~layers.matrix & ~layers.is_kind("input", "softmax", "reshape") & ~is_relu & ~has_table
    stream = layers["stream"] > 0
    return [
        np.asarray(is_relu * elements * width, dtype=np.float64),
        has_table * elements,
        layers.is_kind("softmax") * elements,
        rest * elements * width,
        np.asarray(stream, dtype=np.float64),
        stream * layers["window"] * layers["source_bits"] * layers.matrix,
    ]


def memory_terms(layers: Layers) -> Values:
    """Of each layer: 18 Kb blocks for output indices, weights, tables; float64 (layers, 3)."""
    return np.stack([index_blocks(layers), weight_blocks(layers), table_blocks(layers)], axis=1)
