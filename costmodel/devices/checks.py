"""Measured values beside what a device answers: wrong units and contradictions refused, outliers and drift told."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from costmodel.devices.held import HeldDevice
from costmodel.devices.protocol import Answer
from costmodel.devices.reading import CONTRADICTION
from costmodel.fewshot import Comparison
from costmodel.fewshot.monitor import compare_estimates
from costmodel.regressors.base import Estimate
from costmodel.state import Measurement
from featurizers.errors import InputError

_OFF_FACTOR = 100.0
"""A single value so far from what the others imply was not measured badly but written in another unit."""
_NORMAL_90 = 1.6448536269514722


def check_magnitudes(answers: Sequence[Answer | InputError], measurements: Sequence[Measurement]) -> None:
    """Raises InputError for a measurement that is off by a factor of a thousand or a million from the others."""
    for index, (answer, measurement) in enumerate(zip(answers, measurements, strict=True)):
        if isinstance(answer, InputError):
            raise answer
        ratio = measurement.value / answer.value
        if not 1 / _OFF_FACTOR < ratio < _OFF_FACTOR:
            decades = round(math.log10(ratio) / 3) * 3
            hint = f", as if its unit were off by 10^{abs(decades)}" if decades else ""
            rule = f"must agree with the device's other measurements, which imply {answer.value:.4g}{hint}"
            shown = f"{measurement.given_value:g} {measurement.given_unit}"
            raise InputError("A measured value", rule, shown, where=f"measurement {index}")


def check_more(
    held: HeldDevice, answers: Sequence[Answer | InputError], measurements: Sequence[Measurement]
) -> Comparison:
    """Further measurements of a device beside its predictions.

    Raises InputError: another unit, or a repeat that contradicts the earlier measurement of the same input by more
    than the drift that all of them show.
    """
    check_magnitudes(answers, measurements)
    found = [answer for answer in answers if isinstance(answer, Answer)]
    values = np.array([measurement.value for measurement in measurements])
    comparison = compare_estimates(values, _estimate(found))
    earlier = {held.adapter.identity(m.raw): m.value for m in held.newest}
    for index, measurement in enumerate(measurements):
        before = earlier.get(held.adapter.identity(measurement.raw))
        if before is not None:
            _check_repeat(before, measurement.value, comparison.drift or 1.0, index)
    return comparison


def _check_repeat(before: float, value: float, drift: float, index: int) -> None:
    ratio = value / drift / before
    if 1 / CONTRADICTION <= ratio <= CONTRADICTION:
        return
    rule = f"does not change by more than {CONTRADICTION} times between repeats; these contradict each other"
    raise InputError("The measured value of one input", rule, [before, value], where=f"measurement {index}")


def _estimate(answers: Sequence[Answer]) -> Estimate:
    point = np.log([answer.value for answer in answers])
    spread = np.log([answer.high / answer.low for answer in answers]) / 2 / _NORMAL_90
    return Estimate(point, np.maximum(spread, 1e-6))
