"""Where the service gets its predictors: the border to the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from costmodel.kinds import kind_of
from costmodel.predictor import Predictor
from costmodel.registry import ModelStore
from costmodel.wire import origin_of


class PredictorSource(Protocol):
    """The current predictor of each kind. Called from the event loop: only `refresh` and `warm_up` may wait."""

    @property
    def problem(self) -> str | None:
        """In words what keeps the source from learning of new models, or None."""
        ...

    def kinds(self) -> Sequence[str]:
        """Kinds that have a predictor now."""
        ...

    def predictor(self, kind: str) -> Predictor:
        """The predictor that answers for a kind. UnknownNameError: no such kind; LookupError: it has no model."""
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

    def warm_up(self) -> None:
        """Read every model now, so that no request waits for it."""
        ...


class StoreSource:
    """The library's own store: the packaged bundles, and the registry's champions as they come."""

    def __init__(self, store: ModelStore):
        self._store = store
        self.kinds = self._store.kinds
        self.predictor = self._store.predictor
        self.refresh = self._store.refresh

    @property
    def problem(self) -> str | None:
        """As `PredictorSource` says."""
        return self._store.problem

    def binary_fields(self, kind: str) -> Sequence[str]:
        """As `PredictorSource` says."""
        return kind_of(kind).binary_fields

    def origin(self, kind: str) -> str:
        """As `PredictorSource` says."""
        return origin_of(self.predictor(kind))

    def warm_up(self) -> None:
        """As `PredictorSource` says."""
        for kind in self.kinds():
            self.predictor(kind).warm_up()
