"""hls4ml designs: every form in which a user has one, to layers, number types and reuse factors, to columns."""

from featurizers.hls4ml.boards import BOARDS, Board, find_board
from featurizers.hls4ml.design import (
    HlsDesign,
    HlsLayer,
    closest_reuse_factor,
    valid_reuse_factors,
)
from featurizers.hls4ml.features import HlsFeaturizer
from featurizers.hls4ml.precision import Precision, parse_precision

__all__ = [
    "BOARDS",
    "Board",
    "HlsDesign",
    "HlsFeaturizer",
    "HlsLayer",
    "Precision",
    "closest_reuse_factor",
    "find_board",
    "parse_precision",
    "valid_reuse_factors",
]
