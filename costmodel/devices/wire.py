"""Bodies of the device routes, the same for REST, client and command line; encoded and decoded by msgspec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from costmodel.prediction import Target
from featurizers.errors import InputError

T = TypeVar("T", bound=msgspec.Struct)


def read(kind: type[T], fields: Mapping[str, Any]) -> T:
    """A body from plain fields. Raises InputError naming the one that is wrong."""
    try:
        return msgspec.convert(dict(fields), kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise InputError("The request", f"is wrong: {reason}", where=place.strip("`") or None) from None


class MeasuredInput(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One measured value of one raw input; files in it are base64 strings.

    Give `latency_ms`, or `value` with `unit` (or the request's unit). conditions : those that differ from the
    request's, `batch` among them.
    """

    input: dict[str, Any]
    latency_ms: float | None = None
    value: float | None = None
    unit: str | None = None
    conditions: dict[str, Any] = {}


class NewDevice(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A device to add.

    space : of its inputs, e.g. ``nasbench201`` (default: what the first input is given by). target : default that of
    the space. unit : of values without their own. conditions : of every measurement, e.g. runtime, threads, `batch`
    (default 1). any_scale : learn also what looks like another unit.
    """

    name: str
    measurements: list[MeasuredInput]
    kind: str = "network"
    space: str | None = None
    target: str | None = None
    unit: str | None = None
    descriptor: dict[str, Any] = {}
    conditions: dict[str, Any] = {}
    any_scale: bool = False


class MoreMeasurements(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """More measurements of a device that was added."""

    measurements: list[MeasuredInput]
    unit: str | None = None
    conditions: dict[str, Any] = {}


class PlanQuestion(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Which `n` inputs to measure.

    Of a new device: name its `space`, and in `measured` what was or will be measured already. Of an added one: name the
    `device`, whose measurements then count. candidates : choose among these inputs.
    """

    n: int = 10
    kind: str = "network"
    space: str | None = None
    device: str | None = None
    measured: list[dict[str, Any]] = []
    candidates: list[dict[str, Any]] | None = None
    seed: int = 0


class PlanAnswer(msgspec.Struct, frozen=True):
    """Inputs to measure, the most telling one first: the first k of them are a plan for k."""

    space: str
    inputs: list[dict[str, Any]]


class Residual(msgspec.Struct, frozen=True):
    """A measurement beside what the device answers for it. trust : towards 0 where the others make it implausible."""

    input: dict[str, Any]
    measured: float
    predicted: float
    low: float
    high: float
    trust: float


class Fit(msgspec.Struct, frozen=True):
    """How the device's learner fits its measurements. learner : the champion.

    median_error : median of abs(predicted / measured - 1) over the measurements, each predicted with the others alone
    (null with three measurements, where that cannot be done).
    """

    learner: str
    measurements: int
    median_error: float | None
    residuals: list[Residual]


class Outlier(msgspec.Struct, frozen=True):
    """A measurement of the request, by its index, far from what the device's other measurements say."""

    index: int
    measured: float
    predicted: float


class VersionInfo(msgspec.Struct, frozen=True):
    """One version of a device: what was added, and what was found.

    drift : typical measured over predicted where it is surely not 1: the device has changed since it was added.
    """

    version: int
    created_at: float
    measurements: int
    learner: str
    outliers: list[Outlier]
    drift: float | None


class AddedDevice(msgspec.Struct, frozen=True):
    """A device that a user added. created_at : seconds since 1970. The last of `versions` is the present one."""

    id: str
    name: str
    kind: str
    space: str
    target: Target
    batch: int
    descriptor: dict[str, Any]
    conditions: dict[str, Any]
    version: int
    created_at: float
    fit: Fit
    versions: list[VersionInfo]


class Removed(msgspec.Struct, frozen=True):
    """The device that is no longer there."""

    id: str
    name: str
