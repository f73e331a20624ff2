"""Where the time of a request goes, by kind, and whether another body than JSON would save any of it.

One process, no HTTP: the bytes of a request are read, its inputs parsed and featurised, the models asked, the answer
written; `models_us` is what remains of the predictor's time after parsing and featurising. Per input, medians.
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


class _Body(msgspec.Struct):
    device: str
    inputs: list[Any]


def phase_row(predictor: Predictor, device: str, inputs: Sequence[Any], items: int) -> dict[str, Any]:
    """Of requests with `items` inputs each. Times in microseconds per input."""
    batches = [list(inputs[start : start + items]) for start in range(0, max(items, _ENOUGH_INPUTS), items)]
    answers = [PredictAnswer([result_of(each) for each in predictor.predict(batch, [device])]) for batch in batches]
    subjects = [[predictor.featurizer.parse(raw) for raw in batch] for batch in batches]
    profile = predictor.devices[device].profile
    extras = extras_of(predictor.model(device, predictor.devices[device].targets[0]).regressor)
    asked = [msgspec.json.encode(_Body(device, batch)) for batch in batches]
    packed = [msgspec.msgpack.encode(_Body(device, batch)) for batch in batches]
    times = {
        "read_json": _median_us(msgspec.json.Decoder(_Body).decode, asked, items),
        "parse": _median_us(lambda batch: [predictor.featurizer.parse(raw) for raw in batch], batches, items),
        "features": _median_us(
            lambda parsed: predictor.featurizer.features(parsed, profile=profile, extras=extras), subjects, items
        ),
        "predict": _median_us(lambda batch: predictor.predict(batch, [device]), batches, items),
        "write_json": _median_us(msgspec.json.Encoder().encode, answers, items),
        "read_msgpack": _median_us(msgspec.msgpack.Decoder(_Body).decode, packed, items),
        "write_msgpack": _median_us(msgspec.msgpack.Encoder().encode, answers, items),
    }
    times["models"] = max(times.pop("predict") - times["parse"] - times["features"], 0.0)
    row: dict[str, Any] = {f"{name}_us": found for name, found in times.items()}
    row["msgpack_would_save"] = _saved(times)
    return {"kind": predictor.kind, "inputs": items, **row}


def _saved(times: dict[str, float]) -> float:
    """The share of all the time that bodies in msgpack would save."""
    json = times["read_json"] + times["write_json"]
    packed = times["read_msgpack"] + times["write_msgpack"]
    return (json - packed) / (json + times["parse"] + times["features"] + times["models"])


def _median_us(work: Callable[[Any], Any], arguments: Sequence[Any], items: int) -> float:
    found = []
    for _ in range(_TIMES):
        started = perf_counter()
        for argument in arguments:
            work(argument)
        found.append((perf_counter() - started) / len(arguments) / items * 1e6)
    return statistics.median(found)
