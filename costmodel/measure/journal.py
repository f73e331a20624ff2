"""An append-only file of JSON lines that survives being killed at any moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Journal:
    """Records in the order they were written. A torn last line (killed while writing) is dropped on opening."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _drop_torn_tail(path)
        self._file = path.open("a", encoding="utf-8")

    def append(self, record: Record) -> None:
        """Write one record; it is in the kernel's hands when this returns."""
        self._file.write(json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; the journal can be opened again."""
        self._file.close()


def read_journal(path: Path) -> Iterator[Record]:
    """All complete records, also while another process appends. Nothing when there is no such file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def _drop_torn_tail(path: Path) -> None:
    with path.open("rb+") as file:
        data = file.read()
        complete = data.rfind(b"\n") + 1
        if complete != len(data):
            file.truncate(complete)
