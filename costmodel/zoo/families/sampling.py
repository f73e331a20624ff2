"""Draws that give plain Python numbers, so that parameters are JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

Params = dict[str, Any]
ChoiceT = TypeVar("ChoiceT")

IMAGE_SIZES = (32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 256)


def pick(rng: np.random.Generator, choices: Sequence[ChoiceT]) -> ChoiceT:
    """One of `choices`, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(rng.integers(low, high + 1))


def log_between(rng: np.random.Generator, low: float, high: float, step: int = 1) -> int:
    """A multiple of `step`, log-uniform between the bounds."""
    value = math.exp(rng.uniform(math.log(low), math.log(high)))
    return max(step, round(value / step) * step)


def width(rng: np.random.Generator, low: float, high: float) -> int:
    """A number of channels: mostly a multiple of 8, sometimes of 4."""
    return log_between(rng, low, high, pick(rng, (8, 8, 8, 4)))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def rounded(channels: float, step: int = 8) -> int:
    """The nearest multiple of `step`, at least one step and never more than 10% below (MobileNet's rule)."""
    value = max(step, int(channels + step / 2) // step * step)
    return value + step if value < 0.9 * channels else value
