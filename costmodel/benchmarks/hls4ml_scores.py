"""The error measures of the wa-hls4ml protocol."""

from __future__ import annotations

import numpy as np

from costmodel.regressors import Array


def smape(y: Array, predicted: Array) -> float:
    """``200 / n * sum(|y - p| / (|y| + |p| + 1))``, in percent, as wa-hls4ml defines it (arXiv:2511.05615).

    >>> smape(np.array([10.0, 0.0]), np.array([10.0, 0.0]))
    0.0
    """
    return float(200 * np.mean(np.abs(y - predicted) / (np.abs(y) + np.abs(predicted) + 1)))


def r_squared(y: Array, predicted: Array) -> float:
    """1 - residual over total sum of squares; NaN for a constant target."""
    total = float(((y - y.mean()) ** 2).sum())
    return float("nan") if total == 0 else 1 - float(((y - predicted) ** 2).sum()) / total
