"""Measured parts as training subjects of one part each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from costmodel.corpus import Labels
from costmodel.regressors import Array
from featurizers.core import Features, Parts


def part_subjects(
    features: Features,
    y: Array,
    groups: npt.NDArray[np.str_],
    weights: Array,
    named: Features,
    labels: Labels,
    subjects: npt.NDArray[np.int64],
    ids: npt.NDArray[np.str_],
    total_weight: float,
) -> tuple[Features, Array, npt.NDArray[np.str_], Array]:
    """`features` (of `subjects`) with one more subject per measured part, and their targets, groups and weights.

    `named` : features of the whole corpus with the parts' names, by which labels find their part. A part's weight is
    its share of its subject's measured time, so that the many cheap parts do not outvote the dear ones.
    """
    assert labels.parts is not None
    assert features.parts is not None
    entry, value, owner = _match(named, labels, subjects)
    if not len(entry):
        return features, y, groups, weights
    assert named.parts is not None
    measured_total = np.bincount(owner, weights=value, minlength=len(ids))
    share = value / np.maximum(measured_total[owner], 1e-30)
    base, extra = features.parts, len(entry)
    matrix = np.concatenate([base.matrix, named.parts.matrix])
    parts = Parts(
        matrix,
        np.concatenate([base.owner, len(features) + np.arange(extra, dtype=np.int64)]),
        np.concatenate([base.part, len(base.matrix) + named.parts.part[entry]]),
        np.concatenate([base.count, np.ones(extra, dtype=np.float32)]),
    )
    vectors = np.concatenate([features.vectors, named.vectors[owner]])
    grown = Features(vectors, features.columns, _compact(parts), features.part_columns)
    target = np.concatenate([y, np.log(value) if labels.target.positive else value])
    return grown, target, np.concatenate([groups, ids[owner]]), np.concatenate([weights, total_weight * share])


def _match(
    named: Features, labels: Labels, subjects: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], Array, npt.NDArray[np.int64]]:
    """Entry of `named.parts`, measured value and subject of each label that names a part of one of `subjects`."""
    assert labels.parts is not None
    assert named.parts is not None
    wanted = set(subjects.tolist())
    place: dict[tuple[int, str], int] = {}
    for entry, (owner, names) in enumerate(zip(named.parts.owner.tolist(), named.parts.names, strict=True)):
        if owner in wanted:
            for name in names:
                place[owner, name] = entry
    cost: dict[int, float] = {}
    for subject, names, value in zip(
        labels.parts.subject.tolist(), labels.parts.names, labels.parts.value, strict=True
    ):
        entries = {place[subject, name] for name in names if (subject, name) in place}
        if len(entries) == 1:
            one = entries.pop()
            cost[one] = cost.get(one, 0.0) + float(value)
    found = np.fromiter(cost, dtype=np.int64, count=len(cost))
    measured = np.fromiter(cost.values(), dtype=np.float64, count=len(cost))
    keep = measured > 0
    return found[keep], measured[keep], named.parts.owner[found[keep]]


def _compact(parts: Parts) -> Parts:
    """The same parts with each distinct row held once, and only those in use."""
    used, index = np.unique(parts.part, return_inverse=True)
    matrix, inverse = np.unique(parts.matrix[used], axis=0, return_inverse=True)
    return Parts(matrix, parts.owner, inverse.reshape(-1)[index].astype(np.int64), parts.count)
