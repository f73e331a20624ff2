"""A whole training run of the toy kind in a real embedded MLflow store."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel import kinds
from costmodel.registry import ModelStore
from costmodel.tracking.versions import versions
from costmodel.training import TrainRequest, TrainResult, train
from tests.toy_kind import BOX, box_corpus

pytestmark = [
    pytest.mark.usefixtures("box_kind"),
    # MLflow's own imports and SQLAlchemy pool warn; what we call must not.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:(?s).*type hint:UserWarning"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder as the working folder, so that ./mlruns is made in it: migrated once for the module."""
    folder, before = tmp_path_factory.mktemp("project"), Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def run_training(learner: str) -> TrainResult:
    return train(TrainRequest("box", Path("data"), learner=learner), log=lambda _: None)


def test_champion_moves_only_when_the_new_model_is_better(project: Path) -> None:
    first = run_training("constant")
    error = f"{first.held_out_error:.4f}"
    assert first.registered == f"costmodel-box version 1 (held-out median error {error}) is the first champion."
    better = run_training("roofline").registered
    assert better is not None
    assert "version 2 is the new champion" in better
    worse = run_training("constant").registered
    assert worse is not None
    assert "version 3 is not better" in worse
    assert "champion 2" in worse


def test_what_was_trained_in_one_folder_answers_in_no_other(
    project: Path, tmp_path: Path, box_training: tuple[Path, TrainResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow writes the store it was told into the environment, for children too."""
    (tmp_path / "box").symlink_to(box_training[0])
    store = ModelStore(tmp_path)
    store.refresh()
    assert store.predictor("box").version == "registry-2"
    monkeypatch.chdir(tmp_path)
    elsewhere = ModelStore(tmp_path)
    elsewhere.refresh()
    assert elsewhere.predictor("box").version == "0.1.0"
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_versions_are_told_newest_first_with_the_accuracy_of_their_runs(project: Path) -> None:
    found = versions("costmodel-box")
    assert [(one.version, one.champion, one.learner) for one in found] == [
        ("3", False, "constant"),
        ("2", True, "roofline"),
        ("1", False, "constant"),
    ]
    best, worst = found[1].held_out_median_error, found[0].held_out_median_error
    assert best is not None
    assert worst is not None
    assert best < worst
    assert {row["device"] for row in found[1].accuracy} == {"slow", "fast"}
    assert len(found[1].git_commit) == 40
    assert versions("costmodel-nothing") == []


def test_a_run_logs_what_is_needed_to_do_it_again(project: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("costmodel-box")
    run = client.search_runs([experiment.experiment_id], "params.learner = 'roofline'")[0]
    assert run.data.params["learner"] == "roofline"
    assert run.data.params["seed"] == "0"
    assert run.data.tags["data_checksum"] == box_corpus(Path()).checksum
    assert len(run.data.tags["git_commit"]) == 40
    assert 0 < run.data.metrics["held_out_median_error"] < 0.1
    assert run.data.metrics["test_unseen/slow/latency_ns/constant_median_error"] > 0.3
    plots = {Path(artifact.path).name for artifact in client.list_artifacts(run.info.run_id, "plots")}
    assert plots == {"slow_latency_ns.png", "fast_latency_ns.png"}


def test_the_registered_model_answers_as_a_pyfunc_and_holds_no_pickle(project: Path) -> None:
    import mlflow
    import pandas as pd

    result = train(TrainRequest("box", Path("data"), learner="roofline", track=False), log=lambda _: None)
    model = mlflow.pyfunc.load_model("models:/costmodel-box@champion")
    frame = pd.DataFrame({"input": [json.dumps({"sides": [9, 9, 9]}), json.dumps({"sides": [0]})]})
    table = model.predict(frame, params={"device": "slow"})
    (expected,) = result.predictor.predict([{"sides": [9, 9, 9]}], ["slow"])
    assert table["value"][0] == pytest.approx(expected[0].value)  # type: ignore[index]
    assert "must be a list of three" in table["error"][1]
    local = Path(mlflow.artifacts.download_artifacts("models:/costmodel-box@champion"))
    assert not [path for path in local.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_the_store_serves_the_champion_follows_the_alias_and_outlives_the_registry(
    project: Path, box_training: tuple[Path, TrainResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    packaged = project / "packaged"
    packaged.mkdir(exist_ok=True)
    (packaged / "box").symlink_to(box_training[0])
    store = ModelStore(packaged)
    assert store.kinds() == ["box"]
    assert store.predictor("box").version == "0.1.0"
    store.refresh()
    first = store.predictor("box").version
    assert first == "registry-2"
    mlflow.MlflowClient().set_registered_model_alias("costmodel-box", "champion", "1")
    store.refresh()
    assert store.predictor("box").version == "registry-1"
    assert store.problem is None
    database = project / "mlruns" / "mlflow.db"
    database.rename(database.with_suffix(".away"))
    store.refresh()
    assert store.problem == "The model registry is gone: its file is no longer there"
    database.with_suffix(".away").rename(database)
    store.refresh()
    assert store.problem is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{packaged}/box/bundle.json/mlflow.db")
    store.refresh()
    assert store.problem is not None
    assert "box" in store.problem
    assert store.predictor("box").predict([{"sides": [2, 2, 2]}], ["slow"])


def test_data_that_break_their_schema_stop_training_before_it_starts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from costmodel.corpus import Corpus, CorpusError

    def broken(folder: Path) -> Corpus:
        corpus = box_corpus(folder)
        return replace(corpus, raws=[*corpus.raws[:7], {"sides": [1]}, *corpus.raws[8:]])

    monkeypatch.setitem(kinds.KINDS, "box", replace(BOX, corpus=broken))
    with pytest.raises(CorpusError, match="boxes, subject 'box7': 'sides' must be a list of three numbers"):
        run_training("constant")


def test_the_held_out_error_is_that_of_the_validation_split(project: Path) -> None:
    result = train(TrainRequest("box", Path("data"), learner="constant", track=False), log=lambda _: None)
    rows = [row["median_error"] for row in result.rows if row["split"] == "validation"]
    assert result.held_out_error == pytest.approx(float(np.mean(rows)))


def test_a_champion_at_hand_is_fetched_without_mlflow(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    import mlflow

    from costmodel.tracking.local import fetch

    client = mlflow.MlflowClient()
    version = str(client.get_model_version_by_alias("costmodel-box", "champion").version)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    found = fetch({"box": "", "cpu": ""}, project / "fetched")
    assert found == {"box": {"version": version, "folder": str(project / "fetched" / f"box-{version}")}}
    assert kinds.load_bundle(Path(found["box"]["folder"])).predict([{"sides": [2, 2, 2]}], ["slow"])
    assert fetch({"box": version}, project / "fetched") == {}
    # Who logs a bundle by hand gives it the name of its folder.
    for bundle in list(project.rglob("artifacts/artifacts/bundle")):
        bundle.rename(bundle.with_name("by-hand"))
    assert fetch({"box": ""}, project / "again") == {
        "box": {"version": version, "folder": str(project / "again" / f"box-{version}")}
    }
    for bundle in list(project.rglob("artifacts/artifacts/by-hand")):
        bundle.rename(bundle.with_name("bundle"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert fetch({"box": ""}, project / "fetched") is None
