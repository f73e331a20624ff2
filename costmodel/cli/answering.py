"""Who answers: the models in this process, or a running service; both with the same methods."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from costmodel.client.errors import RefusedError, UnavailableError
from costmodel.devices import DeviceBook, NameTakenError, UnknownDeviceError
from costmodel.devices.errors import told
from costmodel.devices.wire import AddedDevice, MoreMeasurements, NewDevice, PlanAnswer, PlanQuestion, Removed
from costmodel.kinds import kind_of
from costmodel.operations import operation_of
from costmodel.prediction import Explanation
from costmodel.predictor import Outcome, Predictor, Ranked
from costmodel.registry import ModelStore
from costmodel.state import Database, DeviceStore, StateUnavailableError
from costmodel.state.idempotency import Idempotency
from costmodel.wire import DeviceInfo, ModelInfo, devices_of, model_of, origin_of
from featurizers.core import Raw
from featurizers.errors import InputError


class Answering(Protocol):
    """The methods of `costmodel.client.Client` that commands use."""

    def predict(
        self, kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]: ...

    def rank(
        self,
        kind: str,
        inputs: Sequence[Raw],
        device: str,
        target: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[list[Ranked], dict[int, InputError]]: ...

    def explain(self, kind: str, raw: Raw, device: str, target: str | None = None) -> Explanation: ...

    def ask(self, kind: str, operation: str, fields: Mapping[str, Any]) -> Any: ...

    def devices(self, kind: str | None = None) -> list[DeviceInfo]: ...

    def models(self) -> list[ModelInfo]: ...

    def plan_device(self, question: PlanQuestion) -> PlanAnswer: ...

    def add_device(self, new: NewDevice, idempotency_key: str | None = None) -> AddedDevice: ...

    def measure_device(
        self, device: str, more: MoreMeasurements, idempotency_key: str | None = None
    ) -> AddedDevice: ...

    def device(self, name: str) -> AddedDevice: ...

    def remove_device(self, name: str) -> Removed: ...


class InProcess:
    """Answers from a `ModelStore` in this process, and for the devices of the user's database (or the one given)."""

    def __init__(self, store: ModelStore, database: Database | None = None):
        self._store = store
        self._book = DeviceBook(store, DeviceStore(database or Database()))
        self._book.follow()

    def _predictor(self, kind: str) -> Predictor:
        if kind_of(kind).name not in self._store.kinds():
            raise InputError(f"The kind '{kind}'", "has no model here; costmodel train makes one")
        return self._book.predictor(kind)

    def predict(
        self, kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]:
        """As `Predictor.predict`."""
        return self._predictor(kind).predict(inputs, devices, targets)

    def rank(
        self,
        kind: str,
        inputs: Sequence[Raw],
        device: str,
        target: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[list[Ranked], dict[int, InputError]]:
        """As `Predictor.rank`."""
        return self._predictor(kind).rank(inputs, device, target, weights)

    def explain(self, kind: str, raw: Raw, device: str, target: str | None = None) -> Explanation:
        """As `Predictor.explain`."""
        return self._predictor(kind).explain(raw, device, target)

    def ask(self, kind: str, operation: str, fields: Mapping[str, Any]) -> Any:
        """An operation that one kind alone offers, by the fields of its question."""
        predictor = self._predictor(kind)
        return operation_of(kind, predictor.operations, operation).ask(predictor, fields)

    def devices(self, kind: str | None = None) -> list[DeviceInfo]:
        """Devices of one kind, or of all that have a model."""
        kinds = self._store.kinds() if kind is None else [kind]
        return [device for name in kinds for device in devices_of(self._predictor(name))]

    def models(self) -> list[ModelInfo]:
        """The model of each kind."""
        predictors = [self._store.predictor(kind) for kind in self._store.kinds()]
        return [model_of(predictor, origin_of(predictor)) for predictor in predictors]

    def plan_device(self, question: PlanQuestion) -> PlanAnswer:
        """Which inputs to measure on a new device, or next on an added one."""
        with _told():
            return self._book.plan(question)

    def add_device(self, new: NewDevice, idempotency_key: str | None = None) -> AddedDevice:
        """Add a device from a few measurements."""
        key = _key("POST /v1/devices", idempotency_key, new)
        with _told():
            return msgspec.json.decode(self._book.add(new, key).answer, type=AddedDevice)

    def measure_device(self, device: str, more: MoreMeasurements, idempotency_key: str | None = None) -> AddedDevice:
        """Add measurements to an added device."""
        key = _key(f"POST /v1/devices/{device}/measurements"[:200], idempotency_key, more)
        with _told():
            return msgspec.json.decode(self._book.measure(device, more, key).answer, type=AddedDevice)

    def device(self, name: str) -> AddedDevice:
        """An added device by name or id, with its fit and versions."""
        with _told():
            return self._book.show(name)

    def remove_device(self, name: str) -> Removed:
        """Remove an added device by name or id."""
        with _told():
            return self._book.remove(name)


def _key(scope: str, key: str | None, body: msgspec.Struct) -> Idempotency | None:
    return None if key is None else Idempotency(scope, key, msgspec.json.encode(body))


@contextmanager
def _told() -> Iterator[None]:
    """Errors of devices as the client raises them."""
    try:
        yield
    except (NameTakenError, UnknownDeviceError, StateUnavailableError) as error:
        status, detail = told(error)
        raise (UnavailableError if status >= 500 else RefusedError)(detail) from None


def add_answering_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say who answers, and how the answer is shown."""
    parser.add_argument("--url", help="ask the service at this address instead of the models in this process")
    parser.add_argument(
        "--models-dir",
        type=Path,
        help="folder of bundles by kind (default: the champions, else the packaged)",
    )
    parser.add_argument("--json", action="store_true", help="print the service's JSON instead of a table")


@contextmanager
def answering(args: argparse.Namespace) -> Iterator[Answering]:
    """The service if a URL was given, else the models in this process."""
    if args.url is not None:
        from costmodel.client import Client

        with Client(args.url) as client:
            yield client
    elif args.models_dir is not None:
        yield InProcess(ModelStore(args.models_dir, use_registry=False))
    else:
        store = ModelStore()
        store.refresh()
        yield InProcess(store)
