"""What an hls4ml design is, in the terms that decide its cost: layers, number types, reuse factors, strategies."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from math import isqrt

from featurizers.errors import InputError, LimitError
from featurizers.hls4ml.boards import Board
from featurizers.hls4ml.precision import DEFAULT, DEFAULT_TABLE, Precision

KINDS = (
    "input",
    "dense",
    "conv1d",
    "conv2d",
    "depthwise_conv1d",
    "depthwise_conv2d",
    "pooling",
    "global_pooling",
    "batch_norm",
    "activation",
    "softmax",
    "merge",
    "concat",
    "dot",
    "gru",
    "lstm",
    "simple_rnn",
    "embedding",
    "reshape",
    "resize",
    "padding",
    "quantize",
)
"""Vocabulary of layer kinds; a separable convolution is a depthwise and a pointwise layer."""

MATRIX_KINDS = frozenset(
    {"dense", "conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d", "gru", "lstm", "simple_rnn"}
)
"""Kinds that multiply a vector by a stored matrix: those that have a reuse factor."""

STRATEGIES = ("latency", "resource", "unrolled", "distributed_arithmetic")
IO_TYPES = ("io_parallel", "io_stream")
MAX_LAYERS = 2_000
MAX_SIZE = 1 << 31


@dataclass(frozen=True, slots=True)
class HlsLayer:
    """One layer as hls4ml will build it.

    n_in, n_out : rows and columns of the matrix (a convolution's n_in is kernel x channels); 0 without a matrix.
    positions : how often the matrix is applied per inference (output pixels, time steps).
    in_elements, out_elements : numbers that enter and leave. window : kernel or pooling size.
    reuse_factor : the one that is built; `reuse_requested` what the user asked for.
    table_size : entries of an activation's lookup table, 0 without one. function : of an activation or merge.
    nonzero : share of the weights that are not zero. digits : of a weight in canonical signed digits, how many are not
    0 on average; None where the weights are not known.
    """

    name: str
    kind: str
    n_in: int = 0
    n_out: int = 0
    positions: int = 1
    in_elements: int = 0
    out_elements: int = 0
    window: int = 1
    weight: Precision = DEFAULT
    bias: Precision = DEFAULT
    source: Precision = DEFAULT
    result: Precision = DEFAULT
    accum: Precision = DEFAULT
    table: Precision = DEFAULT_TABLE
    table_size: int = 0
    reuse_factor: int = 1
    reuse_requested: int = 1
    strategy: str = "latency"
    function: str = ""
    nonzero: float = 1.0
    digits: float | None = None
    inputs: tuple[str, ...] = ()

    @property
    def multiplications(self) -> int:
        """Products of one application of the matrix."""
        return self.n_in * self.n_out


@dataclass(frozen=True, slots=True)
class HlsDesign:
    """A validated design. notes : what was corrected on the way in, in sentences.

    latency_cutoff : additions between two registers of an adder tree that da4ml writes, 0 without registers.
    """

    layers: tuple[HlsLayer, ...]
    board: Board | None
    io_type: str = "io_parallel"
    clock_ns: float = 5.0
    clock_uncertainty: float = 0.125
    latency_cutoff: int = 0
    backend: str = "vivado"
    tool_version: str = ""
    hls4ml_version: str = ""
    name: str = ""
    notes: tuple[str, ...] = field(default=())


@lru_cache(maxsize=8192)
def valid_reuse_factors(n_in: int, n_out: int) -> tuple[int, ...]:
    """Reuse factors that hls4ml's resource strategy can build, ascending.

    A factor below n_in must leave whole columns (so it divides n_in), one from n_in on must be n_in times a
    divisor of n_out.

    >>> valid_reuse_factors(4, 6)
    (1, 2, 4, 8, 12, 24)
    """
    return tuple(sorted({*_divisors(n_in), *(n_in * d for d in _divisors(n_out))}))


def _divisors(n: int) -> list[int]:
    if n > MAX_SIZE:  # dividing would take minutes
        raise LimitError("The matrix of a layer", f"must have at most {MAX_SIZE} rows and columns", n)
    small = [d for d in range(1, isqrt(n) + 1) if n % d == 0]
    return small + [n // d for d in small]


@lru_cache(maxsize=65536)
def closest_reuse_factor(n_in: int, n_out: int, requested: int, below_full: bool = False) -> int:
    """The valid factor nearest to `requested`, the smaller one of two equally near: as hls4ml corrects it.

    below_full : leave out the largest (a convolution in a stream, a recurrent layer).
    """
    valid = valid_reuse_factors(n_in, n_out)
    if below_full and len(valid) > 1:
        valid = valid[:-1]
    place = bisect_left(valid, requested)
    if place == 0:
        return valid[0]
    if place == len(valid):
        return valid[-1]
    before, after = valid[place - 1], valid[place]
    return after if after - requested < requested - before else before


def check_size(value: object, what: str, where: str) -> int:
    """A dimension as int. Raises InputError below 1, LimitError above `MAX_SIZE`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or value < 1:
        raise InputError(f"The {what}", "must be a whole number of at least 1", value, where=where)
    if value > MAX_SIZE:
        raise LimitError(f"The {what}", f"must be at most {MAX_SIZE}", value, where=where)
    return int(value)
