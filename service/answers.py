"""What is asked of a predictor -> the encoded answer. Three operations, each the same for every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import msgspec

from costmodel.prediction import Explanation, Prediction
from costmodel.predictor import Outcome, Predictor, Ranked
from costmodel.wire import (
    ExplainAnswer,
    ExplainResult,
    FailedInput,
    RankAnswer,
    problem_of,
    result_of,
)
from featurizers.core import Raw
from featurizers.errors import InputError, UnknownNameError
from service.asked import Asked
from service.problems import BadInputError

Observe = Callable[[Sequence[Prediction], int], None]
"""Told the predictions of an answer and the number of inputs that failed."""
Operation = Callable[[Predictor, Asked, Observe], bytes]

_CHUNK = 1024
_FILES_CHUNK = 128
"""Inputs featurised together: bounds the memory of a request of any length (a parsed file takes 100 kB and more)."""
_encode = msgspec.json.Encoder().encode


def predict(predictor: Predictor, asked: Asked, observe: Observe) -> bytes:
    """One result per input, in the order of the inputs."""
    _refuse_weights(asked)
    asked = _with_devices(predictor, asked)
    encoded: list[bytes] = []
    for outcomes in _outcomes(predictor, asked):
        answered = [prediction for outcome in outcomes if not isinstance(outcome, InputError) for prediction in outcome]
        observe(answered, sum(isinstance(outcome, InputError) for outcome in outcomes))
        if len(asked.inputs) == 1 and isinstance(outcomes[0], InputError):
            raise BadInputError(outcomes[0])
        encoded.append(_encode([result_of(outcome) for outcome in outcomes])[1:-1])
    return b'{"results":[' + b",".join(encoded) + b"]}"


def _outcomes(predictor: Predictor, asked: Asked) -> Iterator[list[Outcome]]:
    step = _FILES_CHUNK if asked.has_files else _CHUNK
    for start in range(0, len(asked.inputs), step):
        chunk = asked.inputs[start : start + step]
        readable = [raw for raw in chunk if not isinstance(raw, InputError)]
        answers = predictor.predict(readable, asked.devices, asked.targets) if readable else []
        if len(readable) == len(chunk):
            yield answers
        else:
            rest = iter(answers)
            yield [raw if isinstance(raw, InputError) else next(rest) for raw in chunk]


def rank(predictor: Predictor, asked: Asked, observe: Observe) -> bytes:
    """Inputs best first on one device by one target."""
    asked = _with_devices(predictor, asked)
    device, target = _one_device(asked), _one_target(predictor, asked)
    errors = {i: raw for i, raw in enumerate(asked.inputs) if isinstance(raw, InputError)}
    readable = {i: raw for i, raw in enumerate(asked.inputs) if not isinstance(raw, InputError)}
    places = list(readable)
    ranking: list[Ranked] = []
    if readable:
        weights = {} if asked.weights is None else {"weights": asked.weights}
        ranked, failed = predictor.rank(list(readable.values()), device, target, **weights)
        ranking = [replace(entry, index=places[entry.index]) for entry in ranked] if errors else ranked
        errors |= {places[i]: error for i, error in failed.items()}
    observe([entry.prediction for entry in ranking], len(errors))
    if len(asked.inputs) == 1 and errors:
        raise BadInputError(errors[0])
    return _encode(RankAnswer(ranking, [FailedInput(i, problem_of(errors[i], index=i)) for i in sorted(errors)]))


def explain(predictor: Predictor, asked: Asked, observe: Observe) -> bytes:
    """One explanation per input: the predicted total shared among the input's parts."""
    _refuse_weights(asked)
    asked = _with_devices(predictor, asked)
    device, target = _one_device(asked), _one_target(predictor, asked)
    outcomes = [_explanation(predictor, raw, device, target) for raw in asked.inputs]
    explained = [outcome.prediction for outcome in outcomes if isinstance(outcome, Explanation)]
    observe(explained, len(outcomes) - len(explained))
    if len(outcomes) == 1 and isinstance(outcomes[0], InputError):
        raise BadInputError(outcomes[0])
    results = [
        ExplainResult(error=problem_of(outcome)) if isinstance(outcome, InputError) else ExplainResult(outcome)
        for outcome in outcomes
    ]
    return _encode(ExplainAnswer(results))


def _explanation(
    predictor: Predictor, raw: Raw | InputError, device: str, target: str | None
) -> Explanation | InputError:
    if isinstance(raw, InputError):
        return raw
    try:
        return predictor.explain(raw, device, target)
    except InputError as error:
        return error


def _refuse_weights(asked: Asked) -> None:
    if asked.weights is not None:
        raise InputError("The field 'weights'", "belongs to a ranking", dict(asked.weights), where="$.weights")


def _with_devices(predictor: Predictor, asked: Asked) -> Asked:
    """With the kind's default device where none was named, and only devices that the predictor has."""
    if not asked.devices and predictor.default_device is not None:
        return replace(asked, devices=(predictor.default_device,))
    if not asked.devices:
        raise InputError("The request", f"must name a device. Known: {', '.join(sorted(predictor.devices))}")
    for device in asked.devices:
        if device not in predictor.devices:
            raise UnknownNameError("device", device, predictor.devices)
    return asked


def _one_device(asked: Asked) -> str:
    if len(asked.devices) > 1:
        raise InputError("The list of devices", "must name one device for this operation", list(asked.devices))
    return asked.devices[0]


def _one_target(predictor: Predictor, asked: Asked) -> str | None:
    if asked.targets is None:
        return None
    if len(asked.targets) != 1:
        raise InputError("The list of targets", "must name one target for this operation", list(asked.targets))
    # Checked here, where a wrong name is the request's fault, and not again as the fault of each input.
    offered = predictor.devices[asked.devices[0]].targets
    if asked.targets[0] not in offered:
        raise UnknownNameError(f"target of device '{asked.devices[0]}'", asked.targets[0], offered)
    return asked.targets[0]
