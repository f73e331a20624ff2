"""A JSON object of fields as a spec: types, names and values checked, each fault named with its place."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

from featurizers.cpu.spec import NUMBER_FIELDS, TEXT_FIELDS
from featurizers.cpu.tables import microarchitectures
from featurizers.errors import InputError, UnknownNameError

SOURCES = ("lscpu", "meminfo", "cpuinfo", "dmidecode")
_GIVEN = {*NUMBER_FIELDS, *TEXT_FIELDS, "flags"}
_MAX_TEXT = 300
_MAX_FLAGS = 2000
_ALLOCATIONS = ("", "dedicated", "shared", "burstable")


@functools.cache
def known_flags() -> frozenset[str]:
    """Names of CPU features as Linux prints them in ``/proc/cpuinfo`` (arch/x86 and arch/arm64, up to Linux 6.12)."""
    text = (resources.files("featurizers.cpu") / "tables" / "flags.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def read_fields(raw: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a `ServerSpec` that `raw` gives; ``None`` stands for unknown.

    Raises
    ------
    InputError : a field of the wrong type. UnknownNameError : an unknown field, flag or micro-architecture.
    """
    fields: dict[str, object] = {}
    for name, value in raw.items():
        if name in SOURCES or value is None:
            continue
        if name not in _GIVEN:
            raise UnknownNameError("field", str(name), [*_GIVEN, *SOURCES], where=f"$.{name}")
        fields[name] = _flags(value) if name == "flags" else _value(name, value)
    _check_names(fields)
    return fields


def _value(name: str, value: object) -> object:
    where = f"$.{name}"
    if name in TEXT_FIELDS:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or len(text) > _MAX_TEXT:
            raise InputError(f"The '{name}'", f"must be text of at most {_MAX_TEXT} characters", value, where=where)
        return text
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"The '{name}'", "must be a finite number", value, where=where)
    return float(value)


def _flags(value: object) -> frozenset[str]:
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list | tuple | set | frozenset) or len(names) > _MAX_FLAGS:
        raise InputError("The 'flags'", "must be a list of names, or text with spaces", value, where="$.flags")
    for name in names:
        if name not in known_flags():
            raise UnknownNameError("CPU flag", str(name), known_flags(), where="$.flags")
    return frozenset(names)


def _check_names(fields: Mapping[str, object]) -> None:
    architecture = fields.get("microarchitecture")
    if architecture and architecture not in microarchitectures():
        known = microarchitectures()
        raise UnknownNameError("micro-architecture", str(architecture), known, where="$.microarchitecture")
    vendor = fields.get("cpu_vendor", "")
    if vendor not in ("", "intel", "amd", "arm"):
        raise UnknownNameError("CPU vendor", str(vendor), ("intel", "amd", "arm"), where="$.cpu_vendor")
    if fields.get("allocation", "") not in _ALLOCATIONS:
        raise UnknownNameError("allocation", str(fields["allocation"]), _ALLOCATIONS[1:], where="$.allocation")
