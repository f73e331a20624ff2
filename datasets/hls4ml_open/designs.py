"""Which designs there are: the parameters of design `number` are a function of it and of `SEED`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

SEED = 20261122
FAMILIES = ("da-dense", "reuse-dense", "da-dense", "reuse-dense", "da-conv")
"""Distributed arithmetic by da4ml, and products shared over several cycles; design n is of the n-th, in turns."""

_FEWEST_PRODUCTS, _MOST_PRODUCTS = 6, 128
_MOST_MULTIPLIERS, _MOST_SHARED_PRODUCTS = 6, 144
"""Yosys takes about 25 ms of a core for each LUT, so most designs are small."""

_CUTOFFS = (-1, 1, 2, 4)
Random = np.random.Generator


def draw(number: int) -> dict[str, Any]:
    """Parameters of a design. `sizes` : units of each layer, the input first; `weight_bits` and `input_bits` : signed.

    A convolution has a kernel (k, k) over (height, width, channels) without padding instead of `sizes`.
    """
    random = np.random.default_rng([SEED, number])
    family = FAMILIES[number % len(FAMILIES)]
    drawn = {"da-dense": _dense, "da-conv": _conv, "reuse-dense": _reuse}[family](random)
    return {"number": number, "family": family, **drawn}


def _dense(random: Random) -> dict[str, Any]:
    most = _log_uniform(random, _FEWEST_PRODUCTS, _MOST_PRODUCTS)
    while True:
        sizes = [int(n) for n in random.integers(2, 25, size=int(random.choice([2, 2, 3, 4])))]
        if most / 2 <= products(sizes) <= most:
            return {"sizes": sizes, **_arithmetic(random)}


def _conv(random: Random) -> dict[str, Any]:
    most = _log_uniform(random, _FEWEST_PRODUCTS, _MOST_PRODUCTS)
    while True:
        kernel = [int(n) for n in (random.integers(1, 4, 2) if random.random() < 0.6 else (1, random.integers(2, 6)))]
        image = [k + int(more) for k, more in zip(kernel, random.integers(0, 3, 2), strict=True)]
        channels, filters = int(random.integers(1, 5)), int(random.integers(1, 9))
        positions = (image[0] - kernel[0] + 1) * (image[1] - kernel[1] + 1)
        if most / 2 <= positions * kernel[0] * kernel[1] * channels * filters <= most:
            shape = {"image": [*image, channels], "kernel": kernel, "filters": filters}
            return {**shape, **_arithmetic(random)}


def _arithmetic(random: Random) -> dict[str, Any]:
    return {
        "weight_bits": int(random.integers(2, 9)),
        "input_bits": int(random.integers(3, 9)),
        "nonzero": round(float(random.uniform(0.3, 1.0)), 2),
        "latency_cutoff": int(random.choice(_CUTOFFS)),
    }


def _reuse(random: Random) -> dict[str, Any]:
    most = _log_uniform(random, 1, _MOST_MULTIPLIERS + 1)
    while True:
        sizes = [int(n) for n in random.integers(2, 25, size=int(random.choice([2, 2, 3])))]
        factors = [int(random.choice(_reuse_factors(a, b))) for a, b in itertools.pairwise(sizes)]
        multipliers = sum(a * b // rf for (a, b), rf in zip(itertools.pairwise(sizes), factors, strict=True))
        if multipliers <= max(most, len(factors)) and products(sizes) <= _MOST_SHARED_PRODUCTS:
            bits = {"weight_bits": int(random.integers(2, 15)), "input_bits": int(random.integers(3, 15))}
            return {"sizes": sizes, "reuse_factors": factors, **bits}


def _reuse_factors(n_in: int, n_out: int) -> list[int]:
    """As hls4ml allows them: divisors of n_in, and n_in times the divisors of n_out; above 1."""
    below = [d for d in range(2, n_in + 1) if n_in % d == 0]
    return below + [n_in * d for d in range(2, n_out + 1) if n_out % d == 0]


def _log_uniform(random: Random, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def products(sizes: list[int]) -> int:
    """Multiplications of a chain of dense layers."""
    return sum(a * b for a, b in itertools.pairwise(sizes))


def weights(design: dict[str, Any], layer: int, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Integers of `weight_bits` bits, uniform, a share of them zero."""
    random = np.random.default_rng([SEED, design["number"], 1 + layer])
    largest = 2 ** (design["weight_bits"] - 1)
    drawn = random.integers(-largest, largest, size=shape)
    return np.asarray(drawn * (random.random(shape) < design.get("nonzero", 1.0)), dtype=np.int64)


def signed_digits(design: dict[str, Any], layer: int, shape: tuple[int, int]) -> float:
    """Digits other than 0 of a weight on average, in canonical signed digits: the bits of ``n ^ 3n``."""
    whole = np.abs(weights(design, layer, shape))
    return round(float(np.bitwise_count(whole ^ (3 * whole)).mean()), 4)
