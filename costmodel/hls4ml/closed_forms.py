"""What follows from an hls4ml layer without learning: products, DSPs, BRAM, cycles, initiation interval.

Constants were read off public C-synthesis reports of single dense layers (hls4ml 0.8.1, Vivado HLS 2020.1) and hold
for Vitis 2023.2 where its reports could be compared; the block shapes are the vendor's (UG573).
"""

from __future__ import annotations

import numpy as np

from costmodel.hls4ml.layers import Layers, Mask, Values, once

_RAM_WORDS = np.array([512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0])
_RAM_BITS = np.array([36, 18, 9, 4, 2, 1, 1])
"""Depth and width that one 18 Kb block can have, and the width of one of several on top of each other."""

_SMALLEST_BRAM_BITS = 1024
"""A read-only memory below this is built from LUTs."""

_SHALLOW = 64
"""Up to this many words a memory is built from LUTs, which hold 64 bits each, however wide it is."""

_WIDE_RANGE = (3.5, 4.5, 4.8, 5.3, 6.5, 6.8, 7.3, 8.5, 8.8, 9.3, 10.5, 10.8, 11.3, 13.0)
_WIDE_SHARE = (0.0, 0.19, 0.28, 0.32, 0.589, 0.646, 0.69, 0.824, 0.839, 0.87, 0.933, 0.939, 0.95, 0.98)
"""log2 of the largest constant, and the share of the constants up to it that need a DSP."""

_CONVOLUTIONS = ("conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d")
_DEPTHWISE = ("depthwise_conv1d", "depthwise_conv2d")
_RECURRENT = ("gru", "lstm", "simple_rnn")
_GATE_CYCLES = 8.0
"""Of the tables and the products behind the matrices of a recurrent step: an estimate, nothing labelled has them."""

_GATE_PRODUCTS = 3
_WIDE_PRODUCT_BITS = 10
_YOSYS_DSP_BITS = 9
_DIVISION_CYCLES = 21.0
_REMAINDER_BITS = 2
"""A column of a memory this narrow is put into LUTs beside the blocks."""


def ram_blocks(depth: Values, width: Values) -> Values:
    """18 Kb blocks of a read-only memory of `depth` words of `width` bits, its widest columns first.

    >>> ram_blocks(np.array([512.0, 1024.0, 4096.0]), np.array([40.0, 4.0, 5.0]))
    array([2., 1., 2.])
    """
    widest = _RAM_BITS[np.searchsorted(_RAM_WORDS, depth)]
    blocks = np.ceil(width / widest) * np.ceil(np.maximum(depth / _RAM_WORDS[-1], 1.0))
    return np.asarray(np.where(width > 0, blocks, 0.0))


@once
def index_blocks(layers: Layers) -> Values:
    """Blocks of the table that tells which output a product belongs to (reuse words of log2(reuse / n_in) bits)."""
    fan = np.maximum(layers["outputs_per_multiplier"], 1.0)
    bits = np.ceil(np.log2(fan) - 1e-9)
    is_stored = layers.serial & (layers["reuse"] * bits >= _SMALLEST_BRAM_BITS)
    return np.where(is_stored, ram_blocks(layers["reuse"], bits), 0.0)


@once
def weight_blocks(layers: Layers) -> Values:
    """Blocks of the weights of serial layers: `reuse` words of ``multipliers * weight_bits`` bits."""
    width = layers["multipliers"] * layers["weight_bits"]
    depth = layers["reuse"]
    one = np.where(depth <= 512, 36, 18)
    remainder = np.mod(width, one)
    is_slim = (depth > 512) & (remainder > 0) & (remainder <= _REMAINDER_BITS) & (width > one)
    deep = np.ceil(width / 18) + ram_blocks(np.maximum(depth - 1024, 1), width)
    blocks = np.where((depth > 1024) & (depth <= 2048), deep, ram_blocks(depth, width))
    is_large = depth * layers["weight_bits"] * layers["multipliers"] >= _SMALLEST_BRAM_BITS
    is_stored = layers.serial & (depth > _SHALLOW) & is_large
    return np.where(is_stored, blocks - is_slim, 0.0)


@once
def table_blocks(layers: Layers) -> Values:
    """Blocks of activation tables: one block has two ports, so it serves two values at a time."""
    values = np.where(
        layers["stream"] > 0, layers["out_elements"] / np.maximum(layers["positions"], 1), layers["out_elements"]
    )
    each = ram_blocks(layers["table_entries"], layers["table_bits"])
    is_softmax = layers.is_kind("softmax")
    return np.where(layers["table_entries"] > 0, np.ceil(values / 2) * each + is_softmax, 0.0)


@once
def distinct_products(layers: Layers) -> Values:
    """Share of an unrolled layer's products that differ: an input times a constant is built once for all outputs.

    Constants of a layer with n_in inputs are taken as uniform with variance 1 / n_in: about ``2^bits * sqrt(3 / n_in)``
    values are possible, of which n_out are drawn.
    """
    values = 2 * _constant_range(layers)
    outputs = np.maximum(layers["n_out"], 1.0)
    return np.asarray(values * -np.expm1(-outputs / values) / outputs)


@once
def _constant_range(layers: Layers) -> Values:
    range_ = 2.0 ** (layers["weight_bits"] - 1) * np.sqrt(3 / np.maximum(layers["n_in"], 1.0))
    return np.maximum(range_, 0.5)


@once
def unrolled_dsp_share(layers: Layers) -> Values:
    """Share of the products with a constant that go to a DSP: those whose constant needs more than shifts and an add.

    The share among constants up to r, read off the unrolled rows of dense1 at 12 values of r, times those that differ.
    """
    wide = np.interp(np.log2(_constant_range(layers)), _WIDE_RANGE, _WIDE_SHARE)
    return np.asarray(wide * distinct_products(layers))


@once
def is_combinational(layers: Layers) -> Mask:
    """Unrolled layers that need no register inside: of few bits (dense1: latency 0), or one product an output."""
    bits = layers["n_in"] * layers["weight_bits"]
    is_small = layers["multiplications"] <= 1024
    is_resource = layers.is_strategy("resource")
    quick = (bits <= 64) & (is_resource | is_small) | (bits <= 128) & is_resource & is_small
    return np.asarray(layers.unrolled & quick & (layers["weight_bits"] <= 4) | is_one_input(layers))


@once
def is_one_input(layers: Layers) -> Mask:
    """Layers whose outputs are one product each, side by side: no adder tree (hls4ml's own tests: latency 0)."""
    return np.asarray(layers.unrolled & (layers["n_in"] == 1) & (layers["reuse"] == 1) & (layers["stream"] == 0))


@once
def pool_divisions(layers: Layers) -> Values:
    """Dividers of average pooling by Vivado HLS, one an output: the window overhangs the edge, or is no power of 2.

    Vitis HLS multiplies instead. Each takes 21 cycles (hls4ml's own tests).
    """
    window = np.maximum(layers["window"], 1.0)
    overhangs = layers["out_elements"] * window > layers["in_elements"]
    divides = layers.is_kind("pooling", "global_pooling") & layers.is_average & (layers["vitis"] == 0)
    no_shift = overhangs | (np.mod(np.log2(window), 1) > 0)
    return np.where(divides & no_shift & (layers["stream"] == 0), layers["out_elements"], 0.0)


@once
def dsp_multipliers(layers: Layers) -> Values:
    """DSPs of serial layers: one per product of more than 4 bits. At 5 to 7 bits one of them goes to LUTs."""
    is_wide = layers["weight_bits"] > 7
    narrow = layers["multipliers"] - (layers["n_in"] > 32)
    slices = np.ceil((layers["weight_bits"] - 1) / 26) * np.ceil((layers["source_bits"] - 1) / 17)
    serial = np.where(is_wide, layers["multipliers"] * np.maximum(slices, 1), narrow)
    return np.where(layers.serial & layers.dsp_products, np.maximum(serial, 0), 0.0)


@once
def dsp_unrolled(layers: Layers) -> Values:
    """DSPs of unrolled layers; the latency strategy with reuse > 1 caps them at products / reuse."""
    wanted = layers["multiplications"] * layers["nonzero"] * unrolled_dsp_share(layers)
    capped = np.where(layers["reuse"] > 1, np.minimum(wanted, layers["multipliers"]), wanted)
    return np.where(layers.unrolled & ~layers.is_strategy("distributed_arithmetic"), capped, 0.0)


@once
def dsp_elementwise(layers: Layers) -> Values:
    """DSPs of products of two numbers that stand outside of a matrix, as hls4ml's sources write them.

    Batch normalisation: one an element, over `reuse` cycles. A recurrent step: three a unit in its gates. Softmax: each
    exponential times the inverse of their sum, by their tables' types. Narrow products are built of LUTs.
    """
    at_once = np.where(layers["stream"] > 0, np.maximum(layers["positions"], 1.0), 1.0)
    elements = layers["out_elements"] / at_once
    scaled = np.ceil(elements / np.maximum(layers["reuse_requested"], 1.0))
    is_wide = layers["source_bits"] >= _WIDE_PRODUCT_BITS
    gated = layers.is_kind("gru", "lstm") & (layers["function"] > 0)
    found = np.where(layers.is_kind("batch_norm") & is_wide, scaled, 0.0)
    found = np.where(gated & (layers["result_bits"] >= _WIDE_PRODUCT_BITS), _GATE_PRODUCTS * layers["n_in"], found)
    wide_table = layers["table_bits"] >= _WIDE_PRODUCT_BITS
    return np.where(layers.is_kind("softmax") & wide_table, np.ceil(elements), found)


def dsps(layers: Layers) -> Values:
    """DSPs of each layer as HLS binds them."""
    return dsp_multipliers(layers) + dsp_unrolled(layers) + dsp_elementwise(layers)


@once
def yosys_dsps(layers: Layers) -> Values:
    """DSPs of shared multipliers as Yosys infers them: every product of at least 9 bits (techmap's DSP_Y_MINWIDTH)."""
    is_wide = layers["weight_bits"] + layers["source_bits"] >= _YOSYS_DSP_BITS
    return np.where(layers.serial & is_wide, layers["multipliers"], 0.0)


@once
def _shared_cycles(layers: Layers) -> Values:
    """Cycles of an unrolled layer whose DSPs are shared: products that need one, over the DSPs allowed."""
    share = unrolled_dsp_share(layers)
    needed = layers["multiplications"] * layers["nonzero"] * share
    conflicts = 1 + 0.18 * (1 - share) ** 2.6
    turns = needed / np.maximum(layers["multipliers"], 1) * conflicts
    return np.where(needed > layers["multipliers"], np.maximum(np.round(turns) + 2, 2), 2.0)


@once
def latency_cycles(layers: Layers) -> tuple[Values, Values]:
    """(best, worst) latency of each layer alone, cycles.

    Serial: reuse + 2, and one less where a two-way choice of the output and LUT products leave out a register.
    """
    is_shared = layers.unrolled & layers.is_strategy("latency") & (layers["reuse"] > 1)
    quick = layers.serial & (layers["outputs_per_multiplier"] == 2) & ~layers.dsp_products
    worst_serial = layers["reuse"] + 2 - quick
    registered = np.where(is_combinational(layers), 0.0, 1.0)
    unrolled = np.where(is_shared & (registered > 0), _shared_cycles(layers), registered)
    once = np.where(layers.serial, worst_serial, unrolled)
    other = np.where(layers["table_entries"] > 0, 2.0, 0.0) + np.where(layers.is_kind("softmax"), 3.0, 0.0)
    other = np.where(pool_divisions(layers) > 0, _DIVISION_CYCLES, other)
    worst = np.where(layers.matrix, _repeated(layers, once), _passed(layers, other))
    worst = np.where(_is_recurrent(layers), _stepped(layers, once), worst)
    best = worst - np.where(layers.serial & (worst > 0), 1.0, 0.0)
    return best, worst


def _repeated(layers: Layers, once: Values) -> Values:
    """A matrix with pixels or time steps is applied once for each. In a stream an input pixel costs a cycle; with the
    latency strategy the loop over input pixels is a pipeline that starts every `reuse` cycles, as hls4ml writes it."""
    positions = np.maximum(layers["positions"], 1)
    channels = np.where(layers.is_kind(*_DEPTHWISE), layers["n_out"], layers["n_in"] / np.maximum(layers["window"], 1))
    pixels = np.where(layers["stream"] > 0, layers["in_elements"] / np.maximum(channels, 1), 0)
    repeated = once * positions + np.maximum(pixels - positions, 0)
    is_pipeline = (layers["stream"] > 0) & (positions > 1) & layers.is_kind(*_CONVOLUTIONS) & ~layers.serial
    repeated = np.where(is_pipeline, np.maximum(pixels, positions) * layers["reuse"] + once, repeated)
    return np.where(is_partitioned(layers), _turns(layers) + 3, np.where(layers["stream"] > 0, repeated, once))


def _passed(layers: Layers, once: Values) -> Values:
    """A layer without a matrix, `once` on its own; in a stream at least a cycle for each word that enters or leaves."""
    positions = np.maximum(layers["positions"], 1)
    word = np.maximum(layers["out_elements"] / positions, 1.0)
    words = np.maximum(positions, np.where(positions > 1, layers["in_elements"] / word, 1.0))
    moves = (layers["stream"] > 0) & (words > 1) & ~layers.is_kind("input", "reshape")
    return np.where(moves, words + once, np.where(layers["stream"] > 0, once * positions, once))


@once
def _is_recurrent(layers: Layers) -> Mask:
    return layers.is_kind(*_RECURRENT)


def _stepped(layers: Layers, each: Values) -> Values:
    """Recurrent layers, in pairs: the input's matrix and the state's stand side by side in every step, then the gates.

    All of it is told of the second.
    """
    is_second = _is_recurrent(layers) & (layers["function"] > 0)
    step = np.maximum(each, np.roll(each, 1)) + _GATE_CYCLES
    return np.where(is_second, step * np.maximum(layers["positions"], 1), 0.0)


@once
def is_partitioned(layers: Layers) -> Mask:
    """Convolutions outside of a stream: one copy of the matrix, pipelined over the output pixels."""
    return np.asarray((layers["stream"] == 0) & (layers["positions"] > 1) & layers.is_kind(*_CONVOLUTIONS))


@once
def _turns(layers: Layers) -> Values:
    return np.maximum(layers["positions"], 1) * np.maximum(layers["reuse"], 1.0)


@once
def design_cycles(layers: Layers) -> tuple[Values, Values, Values]:
    """(best latency, worst latency, initiation interval) of each design, cycles.

    Layers follow one another; between two of them passes one cycle. A stream overlaps them: the slowest decides.
    """
    best, worst = latency_cycles(layers)
    timed = layers.matrix | (layers["table_entries"] > 0) | (pool_divisions(layers) > 0)
    links = np.maximum(layers.total(layers.matrix) - 1, 0) * (layers.most(layers.serial) > 0)
    chain_worst, chain_best = layers.total(np.where(timed, worst, 0)) + links, layers.total(np.where(timed, best, 0))
    is_stream = layers.most(layers["stream"]) > 0
    filled, apart = _streamed(layers, worst)
    top = np.where(is_stream, filled, chain_worst)
    low = np.where(is_stream, filled, chain_best + links)
    return low, top, np.maximum(np.where(is_stream, apart, interval_cycles(layers, top)), 1.0)


def _streamed(layers: Layers, worst: Values) -> tuple[Values, Values]:
    """(latency, interval) of designs in a stream, where every layer is a process of its own.

    Layers that pass word after word overlap, the slowest decides; one that takes a single word adds all of its own.
    Each fills for a cycle, a window of pixels for two. The next input comes when the slowest process is done; with
    Vivado HLS processes without a loop are pipelines (hls4ml's own tests).
    """
    idle = layers.is_kind("input", "reshape")
    fill = np.where(idle, 0.0, 1.0 + layers.is_kind(*_CONVOLUTIONS))
    moves = ~idle & ((layers["positions"] > 1) | (layers["in_elements"] > layers["out_elements"]) & ~layers.matrix)
    worst = worst - (layers.unrolled & ~moves & (worst > 0))  # its one register is what fills
    latency = layers.most(np.where(moves, worst, 0.0)) + layers.total(np.where(moves | idle, 0.0, worst) + fill)
    loops = moves | layers.serial | (layers["vitis"] > 0)
    return latency, layers.most(np.where(loops & ~idle, worst + fill + 1, 0.0))


def combinational_registers(layers: Layers) -> Values:
    """Flip-flops of designs of latency 0, (n,); NaN of others. They register their input, and two bits of handshake
    (exact in 5 of 6 such reports of dense1, and in hls4ml's own tests of activations and pools)."""
    bits = layers["in_elements"][layers.starts] * layers["source_bits"][layers.starts]
    at_once = (design_cycles(layers)[1] == 0) & (layers.most(layers["stream"]) == 0)
    return np.where(at_once, bits + 2, np.nan)


def interval_cycles(layers: Layers, latency: Values) -> Values:
    """Initiation interval when every layer reads all inputs at once: the slowest layer's reuse.

    A resource design of reuse 1 is not pipelined across its layers: latency + 1. Shared DSPs: latency + 1. Convolutions
    take their output pixels in turn (hls4ml's own tests: 49 cycles for 49 pixels with Vivado, latency + 1 with Vitis),
    recurrent layers all of their steps, since a step needs the state of the one before.
    """
    shared = layers.most(_is_shared(layers)) > 0
    serial = layers.most(np.where(layers.serial, layers["reuse"], 0.0))
    plain_resource = layers.most(layers.unrolled & layers.is_strategy("resource")) > 0
    unrolled = np.where(shared | plain_resource, latency + 1, 1.0)
    plain = np.where(serial > 0, serial, unrolled)
    turns = layers.most(np.where(is_partitioned(layers), _turns(layers), 0.0))
    steps = layers.most(np.where(_is_recurrent(layers), latency_cycles(layers)[1], 0.0))
    plain, turns = np.maximum(plain, steps), np.where(turns > 0, np.maximum(turns, steps), 0.0)
    is_vitis = layers.most(layers["vitis"]) > 0
    return np.where(turns > 0, np.where(is_vitis, latency + 1, np.maximum(turns, serial)), plain)


@once
def _is_shared(layers: Layers) -> Mask:
    return np.asarray(layers.unrolled & layers.is_strategy("latency") & (layers["reuse"] > 1))
