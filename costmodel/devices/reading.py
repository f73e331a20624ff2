"""From what a caller sends to measurements in the target's unit: every rule that they can break, each told by name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from costmodel.devices.protocol import BATCH, Adapter, batch_of
from costmodel.devices.wire import MeasuredInput
from costmodel.prediction import Target
from costmodel.state import Measurement
from featurizers.errors import InputError, LimitError, UnknownNameError

TIME_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MEASUREMENTS_MAX = 1000
CONTRADICTION = 1.5
_TEXT_CHARS_MAX = 20_000


def checked_name(name: str) -> str:
    """A device's name. Raises InputError."""
    if not NAME.fullmatch(name) or name in ("plan",):
        rule = "must be 1 to 100 of the characters A-Z a-z 0-9 . _ -, begin with a letter or digit, and not be 'plan'"
        raise InputError("The name of a device", rule, name, where="name")
    return name


def checked_document(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """A descriptor or conditions: names with JSON values, of a size that can be shown. Raises LimitError."""
    if len(repr(document)) > _TEXT_CHARS_MAX:
        raise LimitError(f"The field '{name}'", f"must take at most {_TEXT_CHARS_MAX} characters", len(repr(document)))
    return dict(document)


def read_measurements(
    given: Sequence[MeasuredInput], adapter: Adapter, unit: str | None, conditions: Mapping[str, Any], batch: int | None
) -> tuple[list[Measurement], int]:
    """Measurements, and the one batch size that all share. batch : what it has to be (None: what they say, else 1).

    Raises InputError: an unknown unit or none, not positive, an input twice, contradicting repeats, mixed batch sizes,
    and what the space refuses.
    """
    if len(given) > MEASUREMENTS_MAX:
        raise LimitError("The list of measurements", f"must hold at most {MEASUREMENTS_MAX}", len(given))
    if not given:
        raise InputError("The list of measurements", "must hold at least one measurement", 0)
    read = [_measurement(entry, index, adapter, unit, conditions) for index, entry in enumerate(given)]
    _check_repeats(read, [_identity(adapter, m, i) for i, m in enumerate(read)])
    return read, _one_batch(read, batch)


def _identity(adapter: Adapter, measurement: Measurement, index: int) -> str:
    try:
        return adapter.identity(measurement.raw)
    except InputError as error:
        error.where = f"measurement {index}" + (f", {error.where}" if error.where else "")
        raise


def _measurement(
    given: MeasuredInput, index: int, adapter: Adapter, unit: str | None, conditions: Mapping[str, Any]
) -> Measurement:
    where = f"measurement {index}"
    value, given_unit = _value(given, unit, where)
    factor = _factor(given_unit, adapter.target, where)
    if not (math.isfinite(value) and value > 0):
        raise InputError("A measured value", "must be positive and finite", value, where=where)
    own = checked_document("conditions", given.conditions)
    return Measurement(dict(given.input), value * factor, value, given_unit, {**conditions, **own})


def _value(given: MeasuredInput, unit: str | None, where: str) -> tuple[float, str]:
    if (given.latency_ms is None) == (given.value is None):
        raise InputError("A measurement", "must have either 'latency_ms' or 'value' with a unit", where=where)
    if given.latency_ms is not None:
        if given.unit not in (None, "ms"):
            raise InputError("The unit of 'latency_ms'", "must be ms", given.unit, where=where)
        return given.latency_ms, "ms"
    chosen = given.unit or unit
    if chosen is None:
        raise InputError("A measured value", f"must have a unit: {', '.join(TIME_UNITS)}", where=where)
    return float(given.value or 0.0), chosen


def _factor(unit: str, target: Target, where: str) -> float:
    """From `unit` to the target's."""
    if target.unit in TIME_UNITS:
        if unit not in TIME_UNITS:
            raise UnknownNameError("unit of time", unit, TIME_UNITS, where=where)
        return TIME_UNITS[unit] / TIME_UNITS[target.unit]
    if unit != target.unit:
        raise UnknownNameError(f"unit of '{target.name}'", unit, [target.unit], where=where)
    return 1.0


def _check_repeats(read: Sequence[Measurement], identities: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for index, identity in enumerate(identities):
        earlier = first.setdefault(identity, index)
        if earlier == index:
            continue
        pair, where = [read[earlier].value, read[index].value], f"measurements {earlier} and {index}"
        if max(pair) > CONTRADICTION * min(pair):
            rule = f"does not change by more than {CONTRADICTION} times between repeats; these contradict each other"
            raise InputError("The measured value of one input", rule, pair, where=where)
        raise InputError("An input", "is given once, with the median of its repeats", pair, where=where)


def _one_batch(read: Sequence[Measurement], required: int | None) -> int:
    """The batch of the inputs (option `batch`) and of the conditions, which must all agree."""
    found: dict[int, int] = {}
    for index, measurement in enumerate(read):
        named = [_batch(fields, index) for fields in (measurement.raw, measurement.conditions) if BATCH in fields]
        for batch in named or [required or 1]:
            found.setdefault(batch, index)
    if len(found) > 1:
        sizes = " and ".join(f"{batch} (measurement {index})" for batch, index in sorted(found.items()))
        rule = f"must be of one batch size, these are of {sizes}: each batch size is a device of its own"
        raise InputError("The measurements of a device", rule, sorted(found))
    (batch,) = found
    if required is not None and batch != required:
        rule = f"must be of the device's batch size {required}: another batch size is another device"
        raise InputError("The measurements", rule, batch)
    return batch


def _batch(fields: Mapping[str, Any], index: int) -> int:
    batch = batch_of(fields)
    if batch is None:
        rule = "must be a whole number of at least 1"
        raise InputError("The batch size", rule, fields[BATCH], where=f"measurement {index}")
    return batch
