"""Every example in examples/passes runs."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from costmodel.passes import CostModel

FOLDER = Path(__file__).parents[3] / "examples/passes"


def printed(script: str, *arguments: str) -> str:
    command = [sys.executable, str(FOLDER / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER.parents[1])
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def bundle(estimate: CostModel, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("mlir") / "bundle"
    folder.mkdir()
    estimate.predictor.save(folder)
    return str(folder)


def test_tune_loops(bundle: str) -> None:
    text = printed("tune_loops.py", str(FOLDER / "matmul.mlir"), "--bundle", bundle)
    assert "costmodel.cost = " in text
    assert "<- chosen" in text


@pytest.mark.skipif(importlib.util.find_spec("xdsl") is None, reason="needs xdsl")
def test_xdsl_costs(bundle: str) -> None:
    assert "costmodel.cost" in printed("xdsl_costs.py", str(FOLDER / "matmul.mlir"), "--bundle", bundle)


@pytest.mark.skipif(shutil.which("opt-22") is None, reason="needs Debian's llvm-22")
def test_inline_by_size(tmp_path: Path) -> None:
    text = printed("inline_by_size.py", str(FOLDER / "program.ll"), str(tmp_path / "inlined.ll"))
    assert "inlined" in text
    assert "left as a call" in text
    assert "@main" in (tmp_path / "inlined.ll").read_text()


def test_triton_matmul() -> None:
    assert "4 are timed" in printed("triton_matmul.py")


def test_meta_schedule() -> None:
    rank = int(printed("meta_schedule.py").split("number ")[1].split()[0])
    assert rank <= 5
