"""Who owns a process: what a pool starts it also ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from featurizers.errors import InputError
from featurizers.processes import Process, Processes
from featurizers.supervised import Supervised

MODULE = "featurizers.supervised"


@pytest.fixture
def pool() -> Processes:
    return Processes(lambda: Process(MODULE, [str(4 << 30)], seconds=20.0), size=1)


def test_a_process_is_used_again_until_its_pool_is_closed(pool: Processes) -> None:
    with pool.one() as first:
        pass
    with pool.one() as second:
        assert second is first
    pool.close()
    assert first.popen.poll() is not None


def test_a_process_at_work_ends_after_its_pool(pool: Processes) -> None:
    """A service that is stopped while it warms up must not leave a process behind."""
    with pool.one() as process:
        pool.close()
        assert process.popen.poll() is None
    assert process.popen.poll() is not None


def test_files_beside_the_callers_script_do_not_stand_for_pythons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "types.py").write_text("raise SystemExit(1)")
    monkeypatch.syspath_prepend(tmp_path)
    readers = Supervised(size=1)
    with pytest.raises(InputError, match="ONNX"):
        readers.parse("network", {"onnx": b"no model"}, lambda content: content)
    assert readers.deaths == 0
    readers.close()


def test_a_block_that_raises_gives_up_its_process(pool: Processes) -> None:
    with pytest.raises(ZeroDivisionError), pool.one() as process:
        _ = 1 / 0
    assert process.popen.poll() is not None
    with pool.one() as other:
        assert other is not process
    assert pool.deaths == 0
    pool.close()
