"""The JSON that the service and its client exchange: every body drawn once, encoded and decoded by msgspec.

Errors travel as RFC 9457 problems. `problem_of` and `error_of` are each other's inverse for every `InputError`,
so that a caller catches the same error whether the model runs in its process or behind the service.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from costmodel.evaluation.points import Points
from costmodel.prediction import Explanation, Prediction, Predictions, Target
from costmodel.predictor import Outcome, Predictor, Ranked
from costmodel.tracking.versions import ModelVersion
from featurizers.errors import InputError, LimitError, UnknownNameError

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:costmodel:problem:"
_ERRORS: Final[dict[str, tuple[type[InputError], str]]] = {
    "input": (InputError, "The input breaks a rule"),
    "limit": (LimitError, "The input exceeds a limit"),
    "unknown-name": (UnknownNameError, "A name is not known here"),
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One error, as RFC 9457 says; `type` is ``about:blank`` when the HTTP status says it all.

    The members from `what` on are extensions: the thing, the rule it breaks, the value given (as Python shows it),
    its place in the input, the names that would have been known, and the index of the input in the request; `error`
    is `detail` again under the name that the Open Inference Protocol has for it, below its paths.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    what: str | None = None
    rule: str | None = None
    value: str | None = None
    where: str | None = None
    known: tuple[str, ...] | None = None
    input: int | None = None
    error: str | None = None


class Question(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What is asked of a kind. `device` and `target` are short for a list of one; files are base64 strings.

    `weights`, for a ranking only: by target, in place of one target; their mix is a weighted geometric mean.
    """

    inputs: list[Any]
    device: str | None = None
    devices: list[str] | None = None
    target: str | None = None
    targets: list[str] | None = None
    weights: dict[str, float] | None = None


class PredictResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input's predictions, one per device and target, or what is wrong with that input.

    `details` : what the kind of input says beside them, e.g. whether a design fits its part; left out by most kinds.
    """

    predictions: tuple[Prediction, ...] | None = None
    error: Problem | None = None
    details: dict[str, Any] | None = None


class PredictAnswer(msgspec.Struct, frozen=True):
    """Results in the order of the inputs."""

    results: list[PredictResult]


class FailedInput(msgspec.Struct, frozen=True):
    """An input that has no place in a ranking, by its index in the request."""

    index: int
    error: Problem


class RankAnswer(msgspec.Struct, frozen=True):
    """Inputs best first, and those that could not be answered."""

    ranking: list[Ranked]
    errors: list[FailedInput]


class ExplainResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input's explanation, or what is wrong with that input."""

    explanation: Explanation | None = None
    error: Problem | None = None


class ExplainAnswer(msgspec.Struct, frozen=True):
    """Results in the order of the inputs."""

    results: list[ExplainResult]


class DeviceInfo(msgspec.Struct, frozen=True):
    """A device of one kind of input, what can be asked about it, and the conditions of its measurements."""

    name: str
    kind: str
    profile: str
    targets: tuple[Target, ...]
    descriptor: dict[str, Any]


class DeviceList(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every device that can be asked about now, or a page of them. next_cursor : where there are more."""

    devices: list[DeviceInfo]
    next_cursor: str | None = None


class ModelInfo(msgspec.Struct, frozen=True):
    """A model that answers now. `card` tells its data, licence and metrics; `source` where it was loaded from."""

    name: str
    version: str
    kind: str
    source: str
    devices: tuple[str, ...]
    targets: tuple[Target, ...]
    card: dict[str, Any]


class ModelList(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model of each kind, or a page of them. next_cursor : where there are more."""

    models: list[ModelInfo]
    next_cursor: str | None = None


class ModelPoints(msgspec.Struct, frozen=True):
    """Held-out predictions of a model beside measurements, by device and target."""

    points: list[Points]


class ModelVersions(msgspec.Struct, frozen=True):
    """Registered versions of a model, newest first; none where there is no registry."""

    versions: list[ModelVersion]


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """`status` is ``ok``, ``degraded`` (answering from memory, `problem` says what is gone) or ``unavailable``."""

    status: str
    models: dict[str, str] | None = None
    problem: str | None = None


def problem_of(error: InputError, instance: str | None = None, index: int | None = None) -> Problem:
    """The problem that tells `error`; `index` is the place of the input in its request."""
    title = _ERRORS.get(error.code, _ERRORS["input"])[1]
    known = tuple(error.known) if isinstance(error, UnknownNameError) else None
    return Problem(
        type=_TYPE_PREFIX + error.code,
        title=title,
        status=error.status,
        detail=str(error),
        instance=instance,
        what=error.what,
        rule=error.rule,
        value=error.value,
        where=error.where,
        known=known,
        input=index,
    )


def result_of(outcome: Outcome) -> PredictResult:
    """One input's result on the wire."""
    if isinstance(outcome, InputError):
        return PredictResult(error=problem_of(outcome))
    if isinstance(outcome, Predictions):
        return PredictResult(tuple(outcome), details=dict(outcome.details))
    return PredictResult(outcome)


def outcome_of(result: PredictResult) -> Outcome:
    """What `result_of` was given."""
    if result.error is not None:
        return error_of(result.error)
    if result.details is None:
        return result.predictions or ()
    details = result.details
    return Predictions(result.predictions or (), lambda: details)


def is_input_problem(problem: Problem) -> bool:
    """Whether `error_of` can turn the problem back into an `InputError`."""
    return problem.type.startswith(_TYPE_PREFIX) and problem.what is not None and problem.rule is not None


def error_of(problem: Problem) -> InputError:
    """The `InputError` that `problem_of` was given, with the same class (or `InputError`), message and members."""
    kind = _ERRORS.get(problem.type.removeprefix(_TYPE_PREFIX), _ERRORS["input"])[0]
    # The constructors compose a message from live values; here the message is already composed.
    error = kind.__new__(kind)
    error.args = (problem.detail,)
    error.what, error.rule = problem.what or "", problem.rule or ""
    error.value, error.where = problem.value, problem.where
    if isinstance(error, UnknownNameError):
        error.known = list(problem.known or ())
    return error


def origin_of(predictor: Predictor) -> str:
    """Where a predictor of a `ModelStore` was loaded from: ``packaged``, or MLflow's address of its version."""
    _, registered, number = predictor.version.partition("registry-")
    return f"models:/{predictor.name}/{number}" if registered else "packaged"


def devices_of(predictor: Predictor) -> list[DeviceInfo]:
    """What there is to know about the devices of a predictor."""
    return [
        DeviceInfo(
            device.name,
            predictor.kind,
            device.profile,
            tuple(predictor.targets[name] for name in device.targets),
            dict(device.descriptor),
        )
        for device in predictor.devices.values()
    ]


def model_of(predictor: Predictor, source: str) -> ModelInfo:
    """What there is to know about a predictor that was loaded from `source`."""
    return ModelInfo(
        name=predictor.name,
        version=predictor.version,
        kind=predictor.kind,
        source=source,
        devices=tuple(predictor.devices),
        targets=tuple(predictor.targets.values()),
        card=dict(predictor.card),
    )
