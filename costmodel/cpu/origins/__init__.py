"""The origin's archives of a carded data set as the tables that our loaders read.

A module per data set with ``parse(archives, out) -> paths``. Archives are read as streams, file by file: nothing is
unpacked to disk, and nothing in them is executed. What a file's reader cannot read is left out and counted.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from featurizers.errors import UnknownNameError

__all__ = ["PARSERS", "parse_origin"]

PARSERS = {
    "sparecores": "costmodel.cpu.origins.sparecores",
    "mlperf_inference": "costmodel.cpu.origins.mlperf",
    "perfcastdb": "costmodel.cpu.origins.perfcastdb",
}


def parse_origin(name: str, archives: Sequence[Path], out: Path) -> list[Path]:
    """Write the data set's Parquet tables into `out`. Raises CorpusError where an archive has another layout."""
    if name not in PARSERS:
        raise UnknownNameError("data set with a parser", name, PARSERS)
    out.mkdir(parents=True, exist_ok=True)
    return cast(list[Path], importlib.import_module(PARSERS[name]).parse(archives, out))
