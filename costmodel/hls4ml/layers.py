"""Layers of many designs as named arrays: what the closed forms are written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from featurizers.core import Features
from featurizers.hls4ml.design import KINDS, MATRIX_KINDS, STRATEGIES
from featurizers.hls4ml.features import FUNCTION_CODE

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

Form = TypeVar("Form")

_STRATEGY = {strategy: i for i, strategy in enumerate(STRATEGIES)}
_MATRIX = tuple(sorted(MATRIX_KINDS))
_LUT_PRODUCT_BITS = 4
"""Up to this many weight bits Vivado HLS builds a product from LUTs alone (dense1: no DSP in 214 of 214 rows)."""

_LUT_PRODUCT_BITS_VITIS = 7
"""The same for Vitis HLS, whose reports have no DSP at 6 bits and one per product at 8 (nothing is known of 7)."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Columns of ``features.parts`` as float64 (u,), and what follows from them.

    matrix : has stored weights. serial : its products are reused over `reuse` cycles (resource strategy, also where
    its loops are written out). unrolled : all its products stand side by side, with weights as constants (reuse 1, or
    the latency strategy). pixels_apart : the output pixels of a convolution are built side by side, as the open flow
    does; hls4ml has them take turns. starts : each design's first layer; every design has one. found : what was worked
    out, see `once`.
    """

    column: dict[str, Values]
    matrix: Mask
    serial: Mask
    unrolled: Mask
    owner: npt.NDArray[np.int64]
    designs: int
    starts: npt.NDArray[np.int64]
    pixels_apart: bool = False
    found: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, name: str) -> Values:
        return self.column[name]

    def is_kind(self, *kinds: str) -> Mask:
        """Which layers are of one of the kinds."""
        mask: Mask | None = self.found.get(kinds)
        if mask is None:
            mask = self.found[kinds] = _kind_mask(kinds)[self.column["op_class"].astype(np.intp)]
        return mask

    def is_strategy(self, name: str) -> Mask:
        """Which layers are built with a strategy."""
        mask: Mask | None = self.found.get(name)
        if mask is None:
            mask = self.found[name] = np.asarray(self.column["strategy"] == _STRATEGY[name])
        return mask

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
        if self.designs == 0:
            return np.zeros((0, *values.shape[1:]))
        return np.asarray(np.add.reduceat(values, self.starts, axis=0))

    def most(self, per_layer: npt.NDArray[Any]) -> Values:
        """Largest over each design's layers and 0, (n,)."""
        values = np.asarray(per_layer, dtype=np.float64)
        if self.designs == 0:
            return np.zeros(0)
        return np.maximum(np.maximum.reduceat(values, self.starts), 0.0)


@lru_cache(maxsize=256)
def _kind_mask(kinds: tuple[str, ...]) -> Mask:
    """By code of a kind whether it is one of `kinds`."""
    return np.array([kind in kinds for kind in KINDS])


def once(form: Callable[[Layers], Form]) -> Callable[[Layers], Form]:
    """A closed form of layers alone is worked out once for each `Layers`, however many targets rest on it."""

    @wraps(form)
    def remembered(layers: Layers) -> Form:
        try:
            known: Form = layers.found[form]
        except KeyError:
            known = layers.found[form] = form(layers)
        return known

    return remembered


def layers_of(features: Features, pixels_apart: bool = False) -> Layers:
    """The layers of `features`, one entry per layer of each design."""
    parts = features.parts
    assert parts is not None, "hls4ml features have parts"
    matrix = np.ascontiguousarray(parts.matrix[parts.part].T, dtype=np.float64)
    column = {c.name: values for c, values in zip(features.part_columns, matrix, strict=True)}
    is_matrix = _kind_mask(_MATRIX)[column["op_class"].astype(np.intp)]
    shares = (column["strategy"] == _STRATEGY["resource"]) | (column["strategy"] == _STRATEGY["unrolled"])
    serial = is_matrix & shares & (column["reuse"] > 1)
    starts = np.searchsorted(parts.owner, np.arange(len(features)))
    return Layers(column, is_matrix, serial, is_matrix & ~serial, parts.owner, len(features), starts, pixels_apart)
