"""Folds that never split a group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Groups


def group_folds(groups: Groups, folds: int, seed: int) -> list[npt.NDArray[np.bool_]]:
    """`folds` boolean masks (n,) of held-out subjects: whole groups, dealt out largest first."""
    names, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    fold_of_name = np.empty(len(names), dtype=np.int64)
    loads = np.zeros(folds)
    for name in order:
        fold = int(np.argmin(loads))
        fold_of_name[name] = fold
        loads[fold] += counts[name]
    return [fold_of_name[index] == fold for fold in range(folds)]
