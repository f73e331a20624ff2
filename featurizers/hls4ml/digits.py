"""Canonical signed digits of constants: what a product with one costs where it is built of adders."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from featurizers.hls4ml.precision import Precision

_WIDEST = 60


def expected_digits(bits: float) -> float:
    """Digits that are not 0 of a constant of which only the width is known: one in three."""
    return (bits + 1) / 3


def signed_digits(weights: npt.NDArray[Any], precision: Precision) -> float:
    """Mean number of digits other than 0 of `weights` in `precision`, zeros counted; each beyond the first is an adder.

    By the non-adjacent form: those of n are the bits of ``n ^ 3n`` (Reitwiesner, 1960).

    >>> signed_digits(np.array([0.0, 0.5, 0.875]), Precision(4, 1))
    1.0
    """
    if weights.size == 0 or precision.floating or precision.width > _WIDEST:
        return expected_digits(precision.width)
    limit = 2.0 ** (precision.width - precision.signed)
    scaled = np.round(np.nan_to_num(np.asarray(weights, dtype=np.float64)) * 2.0**precision.fraction)
    whole = np.abs(np.clip(scaled, -limit if precision.signed else 0.0, limit - 1)).astype(np.int64)
    return float(np.bitwise_count(whole ^ (3 * whole)).mean())
