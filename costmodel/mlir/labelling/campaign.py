"""The labelling campaign of ``datasets/mlir_programs``: an ordered plan of programs, a journal of labels, resumable.

The work folder holds ``programs.jsonl`` (appended by `plan`, never reordered) and ``labels.jsonl`` (by `work`).
Both survive being killed at any moment: a torn last line is dropped and done again. The first rounds are labelled for
every CPU; later groups take turns on a few CPUs each, which buys more programs for the same time.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from costmodel.distributed import Here, active
from costmodel.measure.journal import Journal, read_journal
from costmodel.mlir.generators import FAMILIES, IMPORTED, Program, expand, sample_groups
from costmodel.mlir.generators.torch_parts import TORCH_MLIR, importer_version
from costmodel.mlir.labelling import iree
from costmodel.mlir.labelling.api import BATCH, label_batch
from costmodel.mlir.labelling.gpu import GPUS, label_gpu
from costmodel.mlir.labelling.host import COMPILER, buffers_of, measure
from costmodel.mlir.labelling.stablehlo import is_stablehlo
from costmodel.mlir.labelling.targets import CPUS

ROUND = 6
"""Groups of each family in one round: a journal cut anywhere is balanced to within one round."""

FULL_ROUNDS = 3
"""Rounds whose programs are labelled for every CPU."""
TURNS = ("znver4", "apple-m1", "skylake-avx512", "cortex-a55", "neoverse-v1", "sifive-p670")
"""CPUs in the order in which later groups take them: neighbours have different instruction sets."""


def program_id(text: str) -> str:
    """Identity of a text: equal but for white space and the function's name means equal."""
    normal = re.sub(r"\s+", " ", re.sub(r"@[\w.$]+", "@f", text)).strip()
    return hashlib.sha256(normal.encode()).hexdigest()[:16]


def plan(
    folder: Path,
    families: Sequence[str],
    rounds: Iterable[int],
    seed: int,
    *,
    full_rounds: int = FULL_ROUNDS,
    cpus_per_group: int = 2,
) -> int:
    """Append rounds of programs (each `ROUND` groups of every family) that are not planned yet; how many were added."""
    added = 0
    for number in rounds:
        drawn = [expand(sample_groups(family, ROUND, seed * 100_000 + number)) for family in families]
        cpus = None if number < full_rounds else cpus_per_group
        added += plan_given(folder, _interleaved(drawn), number, cpus)
    return added


def plan_given(folder: Path, programs: Iterable[Program], number: int, cpus_per_group: int | None = 2) -> int:
    """Append these programs to round `number`, for all CPUs or so many in turn; how many were not planned yet."""
    path = folder / "programs.jsonl"
    known = {row["program_id"] for row in read_journal(path)}
    added, turns = 0, dict[str, int]()
    journal = Journal(path)
    for program in programs:
        identity = program_id(program.text)
        if identity not in known:
            known.add(identity)
            turn = turns.setdefault(program.group, len(turns))
            cpus = list(CPUS) if cpus_per_group is None else _turn(turn, cpus_per_group)
            journal.append({"program_id": identity, **asdict(program), "round": number, "cpus": cpus})
            added += 1
    journal.close()
    return added


def _turn(turn: int, count: int) -> list[str]:
    return [TURNS[(turn * count + place) % len(TURNS)] for place in range(count)]


def _interleaved(drawn: list[list[Program]]) -> Iterator[Program]:
    """Families take turns group by group, so that the variants of a group stay together."""
    queues = [_by_group(programs) for programs in drawn]
    while any(queues):
        for queue in queues:
            if queue:
                yield from queue.pop(0)


def _by_group(programs: list[Program]) -> list[list[Program]]:
    groups: dict[str, list[Program]] = {}
    for program in programs:
        groups.setdefault(program.group, []).append(program)
    return list(groups.values())


def work(folder: Path, *, jobs: int = 1, deadline: float | None = None, batch: int = BATCH) -> None:
    """Label what is planned and not labelled yet, until done or `deadline` (seconds since the epoch).

    On the workers of the active cluster where there is one, which need the tools too; else in `jobs` processes.
    """
    journal = Journal(folder / "labels.jsonl")
    done = {row["program_id"] for row in read_journal(folder / "labels.jsonl")}
    started, labelled = time.time(), 0
    at_once = max(jobs, active().workers)
    while batches := _open_batches(folder, done, batch * 12 * at_once, batch):
        with _labellers(jobs) as mapped:
            for rows in mapped(_label_rows, batches):
                for row in rows:
                    journal.append(row)
                    done.add(row["program_id"])
                labelled += len(rows)
                _progress(folder, len(done), labelled, started)
                if deadline is not None and time.time() > deadline:
                    return
    journal.close()


def work_gpu(folder: Path, families: Sequence[str] = (), *, deadline: float | None = None, batch: int = BATCH) -> None:
    """Label for the GPUs what the main campaign has labelled so far, families that can map to kernels (or these)."""
    rows = [row for row in _labelled(folder) if row["family"] not in _NO_KERNELS]
    rows = [row for row in rows if not families or row["family"] in families]
    for place, gpu in enumerate(GPUS):
        share = None if deadline is None else time.time() + (deadline - time.time()) / (len(GPUS) - place)
        _append(folder / "gpu.jsonl", "gpu", gpu, rows, partial(label_gpu, gpu=gpu), share, batch)


def work_host(folder: Path, programs: int, *, deadline: float | None = None, batch: int = BATCH) -> None:
    """Measure about `programs` of the labelled programs on this host, whole groups, families in turn."""
    rows = [row for row in _labelled(folder) if buffers_of(row["text"]) and _affordable(row)]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    chosen = [row for group in groups.values() for row in group][:programs]
    _append(folder / "host.jsonl", "compiler", COMPILER, chosen, measure, deadline, batch)


def work_iree(folder: Path, programs: int, *, deadline: float | None = None) -> None:
    """Measure about `programs` of the labelled programs on tensors by the second compiler.

    Those of one dialect come together, as IREE mixes none in a module, and half precision last: some of its
    instructions are unknown to valgrind.
    """
    rows = [row for row in _labelled(folder) if iree.takes(row["text"]) and _affordable(row)]
    chosen = sorted(rows, key=lambda row: ("f16" in row["text"], is_stablehlo(row["text"])))[:programs]
    _append(folder / "host.jsonl", "compiler", iree.COMPILER, chosen, iree.measure_iree, deadline, iree.BATCH)


_NO_KERNELS = ("scalar_math", "bit_tricks", "gather", "vector")
LONGEST_RUN = 1e6
"""Executed instructions of the longest program that is measured: counting takes fifty times as long as running."""


def _affordable(row: dict[str, Any]) -> bool:
    return all(label.get("executed_instructions", LONGEST_RUN) < LONGEST_RUN for label in row["labels"])


def _labelled(folder: Path) -> list[dict[str, Any]]:
    labels = {row["program_id"]: row["labels"] for row in read_journal(folder / "labels.jsonl")}
    rows = [row for row in read_journal(folder / "programs.jsonl") if row["program_id"] in labels]
    return [{**row, "labels": labels[row["program_id"]]} for row in sorted(rows, key=lambda row: int(row["round"]))]


def _append(
    path: Path,
    key: str,
    value: str,
    rows: list[dict[str, Any]],
    label: Callable[[list[str]], Sequence[Any]],
    deadline: float | None,
    batch: int,
) -> None:
    done = {row["program_id"] for row in read_journal(path) if row[key] == value}
    waiting = [row for row in rows if row["program_id"] not in done]
    journal = Journal(path)
    for start in range(0, len(waiting), batch):
        items = waiting[start : start + batch]
        for item, found in zip(items, label([item["text"] for item in items]), strict=True):
            journal.append({"program_id": item["program_id"], **_compact(found)})
        print(
            f"{time.strftime('%H:%M:%S')} {value}: {start + len(items)} of {len(waiting)}", file=sys.stderr, flush=True
        )
        if deadline is not None and time.time() > deadline:
            break
    journal.close()


@contextmanager
def _labellers(jobs: int) -> Iterator[Callable[..., Iterable[Any]]]:
    if jobs > 1 and isinstance(active(), Here):
        with get_context("spawn").Pool(jobs) as pool:
            yield pool.imap_unordered
    else:
        yield active().map


_Batch = tuple[tuple[str, ...], list[tuple[str, str]]]
"""CPUs, and (program_id, text) of the programs to be labelled for them."""


def _open_batches(folder: Path, done: set[str], most: int, batch: int) -> list[_Batch]:
    waiting: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    rows = [row for row in read_journal(folder / "programs.jsonl") if row["program_id"] not in done]
    for row in sorted(rows, key=lambda row: int(row["round"]))[:most]:
        waiting.setdefault(tuple(row.get("cpus") or CPUS), []).append((row["program_id"], row["text"]))
    return [
        (cpus, items[start : start + batch]) for cpus, items in waiting.items() for start in range(0, len(items), batch)
    ]


def _label_rows(work_item: _Batch) -> list[dict[str, Any]]:
    cpus, items = work_item
    labels = label_batch([text for _, text in items], [CPUS[name] for name in cpus])
    return [
        {"program_id": identity, "labels": [_compact(label) for label in row]}
        for (identity, _), row in zip(items, labels, strict=True)
    ]


def _compact(label: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(label).items() if value not in (None, "")}


def _progress(folder: Path, done: int, labelled: int, started: float) -> None:
    planned = sum(1 for _ in read_journal(folder / "programs.jsonl")) if labelled % (8 * BATCH) < BATCH else 0
    rate = labelled / max(time.time() - started, 1e-9)
    left = f", {planned - done} left, about {(planned - done) / rate / 60:.0f} min" if planned else ""
    print(f"{time.strftime('%H:%M:%S')} {done} labelled, {rate:.2f} programs/s{left}", file=sys.stderr, flush=True)


def all_families() -> list[str]:
    """Every family that this environment can draw from, in the order in which they take turns."""
    return [*FAMILIES, *(IMPORTED if importer_version() == TORCH_MLIR else ())]
