"""Each question to the service, once for both clients: what is sent, and how the answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from costmodel.client.errors import RefusedError, UnavailableError
from costmodel.devices.wire import AddedDevice, MoreMeasurements, NewDevice, PlanAnswer, PlanQuestion, Removed
from costmodel.kinds import kind_of
from costmodel.operations import operation_of
from costmodel.prediction import Explanation
from costmodel.predictor import Outcome, Ranked
from costmodel.wire import (
    DeviceInfo,
    DeviceList,
    ExplainAnswer,
    Health,
    ModelInfo,
    ModelList,
    PredictAnswer,
    Problem,
    Question,
    RankAnswer,
    error_of,
    is_input_problem,
    outcome_of,
)
from featurizers.core import Raw
from featurizers.errors import InputError

T = TypeVar("T")
Ranking = tuple[list[Ranked], dict[int, InputError]]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and what its answer means. `on_input` gives the result when the only input is wrong."""

    method: str
    path: str
    read: Callable[[bytes], T]
    body: bytes | None = None
    on_input: Callable[[InputError], T] | None = None
    also_read: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def result(self, status: int, body: bytes, retry_after: str | None) -> T:
        """The answer's meaning. Raises what the problem says: `InputError`, `RefusedError` or `UnavailableError`."""
        if status == 200 or status in self.also_read:
            return self.read(body)
        problem = _problem(status, body)
        if is_input_problem(problem):
            error = error_of(problem)
            if problem.input is not None and self.on_input is not None:
                return self.on_input(error)
            raise error
        if status < 500:
            raise RefusedError(problem.detail, problem)
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        raise UnavailableError(problem.detail, problem, seconds)


def _problem(status: int, body: bytes) -> Problem:
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        # Something between us and the service answered in its own way.
        text = body[:200].decode(errors="replace")
        return Problem(type="about:blank", title="", status=status, detail=f"HTTP status {status}: {text}")


def predict(
    kind: str, inputs: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None
) -> Call[list[Outcome]]:
    """As `Predictor.predict`."""
    question = Question(inputs=list(inputs), devices=list(devices), targets=None if targets is None else list(targets))
    return Call("POST", f"/v1/predict/{quote(kind, safe='')}", _outcomes, _encoded(question), lambda error: [error])


def _outcomes(body: bytes) -> list[Outcome]:
    return [outcome_of(result) for result in msgspec.json.decode(body, type=PredictAnswer).results]


def rank(
    kind: str, inputs: Sequence[Raw], device: str, target: str | None, weights: Mapping[str, float] | None
) -> Call[Ranking]:
    """As `Predictor.rank`."""
    mix = None if weights is None else dict(weights)
    question = Question(inputs=list(inputs), device=device or None, target=target, weights=mix)
    return Call(
        "POST", f"/v1/rank/{quote(kind, safe='')}", _ranking, _encoded(question), lambda error: ([], {0: error})
    )


def _ranking(body: bytes) -> Ranking:
    answer = msgspec.json.decode(body, type=RankAnswer)
    return answer.ranking, {failed.index: error_of(failed.error) for failed in answer.errors}


def explain(kind: str, raw: Raw, device: str, target: str | None) -> Call[Explanation]:
    """As `Predictor.explain`."""
    question = Question(inputs=[raw], device=device or None, target=target)
    return Call("POST", f"/v1/explain/{quote(kind, safe='')}", _explanation, _encoded(question))


def _explanation(body: bytes) -> Explanation:
    [result] = msgspec.json.decode(body, type=ExplainAnswer).results
    if result.explanation is None:
        raise UnavailableError("The service sent neither an explanation nor an error.")
    return result.explanation


def ask(kind: str, operation: str, fields: Mapping[str, Any]) -> Call[msgspec.Struct]:
    """An operation that this kind alone offers, e.g. ``ask("cpu", "adapt", {"input": ..., "known": ...})``."""
    answer = operation_of(kind, kind_of(kind).operations(), operation).answer
    path = f"/v1/{quote(operation, safe='')}/{quote(kind, safe='')}"
    body = msgspec.json.encode(dict(fields), enc_hook=_unencodable)
    return Call("POST", path, lambda body: msgspec.json.decode(body, type=answer), body)


def devices(kind: str | None) -> Call[list[DeviceInfo]]:
    """Devices of one kind, or of all."""
    query = "" if kind is None else f"?kind={quote(kind, safe='')}"
    return Call("GET", f"/v1/devices{query}", lambda body: msgspec.json.decode(body, type=DeviceList).devices)


def add_device(new: NewDevice, key: str | None) -> Call[AddedDevice]:
    """Add a device from measurements."""
    body, headers = _plain(new), _keyed(key)
    return Call("POST", "/v1/devices", _added_device, body, also_read=(201,), headers=headers)


def measure_device(device: str, more: MoreMeasurements, key: str | None) -> Call[AddedDevice]:
    """Add measurements to a device."""
    path = f"/v1/devices/{quote(device, safe='')}/measurements"
    return Call("POST", path, _added_device, _plain(more), headers=_keyed(key))


def plan_device(question: PlanQuestion) -> Call[PlanAnswer]:
    """Which inputs to measure."""
    read = _reader(PlanAnswer)
    return Call("POST", "/v1/devices/plan", read, _plain(question))


def device(name: str) -> Call[AddedDevice]:
    """One added device."""
    return Call("GET", f"/v1/devices/{quote(name, safe='')}", _added_device)


def remove_device(name: str) -> Call[Removed]:
    """Remove an added device."""
    return Call("DELETE", f"/v1/devices/{quote(name, safe='')}", _reader(Removed))


def _keyed(key: str | None) -> dict[str, str]:
    return {} if key is None else {"idempotency-key": key}


def _reader(kind: type[T]) -> Callable[[bytes], T]:
    return lambda body: msgspec.json.decode(body, type=kind)


def _added_device(body: bytes) -> AddedDevice:
    return msgspec.json.decode(body, type=AddedDevice)


def models() -> Call[list[ModelInfo]]:
    """The model of each kind."""
    return Call("GET", "/v1/models", lambda body: msgspec.json.decode(body, type=ModelList).models)


def model(name: str) -> Call[ModelInfo]:
    """One model."""
    return Call("GET", f"/v1/models/{quote(name, safe='')}", lambda body: msgspec.json.decode(body, type=ModelInfo))


def ready() -> Call[Health]:
    """Whether the service can answer; 503 says that it cannot, in the same form."""
    return Call("GET", "/readyz", lambda body: msgspec.json.decode(body, type=Health), also_read=(503,))


def _encoded(question: Question) -> bytes:
    # msgspec writes bytes as base64 strings, which is how files travel; what JSON has no word for is refused here.
    return msgspec.json.encode(question, enc_hook=_unencodable)


def _plain(body: msgspec.Struct) -> bytes:
    return msgspec.json.encode(body, enc_hook=_unencodable)


def _unencodable(value: Any) -> Any:
    raise InputError("A value of an input", "must be a JSON type or bytes", type(value).__name__)
