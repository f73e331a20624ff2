"""The common training path of this kind, with every learner of the residual, on a table of made-up reports."""

import contextlib
import dataclasses
import sqlite3

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from costmodel.cli import main
from costmodel.corpus import CorpusError
from costmodel.hls4ml import residual
from costmodel.hls4ml.corpus import HlsCorpus, load_corpus
from costmodel.hls4ml.predictor import DEVICE
from costmodel.kinds import load_bundle
from costmodel.training import TrainRequest, evaluate, train
from featurizers.errors import UnknownNameError
from tests.costmodel.hls4ml.conftest import dense, invented


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    random = np.random.default_rng(5)
    rows = []
    for n_in in (32, 64, 96, 128, 160):
        for n_out in (32, 64, 96, 128):
            for bits in (4, 8, 12):
                labels = invented(dense([n_in, n_out], bits, 512), float(np.exp(random.normal(0, 0.03))))
                rows.append({
                    "d_in": n_in, "d_out": n_out, "weight_bits": bits, "reuse_factor": 512, "strategy": "resource",
                    "backend": "Vivado", "tool_version": "2020.1", "part": "xcu250-figd2104-2L-e",
                    "design": f"{n_in}x{n_out}", "synth_success": True, "lut": labels["lut_csynth"],
                    "ff": labels["ff_csynth"], "dsp": labels["dsp_csynth"] if bits > 4 else 0,
                    "bram_18k": labels["bram_csynth"], "latency_min_cycles": labels["cycles_min"],
                    "latency_max_cycles": labels["cycles_max"], "interval_max_cycles": labels["interval"],
                })  # fmt: skip
    made = tmp_path_factory.mktemp("reports")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), made / "dense1_csynth.parquet")
    return made


def test_the_corpus_splits_by_layer_dimensions(folder):
    corpus = load_corpus(folder)
    assert isinstance(corpus, HlsCorpus)
    for split in np.unique(corpus.split):
        here = {corpus.ids[i] for i in np.flatnonzero(corpus.split == split)}
        assert here.isdisjoint({corpus.ids[i] for i in np.flatnonzero(corpus.split != split)})
    assert all((labels.value > 0).all() for labels in corpus.labels)
    with pytest.raises(CorpusError, match=r"dense1_csynth\.parquet"):
        load_corpus(folder.parent / "nowhere")


@pytest.mark.parametrize("learner", ["lightgbm", "gnn", "hls-transformer", "closed-form"])
def test_every_learner_trains_to_a_bundle(folder, tmp_path, monkeypatch, learner):
    if learner in residual.NETWORKS:
        pytest.importorskip("torch_geometric")
        quick = {**residual.NETWORKS[learner], "epochs": 2, "hidden": 16}
        monkeypatch.setattr(residual, "NETWORKS", {learner: quick})
    request = TrainRequest("hls4ml", folder, learner=learner, out=tmp_path / "bundle", track=False)
    result = train(request, log=lambda _: None)
    assert {row["target"] for row in result.rows} >= {"lut_csynth", "cycles_max"}
    loaded = load_bundle(tmp_path / "bundle")
    raws = [dense([64, 96], 8, 512), dense([32, 32], 12, 512)]
    assert loaded.predict(raws, [DEVICE]) == result.predictor.predict(raws, [DEVICE])
    assert loaded.card["learner"] == learner
    assert loaded.card["licence"] == "Apache-2.0"
    assert [row["target"] for row in evaluate(loaded, folder)] == [row["target"] for row in result.rows]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:(?s).*type hint:UserWarning")
def test_a_network_is_trained_by_the_command_and_tracked(folder, tmp_path, monkeypatch):
    pytest.importorskip("torch_geometric")
    quick = {**residual.NETWORKS["gnn"], "epochs": 1, "hidden": 16}
    monkeypatch.setattr(residual, "NETWORKS", {"gnn": quick})
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--kind", "hls4ml", "--data", str(folder), "--learner", "gnn"]) == 0
    store = sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")
    with contextlib.closing(store):
        logged = dict(store.execute("select key, value from params").fetchall())
        metrics = {key for (key,) in store.execute("select distinct key from metrics").fetchall()}
    assert logged["learner"] == "gnn"
    assert metrics


def test_an_unknown_learner_is_named(folder):
    with pytest.raises(UnknownNameError, match="hls-transformer"):
        train(TrainRequest("hls4ml", folder, learner="random", track=False))


def test_data_that_are_not_free_mark_the_bundle(folder):
    from costmodel.hls4ml.corpus import card
    from costmodel.hls4ml.model import HlsModel

    designs = [dataclasses.replace(design, file="dense23") for design in load_corpus(folder).designs]
    assert "not for redistribution" in card(designs, [HlsModel()], 0, "")["licence"]
