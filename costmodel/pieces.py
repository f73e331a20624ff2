"""What is said of a subject that consists of pieces which do not depend on one another, from what is said of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from costmodel.prediction import Prediction, Target

_OF_PIECES: Mapping[str, Callable[[Iterable[float]], float]] = {"sum": sum, "max": max, "min": min}
_NAMED = 3
"""Pieces of which it is said why they are out of domain; of further ones how many they are."""


def whole_of(pieces: Mapping[str, Sequence[Prediction]], targets: Sequence[Target]) -> tuple[Prediction, ...]:
    """One prediction per target from those of each piece, by its name, in the order of `targets`.

    Bounds are those of all pieces together, as if all of them erred the same way: with independent errors the interval
    would hold more often than it says.
    """
    return tuple(
        _whole([(name, own[place]) for name, own in pieces.items()], _OF_PIECES[target.of_pieces])
        for place, target in enumerate(targets)
    )


def _whole(pieces: Sequence[tuple[str, Prediction]], of: Callable[[Iterable[float]], float]) -> Prediction:
    reasons = [f"in '{name}': {reason}" for name, own in pieces for reason in own.reasons[:1]]
    if len(reasons) > _NAMED:
        reasons[_NAMED:] = [f"and {len(reasons) - _NAMED} more of its {len(pieces)} pieces"]
    return msgspec.structs.replace(
        pieces[0][1],
        value=of(own.value for _, own in pieces),
        low=of(own.low for _, own in pieces),
        high=of(own.high for _, own in pieces),
        in_domain=not reasons,
        reasons=tuple(reasons),
    )


def costs_of_wholes(costs: npt.NDArray[np.float64], counts: Sequence[int], of_pieces: str) -> npt.NDArray[np.float64]:
    """Of wholes that consist of so many pieces each, whose costs follow one another in `costs`; float64 (wholes,).

    >>> costs_of_wholes(np.array([1.0, 2.0, 5.0]), [2, 1], "sum").tolist()
    [3.0, 5.0]
    """
    ends = np.cumsum([0, *counts]).tolist()
    return np.array([_OF_PIECES[of_pieces](costs[start:end].tolist()) for start, end in pairwise(ends)])
