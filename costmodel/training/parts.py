"""Measured parts as training subjects of one part each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.corpus import Labels
from costmodel.regressors import Array
from featurizers.core import Features, Featurizer, FloatArray, Parts


@dataclass(frozen=True, slots=True)
class PartTable:
    """Measured parts that were found: subject (k,), columns `matrix` (k, part_columns), subject's `vectors` (k,
    columns), `value` (k,) in the target's unit and its relative `noise` (k,)."""

    subject: npt.NDArray[np.int64]
    matrix: FloatArray
    vectors: FloatArray
    value: Array
    noise: Array


def match_parts(
    featurizer: Featurizer[Any], rows: npt.NDArray[np.int64], subjects: Sequence[Any], labels: Labels
) -> PartTable:
    """Find each measured part in its subject, which is one of `subjects`, rows `rows` (ascending) of the corpus.

    Parts that are not found are left out, and so are those of no time.
    """
    assert labels.parts is not None
    rows_of: dict[int, list[int]] = {}
    for row, subject in enumerate(labels.parts.subject.tolist()):
        rows_of.setdefault(subject, []).append(row)
    profile = labels.device.profile
    named = featurizer.features(subjects, profile=profile, names=True)
    assert named.parts is not None
    first = np.searchsorted(named.parts.owner, np.arange(len(rows)))
    entries, kept, owner = [], [], []
    for position, subject in enumerate(rows.tolist()):
        measured = [labels.parts.measured[row] for row in rows_of[subject]]
        matches = featurizer.match_parts(subjects[position], measured, profile=profile)
        for row, part in zip(rows_of[subject], matches, strict=True):
            if part is not None and labels.parts.value[row] > 0:
                entries.append(first[position] + part)
                kept.append(row)
                owner.append(position)
    matrix = named.parts.matrix[named.parts.part[np.array(entries, dtype=np.int64)]]
    subject_of = rows[np.array(owner, dtype=np.int64)]
    vectors = named.vectors[np.array(owner, dtype=np.int64)]
    return PartTable(subject_of, matrix, vectors, labels.parts.value[kept], labels.parts.noise[kept])


def part_subjects(
    features: Features,
    y: Array,
    groups: npt.NDArray[np.str_],
    weights: Array,
    table: PartTable,
    labels: Labels,
    subjects: npt.NDArray[np.int64],
    ids: npt.NDArray[np.str_],
    total_weight: float,
) -> tuple[Features, Array, npt.NDArray[np.str_], Array]:
    """`features` (of `subjects`) with one more subject per measured part, and their targets, groups and weights.

    A part's weight is its share of its subject's measured time, so that the many cheap parts do not outvote the dear
    ones, and less the more uncertain it is; all parts of a subject together count at most `total_weight`.
    """
    assert features.parts is not None
    rows = np.flatnonzero(np.isin(table.subject, subjects))
    value, owner = table.value[rows], table.subject[rows]
    measured_total = np.bincount(owner, weights=value, minlength=len(ids))
    share = value / np.maximum(measured_total[owner], 1e-30) / (1 + table.noise[rows]) ** 2
    base, extra = features.parts, len(rows)
    matrix, inverse = np.unique(np.concatenate([base.matrix, table.matrix[rows]]), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    parts = Parts(
        matrix,
        np.concatenate([base.owner, len(features) + np.arange(extra, dtype=np.int64)]),
        np.concatenate([inverse[: len(base.matrix)][base.part], inverse[len(base.matrix) :]]).astype(np.int64),
        np.concatenate([base.count, np.ones(extra, dtype=np.float32)]),
    )
    vectors = np.concatenate([features.vectors, table.vectors[rows]])
    target = np.concatenate([y, np.log(value) if labels.target.positive else value])
    grown = Features(vectors, features.columns, parts, features.part_columns)
    return grown, target, np.concatenate([groups, ids[owner]]), np.concatenate([weights, total_weight * share])
