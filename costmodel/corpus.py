"""Labelled data of one kind, as training and evaluation see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from costmodel.prediction import Target
from costmodel.predictor import Device
from costmodel.regressors import Array
from featurizers.core import Raw

SPLITS = ("train", "validation", "test_seen", "test_unseen")
"""By subject; `test_unseen` holds whole families that no other split has."""


@dataclass(frozen=True, slots=True)
class PartLabels:
    """Measured cost of single parts inside subjects (a profiler's node times).

    subject : (k,) rows of the corpus; measured : per label what the profiler says of the part, in the form that the
    featurizer's `match_parts` reads; value : (k,) in the target's unit; noise : (k,) its relative uncertainty.
    """

    subject: npt.NDArray[np.int64]
    measured: tuple[Mapping[str, Any], ...]
    value: Array
    noise: Array


@dataclass(frozen=True, slots=True)
class Labels:
    """One target on one device.

    subject : (k,) rows of the corpus. value : (k,). noise : (k,) relative spread between repeats of the measurement,
    the floor that no model beats; zero where labels are exact.
    """

    device: Device
    target: Target
    subject: npt.NDArray[np.int64]
    value: Array
    noise: Array
    parts: PartLabels | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """raws, family, split and ids : per subject. checksum : of the data files. licence : of the labels."""

    name: str
    kind: str
    raws: Sequence[Raw]
    ids: tuple[str, ...]
    family: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    labels: tuple[Labels, ...]
    checksum: str
    licence: str
    notes: dict[str, str] = field(default_factory=dict)

    def with_subjects(self, raws: Sequence[Raw], labels: Sequence[Mapping[tuple[str, str], float]]) -> Self:
        """Further raw inputs at the end, and per input what is known of it by (device, target).

        The caller adds their ids, family, split and `Labels`; a corpus that keeps more per subject adds that here.
        """
        return replace(self, raws=_Both(self.raws, raws))


class CorpusError(ValueError):
    """The data breaks its schema; names the file, the column and the row. Training does not start."""


class RawSequence(Sequence[Raw]):
    """Raw inputs that are made when they are asked for: subclasses give `__len__` and `made`."""

    def made(self, index: int) -> Raw:
        """The input at this place."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Raw: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Raw]: ...
    def __getitem__(self, index: int | slice) -> Raw | Sequence[Raw]:
        if isinstance(index, slice):
            return [self.made(i) for i in range(*index.indices(len(self)))]
        return self.made(index)


class _Both(RawSequence):
    """Two sequences as one; the first may make its items when they are asked for."""

    def __init__(self, first: Sequence[Raw], second: Sequence[Raw]):
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def made(self, index: int) -> Raw:
        before = len(self._first)
        return self._first[index] if index < before else self._second[index - before]
