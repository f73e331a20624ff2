"""Predictions as flat records, the form that MLflow's table of results takes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from costmodel.kinds import kind_of
from costmodel.predictor import Predictor
from featurizers.errors import InputError


def prediction_records(
    predictor: Predictor, raws: Sequence[Mapping[str, Any]], devices: Sequence[str], targets: Sequence[str] | None
) -> list[dict[str, Any]]:
    """One record per prediction in input order; an input that fails has one record with its `error`."""
    binary = kind_of(predictor.kind).binary_fields
    decoded = [_decoded(raw, binary) for raw in raws]
    good = [raw for raw in decoded if not isinstance(raw, InputError)]
    outcomes = iter(predictor.predict(good, devices, targets))
    records: list[dict[str, Any]] = []
    for index, raw in enumerate(decoded):
        outcome = raw if isinstance(raw, InputError) else next(outcomes)
        if isinstance(outcome, InputError):
            records.append({"index": index, "error": str(outcome)})
            continue
        for prediction in outcome:
            record = msgspec.structs.asdict(prediction) | {"reasons": "; ".join(prediction.reasons)}
            records.append({"index": index, **record, "error": None})
    return records


def _decoded(raw: Mapping[str, Any], binary: Sequence[str]) -> dict[str, Any] | InputError:
    decoded = dict(raw)
    for name in binary:
        if isinstance(decoded.get(name), str):
            try:
                decoded[name] = base64.b64decode(decoded[name], validate=True)
            except ValueError:
                return InputError(f"The field '{name}'", "must be base64")
    return decoded
