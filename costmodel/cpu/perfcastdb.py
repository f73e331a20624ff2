"""The public sample of PerfCastDB (arXiv 2407.03385, Apache-2.0): two files, one machine per suite in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.corpus import CorpusError
from featurizers.cpu.columns import resolved
from featurizers.cpu.rows import spec_from_perfcastdb
from featurizers.cpu.spec import ServerSpec, check

FILES = ("perfcastdb_train.parquet", "perfcastdb_test.parquet")
_NEEDED = ("benchmark", "test_name", "value", "higher_is_better", "is_copied_run", "cpu_model", "sockets")
_RATES = ("SPECrate", "HPCG")
_MEMORY = ("Bandwidth", "Stream")

Row = Mapping[str, Any]


def load_runs(folder: Path) -> tuple[list[Row], list[Row]]:
    """Rows of the train and the test file; copied runs are left out. CorpusError names what is wrong."""
    import pyarrow.parquet as pq

    sides = []
    for name in FILES:
        if not (folder / name).is_file():
            raise CorpusError(f"{folder.name}: has no file '{name}'.")
        table = pq.read_table(folder / name)
        for column in _NEEDED:
            if column not in table.column_names:
                raise CorpusError(f"{name}: has no column '{column}'.")
        sides.append([row for row in table.to_pylist() if not row["is_copied_run"]])
    return sides[0], sides[1]


def scale_of(benchmark: str, spec: ServerSpec) -> float:
    """What a score of this suite is proportional to: core-GHz, memory bandwidth, or 1 over it for a latency."""
    facts = resolved(spec)
    if benchmark.startswith(_RATES[0]) or benchmark.startswith(_RATES[1]):
        return facts.core_equivalents * facts.allcore_ghz
    if any(word in benchmark for word in _MEMORY):
        return facts.socket_bandwidth_gbs * facts.sockets
    return 1.0


def scaled_scores(train: Sequence[Row], test: Sequence[Row]) -> list[dict[str, Any]]:
    """Per suite: MAPE of the train machine's score of the same test, scaled to the test machine, and unscaled."""
    rows = []
    for suite in sorted({row["benchmark"] for row in test}):
        known: dict[str, list[float]] = {}
        for row in (row for row in train if row["benchmark"] == suite):
            known.setdefault(row["test_name"], []).append(row["value"] / scale_of(suite, _spec(row)))
        errors, plain, unknown = [], [], 0
        raw: dict[str, list[float]] = {}
        for row in (row for row in train if row["benchmark"] == suite):
            raw.setdefault(row["test_name"], []).append(row["value"])
        for row in (row for row in test if row["benchmark"] == suite):
            if row["test_name"] not in known:
                unknown += 1
                continue
            value = float(np.median(known[row["test_name"]])) * scale_of(suite, _spec(row))
            errors.append(abs(value / row["value"] - 1))
            plain.append(abs(float(np.median(raw[row["test_name"]])) / row["value"] - 1))
        if errors:
            rows.append(
                {
                    "benchmark": suite,
                    "n": len(errors),
                    "train_machines": len({row["run_id"] for row in train if row["benchmark"] == suite}),
                    "mape": float(np.mean(errors)),
                    "mape_unscaled": float(np.mean(plain)),
                    "tests_not_in_train": unknown,
                }
            )
    return rows


def _spec(row: Row) -> ServerSpec:
    spec = spec_from_perfcastdb(row)
    check(spec, where="$.perfcastdb", offline=True)
    return spec
