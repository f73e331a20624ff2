"""The network that adds up loops: what it learns, that it is kept as it is, and its C."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.export.loops_source import loops_source
from costmodel.export.network_source import LAYER
from costmodel.mlir.boosting import CodeBoosting
from costmodel.mlir.loop_network import LoopColumns, LoopNetwork
from costmodel.mlir.network import short
from featurizers.core import Column, Features
from featurizers.mlir.columns import COLUMNS

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or shutil.which("clang-22")
SLOTS = tuple(
    Column(f"{slot}_{name}", "1", f"{slot} loop") for slot in ("big", "second") for name in ("instructions", "width")
)
OWN = (Column("est_instructions", "1", "estimate"), *SLOTS)
PLACES = LoopColumns.of(OWN, "instructions")


def rows(count: int, seed: int) -> np.ndarray:
    """Two loops of a width each, and what is left."""
    rng = np.random.default_rng(seed)
    big, second, rest = np.exp(rng.uniform(1, 6, (3, count)))
    width, other = np.exp(rng.uniform(0, 3, (2, count)))
    return np.stack([big + second + rest, big, width, second, other], axis=1).astype(np.float32)


def over_estimate(x: np.ndarray) -> np.ndarray:
    """Log of the true cost over the estimate: each loop is short by the root of its own width."""
    total, big, width, second, other = x.T.astype(np.float64)
    return np.log((big * np.sqrt(width) + second * np.sqrt(other) + (total - big - second)) / total)


@pytest.fixture(scope="module")
def network() -> LoopNetwork:
    from costmodel.mlir.network_training import fit_loops

    assert PLACES is not None
    x = rows(1500, seed=0)
    return fit_loops(x, over_estimate(x), np.ones(len(x)), PLACES, epochs=20, seed=0)


def test_it_corrects_each_loop_by_itself(network: LoopNetwork) -> None:
    x = rows(300, seed=1)
    assert np.median(np.abs(network.predict(x) - over_estimate(x))) < 0.05
    assert np.median(np.abs(over_estimate(x))) > 0.3


def test_shares_are_of_the_estimate_and_add_up() -> None:
    assert PLACES is not None
    shares = np.exp(PLACES.log_shares(rows(50, seed=2)))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-5)
    cycles = LoopColumns.of(COLUMNS, "cycles")
    assert cycles is not None
    assert [COLUMNS[place].name for place in cycles.share] == ["hot_share"]
    assert LoopColumns.of(OWN[:1], "cycles") is None


def test_the_same_alone_in_a_batch_and_after_a_reload(network: LoopNetwork, tmp_path: Path) -> None:
    x = rows(50, seed=3)
    said = network.predict(x)
    assert [float(network.predict(x[i : i + 1])[0]) for i in range(len(x))] == said.tolist()
    network.save(tmp_path / "loops.safetensors")
    again = LoopNetwork.load(tmp_path / "loops.safetensors")
    assert again is not None
    assert again.predict(x).tolist() == said.tolist()
    assert LoopNetwork.load(tmp_path / "none.safetensors") is None


@pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")
def test_the_c_of_it_says_the_same(network: LoopNetwork, tmp_path: Path) -> None:
    text = LAYER + loops_source(network).replace("static double loop_network", "double loop_network")
    (tmp_path / "loops.c").write_text(f"#include <math.h>\n{text}")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run([COMPILER or "", *flags, "loops.c", "-lm", "-o", "loops.so"], cwd=tmp_path, check=True)
    function = ctypes.CDLL(str(tmp_path / "loops.so")).loop_network
    function.restype = ctypes.c_double
    x = rows(200, seed=4)
    got = [function(np.ascontiguousarray(row).ctypes.data_as(ctypes.c_void_p)) for row in x]
    np.testing.assert_allclose(got, network.predict(x), atol=2e-6)


def test_it_is_the_second_of_two_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("costmodel.mlir.boosting._MANY", 100)
    x = rows(300, seed=5)
    features, y = Features(x, OWN), over_estimate(x) + np.log(x[:, 0].astype(np.float64))
    groups = np.arange(300).astype(str)
    learner = CodeBoosting(rounds=10, networks=2, epochs=2, orders=False).for_target("instructions")
    learner.fit(features, y, groups, seed=0)
    assert learner.loop_network is not None
    learner.save(tmp_path)
    again = CodeBoosting.load(tmp_path)
    np.testing.assert_array_equal(again.point(features), learner.point(features))
    assert again.network is not None
    assert again.loop_network is not None
    assert again.network.scaling is again.loop_network.scaling, "columns are scaled twice"


def test_a_network_keeps_a_scaling_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("costmodel.mlir.boosting._MANY", 100)
    x = rows(300, seed=6)
    features, y = Features(x, OWN), over_estimate(x) + np.log(x[:, 0].astype(np.float64))
    learner = CodeBoosting(rounds=10, networks=2, epochs=2, orders=False).for_target("instructions")
    learner.fit(features, y, np.arange(300).astype(str), seed=0)
    assert learner.loop_network is not None
    scaling = learner.loop_network.scaling
    learner.loop_network = replace(learner.loop_network, scaling=replace(scaling, center=short(scaling.center + 1.0)))
    learner.save(tmp_path)
    np.testing.assert_array_equal(CodeBoosting.load(tmp_path).point(features), learner.point(features))
