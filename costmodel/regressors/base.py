"""The second seam: numbers -> point and spread, without pickle on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import zstandard

from featurizers.core import Features

Array = npt.NDArray[np.float64]
Groups = npt.NDArray[np.str_]
Mask = npt.NDArray[np.bool_]

_MAX_BYTES = 64 << 20


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

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        """Learn `y` (n,) in learning space.

        groups : (n,) subjects of one group are near copies; internal validation never splits a group.
        weights : (n,) how much each subject counts; alike when left out.
        """
        ...

    def predict(self, features: Features) -> Estimate:
        """Point and spread, each float64 (n,)."""
        ...

    def part_costs(self, features: Features) -> Array | None:
        """Cost of one of each distinct part (u,) in the target's own unit, or None where a sum of parts is not what
        this regressor models."""
        ...

    def save(self, folder: Path) -> None:
        """Write text, JSON, safetensors or ONNX files into an existing empty folder. Never a pickle."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        ...


def extras_of(regressor: Regressor | type[Regressor]) -> frozenset[str]:
    """Which of `featurizers.core.EXTRAS` a regressor reads: its class attribute `extras`, where it has one."""
    found: frozenset[str] = getattr(regressor, "extras", frozenset())
    return found


def point_of(regressor: Regressor, features: Features) -> Array:
    """The point of `predict`, (n,), without what only the spread needs where a regressor's `point` gives it so."""
    own = getattr(regressor, "point", None)
    return regressor.predict(features).point if own is None else np.asarray(own(features))


def quick_of(regressor: Regressor) -> Regressor:
    """What many folds are fitted with where only their errors are looked at: unfitted, and a regressor's `quick` where
    it has one."""
    own = getattr(regressor, "quick", None)
    quick: Regressor = regressor if own is None else own()
    return quick


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """JSON with sorted keys: same model, same bytes."""
    path.write_text(json.dumps(content, sort_keys=True, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def write_compressed(path: Path, content: bytes, level: int = 19) -> None:
    """By zstd."""
    path.write_bytes(zstandard.ZstdCompressor(level=level).compress(content))


def read_compressed(path: Path, most: int = _MAX_BYTES) -> bytes:
    """What `write_compressed` wrote, at most so many bytes of it: a file may claim to be of any size."""
    content: bytes = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read(most)
    return content


def write_compressed_json(path: Path, content: Mapping[str, Any]) -> None:
    """As `write_json`, on one line and compressed: for matrices."""
    write_compressed(path, json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def read_compressed_json(path: Path) -> dict[str, Any]:
    """What `write_compressed_json` wrote."""
    content: dict[str, Any] = json.loads(read_compressed(path))
    return content
