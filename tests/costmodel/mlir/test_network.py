"""The perceptron on columns: products beyond what trees saw, the same numbers after a reload and in C."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from costmodel.export.network_source import LAYER, network_source
from costmodel.mlir import boosting
from costmodel.mlir.boosting import CodeBoosting
from costmodel.mlir.network import ColumnNetwork
from featurizers.core import Column, Features

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or shutil.which("clang-22")
COLUMNS = tuple(Column(name, "1", "totals") for name in ("trips", "body", "share", "constant"))


def rows(count: int, seed: int, most: float = 6.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    trips, body = np.exp(rng.uniform(0, most, (2, count)))
    return np.stack([trips, body, rng.uniform(-1, 1, count), np.full(count, 7.0)], axis=1).astype(np.float32)


def cost(x: np.ndarray) -> np.ndarray:
    return np.log(x[:, 0] * x[:, 1] + 20.0).astype(np.float64)


@pytest.fixture(scope="module")
def network() -> ColumnNetwork:
    from costmodel.mlir.network_training import fit_columns

    x = rows(1500, seed=0)
    return fit_columns(x, cost(x), np.ones(len(x)), epochs=20, members=2, seed=0)


def test_it_learns_a_product_and_leaves_constants_out(network: ColumnNetwork) -> None:
    x = rows(300, seed=1)
    assert np.median(np.abs(network.predict(x) - cost(x))) < 0.06
    assert network.scaling.columns.tolist() == [0, 1, 2]


def test_the_same_alone_in_a_batch_after_a_reload_and_with_the_same_seed(
    network: ColumnNetwork, tmp_path: Path
) -> None:
    from costmodel.mlir.network_training import fit_columns

    x = rows(50, seed=2)
    x[3, 1] = np.nan
    said = network.predict(x)
    assert [float(network.predict(x[i : i + 1])[0]) for i in range(len(x))] == said.tolist()
    network.save(tmp_path / "network.safetensors")
    again = ColumnNetwork.load(tmp_path / "network.safetensors")
    assert again is not None
    assert again.predict(x).tolist() == said.tolist()
    assert ColumnNetwork.load(tmp_path / "none.safetensors") is None
    few = rows(200, seed=3)
    first, second = (fit_columns(few, cost(few), np.ones(200), epochs=2, members=1, seed=5) for _ in range(2))
    assert first.predict(x).tolist() == second.predict(x).tolist()


@pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")
def test_the_c_of_it_says_the_same(network: ColumnNetwork, tmp_path: Path) -> None:
    text = LAYER + network_source(network).replace("static double network", "double network")
    (tmp_path / "network.c").write_text(f"#include <math.h>\n{text}")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    command = [COMPILER or "", *flags, "network.c", "-lm", "-o", "network.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    function = ctypes.CDLL(str(tmp_path / "network.so")).network
    function.restype = ctypes.c_double
    x = rows(200, seed=4)
    x[5, 0] = np.nan
    got = [function(np.ascontiguousarray(row).ctypes.data_as(ctypes.c_void_p)) for row in x]
    np.testing.assert_allclose(got, network.predict(x), atol=2e-6)


def test_trees_and_network_together_beat_trees_where_costs_are_products(monkeypatch: pytest.MonkeyPatch) -> None:
    x, new = rows(800, seed=6), rows(300, seed=7)
    groups, unused = np.arange(800).astype(str), "sgprs_of_nothing"
    errors = {}
    for networks in (0, 1):
        monkeypatch.setattr(boosting, "_MANY", 300)
        learner = CodeBoosting(rounds=40, networks=networks, epochs=25).for_target(unused)
        learner.fit(Features(x, COLUMNS), cost(x), groups, seed=0)
        assert (learner.network is not None) == bool(networks)
        errors[networks] = np.median(np.abs(learner.predict(Features(new, COLUMNS)).point - cost(new)))
    assert errors[1] < errors[0]


def test_what_is_likeliest_costs_less_than_what_lies_between() -> None:
    import torch

    from costmodel.mlir.network_training import _robust_loss

    labels = torch.cat([torch.zeros(45), torch.linspace(1.0, 3.0, 55)])
    loss = _robust_loss(len(labels))
    costs = {said: float(loss(torch.tensor(said), labels).mean()) for said in (0.0, float(labels.median()), 2.0)}
    assert min(costs, key=lambda said: costs[said]) == 0.0
