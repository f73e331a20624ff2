"""The third seam: featurizer + a regressor per target and device + calibration + domain check + card.

(Interface being filled in; signatures are settled.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from costmodel.prediction import Explanation, Prediction, Target
from featurizers.core import Raw
from featurizers.errors import InputError

Outcome = tuple[Prediction, ...] | InputError
"""Per input: one prediction per (device, target) asked for, or what is wrong with that input."""


@dataclass(frozen=True, slots=True)
class Device:
    """Hardware and the conditions under which it was measured; `profile` names the runtime's execution rules."""

    name: str
    profile: str
    targets: tuple[str, ...]
    descriptor: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One input's place: 0 is best. `p_better_than_next`: probability that it truly beats the next one (None last)."""

    index: int
    place: int
    prediction: Prediction
    p_better_than_next: float | None


class Predictor:
    kind: str
    name: str
    version: str
    card: Mapping[str, Any]
    devices: Mapping[str, Device]
    targets: Mapping[str, Target]

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise NotImplementedError

    def predict(
        self, raws: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]:
        """Per raw an Outcome, same order. Raises UnknownNameError for an unknown device or target."""
        raise NotImplementedError

    def rank(
        self, raws: Sequence[Raw], device: str, target: str | None = None
    ) -> tuple[list[Ranked], dict[int, InputError]]:
        """Best first, and the inputs that could not be answered by index."""
        raise NotImplementedError

    def explain(self, raw: Raw, device: str, target: str | None = None) -> Explanation:
        """Predicted total shared among the parts. Raises InputError."""
        raise NotImplementedError
