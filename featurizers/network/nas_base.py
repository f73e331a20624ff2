"""What every NAS space shares: kernels, how often an architecture holds each, and parsing of index lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurizers.core import Column
from featurizers.errors import InputError

Array = npt.NDArray[np.float64]
OpIndices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel of a unit. `elements`: read and written activations; `channels`: the narrower side, per group."""

    kind: str
    macs: float
    elements: float
    weights: float
    channels: float


Unit = tuple[Launch, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """What architectures consist of. counts : float64 (n, u), how often each holds each unit.

    variants : per way of treating dead edges (executed all, those that reach the output, those live on both sides) the
    columns of `counts` that a runtime of that way executes. kept : float64 (n,), 1 where the output depends on the
    input at all; a runtime that folds constants skips everything elsewhere.
    """

    counts: Array
    units: tuple[Unit, ...]
    variants: tuple[npt.NDArray[np.int64], ...]
    kept: Array


@dataclass(frozen=True, slots=True)
class Physics:
    """matrix : float64 (n, columns), all non-negative; the groups are 'network', 'stage', 'block'."""

    matrix: Array
    columns: tuple[Column, ...]

    def group(self, name: str) -> Array:
        """The columns of one group, (n, k)."""
        return self.matrix[:, [i for i, column in enumerate(self.columns) if column.group == name]]

    def column(self, name: str) -> Array:
        """One column, (n,). KeyError when there is none of that name."""
        for index, column in enumerate(self.columns):
            if column.name == name:
                return self.matrix[:, index]
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Space:
    """A NAS space. `parse` turns user encodings into op indices (n, positions), the form everything else takes."""

    name: str
    parse: Callable[[Sequence[object]], OpIndices]
    composition: Callable[[OpIndices], Composition]
    physics: Callable[[OpIndices], Physics]
    sample: Callable[[int, np.random.Generator], OpIndices]


def integers(encoding: object, length: int, where: str) -> list[int]:
    if isinstance(encoding, np.ndarray):
        encoding = encoding.tolist()
    if not isinstance(encoding, (list, tuple)) or len(encoding) != length:
        raise InputError("An architecture", f"is a list of {length} integers", encoding, where=where)
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in encoding):
        raise InputError("An architecture", f"is a list of {length} integers", encoding, where=where)
    return [int(value) for value in encoding]


def index_row(encoding: object, length: int, ops: int, where: str) -> list[int]:
    row = integers(encoding, length, where)
    for value in row:
        if not 0 <= value < ops:
            raise InputError("An operation's index", f"is 0 to {ops - 1}", value, where=where)
    return row


def stack(rows: list[list[int]], width: int) -> OpIndices:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def sample_choices(positions: int, ops: int) -> Callable[[int, np.random.Generator], OpIndices]:
    return lambda n, rng: rng.integers(0, ops, (n, positions))


def count_units(unit_of: npt.NDArray[np.int64], units: int) -> Array:
    """Per row of unit indices (n, positions; -1 is no unit) how often each unit occurs, (n, units)."""
    n = len(unit_of)
    flat = (unit_of + 1) + np.arange(n)[:, None] * (units + 1)
    return np.asarray(np.bincount(flat.ravel(), minlength=n * (units + 1)).reshape(n, -1)[:, 1:].astype(np.float64))
