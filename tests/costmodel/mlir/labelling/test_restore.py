"""From tables to journals and back: nothing is lost, and labelling can go on where the tables end."""

from __future__ import annotations

from pathlib import Path

import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow (extra `train`) is not installed")
from costmodel.mlir.labelling.campaign import plan_given  # noqa: E402
from costmodel.mlir.labelling.dataset import assemble  # noqa: E402
from costmodel.mlir.labelling.restore import restore  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DATA = Path(__file__).parents[4] / "datasets" / "mlir_programs" / "data"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Every fiftieth program with all that is known of it."""
    folder = tmp_path_factory.mktemp("tables")
    programs = pq.read_table(DATA / "programs.parquet")
    kept = programs.take(list(range(0, programs.num_rows, 50)))
    names = set(kept["program_id"].to_pylist())
    for path in DATA.glob("*.parquet"):
        table = pq.read_table(path)
        rows = [n for n, name in enumerate(table["program_id"].to_pylist()) if name in names]
        pq.write_table(table.take(rows), folder / path.name)
    return folder


def test_tables_of_restored_journals_are_the_tables_that_were_restored(tables, tmp_path):
    count = restore(tables, tmp_path / "work")
    assert assemble(tmp_path / "work", tmp_path / "data", tmp_path / "dataset.yaml")["programs.parquet"] == count > 300
    for path in tables.glob("*.parquet"):
        assert pq.read_table(tmp_path / "data" / path.name).to_pylist() == pq.read_table(path).to_pylist()


def test_what_is_restored_is_known_to_the_plan_and_a_folder_in_use_is_refused(tables, tmp_path):
    restore(tables, tmp_path)
    from costmodel.mlir.generators import Program

    rows = pq.read_table(tables / "programs.parquet").to_pylist()[:5]
    programs = [Program(row["family"], row["group"], row["variant"], row["text"]) for row in rows]
    assert plan_given(tmp_path, programs, 1) == 0
    with pytest.raises(FileExistsError, match="empty folder"):
        restore(tables, tmp_path)
