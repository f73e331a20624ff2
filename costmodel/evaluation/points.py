"""Predictions beside measurements of held-out subjects, kept in the bundle: what a reader looks at before believing.

``points.json.zst`` lies beside bundle.json. A bundle without it (older, or made by hand) answers all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from costmodel.corpus import Labels
from costmodel.evaluation.tables import NOISY
from costmodel.regressors.base import read_compressed, write_compressed
from costmodel.target_model import TargetModel
from featurizers.core import Features

FILE = "points.json.zst"
_MOST = 400
"""Per device and target; of more, an even selection in the order of the measured value."""


class Points(msgspec.Struct, frozen=True):
    """Held-out subjects of one target on one device, (n,) each; values in `unit`."""

    device: str
    target: str
    unit: str
    split: tuple[str, ...]
    family: tuple[str, ...]
    measured: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def held_out(
    model: TargetModel, features: Features, labels: Labels, split: Sequence[str], family: Sequence[str]
) -> Points:
    """Test subjects whose labels repeat well. features : of ``labels.subject``; split, family : (k,) of the same."""
    test = np.array([name.startswith("test") for name in split]) & (labels.noise <= NOISY)
    rows = chosen_rows(np.flatnonzero(test), labels.value)
    answers = model.answer(features.take(rows))
    return Points(
        labels.device.name,
        labels.target.name,
        labels.target.unit,
        tuple(split[row] for row in rows.tolist()),
        tuple(family[row] for row in rows.tolist()),
        *(shortened(column) for column in (labels.value[rows], answers.value, answers.low, answers.high)),
    )


def chosen_rows(rows: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Of `rows` of `value` (n,) at most 400, evenly over the sizes, in their order."""
    rows = rows[np.argsort(value[rows], kind="stable")]
    if len(rows) > _MOST:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST).round().astype(np.int64)]
    return rows


def shortened(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """To five digits."""
    return tuple(float(f"{value:.5g}") for value in values)


def write_points(folder: Path, points: Sequence[Points]) -> None:
    """Into a bundle's folder, before its checksums are written."""
    write_compressed(folder / FILE, msgspec.json.encode(points))


def read_points(folder: Path) -> list[Points]:
    """What `write_points` wrote; nothing where a bundle has none."""
    path = folder / FILE
    if not path.is_file():
        return []
    return msgspec.json.decode(read_compressed(path), type=list[Points])
