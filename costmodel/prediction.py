"""What every answer is: a value with its unit, an interval with its coverage, and whether to trust it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Target:
    """A quantity that can be predicted.

    positive : learned in log space, relative error is what users feel.
    count : a whole number that may be 0: learned as log(1 + value), answered rounded. Not with `positive`.
    higher_is_better : the direction of `rank`.
    of_pieces : how that of a whole follows from those of its pieces (`Featurizer.pieces`): ``sum``, ``max`` or ``min``.
    """

    name: str
    unit: str
    positive: bool = True
    higher_is_better: bool = False
    count: bool = False
    of_pieces: str = "sum"

    def learned(self, values: Array) -> Array:
        """Values (n,) in learning space."""
        if self.count:
            return np.asarray(np.log1p(values))
        return np.asarray(np.log(values)) if self.positive else values

    def answered(self, points: Array) -> Array:
        """Points of learning space (n,) in the target's own unit."""
        if self.count:
            return np.asarray(np.expm1(np.maximum(points, 0.0)))
        return np.asarray(np.exp(points)) if self.positive else points


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """One predicted quantity of one subject on one device. Never a bare number.

    A struct and not a dataclass: in bulk, making one of these took as long as predicting it.

    ``low <= value <= high``; the truth lies in ``[low, high]`` with probability `coverage` when `in_domain`;
    otherwise `reasons` says in words what was never seen, and the interval has been widened for it. `higher_is_better`
    is the direction of the quantity: a score's is true, a cost's false.
    """

    target: str
    value: float
    unit: str
    low: float
    high: float
    coverage: float
    in_domain: bool
    reasons: tuple[str, ...]
    device: str
    model: str
    model_version: str
    higher_is_better: bool = False


class Predictions(tuple[Prediction, ...]):
    """Predictions of one input, and `details`: what its kind says beside them, in JSON types.

    tell : gives the details; called when they are first read, since in bulk nobody may read them.
    """

    _tell: Callable[[], Mapping[str, Any]]

    def __new__(cls, predictions: Iterable[Prediction], tell: Callable[[], Mapping[str, Any]]) -> Self:
        made = super().__new__(cls, predictions)
        made._tell = tell
        return made

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """Whether a design fits its part, what was corrected in it, and the like."""
        return self._tell()

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes the details go along, told here where the model is."""
        return _told, (tuple(self), dict(self.details))


def _told(predictions: tuple[Prediction, ...], details: Mapping[str, Any]) -> Predictions:
    return Predictions(predictions, lambda: details)


@dataclass(frozen=True, slots=True)
class Share:
    """One part's share of a predicted total (a kernel, a layer, a loop nest), in the target's unit."""

    names: tuple[str, ...]
    op: str
    value: float
    fraction: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measured subject that is much like the one asked about.

    likeness : 0 to 1 for the same. differences : in words, from the asked subject to this one. value : the explained
    target as it was measured there, in its unit; None if it was not.
    """

    name: str
    example: str
    likeness: float
    differences: tuple[str, ...]
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction, and how it divides among the parts of the subject: the shares add up to its value.

    A kind whose subjects have no parts gives no shares, and what was measured nearest by as `neighbours`.
    """

    prediction: Prediction
    shares: tuple[Share, ...]
    neighbours: tuple[Neighbour, ...] = ()
