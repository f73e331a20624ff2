"""The committed data set `mlir_programs` against its own description."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow (extra `train`) is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FOLDER = Path(__file__).parents[3] / "datasets" / "mlir_programs"


@pytest.fixture(scope="module")
def description():
    return yaml.safe_load((FOLDER / "dataset.yaml").read_text())


@pytest.fixture(scope="module")
def programs():
    return pq.read_table(FOLDER / "data" / "programs.parquet").to_pylist()


def test_files_columns_rows_and_checksums_are_as_described(description):
    assert {"programs.parquet", "labels.parquet"} <= set(description["files"])
    for name, file in description["files"].items():
        path = FOLDER / "data" / name
        table = pq.read_table(path)
        assert table.num_rows == file["rows"]
        assert {f.name: str(f.type) for f in table.schema} == {n: c["dtype"] for n, c in file["columns"].items()}
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]


def test_the_files_together_stay_under_25_mb():
    assert sum(path.stat().st_size for path in (FOLDER / "data").iterdir()) < 25_000_000


def test_programs_are_distinct_of_many_families_and_groups_do_not_straddle_splits(programs, description):
    assert len({row["program_id"] for row in programs}) == len({row["text"] for row in programs}) == len(programs)
    assert len({row["family"] for row in programs}) >= 12
    splits, families = defaultdict(set), defaultdict(set)
    for row in programs:
        splits[row["group"]].add(row["split"])
        families[row["split"]].add(row["family"])
    assert all(len(found) == 1 for found in splits.values())
    assert set(families) == set(description["splits"])
    assert not families["test_unseen"] & (families["train"] | families["validation"] | families["test_seen"])


def test_labels_name_known_programs_once_per_cpu_and_good_ones_are_complete(programs):
    labels = pq.read_table(FOLDER / "data" / "labels.parquet").to_pylist()
    known = {row["program_id"] for row in programs}
    keys = [(row["program_id"], row["cpu"]) for row in labels]
    assert len(set(keys)) == len(keys)
    assert {row["program_id"] for row in labels} == known
    for row in labels:
        if row["status"] == "ok":
            assert row["instructions"] > 0
            assert row["cycles"] > 0
            assert row["code_bytes"] > 0
            assert row["register_spills"] >= 0
        else:
            assert row["reason"]
