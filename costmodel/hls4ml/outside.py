"""How wide an interval gets outside of what was seen: from errors on the sizes and depths that a fit had to leave out.

Designs of a kind that training never saw cannot be sampled, but the step out of the domain can be rehearsed: the closed
form is fitted without the largest, the smallest and the deepest designs and its errors on them are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from costmodel.calibration import NORMAL_90
from costmodel.hls4ml.answers import Place
from costmodel.hls4ml.forms import HlsTarget
from costmodel.hls4ml.regressor import HlsPhysics
from costmodel.regressors.base import Array
from featurizers.core import Features

UNREHEARSED = 0.25 * NORMAL_90
"""Half interval (natural log) just outside, where no step out could be rehearsed."""

_LEAST, _MOST = 0.04, 0.7
"""Bounds of what a rehearsal may find: it says little of steps in other directions, and is itself an estimate."""

_MARGIN = 2.0
"""A real step out leads farther than the rehearsed ones."""

_COVERAGE = 0.9
_FEWEST = 20
WIDEST = 3.3
"""Largest half interval (natural log): a factor of 27 either way says that hardly anything is known."""

_STRANGE_FORM, _STRANGE_TERMS, _STRANGE_REGISTERS = 0.35 * NORMAL_90, 0.8 * NORMAL_90, 1.0 * NORMAL_90
"""Added with a kind of layer that no training design had. More for LUT, whose closed form is a fitted sum: a term that
was never fitted is a guess. Most for FF: where HLS puts a register depends on delays that no term sees."""


def rehearse(name: str, features: Features, y: Array, groups: npt.NDArray[np.str_]) -> float:
    """Half interval (natural log) for designs just outside of what `features` have, from the worst step out."""
    worst = []
    for left_out in _steps(features):
        train, test = np.flatnonzero(~left_out), np.flatnonzero(left_out)
        if min(len(train), len(test)) < _FEWEST:
            continue
        plain = HlsPhysics(name, rounds=0, folds=2).fit(features.take(train), y[train], groups[train], 0)
        errors = np.abs(y[test] - plain.predict(features.take(test)).point)
        worst.append(float(np.quantile(errors, _COVERAGE)))
    return float(np.clip(_MARGIN * max(worst), _LEAST, _MOST)) if worst else UNREHEARSED


def _steps(features: Features) -> Iterator[npt.NDArray[np.bool_]]:
    size, depth = features.column("largest_matrix"), features.column("matrix_layers")
    low, high = np.quantile(size, [0.25, 0.75])
    yield size > high
    yield size < low
    if len(np.unique(depth)) > 1:
        yield depth == depth.max()


def half_outside(spec: HlsTarget, rehearsed: float, place: Place) -> Array:
    """Half interval (natural log) by distance and strangeness, (n,); meant for designs outside only."""
    by_terms = _STRANGE_REGISTERS if spec.resource == "ff" else _STRANGE_TERMS
    strange = by_terms if spec.form == "terms" else _STRANGE_FORM
    unknown = np.where(place.strange, max(rehearsed, UNREHEARSED), rehearsed)
    return np.asarray(np.minimum(unknown * place.far + strange * place.strange, WIDEST))
