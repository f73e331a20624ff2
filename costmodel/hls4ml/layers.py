"""Layers of many designs as named arrays: what the closed forms are written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from featurizers.core import Features
from featurizers.hls4ml.design import KINDS, MATRIX_KINDS, STRATEGIES
from featurizers.hls4ml.features import FUNCTION_CODE

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_CODE = {kind: i for i, kind in enumerate(KINDS)}
_STRATEGY = {strategy: i for i, strategy in enumerate(STRATEGIES)}
_MATRIX = np.array([_CODE[kind] for kind in sorted(MATRIX_KINDS)])
_LUT_PRODUCT_BITS = 4
"""Up to this many weight bits Vivado HLS builds a product from LUTs alone (dense1: no DSP in 214 of 214 rows)."""

_LUT_PRODUCT_BITS_VITIS = 7
"""The same for Vitis HLS, whose reports have no DSP at 6 bits and one per product at 8 (nothing is known of 7)."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Columns of ``features.parts`` as float64 (u,), and what follows from them.

    matrix : has stored weights. serial : its products are reused over `reuse` cycles (resource strategy).
    unrolled : all its products stand side by side, with weights as constants (reuse 1, or the latency strategy).
    """

    column: dict[str, Values]
    matrix: Mask
    serial: Mask
    unrolled: Mask
    owner: npt.NDArray[np.int64]
    designs: int

    def __getitem__(self, name: str) -> Values:
        return self.column[name]

    def is_kind(self, *kinds: str) -> Mask:
        """Which layers are of one of the kinds."""
        return np.asarray(np.isin(self.column["op_class"], [_CODE[kind] for kind in kinds]))

    def is_strategy(self, name: str) -> Mask:
        """Which layers are built with a strategy."""
        return np.asarray(self.column["strategy"] == _STRATEGY[name])

    @property
    def is_average(self) -> Mask:
        """Layers whose function is the mean."""
        return np.asarray(self.column["function"] == FUNCTION_CODE["average"])

    @property
    def dsp_products(self) -> Mask:
        """Products too wide for LUTs alone."""
        limit = np.where(self.column["vitis"] > 0, _LUT_PRODUCT_BITS_VITIS, _LUT_PRODUCT_BITS)
        return np.asarray(self.matrix & (self.column["weight_bits"] > limit))

    def total(self, per_layer: npt.NDArray[Any]) -> Values:
        """Sum over each design's layers, (n,) or (n, q)."""
        values = np.asarray(per_layer, dtype=np.float64)
        if values.ndim == 1:
            return np.asarray(np.bincount(self.owner, weights=values, minlength=self.designs), dtype=np.float64)
        return np.stack([np.bincount(self.owner, weights=c, minlength=self.designs) for c in values.T], axis=1)

    def most(self, per_layer: npt.NDArray[Any]) -> Values:
        """Largest over each design's layers, 0 without any, (n,)."""
        found = np.zeros(self.designs)
        np.maximum.at(found, self.owner, per_layer)
        return found


def layers_of(features: Features) -> Layers:
    """The layers of `features`, one entry per layer of each design."""
    parts = features.parts
    assert parts is not None, "hls4ml features have parts"
    matrix = parts.matrix[parts.part].astype(np.float64)
    column = {c.name: matrix[:, i] for i, c in enumerate(features.part_columns)}
    is_matrix = np.isin(column["op_class"], _MATRIX)
    is_resource = column["strategy"] == _STRATEGY["resource"]
    serial = is_matrix & is_resource & (column["reuse"] > 1)
    return Layers(column, is_matrix, serial, is_matrix & ~serial, parts.owner, len(features))
