"""What `mlflow models serve` offers, for clients that were written for it: the four JSON forms and CSV.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally ("REST endpoints"). A column ``input`` holds raw
inputs as JSON text, as our MLflow model has it; columns of other names are fields of the raw inputs. ``params``:
``kind`` (of which model, since this service has several; default ``network``), ``device`` and ``targets``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from costmodel.tracking.records import prediction_records
from featurizers.errors import InputError, LimitError
from service.problems import RefusedError
from service.source import PredictorSource

FORMS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
_DOCUMENT: Final = "input"
_DEFAULT_KIND: Final = "network"


class Split(msgspec.Struct, kw_only=True):
    """A table as pandas' ``orient="split"`` writes it."""

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


class Invocation(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Exactly one of the four forms, and parameters."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | dict[str, Any] | None = None
    inputs: list[Any] | dict[str, Any] | str | None = None
    params: dict[str, Any] | None = None


class InvocationAnswer(msgspec.Struct, frozen=True):
    """One record per prediction, or one with ``error`` for an input that could not be answered."""

    predictions: list[dict[str, Any]]


_decode = msgspec.json.Decoder(Invocation).decode


def from_json(body: bytes) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """Raw inputs and parameters. Raises `InputError` and `RefusedError` (400)."""
    try:
        asked = _decode(body)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise InputError("The JSON body", f"is wrong: {reason}", where=place.strip("`") or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, f"The body is not valid JSON: {error}") from None
    given = [form for form in FORMS if getattr(asked, form) is not None]
    if len(given) != 1:
        raise InputError("The JSON body", f"must hold exactly one of {', '.join(FORMS)}", given)
    return [_raw(row) for row in _rows(getattr(asked, given[0]))], asked.params or {}


def from_csv(body: bytes) -> list[dict[str, Any]]:
    """Raw inputs of a table with a header. Raises `InputError`."""
    try:
        rows = list(csv.DictReader(io.StringIO(body.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("The CSV body", f"cannot be read: {error}") from None
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise InputError("A row of the CSV body", "must have as many fields as the header", where=f"line {number}")
    return [_raw(row) for row in rows]


def _rows(form: Any) -> list[Any]:
    if isinstance(form, Split):
        for number, row in enumerate(form.data):
            if len(row) != len(form.columns):
                raise InputError("A row of 'dataframe_split'", f"must have {len(form.columns)} values", len(row),
                                 where=f"$.dataframe_split.data[{number}]")  # fmt: skip
        return [dict(zip(form.columns, row, strict=True)) for row in form.data]
    if isinstance(form, str):
        return [form]
    return _from_columns(form) if isinstance(form, dict) else list(form)


def _from_columns(columns: dict[str, Any]) -> list[Any]:
    """A dictionary of columns; one whose values are no lists is one row."""
    if not all(isinstance(values, list) for values in columns.values()):
        return [columns]
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise InputError("The columns", "must be of one length", sorted(lengths))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _raw(row: Any) -> dict[str, Any]:
    text = row.get(_DOCUMENT) if isinstance(row, dict) and _DOCUMENT in row else row
    if isinstance(text, str):
        try:
            text = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InputError(f"The column '{_DOCUMENT}'", f"must hold JSON text: {error}", text) from None
    if not isinstance(text, dict):
        raise InputError("An input", "must be an object of named fields, or its JSON text", text)
    return text


def answer(source: PredictorSource, raws: Sequence[dict[str, Any]], params: Mapping[str, Any], items_max: int) -> bytes:
    """The answer's body. Raises `InputError`, and LookupError for a kind without a model."""
    if not raws:
        raise InputError("The list of inputs", "must hold at least one input", 0)
    if len(raws) > items_max:
        raise LimitError("The list of inputs", f"must hold at most {items_max} inputs", len(raws))
    predictor = source.predictor(str(params.get("kind") or _DEFAULT_KIND))
    devices = _names(params, "device") or [predictor.default_device or next(iter(predictor.devices))]
    records = prediction_records(predictor, raws, devices, _names(params, "targets") or None)
    return msgspec.json.encode(InvocationAnswer(records))


def _names(params: Mapping[str, Any], name: str) -> list[str]:
    return [each.strip() for each in str(params.get(name) or "").split(",") if each.strip()]
