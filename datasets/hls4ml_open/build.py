"""Draw, write and synthesise small fixed-point networks with open tools; resumes where it was stopped.

pip install -r datasets/hls4ml_open/requirements.txt        # in an environment of its own
python datasets/hls4ml_open/build.py --work-dir DIR [--designs 3000] [--scheduler tcp://HOST:8786]
python datasets/hls4ml_open/build.py --work-dir DIR --pack datasets/hls4ml_open/data
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from designs import draw, signed_digits
from rtl import layer_shapes, write_rtl
from synthesis import synthesise

_BATCH = 8
"""Yosys visits every module after each pass, so a large batch costs more than the libraries it saves to read."""
_MODULES = ("designs.py", "rtl.py", "synthesis.py")
"""What workers on other machines need of this folder, each after those that it imports."""
_FAILURES = (RuntimeError, ValueError, OSError, KeyError, AssertionError)


def main() -> int:
    """Append the designs that are missing, or pack those that are there into a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, required=True, help="where designs.jsonl grows")
    parser.add_argument("--designs", type=int, default=3000)
    parser.add_argument("--scheduler", help="of a Dask cluster whose workers have this environment (and dask)")
    parser.add_argument("--pack", type=Path, metavar="DATA", help="write DATA/designs.parquet from what is done")
    given = parser.parse_args()
    given.work_dir.mkdir(parents=True, exist_ok=True)
    journal = given.work_dir / "designs.jsonl"
    if given.pack is not None:
        return pack(journal, given.pack)
    done = {row["number"] for row in read_journal(journal)}
    missing = [number for number in range(given.designs) if number not in done]
    started, made = time.perf_counter(), 0
    batches = [missing[place : place + _BATCH] for place in range(0, len(missing), _BATCH)]
    for rows in labelled(label, batches, given.scheduler):
        with journal.open("a") as file:
            file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)
        made += len(rows)
        left_h = (time.perf_counter() - started) / made * (len(missing) - made) / 3600
        print(f"{made}/{len(missing)}, {sum(r['status'] == 'ok' for r in rows)} of {len(rows)}, {left_h:.1f} h left",
              file=sys.stderr, flush=True)  # fmt: skip
    return 0


def labelled(
    work: Callable[[Sequence[int]], list[dict[str, Any]]], batches: Sequence[Sequence[int]], scheduler: str | None
) -> Iterator[list[dict[str, Any]]]:
    """The rows of every batch: here in order, or from a cluster as they are done; it does a lost worker's anew."""
    if scheduler is None:
        yield from map(work, batches)
        return
    from dask.distributed import Client, as_completed

    with Client(scheduler) as client:
        for name in _MODULES:
            client.upload_file(str(Path(__file__).with_name(name)))
        for future in as_completed(client.map(work, batches, pure=False)):
            yield future.result()


def read_journal(journal: Path) -> list[dict[str, Any]]:
    """Complete lines; one that a stop has cut is made again."""
    rows = []
    for line in journal.read_text().splitlines() if journal.exists() else []:
        with contextlib.suppress(ValueError):
            rows.append(json.loads(line))
    return rows


def label(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of the table, synthesised together; in halves where that fails. `status` says why there is no label."""
    rows = [draw(number) for number in numbers]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        sources: dict[str, list[Path]] = {}
        for row in rows:
            try:
                sources[f"d{row['number']}"], row["cycles"] = write_rtl(row, Path(scratch) / str(row["number"]))
            except _FAILURES as error:
                row["status"] = f"{type(error).__name__}: {error}"[:200]
        try:
            counted = synthesise(sources, Path(scratch)) if sources else {}
        except _FAILURES as error:
            if len(rows) > 1:
                half = len(numbers) // 2
                return [*label(numbers[:half]), *label(numbers[half:])]
            rows[0]["status"] = f"{type(error).__name__}: {error}"[:200]
            counted = {}
    seconds = round((time.perf_counter() - started) / len(rows), 2)
    for row in rows:
        row["seconds"] = seconds
        if f"d{row['number']}" in counted:
            row.update(counted[f"d{row['number']}"], status="ok")
    return rows


def pack(journal: Path, folder: Path) -> int:
    """The journal as one table, by number."""
    import pyarrow
    import pyarrow.parquet

    rows = sorted(read_journal(journal), key=lambda row: int(row["number"]))
    for row in rows:
        row["digits"] = [signed_digits(row, layer, shape) for layer, shape in enumerate(layer_shapes(row))]
    names = sorted({name for row in rows for name in row})
    folder.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
    pyarrow.parquet.write_table(table, folder / "designs.parquet", compression="zstd")
    print(f"{len(rows)} designs, {sum(row['status'] == 'ok' for row in rows)} with labels")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
