"""The second seam: numbers -> point and spread, without pickle on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from featurizers.core import Features

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A regressor's answer in the space it was fitted in (natural log for positive targets).

    point : float64 (n,), the median. spread : float64 (n,), a positive scale of the error that may differ by
    subject; calibration turns it into an interval, so only its proportions matter.
    """

    point: Array
    spread: Array


@runtime_checkable
class Regressor(Protocol):
    """fit -> predict -> save -> load, the same numbers after a reload. `name` is its key in `LEARNERS`."""

    name: str

    def fit(self, features: Features, y: Array, groups: npt.NDArray[np.str_], seed: int) -> Self:
        """Learn `y` (n,) in learning space; `groups` (n,) are the families that validation must not split."""
        ...

    def predict(self, features: Features) -> Estimate:
        """Point and spread, each float64 (n,)."""
        ...

    def shares(self, features: Features) -> Array | None:
        """Cost of each entry of ``features.parts`` in the target's own unit, (m,), or None when it has no parts."""
        ...

    def save(self, folder: Path) -> None:
        """Write text, JSON, safetensors or ONNX files into an existing empty folder. Never a pickle."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        ...
