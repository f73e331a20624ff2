"""The graph network: what it learns that sums of columns do not tell, many devices, and serving without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.predictor import Predictor
from costmodel.regressors.gnn import Gnn
from costmodel.training import TrainRequest, train
from featurizers.core import Column, Features, Graph
from featurizers.errors import InputError

pytest.importorskip("torch_geometric", reason="training graph networks needs the extra 'gnn'")

SMALL = {"hidden": 16, "layers": 2, "embedding": 4, "epochs": 40, "batch": 32, "learning_rate": 1e-2, "members": 1}


def graphs(subjects: int, seed: int) -> tuple[Features, np.ndarray]:
    """Random graphs of two kinds of node; a node of kind 1 costs ten times as much when it reads from one of kind 0."""
    rng = np.random.default_rng(seed)
    found, costs, sizes = [], [], []
    for _ in range(subjects):
        size = int(rng.integers(3, 12))
        work = np.exp(rng.uniform(3, 6, size))
        types = rng.integers(0, 2, size)
        edges = np.array([(i, j) for i in range(size) for j in range(i + 1, size) if rng.random() < 0.3] or [(0, 1)]).T
        fed = np.zeros(size, dtype=bool)
        fed[edges[1][types[edges[0]] == 0]] = True
        costs.append((work * np.where((types == 1) & fed, 10.0, 1.0)).sum())
        found.append(Graph(work[:, None].astype(np.float32), types.astype(np.int64), edges.astype(np.int64)))
        sizes.append((size, work.sum()))
    columns = (Column("nodes", "1", "size"), Column("work", "1", "size"))
    vectors = np.array(sizes, dtype=np.float32)
    return Features(vectors, columns, graphs=tuple(found), node_columns=(Column("work", "1", "size"),)), np.log(costs)


def groups_of(y: np.ndarray) -> np.ndarray:
    return np.array([f"g{i}" for i in range(len(y))])


@pytest.fixture(scope="module")
def trained() -> Gnn:
    features, y = graphs(300, seed=0)
    both = np.stack([y, y + np.log(3.0)], axis=1)
    both[::3, 1] = np.nan
    return Gnn(**SMALL).fit_devices(features, both, groups_of(y), seed=0, devices=("one", "three"))


def test_it_learns_what_depends_on_the_edges(trained: Gnn) -> None:
    features, y = graphs(100, seed=1)
    x = np.stack([np.ones(100), np.log(features.vectors[:, 1]), np.log(features.vectors[:, 0])], axis=1)
    plain = np.abs(y - x @ np.linalg.lstsq(x, y, rcond=None)[0])
    found = trained.predict_devices(features).point[:, 0]
    assert np.median(np.abs(found - y)) < 0.5 * np.median(plain)


def test_devices_share_a_network_and_missing_labels_do_not_teach(trained: Gnn) -> None:
    features, _ = graphs(100, seed=2)
    found = trained.predict_devices(features).point
    assert found.shape == (100, 2)
    assert np.isfinite(found).all()
    assert np.median(found[:, 1] - found[:, 0]) == pytest.approx(np.log(3), abs=0.1)
    with pytest.raises(InputError, match="is one of one, three"):
        trained.predict(features)


def test_a_kind_of_node_never_seen_a_lone_node_and_an_empty_graph_are_answered(trained: Gnn) -> None:
    columns = (Column("nodes", "1", "size"), Column("work", "1", "size"))
    none = np.empty((2, 0), dtype=np.int64)
    odd = (
        Graph(np.full((1, 1), 50, dtype=np.float32), np.array([77]), none),
        Graph(np.empty((0, 1), dtype=np.float32), np.empty(0, dtype=np.int64), none),
    )
    answer = trained.predict_devices(Features(np.ones((2, 2), dtype=np.float32), columns, graphs=odd))
    assert np.isfinite(answer.point).all()
    assert answer.point[1, 0] < answer.point[0, 0]
    nothing = trained.predict_devices(Features(np.empty((0, 2), dtype=np.float32), columns))
    assert nothing.point.shape == (0, 2)


def test_embeddings_are_given_per_subject(trained: Gnn) -> None:
    features, _ = graphs(7, seed=3)
    assert trained.embed(features).shape == (7, SMALL["hidden"])


@pytest.mark.parametrize(("encoder", "readout"), [("attention", "sum"), ("attention", "pooled")])
def test_other_encoders_and_readouts_reload_to_the_same(encoder: str, readout: str, tmp_path: Path) -> None:
    features, y = graphs(60, seed=4)
    small = {**SMALL, "hidden": 8, "layers": 1, "epochs": 3, "encoder": encoder, "readout": readout}
    fitted = Gnn(**small).fit(features, y, groups_of(y), seed=1)
    fitted.save(tmp_path)
    again = Gnn.load(tmp_path)
    assert np.array_equal(again.predict(features).point, fitted.predict(features).point)
    alone = [fitted.predict(features.take(np.array([i]))).point[0] for i in range(5)]
    np.testing.assert_allclose(alone, fitted.predict(features).point[:5], rtol=1e-5)


def test_what_was_trained_is_what_the_onnx_file_computes() -> None:
    """Against torch itself, since every other test sees the exported network only."""
    import torch

    from costmodel.regressors.gnn.batch import Encoding, collate
    from costmodel.regressors.gnn.module import CostNetwork
    from costmodel.regressors.onnx_export import exported
    from costmodel.regressors.onnx_model import OnnxModel

    features, _ = graphs(9, seed=5)
    encoding = Encoding.fit(features)
    arguments = (3, 1, 1, 2, 2, 16, 2, 4, "message-passing", "sum")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CostNetwork(*arguments).eval()
        torch.nn.init.normal_(network.correction.weight)
    inputs = collate(*encoding.encode(features))
    with torch.no_grad():
        expected = network(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    found = OnnxModel(exported(CostNetwork, arguments, network.state_dict())).run(inputs)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_a_model_file_tells_nothing_of_where_it_was_made(trained: Gnn) -> None:
    assert str(Path(__file__).parents[2]).encode() not in trained.networks[0].data
    assert b".py" not in trained.networks[0].data


def test_load_and_predict_import_no_torch(trained: Gnn, tmp_path: Path) -> None:
    trained.save(tmp_path)
    features, _ = graphs(3, seed=6)
    np.savez(tmp_path / "graph.npz", nodes=features.graphs[0].nodes, edges=features.graphs[0].edges)
    code = f"""
import sys, numpy as np
from pathlib import Path
from costmodel.regressors import learner
from featurizers.core import Column, Features, Graph
model = learner("gnn").load(Path({str(tmp_path)!r}))
saved = np.load(Path({str(tmp_path)!r}) / "graph.npz")
graph = Graph(saved["nodes"], np.zeros(len(saved["nodes"]), dtype=np.int64), saved["edges"])
columns = (Column("nodes", "1", "size"), Column("work", "1", "size"))
answer = model.predict_devices(Features(np.ones((1, 2), dtype=np.float32), columns, graphs=(graph,)))
assert np.isfinite(answer.point).all()
print(sorted({{"torch", "torch_geometric", "pandas", "sklearn", "lightgbm", "onnx"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_kind_without_graphs_is_refused() -> None:
    features = Features(np.ones((40, 1), dtype=np.float32), (Column("x", "1", "size"),))
    with pytest.raises(InputError, match="'gnn' needs a kind whose featurizer gives graphs"):
        Gnn(**SMALL).fit(features, np.ones(40), groups_of(np.ones(40)), seed=0)
    with pytest.raises(InputError, match="'encoder' must be one of"):
        Gnn(encoder="rnn")
    with pytest.raises(InputError, match="'readout' must be one of sum, pooled"):
        Gnn(readout="mean")


@pytest.mark.usefixtures("box_kind")
def test_a_kind_is_trained_saved_and_asked_like_with_any_learner(tmp_path: Path) -> None:
    parameters = {"hidden": 8, "layers": 1, "epochs": 2, "batch": 128}
    request = TrainRequest("box", tmp_path, learner="gnn", out=tmp_path / "bundle", track=False, parameters=parameters)
    train(replace(request, devices=("slow",)), log=lambda _: None)
    predictor = Predictor.load(tmp_path / "bundle")
    outcome = predictor.predict([{"sides": [3, 4, 5]}], ["slow"])[0]
    assert not isinstance(outcome, InputError)
    assert outcome[0].low < outcome[0].value < outcome[0].high
