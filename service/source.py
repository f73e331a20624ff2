"""Where the service gets its predictors: the border to the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from costmodel.predictor import Predictor


class PredictorSource(Protocol):
    """The current predictor of each kind. Called from the event loop: only `refresh` may wait."""

    @property
    def problem(self) -> str | None:
        """In words what keeps the source from learning of new models, or None."""
        ...

    def kinds(self) -> Sequence[str]:
        """Kinds that have a predictor now."""
        ...

    def predictor(self, kind: str) -> Predictor:
        """The predictor that answers for a kind. Raises `UnknownNameError`."""
        ...

    def binary_fields(self, kind: str) -> Sequence[str]:
        """Fields of the kind's raw input that are files: base64 in JSON, bytes for the featurizer."""
        ...

    def origin(self, kind: str) -> str:
        """Where the kind's predictor was loaded from: ``packaged`` or the registry's address of it."""
        ...

    def refresh(self) -> None:
        """Look for new models. Never raises for an unreachable registry: it says so in `problem`."""
        ...
