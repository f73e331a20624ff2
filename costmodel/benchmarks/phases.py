"""Where the time of a request goes, by kind, and whether another body than JSON would save any of it.

One process, no HTTP: the bytes of a request are read, its inputs parsed and featurised, the models asked, the answer
written; `models_us` is what remains of the predictor's time after parsing and featurising. Per input, medians. Every
timing of parser, features and predictor has inputs of its own: what was found of one is remembered here and there.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import msgspec

from costmodel.predictor import Predictor
from costmodel.regressors import extras_of
from costmodel.wire import PredictAnswer, result_of

_TIMES = 5
_ENOUGH_INPUTS = 50
"""Inputs per timing: single requests are repeated until there are so many."""
Batches = list[list[Any]]


class _Body(msgspec.Struct):
    device: str
    inputs: list[Any]


def phase_row(predictor: Predictor, device: str, inputs: Sequence[Any], items: int) -> dict[str, Any]:
    """Of requests with `items` inputs each. Times in microseconds per input."""
    turns = _turns(inputs, items)
    found = [_computed(predictor, device, *pair, items) for pair in zip(turns[::2], turns[1::2], strict=True)]
    times = {name: statistics.median(turn[name] for turn in found) for name in found[0]}
    times["models"] = max(times.pop("predict") - times["parse"] - times["features"], 0.0)
    times |= _written(predictor, device, turns[0], items)
    row: dict[str, Any] = {f"{name}_us": each for name, each in times.items()}
    row["msgpack_would_save"] = _saved(times)
    return {"kind": predictor.kind, "inputs": items, **row}


def _turns(inputs: Sequence[Any], items: int) -> list[Batches]:
    """Twice `_TIMES` timings' inputs, in requests of `items`."""
    size = max(items, _ENOUGH_INPUTS)
    starts = range(0, 2 * _TIMES * size, size)
    return [[list(inputs[place : place + items]) for place in range(s, s + size, items)] for s in starts]


def _computed(predictor: Predictor, device: str, whole: Batches, apart: Batches, items: int) -> dict[str, float]:
    """whole : what is predicted; apart : what is parsed and featurised alone."""
    profile = predictor.devices[device].profile
    extras = extras_of(predictor.model(device, predictor.devices[device].targets[0]).regressor)
    parse, features = predictor.featurizer.parse, predictor.featurizer.features
    subjects: Batches = []
    return {
        "predict": _us(lambda batch: predictor.predict(batch, [device]), whole, items),
        "parse": _us(lambda batch: subjects.append([parse(raw) for raw in batch]), apart, items),
        "features": _us(lambda parsed: features(parsed, profile=profile, extras=extras), subjects, items),
    }


def _written(predictor: Predictor, device: str, batches: Batches, items: int) -> dict[str, float]:
    """Reading and writing bodies in JSON and msgpack."""
    answers = [PredictAnswer([result_of(each) for each in predictor.predict(batch, [device])]) for batch in batches]
    asked = [msgspec.json.encode(_Body(device, batch)) for batch in batches]
    packed = [msgspec.msgpack.encode(_Body(device, batch)) for batch in batches]
    work: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
        "read_json": (msgspec.json.Decoder(_Body).decode, asked),
        "write_json": (msgspec.json.Encoder().encode, answers),
        "read_msgpack": (msgspec.msgpack.Decoder(_Body).decode, packed),
        "write_msgpack": (msgspec.msgpack.Encoder().encode, answers),
    }
    return {name: statistics.median(_us(*each, items) for _ in range(_TIMES)) for name, each in work.items()}


def _saved(times: dict[str, float]) -> float:
    """The share of all the time that bodies in msgpack would save."""
    json = times["read_json"] + times["write_json"]
    packed = times["read_msgpack"] + times["write_msgpack"]
    return (json - packed) / (json + times["parse"] + times["features"] + times["models"])


def _us(work: Callable[[Any], Any], arguments: Sequence[Any], items: int) -> float:
    """Microseconds per input."""
    started = perf_counter()
    for argument in arguments:
        work(argument)
    return (perf_counter() - started) / len(arguments) / items * 1e6
