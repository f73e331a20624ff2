"""`Client` and `AsyncClient`: the methods of a `Predictor`, with the kind as first argument.

Both raise what the library raises in process (`InputError` and its family), and `RefusedError` or `UnavailableError`
where the service as such is the matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import httpx

from costmodel.client import calls
from costmodel.client.calls import Call, Ranking
from costmodel.client.errors import UnavailableError
from costmodel.devices.wire import AddedDevice, MoreMeasurements, NewDevice, PlanAnswer, PlanQuestion, Removed
from costmodel.prediction import Explanation
from costmodel.predictor import Outcome
from costmodel.wire import DeviceInfo, Health, ModelInfo
from featurizers.core import Raw

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:8000"
_JSON = {"content-type": "application/json"}


def _headers(call: Call[T]) -> dict[str, str]:
    return {**(_JSON if call.body else {}), **call.headers}


class Client:
    """Asks a running service; connections are kept open until `close` or the end of its ``with`` block."""

    def __init__(
        self, url: str = DEFAULT_URL, *, timeout_s: float = 60.0, transport: httpx.BaseTransport | None = None
    ):
        self._http = httpx.Client(base_url=url, timeout=timeout_s, transport=transport)

    def predict(
        self, kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]:
        """Per input its predictions or its error, in order. Files are given as bytes."""
        return self._send(calls.predict(kind, inputs, devices, targets))

    def rank(
        self,
        kind: str,
        inputs: Sequence[Raw],
        device: str,
        target: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> Ranking:
        """Inputs best first by one target or a weighted mix, and by index those that could not be answered."""
        return self._send(calls.rank(kind, inputs, device, target, weights))

    def explain(self, kind: str, raw: Raw, device: str, target: str | None = None) -> Explanation:
        """The predicted total shared among the parts of one input."""
        return self._send(calls.explain(kind, raw, device, target))

    def ask(self, kind: str, operation: str, fields: Mapping[str, Any]) -> Any:
        """An operation that one kind alone offers, by the fields of its question; its answer is a msgspec Struct."""
        return self._send(calls.ask(kind, operation, fields))

    def devices(self, kind: str | None = None) -> list[DeviceInfo]:
        """Devices that can be asked about."""
        return self._send(calls.devices(kind))

    def plan_device(self, question: PlanQuestion) -> PlanAnswer:
        """Which inputs to measure on a new device, or next on an added one."""
        return self._send(calls.plan_device(question))

    def add_device(self, new: NewDevice, idempotency_key: str | None = None) -> AddedDevice:
        """Add a device from a few measurements; sent again with the same key, it happens once."""
        return self._send(calls.add_device(new, idempotency_key))

    def measure_device(self, device: str, more: MoreMeasurements, idempotency_key: str | None = None) -> AddedDevice:
        """Add measurements to an added device; the last of its `versions` names outliers and drift."""
        return self._send(calls.measure_device(device, more, idempotency_key))

    def device(self, name: str) -> AddedDevice:
        """An added device by name or id, with its fit and versions."""
        return self._send(calls.device(name))

    def remove_device(self, name: str) -> Removed:
        """Remove an added device by name or id."""
        return self._send(calls.remove_device(name))

    def models(self) -> list[ModelInfo]:
        """Models that answer now."""
        return self._send(calls.models())

    def model(self, name: str) -> ModelInfo:
        """One model."""
        return self._send(calls.model(name))

    def ready(self) -> Health:
        """Whether the service can answer, and if not, why."""
        return self._send(calls.ready())

    def _send(self, call: Call[T]) -> T:
        try:
            headers = _headers(call)
            answer = self._http.request(call.method, call.path, content=call.body, headers=headers)
        except httpx.HTTPError as error:
            raise UnavailableError(f"No answer from {self._http.base_url}: {error}") from error
        return call.result(answer.status_code, answer.content, answer.headers.get("retry-after"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class AsyncClient:
    """As `Client`, for asyncio."""

    def __init__(
        self, url: str = DEFAULT_URL, *, timeout_s: float = 60.0, transport: httpx.AsyncBaseTransport | None = None
    ):
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_s, transport=transport)

    async def predict(
        self, kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]:
        """As `Client.predict`."""
        return await self._send(calls.predict(kind, inputs, devices, targets))

    async def rank(
        self,
        kind: str,
        inputs: Sequence[Raw],
        device: str,
        target: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> Ranking:
        """As `Client.rank`."""
        return await self._send(calls.rank(kind, inputs, device, target, weights))

    async def explain(self, kind: str, raw: Raw, device: str, target: str | None = None) -> Explanation:
        """As `Client.explain`."""
        return await self._send(calls.explain(kind, raw, device, target))

    async def ask(self, kind: str, operation: str, fields: Mapping[str, Any]) -> Any:
        """As `Client.ask`."""
        return await self._send(calls.ask(kind, operation, fields))

    async def devices(self, kind: str | None = None) -> list[DeviceInfo]:
        """As `Client.devices`."""
        return await self._send(calls.devices(kind))

    async def plan_device(self, question: PlanQuestion) -> PlanAnswer:
        """As `Client.plan_device`."""
        return await self._send(calls.plan_device(question))

    async def add_device(self, new: NewDevice, idempotency_key: str | None = None) -> AddedDevice:
        """As `Client.add_device`."""
        return await self._send(calls.add_device(new, idempotency_key))

    async def measure_device(
        self, device: str, more: MoreMeasurements, idempotency_key: str | None = None
    ) -> AddedDevice:
        """As `Client.measure_device`."""
        return await self._send(calls.measure_device(device, more, idempotency_key))

    async def device(self, name: str) -> AddedDevice:
        """As `Client.device`."""
        return await self._send(calls.device(name))

    async def remove_device(self, name: str) -> Removed:
        """As `Client.remove_device`."""
        return await self._send(calls.remove_device(name))

    async def models(self) -> list[ModelInfo]:
        """As `Client.models`."""
        return await self._send(calls.models())

    async def model(self, name: str) -> ModelInfo:
        """As `Client.model`."""
        return await self._send(calls.model(name))

    async def ready(self) -> Health:
        """As `Client.ready`."""
        return await self._send(calls.ready())

    async def _send(self, call: Call[T]) -> T:
        headers = _headers(call)
        try:
            answer = await self._http.request(call.method, call.path, content=call.body, headers=headers)
        except httpx.HTTPError as error:
            raise UnavailableError(f"No answer from {self._http.base_url}: {error}") from error
        return call.result(answer.status_code, answer.content, answer.headers.get("retry-after"))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
