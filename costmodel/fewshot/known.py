"""Known devices without their noise: latency as a sum of what an architecture executes, fitted robustly.

A measured table carries outliers, drift and rounding to whole milliseconds. As features for a new device, and as the
answer for an architecture that was never measured, the fitted sums are better than the table.
"""

from __future__ import annotations

import numpy as np

from costmodel.regressors.base import Array

_FLOOR = 0.02
"""Of the median latency. A sum below it is bent towards zero and never reaches it."""
_SMALLEST_WEIGHTED = 0.05
_TAIL_SCALES = 2.5
_ITERATIONS = 4


def additive_fit(columns: Array, latency_ms: Array, ridge: float = 0.01) -> Array:
    """Coefficients (1 + k,) of ``latency = c0 + columns @ c``, by relative least squares with Cauchy weights."""
    design = np.column_stack([np.ones(len(columns)), columns])
    scale = np.maximum(latency_ms, _SMALLEST_WEIGHTED * np.median(latency_ms))
    spread = np.maximum(np.abs(design).mean(axis=0), 1e-12)
    relative, target = design / spread / scale[:, None], latency_ms / scale
    robust = np.ones(len(columns))
    coefficients = np.zeros(design.shape[1])
    for _ in range(_ITERATIONS):
        weighted = relative * robust[:, None]
        gram = weighted.T @ relative
        gram[np.diag_indices_from(gram)] += ridge * float(np.mean(np.diag(gram))) / len(columns) * 10
        coefficients = np.linalg.solve(gram, weighted.T @ target)
        residual = target - relative @ coefficients
        deviation = 1.4826 * float(np.median(np.abs(residual))) + 1e-9
        robust = 1 / (1 + (residual / (_TAIL_SCALES * deviation)) ** 2)
    return np.asarray(coefficients / spread)


def additive_predict(columns: Array, coefficients: Array, typical_ms: Array) -> Array:
    """Latencies (n, d) of devices with `coefficients` (d, 1 + k) and median latencies (d,); always positive."""
    total = coefficients[:, 0] + columns @ coefficients[:, 1:].T
    floor = _FLOOR * typical_ms
    bent = floor * np.exp(np.clip(total / floor - 1, -2.0, 0.0))
    return np.asarray(np.where(total > floor, total, bent))
