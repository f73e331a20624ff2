"""Kernels of networks as `Parts`, each distinct kernel held once, and features of groups joined to those of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from featurizers.core import Features, Parts
from featurizers.network.columns import COLUMNS
from featurizers.network.kernels import PART_COLUMNS, Kernel, Key, Row

Ints = npt.NDArray[np.int64]


def parts_of_kernels(found: Sequence[Sequence[Kernel]], *, names: bool) -> Parts:
    """Parts of listed kernels; with `names` an entry for each kernel, otherwise equal ones are counted."""
    index: dict[Key, int] = {}
    rows: list[Row] = []
    entries: list[tuple[int, int, int]] = []
    labels: list[tuple[str, ...]] = []
    for owner, run in enumerate(found):
        counts: dict[int, int] = {}
        for kernel in run:
            part = index.setdefault(kernel.key, len(rows))
            if part == len(rows):
                rows.append(kernel.row)
            if names:
                entries.append((owner, part, 1))
                labels.append(kernel.names or kernel.outputs[:1])
            else:
                counts[part] = counts.get(part, 0) + 1
        entries.extend((owner, part, count) for part, count in counts.items())
    table = np.asarray(entries, dtype=np.int64).reshape(len(entries), 3)
    return Parts(matrix(rows), table[:, 0], table[:, 1], table[:, 2].astype(np.float32), tuple(labels))


def parts_of_counts(counts: Ints, rows: Sequence[Row]) -> Parts:
    """Parts of a table of counts (subjects, kernels)."""
    owner, part = np.nonzero(counts)
    return Parts(matrix(rows), owner, part, counts[owner, part].astype(np.float32))


def matrix(rows: Sequence[Row]) -> npt.NDArray[np.float32]:
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(PART_COLUMNS))


def joined(groups: Sequence[tuple[Ints, Features]], subjects: int) -> Features:
    """Features of all subjects from those of groups, each with the subjects' indices."""
    vectors = np.zeros((subjects, len(COLUMNS)), dtype=np.float32)
    index: dict[bytes, int] = {}
    rows: list[npt.NDArray[np.float32]] = []
    owners, members, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    names: list[tuple[str, ...]] = []
    for which, features in groups:
        parts = features.parts
        vectors[which] = features.vectors
        if parts is None:
            continue
        table = np.empty(len(parts.matrix), dtype=np.int64)
        for local, row in enumerate(parts.matrix):
            table[local] = index.setdefault(row.tobytes(), len(rows))
            if table[local] == len(rows):
                rows.append(row)
        owners.append(which[parts.owner])
        members.append(table[parts.part])
        counts.append(parts.count)
        names.extend(parts.names)
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    stacked = np.stack(rows) if rows else matrix(())
    labels = tuple(names[i] for i in order) if names else ()
    found = Parts(stacked, owner[order], np.concatenate(members)[order], np.concatenate(counts)[order], labels)
    return Features(vectors, COLUMNS, found, PART_COLUMNS)
