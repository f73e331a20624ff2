"""How well variants of one function are ordered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
TIE = 0.01
"""Variants whose labels differ by less are equal: which of them a compiler takes makes no difference."""


def pairs_right(groups: Sequence[str], truth: Array, predicted: Array) -> tuple[float, int]:
    """Pairs within a group that are put in the true order (a tie in the prediction counts half), and pairs in all.

    >>> pairs_right(["f", "f", "g"], np.array([1.0, 2.0, 9.0]), np.array([3.0, 4.0, 1.0]))
    (1.0, 1)
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    right = 0.0
    total = 0
    for rows in members.values():
        own = np.asarray(rows)
        left, other = np.triu_indices(len(own), 1)
        a, b = own[left], own[other]
        differ = np.abs(np.log(truth[a] / truth[b])) > np.log1p(TIE)
        true_sign = np.sign(truth[a] - truth[b])[differ]
        said_sign = np.sign(predicted[a] - predicted[b])[differ]
        right += float((true_sign == said_sign).sum() + 0.5 * (said_sign == 0).sum())
        total += int(differ.sum())
    return right, total


def area_under_curve(positive: npt.NDArray[np.bool_], score: Array) -> float:
    """Probability that a positive scores above a negative (ties half); NaN when one of both is missing.

    >>> area_under_curve(np.array([True, False, True]), np.array([0.9, 0.1, 0.4]))
    1.0
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))
