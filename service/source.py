"""Where the service gets its predictors: the border to the registry."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from costmodel.devices import DeviceBook
from costmodel.kinds import kind_of
from costmodel.predictor import Predictor
from costmodel.registry import ModelStore
from costmodel.wire import origin_of


class PredictorSource(Protocol):
    """The current predictor of each kind. Called from the event loop: only `refresh`, `load` and `warm_up` may wait."""

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

    def reads_apart(self, kind: str) -> bool:
        """Whether another process reads every input of the kind, so that answering waits for it."""
        ...

    def origin(self, kind: str) -> str:
        """Where the kind's predictor was loaded from: ``packaged`` or the registry's address of it."""
        ...

    def refresh(self) -> None:
        """Look for new models. Never raises for an unreachable registry: it says so in `problem`."""
        ...

    def load(self) -> None:
        """Read every model now, so that no request waits for it."""
        ...

    def warm_up(self) -> None:
        """Compute and start what the first requests would otherwise wait for a moment for; requests are answered."""
        ...


class StoreSource:
    """The library's own store: the packaged bundles, the registry's champions, and the devices that `book` adds."""

    def __init__(self, store: ModelStore, book: DeviceBook | None = None):
        self._store = store
        self._book = book
        self.kinds = self._store.kinds
        self.predictor = self._store.predictor if book is None else book.predictor
        self.refresh = self._store.refresh

    @property
    def problem(self) -> str | None:
        """As `PredictorSource` says."""
        found = [self._store.problem, None if self._book is None else self._book.problem]
        return "; ".join(problem for problem in found if problem) or None

    def binary_fields(self, kind: str) -> Sequence[str]:
        """As `PredictorSource` says."""
        return kind_of(kind).binary_fields

    def reads_apart(self, kind: str) -> bool:
        """As `PredictorSource` says."""
        return kind_of(kind).reads_apart

    def origin(self, kind: str) -> str:
        """As `PredictorSource` says."""
        return origin_of(self.predictor(kind))

    def load(self) -> None:
        """As `PredictorSource` says; kinds side by side, since much of it is spent outside of Python."""
        with ThreadPoolExecutor(thread_name_prefix="load") as threads:
            list(threads.map(lambda kind: self.predictor(kind).load_models(), self.kinds()))

    def warm_up(self) -> None:
        """As `PredictorSource` says."""
        for kind in self.kinds():
            self.predictor(kind).warm_up()
