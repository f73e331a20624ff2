"""Checks of a table against what its data set's card promises; a wrong row is named before anything is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.corpus import CorpusError


@dataclass(frozen=True, slots=True)
class Rule:
    """A column: its kind ("text", "integer", "number"), whether it may be missing, and its bounds."""

    name: str
    kind: str
    missing: bool = False
    low: float | None = None
    high: float | None = None
    among: tuple[str, ...] | None = None


def read_checked(path: Path, rules: Sequence[Rule]) -> Any:
    """The pyarrow table of a parquet file. CorpusError: no such file, a column missing, or the first bad row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise CorpusError(f"There is no file {path.name} in {path.parent}.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise CorpusError(f"{path.name} is not readable as Parquet: {error}") from error
    for rule in rules:
        if rule.name not in table.column_names:
            raise CorpusError(f"{path.name} has no column '{rule.name}'. It has: {', '.join(table.column_names)}.")
        _check_column(path.name, table.column(rule.name), rule)
    return table


def _check_column(file: str, column: Any, rule: Rule) -> None:
    import pyarrow as pa

    types = {
        "text": lambda t: pa.types.is_string(t) or pa.types.is_dictionary(t) or pa.types.is_large_string(t),
        "integer": pa.types.is_integer,
        "number": lambda t: pa.types.is_floating(t) or pa.types.is_integer(t),
    }
    if not types[rule.kind](column.type):
        raise CorpusError(f"{file}, column '{rule.name}': must hold {rule.kind}. It holds {column.type}.")
    values = column.to_pylist()
    for row, value in enumerate(values):
        problem = _problem(value, rule)
        if problem:
            raise CorpusError(f"{file}, column '{rule.name}', row {row}: {problem}. Got {value!r}.")


def _problem(value: Any, rule: Rule) -> str | None:
    if value is None:
        return None if rule.missing else "must not be missing"
    if rule.kind != "text" and not np.isfinite(value):
        return "must be finite"
    if rule.low is not None and value < rule.low:
        return f"must be at least {rule.low:g}"
    if rule.high is not None and value > rule.high:
        return f"must be at most {rule.high:g}"
    if rule.among is not None and value not in rule.among:
        return f"must be one of {', '.join(rule.among)}"
    return None


def checksum(paths: Sequence[Path]) -> str:
    """sha256 over the files' names and contents."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
