"""Measurements and inputs from files: CSV with a column per field, or JSON as the service takes it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.kinds import Kind
from featurizers.errors import InputError

_VALUES = ("latency_ms", "value", "unit")
_LISTS = ("ks", "e", "d")
_CONDITION = "condition."


def read_measurements(path: Path, kind: Kind) -> list[dict[str, Any]]:
    """Measurements as the service takes them. Raises InputError.

    CSV: columns ``latency_ms``, or ``value`` and ``unit``; ``condition.NAME`` for conditions; every other column is a
    field of the input (``nasbench201``; ``fbnet``; ``ks``, ``e``, ``d``, ``r``; ``onnx`` with a path beside the table).
    """
    rows = _csv(path) if path.suffix.lower() == ".csv" else _json(path, "measurements")
    return [_with_files(row, path.parent, kind) for row in rows]


def read_inputs(path: Path, kind: Kind) -> list[dict[str, Any]]:
    """Raw inputs from JSON (a list, or an object with ``inputs``) or CSV. Raises InputError."""
    rows = [row["input"] for row in _csv(path)] if path.suffix.lower() == ".csv" else _json(path, "inputs")
    return [_with_files({"input": row}, path.parent, kind)["input"] for row in rows]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("The file", f"must be readable UTF-8 text: {error}", str(path)) from None


def _json(path: Path, name: str) -> list[Any]:
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise InputError("The file", f"must be JSON: {error}", str(path)) from None
    rows = content.get(name) if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("The file", f"must be a JSON list of objects, or an object with '{name}'", str(path))
    return rows


def _csv(path: Path) -> list[dict[str, Any]]:
    reader = csv.DictReader(_text(path).splitlines(), skipinitialspace=True)
    if reader.fieldnames is None:
        raise InputError("The table", "must have a first line with the names of its columns", str(path))
    return [_row(row, reader.line_num, path) for row in reader]


def _row(row: Mapping[str | None, Any], line: int, path: Path) -> dict[str, Any]:
    if None in row or any(value is None for value in row.values()):
        raise InputError("A line of the table", "must have a value per column", where=f"{path}, line {line}")
    measured: dict[str, Any] = {}
    conditions: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    for name, text in row.items():
        if not name or not text:
            continue
        if name in _VALUES:
            measured[name] = text if name == "unit" else _number(text, name, f"{path}, line {line}")
        elif name.startswith(_CONDITION):
            conditions[name.removeprefix(_CONDITION)] = _plain(text)
        else:
            raw[name] = _plain(text)
    if {*_LISTS, "r"} <= raw.keys():
        raw = {"ofa": {name: raw.pop(name) for name in (*_LISTS, "r")}, **raw}
    if conditions:
        measured["conditions"] = conditions
    return {"input": raw, **measured}


def _number(text: str, name: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"The column '{name}'", "must hold numbers", text, where=where) from None


def _plain(text: str) -> Any:
    """A number, list or object where the text reads as one in JSON."""
    try:
        return json.loads(text) if text[0] in "[{-0123456789" else text
    except ValueError:
        return text


def _with_files(row: dict[str, Any], folder: Path, kind: Kind) -> dict[str, Any]:
    raw = row.get("input")
    if not isinstance(raw, dict):
        return row
    files = {name: _bytes(folder / str(raw[name])) for name in kind.binary_fields if name in raw}
    return {**row, "input": {**raw, **files}} if files else row


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("The file", f"must be readable: {error.strerror}", str(path)) from None


def pairs(texts: Sequence[str], option: str) -> dict[str, Any]:
    """``NAME=VALUE`` options as fields."""
    found = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not name or not separator:
            raise InputError(f"The option {option}", "must be NAME=VALUE", text)
        found[name] = _plain(value) if value else ""
    return found
