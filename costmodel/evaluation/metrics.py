"""What users feel: relative error and rank. Never MAPE alone."""

from __future__ import annotations

import numpy as np

from costmodel.regressors import Array


def accuracy(truth: Array, predicted: Array) -> dict[str, float]:
    """All the figures of one table row, of positive targets (n,); fractions, not per cent. Empty input: NaN figures."""
    if len(truth) == 0:
        return dict.fromkeys(_KEYS, float("nan"))
    error = np.abs(predicted / truth - 1)
    residual = np.log(predicted) - np.log(truth)
    total = float(((np.log(truth) - np.log(truth).mean()) ** 2).sum())
    return {
        "median_error": float(np.median(error)),
        "p90_error": float(np.quantile(error, 0.9)),
        "mape": float(error.mean()),
        "within_10pct": float((error <= 0.10).mean()),
        "spearman": spearman(truth, predicted),
        "kendall": kendall(truth, predicted),
        "pairwise": pairwise(truth, predicted),
        "top_10pct": top_share(truth, predicted),
        "r2_log": 1 - float((residual**2).sum()) / total if total > 0 else float("nan"),
    }


_KEYS = (
    "median_error", "p90_error", "mape", "within_10pct", "spearman", "kendall", "pairwise", "top_10pct", "r2_log",
)  # fmt: skip


def interval_quality(truth: Array, low: Array, high: Array) -> dict[str, float]:
    """Share of truths inside, and the median width as ``high / low`` (infinite where a count may be 0)."""
    if len(truth) == 0:
        return {"coverage": float("nan"), "width_ratio": float("nan")}
    inside = (truth >= low) & (truth <= high)
    ratio = np.divide(high, low, out=np.full(len(truth), np.inf), where=low > 0)
    return {"coverage": float(inside.mean()), "width_ratio": float(np.median(ratio))}


def average_ranks(values: Array) -> Array:
    """Ranks from 0, ties get their mean rank.

    >>> average_ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    return np.asarray((first + (counts - 1) / 2)[index], dtype=np.float64)


def spearman(a: Array, b: Array) -> float:
    """Pearson's correlation of average ranks; NaN where either side is constant or there are fewer than two."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(average_ranks(a), average_ranks(b))[0, 1])


def kendall(a: Array, b: Array, limit: int = 2000) -> float:
    """Tau-b over all pairs, of the first `limit` subjects (the matrix of pairs is quadratic)."""
    a, b = a[:limit], b[:limit]
    upper = np.triu_indices(len(a), 1)
    da, db = np.sign(a[upper[0]] - a[upper[1]]), np.sign(b[upper[0]] - b[upper[1]])
    scale = np.sqrt(float((da != 0).sum()) * float((db != 0).sum()))
    return float((da * db).sum() / scale) if scale else float("nan")


def pairwise(truth: Array, predicted: Array, limit: int = 2000) -> float:
    """Share of pairs with different truth that are put in the right order."""
    truth, predicted = truth[:limit], predicted[:limit]
    upper = np.triu_indices(len(truth), 1)
    dt, dp = np.sign(truth[upper[0]] - truth[upper[1]]), np.sign(predicted[upper[0]] - predicted[upper[1]])
    differ = dt != 0
    return float((dt[differ] == dp[differ]).mean()) if differ.any() else float("nan")


def top_share(truth: Array, predicted: Array, share: float = 0.1) -> float:
    """How much of the true lowest `share` the predicted lowest `share` holds."""
    k = max(1, round(len(truth) * share))
    best = set(np.argsort(truth, kind="stable")[:k].tolist())
    return len(best & set(np.argsort(predicted, kind="stable")[:k].tolist())) / k
