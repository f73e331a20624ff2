"""Quantities as people and tools write them: ``48 KiB (2 instances)``, ``105 MB``, ``3,400 MHz``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from featurizers.errors import InputError

_QUANTITY = re.compile(r"^\s*([0-9][0-9,]*\.?[0-9]*)\s*([A-Za-z/]*)")
_INSTANCES = re.compile(r"\((\d+)\s+instances?\)")
# Tools write both KB and KiB for 1024 bytes when they speak of caches and memory, so both mean 1024 here.
_KIB = {"b": 1 / 1024, "k": 1, "kb": 1, "kib": 1, "m": 1024, "mb": 1024, "mib": 1024, "g": 1024**2, "gb": 1024**2}
_KIB |= {"gib": 1024**2, "t": 1024**3, "tb": 1024**3, "tib": 1024**3}
_GHZ = {"hz": 1e-9, "khz": 1e-6, "mhz": 1e-3, "ghz": 1.0}


def _scaled(text: str, units: Mapping[str, float], default: str, what: str, where: str | None) -> float:
    match = _QUANTITY.match(text)
    if match is None:
        raise InputError(f"The {what}", "must be a number with an optional unit", text, where=where)
    unit = match.group(2).lower() or default
    if unit not in units:
        raise InputError(f"The unit of the {what}", f"must be one of {', '.join(units)}", match.group(2), where=where)
    return float(match.group(1).replace(",", "")) * units[unit]


def kib(text: str, *, default: str = "kib", what: str = "size", where: str | None = None) -> float:
    """A size in KiB.

    >>> kib("48 KiB (2 instances)"), kib("105 MB"), kib("32768")
    (48.0, 107520.0, 32768.0)
    """
    return _scaled(text, _KIB, default, what, where)


def ghz(text: str, *, default: str = "mhz", what: str = "clock", where: str | None = None) -> float:
    """A clock in GHz.

    >>> ghz("3500.0000"), ghz("2.4 GHz")
    (3.5, 2.4)
    """
    return _scaled(text, _GHZ, default, what, where)


def instances(text: str) -> int | None:
    """How many caches a total of ``lscpu`` covers, or None where it does not say.

    >>> instances("96 KiB (2 instances)"), instances("96K")
    (2, None)
    """
    match = _INSTANCES.search(text)
    return int(match.group(1)) if match else None


def number(value: object) -> float:
    """A float, with everything that stands for a missing value (None, "", "-", NaN, pandas' NA) as NaN."""
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(str(value))
    except (TypeError, ValueError):
        return math.nan
