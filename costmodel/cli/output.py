"""What commands print: tables for people, JSON for programs, errors on standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from costmodel.prediction import Prediction
from featurizers.errors import InputError

_MAX_CELL = 60


def print_json(body: object) -> None:
    """One JSON document on one line, in the service's form."""
    print(msgspec.json.encode(body).decode())


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns."""
    shown = [header, *[[_cut(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in shown) for i in range(len(header))]
    for row in shown:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cut(cell: str) -> str:
    # A model's name or an encoding tells itself apart at its end as well as at its start.
    half = _MAX_CELL // 2
    return cell if len(cell) <= _MAX_CELL else f"{cell[: half - 1]}…{cell[-half:]}"


def print_error(command: str, name: str, error: InputError) -> None:
    """What is wrong with one input."""
    print(f"costmodel {command}: {name}: {error}", file=sys.stderr)


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def interval(prediction: Prediction) -> str:
    """The interval with its coverage."""
    return f"{number(prediction.low)} .. {number(prediction.high)} ({prediction.coverage:.0%})"


def note(prediction: Prediction) -> str:
    """Why not to trust a prediction, or nothing."""
    return "" if prediction.in_domain else "out of domain: " + "; ".join(prediction.reasons)


def print_details(name: str, details: Mapping[str, Any]) -> None:
    """What a kind says beside its predictions: single values on a line each, then notes."""
    for key, value in details.items():
        if value is not None and isinstance(value, (str, int, float)):
            print(f"{name}: {key.replace('_', ' ')}: {number(value) if isinstance(value, float) else value}")
    for key, share in dict(details.get("percent_of_part") or {}).items():
        print(f"{name}: {key}: {number(share)}% of the part")
    for sentence in details.get("notes") or ():
        print(f"{name}: note: {sentence}")
