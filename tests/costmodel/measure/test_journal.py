"""The journal keeps every complete record, whatever moment the writer was killed at."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from costmodel.measure.journal import Journal, read_journal

RECORDS = [{"network": "a", "times": [1.5, 2.0]}, {"network": "ü", "error": 'quote " and \n newline'}, {"n": 3}]


def write(path: Path, records: list[dict[str, object]]) -> None:
    journal = Journal(path)
    for record in records:
        journal.append(record)
    journal.close()


def test_records_come_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "j" / "journal.jsonl", RECORDS)
    assert list(read_journal(tmp_path / "j" / "journal.jsonl")) == RECORDS


def test_no_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "none.jsonl")) == []


@given(cut=st.integers(min_value=0))
def test_a_torn_line_is_dropped_and_writing_goes_on(tmp_path_factory: object, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "journal.jsonl"  # type: ignore[attr-defined]
    write(path, RECORDS)
    data = path.read_bytes()
    cut %= len(data) + 1
    path.write_bytes(data[:cut])
    complete = RECORDS[: data[:cut].count(b"\n")]
    assert list(read_journal(path)) == complete
    write(path, [{"after": True}])
    assert list(read_journal(path)) == [*complete, {"after": True}]
