"""Measurements that cannot be right are refused with the reason, before they teach anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from costmodel.regressors.base import Array
from featurizers.errors import InputError
from featurizers.network.nas_physics import OpIndices

MIN_MEASUREMENTS = 3
_CONTRADICTION = 1.5
_FAR_OUTSIDE = 60.0
"""Times slower than the slowest known device, or faster than the fastest: another unit, not another device."""
_OFF_FACTOR = 100.0
"""A single value so far from what the others imply was not measured badly but written in another unit."""
_UNITS = {3: "microseconds", 6: "nanoseconds", -3: "seconds"}


def check_measurements(ops: OpIndices, latency_ms: Sequence[float] | Array) -> Array:
    """Latencies as float64 (n,). InputError: fewer than three, not positive and finite, an architecture twice."""
    values = check_values(ops, latency_ms)
    if len(values) < MIN_MEASUREMENTS:
        raise InputError("A new device", f"needs at least {MIN_MEASUREMENTS} measurements", len(values))
    _check_repeats(ops, values)
    return values


def check_values(ops: OpIndices, latency_ms: Sequence[float] | Array) -> Array:
    """Latencies as float64 (n,), one per architecture, at least one, positive and finite; else InputError."""
    given = np.asarray(latency_ms)
    if given.ndim != 1 or given.dtype.kind not in "fiu":
        raise InputError("The latencies", "are a list of numbers in milliseconds", latency_ms)
    values = given.astype(np.float64)
    if len(values) != len(ops):
        raise InputError("The latencies", f"are one for each of the {len(ops)} architectures", len(values))
    if len(values) == 0:
        raise InputError("The measurements", "are at least one", 0)
    for index, value in enumerate(values):
        if not (math.isfinite(value) and value > 0):
            raise InputError("A latency", "is positive and finite", float(value), where=f"measurement {index}")
    return values


def _check_repeats(ops: OpIndices, values: Array) -> None:
    first: dict[bytes, int] = {}
    for index, row in enumerate(ops):
        earlier = first.setdefault(row.tobytes(), index)
        if earlier == index:
            continue
        where, pair = f"measurements {earlier} and {index}", [float(values[earlier]), float(values[index])]
        if max(pair) > _CONTRADICTION * min(pair):
            rule = f"does not change by more than {_CONTRADICTION} times between repeats; these contradict each other"
            raise InputError("The latency of one architecture", rule, pair, where=where)
        raise InputError("An architecture", "is given once, with the median of its repeats", pair, where=where)


def check_scale(level: float, known_levels: Array) -> None:
    """`level`: mean log latency that the measurements imply for the pool; known_levels : (d,) those of known devices.

    Raises InputError when it lies far outside of all of them, naming the unit that would explain it.
    """
    above = level - float(known_levels.max())
    below = float(known_levels.min()) - level
    outside = max(above, below)
    if outside <= math.log(_FAR_OUTSIDE):
        return
    decades = (level - float(known_levels.mean())) / math.log(10)
    power = min(_UNITS, key=lambda p: abs(decades - p))
    direction = "slower than the slowest" if above > 0 else "faster than the fastest"
    raise InputError(
        "The latencies",
        f"are in milliseconds; these make the device {math.exp(outside):.0f} times {direction} known device, "
        f"as if they were in {_UNITS[power]}",
    )


def check_agreement(residual: Array, latency_ms: Array, kept: Callable[[], Array]) -> None:
    """residual : (n,) log latency over a latency that fits every architecture roughly. kept : (n,), 0 for a network
    whose output does not depend on its input: a runtime may fold all of it away, so that any value is right.

    Raises InputError for a measurement a hundred times off from what the others imply, before it teaches anything: a
    share of a latency cannot be less than nothing, so a value that is far too small is no outlier to the fit.
    """
    off = residual - np.median(residual)
    if np.abs(off).max() <= math.log(_OFF_FACTOR):
        return
    off = off * kept()
    worst = int(np.argmax(np.abs(off)))
    if abs(off[worst]) <= math.log(_OFF_FACTOR):
        return
    implied, decades = latency_ms[worst] / math.exp(off[worst]), max(1, round(abs(off[worst]) / math.log(1e3))) * 3
    rule = f"agrees with the device's other measurements, which imply some {implied:.2g}, as if its unit were off by"
    raise InputError("A latency", f"{rule} 10^{decades}", float(latency_ms[worst]), where=f"measurement {worst}")
