"""Files of a ``git archive``, as GitHub gives it: one folder on top, named after repository and commit."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.corpus import CorpusError

_MAX_BYTES = 64 << 20
Match = re.Match[str]


def files(archive: Path, pattern: str) -> Iterator[tuple[Match, str]]:
    """Path below the top folder, matched in whole, and text of each file; files above 64 MiB are passed by."""
    wanted = re.compile(pattern)
    with tarfile.open(archive, "r|gz") as opened:
        for member in opened:
            found = wanted.fullmatch(member.name.partition("/")[2])
            if found is None or not member.isreg() or member.size > _MAX_BYTES:
                continue
            stream = opened.extractfile(member)
            if stream is not None:
                yield found, stream.read().decode("utf-8", errors="replace")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], types: Mapping[str, type]) -> Path:
    """Rows as zstd Parquet with the columns of `types` (str, float, int or bool), in their order; None where missing.

    CorpusError where there are no rows: the archive is then of another layout than the one that we read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not rows:
        raise CorpusError(f"{path.name}: the archives hold nothing that could be read into it.")
    kinds = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    columns = {name: [_typed(row.get(name), kind) for row in rows] for name, kind in types.items()}
    arrays = {name: pa.array(values, kinds[types[name]]) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), path, compression="zstd")
    return path


def _typed(value: object, kind: Callable[[Any], Any]) -> Any:
    return None if value is None or value != value or (value == "" and kind is not str) else kind(value)
