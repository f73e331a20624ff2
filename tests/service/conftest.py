"""A kind of input that the service never heard of, small enough to be read: the cost of a box is its volume."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest

from costmodel.mix import check_weights
from costmodel.operations import KindOperation, KindQuestion, operations
from costmodel.prediction import Explanation, Prediction, Share, Target
from costmodel.predictor import Device, Outcome, Ranked
from costmodel.wire import PROBLEM_MEDIA_TYPE
from featurizers.errors import InputError, UnknownNameError
from service import Settings, create_app

FACTORS = {"pine": 1.0, "oak": 2.0}
TARGETS = {"weight_kg": Target("weight_kg", "kg"), "price_eur": Target("price_eur", "EUR")}


def volume(raw: dict[str, Any]) -> float:
    """Volume of {"sides": [..]} or of the bytes of {"blob": b".."}."""
    if unknown := raw.keys() - {"sides", "blob", "dims", "note"}:
        raise UnknownNameError("field", min(unknown), ["sides", "blob", "dims", "note"])
    if "blob" in raw:
        if raw["blob"].startswith(b"bad"):
            raise InputError("The blob", "must not start with 'bad'", raw["blob"], where="byte 0")
        return float(len(raw["blob"]) * math.prod(raw.get("dims", {}).values()))
    sides = raw.get("sides")
    if not isinstance(sides, list) or not sides:
        raise InputError("The 'sides'", "must be a list of lengths", sides)
    for i, side in enumerate(sides):
        if isinstance(side, bool) or not isinstance(side, int | float) or not 0 < side < 1e6:
            raise InputError(f"Side {i}", "must lie between 0 and 1e6", side, where=f"sides[{i}]")
    return math.prod(float(side) for side in sides)


class SawQuestion(KindQuestion, kw_only=True):
    cuts: list[int] = msgspec.field(default_factory=list)
    wasteful: bool = False


class SawAnswer(msgspec.Struct, frozen=True):
    litres: list[float]


def saw(predictor: Any, question: SawQuestion) -> SawAnswer:
    """What is left of a box after each number of cuts."""
    whole = volume(question.input)
    if any(cut < 0 for cut in question.cuts):
        raise InputError("The 'cuts'", "must not be negative", question.cuts, where="$.cuts")
    return SawAnswer([whole / (cut + 1 + question.wasteful) for cut in question.cuts])


class BoxPredictor:
    operations = operations(KindOperation("saw", "A box in pieces.", SawQuestion, SawAnswer, saw))
    default_device = None

    def __init__(self, version: str = "1", kind: str = "box"):
        self.kind = kind
        self.name = f"costmodel-{kind}"
        self.version = version
        self.card = {"licence": "CC0-1.0", "data": "geometry", "metrics": {"within_10pct": 1.0}}
        self.devices = {name: Device(name, "", tuple(TARGETS), {"made_of": name}) for name in FACTORS}
        self.targets = TARGETS
        self.folder = None

    def predict(
        self, raws: Sequence[Any], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]:
        for target in targets or ():
            if target not in TARGETS:
                raise UnknownNameError(f"target of device '{devices[0]}'", target, TARGETS)
        return [self._outcome(raw, devices, targets or tuple(TARGETS)) for raw in raws]

    def _outcome(self, raw: Any, devices: Sequence[str], targets: Sequence[str]) -> Outcome:
        try:
            litres = volume(raw)
        except InputError as error:
            return error
        return tuple(self._prediction(litres, device, target) for device in devices for target in targets)

    def _prediction(self, litres: float, device: str, target: str) -> Prediction:
        value = litres * FACTORS[device]
        far = litres > 1000
        reasons = ("larger than any box seen",) if far else ()
        unit = TARGETS[target].unit
        return Prediction(
            target, value, unit, value / 1.5, value * 1.5, 0.9, not far, reasons, device, self.name, self.version
        )

    def rank(
        self,
        raws: Sequence[Any],
        device: str,
        target: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[list[Ranked], dict[int, InputError]]:
        if weights is not None:
            check_weights(weights, TARGETS)
        outcomes = self.predict(raws, [device], [target or "weight_kg"])
        errors = {i: outcome for i, outcome in enumerate(outcomes) if isinstance(outcome, InputError)}
        order = sorted(set(range(len(raws))) - errors.keys(), key=lambda i: outcomes[i][0].value)  # type: ignore[index]
        last = len(order) - 1
        ranked = [
            Ranked(i, place, outcomes[i][0], None if place == last else 0.75)  # type: ignore[index]
            for place, i in enumerate(order)
        ]
        return ranked, errors

    def explain(self, raw: Any, device: str, target: str | None = None) -> Explanation:
        prediction = self._prediction(volume(raw), device, target or "weight_kg")
        return Explanation(prediction, (Share(("lid",), "Plank", prediction.value, 1.0),))


@dataclass
class BoxSource:
    """A source of one kind; a test may take its registry away or give it a newer predictor."""

    predictors: dict[str, Any] = field(default_factory=lambda: {"box": BoxPredictor()})
    problem: str | None = None
    on_refresh: Callable[[], None] = lambda: None
    apart: frozenset[str] = frozenset()

    def kinds(self) -> list[str]:
        return sorted(self.predictors)

    def add(self, kind: str) -> None:
        self.predictors[kind] = BoxPredictor(kind=kind)

    def predictor(self, kind: str) -> Any:
        if kind not in self.predictors:
            raise UnknownNameError("kind", kind, self.predictors)
        return self.predictors[kind]

    def binary_fields(self, kind: str) -> list[str]:
        return ["blob"]

    def reads_apart(self, kind: str) -> bool:
        return kind in self.apart

    def origin(self, kind: str) -> str:
        return "packaged"

    def refresh(self) -> None:
        self.on_refresh()

    def load(self) -> None:
        """Nothing to read."""

    def warm_up(self) -> None:
        """Nothing to start."""


@pytest.fixture
def source() -> BoxSource:
    return BoxSource()


@pytest.fixture
def settings() -> Settings:
    return Settings(refresh_interval_s=0.05, items_max=1000, body_bytes_max=100_000)


@pytest.fixture
def app(settings: Settings, source: BoxSource) -> Any:
    return create_app(settings, source)


class AppClient:
    """Requests to an application in this process, with its lifespan running."""

    def __init__(self, app: Any):
        self.app = app

    def __enter__(self) -> AppClient:
        self._runner = asyncio.Runner()
        self._lifespan = self.app.router.lifespan_context(self.app)
        self._runner.run(self._lifespan.__aenter__())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test")
        return self

    def __exit__(self, *raised: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def wait(self, seconds: float) -> None:
        """Let the application's own tasks go on."""
        self._runner.run(asyncio.sleep(seconds))


@pytest.fixture
def client_of() -> Iterator[Callable[[Any], AppClient]]:
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(AppClient(app))


@pytest.fixture
def client(app: Any, client_of: Callable[[Any], AppClient]) -> AppClient:
    return client_of(app)


@pytest.fixture
def assert_problem() -> Callable[..., dict[str, Any]]:
    """The one assertion on errors: status, media type, shape, and the members that a test names."""

    def check(response: Any, status: int, **members: Any) -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
        problem: dict[str, Any] = response.json()
        required = {"type", "title", "status", "detail", "instance"}
        assert required <= problem.keys() <= required | {"what", "rule", "value", "where", "known", "input"}
        assert problem["status"] == status
        assert problem["instance"] == response.request.url.path
        assert problem["detail"]
        for name, expected in members.items():
            assert problem.get(name) == expected, problem
        return problem

    return check
