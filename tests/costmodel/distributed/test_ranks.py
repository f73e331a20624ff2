"""Networks trained by two processes that torchrun starts: the steps are those of one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from costmodel.distributed.ranks import Ranks

pytest.importorskip("torch_geometric", reason="training graph networks needs the extra 'gnn'")

FIT = """
import sys
from pathlib import Path

import numpy as np
import torch

from costmodel.distributed.ranks import grouped
from costmodel.regressors import neural
from costmodel.regressors.gnn import Gnn, module
from tests.costmodel.test_gnn import SMALL, graphs, groups_of

torch.set_num_threads(1)
module._DROPPED_TYPES = 0.0  # drawn by each process for its own share
weights = []
neural.exported = lambda _type, _sizes, state: weights.append(state) or sys.exit(_save())


def _save():
    flat = np.concatenate([value.numpy().ravel() for value in weights[0].values()])
    np.save(Path(sys.argv[1]) / f"{group.world}-{group.rank}.npy", flat)


features, y = graphs(61, seed=0)
with grouped() as group:
    Gnn(**{**SMALL, "epochs": 4}).fit(features, y, groups_of(y), seed=0)
"""


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    script = tmp_path / "fit.py"
    script.write_text(FIT)
    root = Path(__file__).parents[3]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for start in ([], together):
        command = [sys.executable, *start, str(script), str(tmp_path)]
        done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    alone, first, second = (np.load(tmp_path / f"{name}.npy") for name in ("1-0", "2-0", "2-1"))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, alone, atol=2e-3)
    assert len(alone) > 1000


def test_shares_of_a_step_are_all_of_it_and_none_is_empty() -> None:
    rows = np.arange(7)
    shares = [Ranks(rank, 3).share(rows) for rank in range(3)]
    assert sorted(np.concatenate(shares)) == rows.tolist()
    assert [len(Ranks(rank, 3).share(rows[:2])) for rank in range(3)] == [2, 2, 2]
