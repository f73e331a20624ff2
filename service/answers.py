"""What is asked of a predictor -> the encoded answer. Three operations, each the same for every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from costmodel.prediction import Explanation, Prediction
from costmodel.predictor import Outcome, Predictor, Ranked
from costmodel.wire import (
    ExplainAnswer,
    ExplainResult,
    FailedInput,
    PredictResult,
    RankAnswer,
    problem_of,
    result_of,
)
from featurizers.core import Raw
from featurizers.errors import InputError, UnknownNameError
from service.asked import Asked
from service.memory import Memory, Told
from service.problems import BadInputError

Observe = Callable[[Sequence[Told]], None]
"""Told the results of an answer."""
Operation = Callable[[Predictor, Asked, Observe], bytes]

_CHUNK = 1024
_FILES_CHUNK = 128
"""Inputs featurised together: bounds the memory of a request of any length (a parsed file takes 100 kB and more)."""
_REMEMBERED_INPUT_BYTES = 4096
"""A longer input is a file or as good as one: reading it is what costs, and few come twice."""
_encode = msgspec.json.Encoder().encode


class Predict:
    """One result per input, in the order of the inputs. What was answered before is looked up, see `memory`."""

    def __init__(self, memory_bytes_max: int):
        self._bytes_max = memory_bytes_max
        self._memories: dict[str, tuple[Predictor, Memory]] = {}

    def __call__(self, predictor: Predictor, asked: Asked, observe: Observe) -> bytes:
        """Every result, or the error of the only input."""
        check(predictor, asked)
        return joined(self.told(predictor, asked, self.known(predictor, asked)), observe)

    def known(self, predictor: Predictor, asked: Asked) -> list[Told | None]:
        """What is remembered of the inputs of a checked question, in their order; None of what is not."""
        if asked.texts is None or not self._bytes_max:
            return [None] * len(asked)
        memory, about = self._memory(predictor), (asked.devices, asked.targets)
        return [memory.get((about, text), len(text)) for text in asked.texts]

    def told(self, predictor: Predictor, asked: Asked, known: Sequence[Told | None]) -> list[Told]:
        """One result per input: what is `known`, and the rest computed and remembered."""
        missing = [i for i, told in enumerate(known) if told is None]
        answered = [each for chunk in _fresh(predictor, asked, missing) for each in chunk]
        if asked.texts is not None and self._bytes_max:
            memory, about = self._memory(predictor), (asked.devices, asked.targets)
            for i, told in zip(missing, answered, strict=True):
                text = asked.texts[i]
                if not told.failed and len(text) <= _REMEMBERED_INPUT_BYTES:
                    memory.put((about, text), len(text), told)
        fresh = iter(answered)
        return [next(fresh) if told is None else told for told in known]

    def _memory(self, predictor: Predictor) -> Memory:
        """Of this very predictor: a new champion, or a device added to the old one, starts from nothing."""
        owner, memory = self._memories.get(predictor.kind, (None, None))
        if owner is not predictor or memory is None:
            memory = Memory(self._bytes_max)
            self._memories[predictor.kind] = (predictor, memory)
        return memory


def check(predictor: Predictor, asked: Asked) -> None:
    """Settle the devices. Raises InputError and UnknownNameError for what no input could mend."""
    _refuse_weights(asked)
    asked.devices = _devices(predictor, asked)


def joined(told: Sequence[Told], observe: Observe) -> bytes:
    """The answer that has these results. Raises BadInputError where the only one is an error."""
    observe(told)
    if len(told) == 1:
        if isinstance(told[0], Refused):
            raise BadInputError(told[0].error)
        return b'{"results":[' + told[0].encoded + b"]}"
    return b'{"results":[' + b",".join([each.encoded for each in told]) + b"]}"


@dataclass(slots=True)
class Refused(Told):
    """An input that could not be answered; its error is the request's where the request holds nothing else."""

    error: InputError


def told_of(outcome: Outcome) -> Told:
    """One input's outcome as it is sent and counted."""
    if isinstance(outcome, InputError):
        return Refused(_encode(result_of(outcome)), 0, 0, 1, (), outcome)
    if len(outcome) == 1 and type(outcome) is tuple:  # most of what is asked by the thousand
        [p] = outcome
        return Told(_encode(PredictResult(outcome)), 1, not p.in_domain, 0, (p.high / p.low,) if p.low > 0 else ())
    strangers = sum(not prediction.in_domain for prediction in outcome)
    return Told(_encode(result_of(outcome)), len(outcome), strangers, 0, _widths(outcome))


def _widths(predictions: Iterable[Prediction]) -> tuple[float, ...]:
    return tuple(prediction.high / prediction.low for prediction in predictions if prediction.low > 0)


def _fresh(predictor: Predictor, asked: Asked, indices: Sequence[int]) -> Iterator[list[Told]]:
    """Results of the given inputs, a chunk at a time: the features of all at once would be too large."""
    step = _FILES_CHUNK if asked.has_files else _CHUNK
    for start in range(0, len(indices), step):
        chunk = asked.chosen(indices[start : start + step])
        readable = [raw for raw in chunk if not isinstance(raw, InputError)]
        answers = iter(predictor.predict(readable, asked.devices, asked.targets) if readable else [])
        yield [told_of(raw if isinstance(raw, InputError) else next(answers)) for raw in chunk]


def _counted(predictions: Sequence[Prediction], failed: int) -> list[Told]:
    strangers = sum(not prediction.in_domain for prediction in predictions)
    return [Told(b"", len(predictions), strangers, failed, _widths(predictions))]


def rank(predictor: Predictor, asked: Asked, observe: Observe) -> bytes:
    """Inputs best first on one device by one target."""
    asked.devices = _devices(predictor, asked)
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
    observe(_counted([entry.prediction for entry in ranking], len(errors)))
    if len(asked.inputs) == 1 and errors:
        raise BadInputError(errors[0])
    return _encode(RankAnswer(ranking, [FailedInput(i, problem_of(errors[i], index=i)) for i in sorted(errors)]))


def explain(predictor: Predictor, asked: Asked, observe: Observe) -> bytes:
    """One explanation per input: the predicted total shared among the input's parts."""
    _refuse_weights(asked)
    asked.devices = _devices(predictor, asked)
    device, target = _one_device(asked), _one_target(predictor, asked)
    outcomes = [_explanation(predictor, raw, device, target) for raw in asked.inputs]
    explained = [outcome.prediction for outcome in outcomes if isinstance(outcome, Explanation)]
    observe(_counted(explained, len(outcomes) - len(explained)))
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


def _devices(predictor: Predictor, asked: Asked) -> tuple[str, ...]:
    """Those asked about, or the kind's default where none was named. Raises where the predictor has not all of them."""
    if not asked.devices and predictor.default_device is not None:
        return (predictor.default_device,)
    if not asked.devices:
        raise InputError("The request", f"must name a device. Known: {', '.join(sorted(predictor.devices))}")
    for device in asked.devices:
        if device not in predictor.devices:
            raise UnknownNameError("device", device, predictor.devices)
    return asked.devices


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
