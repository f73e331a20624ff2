"""The recipe's tables are what the loader reads, and the benchmark says what is missing and keeps its protocol."""

import importlib.util
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from costmodel.benchmarks import nas, nas_ceiling
from costmodel.cli.main import main
from costmodel.fewshot import FewShotRegressor, meta_train, pretrain, training
from costmodel.fewshot.deep import train_deep
from costmodel.fewshot.tables import family_of, load_table, model_of
from costmodel.fewshot.train_run import EXPERIMENT, FewShotRequest, train_few_shot
from featurizers.errors import InputError, UnknownNameError
from featurizers.network.nas_physics import SPACES, OpIndices
from tests.costmodel.fewshot.conftest import law, noisy

torch = pytest.importorskip("torch")
help_learner = pytest.importorskip("costmodel.fewshot.help")
HelpSettings = help_learner.HelpSettings
RECIPE = Path(__file__).parents[3] / "datasets" / "nas_latency" / "build.py"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, OpIndices]:
    """A folder laid out as the origin's repository, with three known devices and one target of task FA."""
    folder = tmp_path_factory.mktemp("HELP")
    space = folder / "data" / "fbnet"
    (space / "latency").mkdir(parents=True)
    ops = SPACES["fbnet"].sample(300, np.random.default_rng(0))
    torch.save({"arch": [{"op_idx_list": row} for row in ops.tolist()]}, space / "metainfo.pt")
    laws = {
        "1080ti_1": (120.0, 9e4, 4e5), "1080ti_64": (20.0, 6e3, 3e4), "titan_rtx_1": (80.0, 2e5, 9e5),
        "pixel2": (10.0, 1e3, 8e3),
    }  # fmt: skip
    for seed, (name, numbers) in enumerate(laws.items()):
        torch.save(noisy(law(ops, *numbers), seed).tolist(), space / "latency" / f"{name}.pt")
    return folder, ops


@pytest.fixture(scope="module")
def tables(origin: tuple[Path, OpIndices], tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.spec_from_file_location("nas_latency_build", RECIPE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path_factory.mktemp("tables")
    module.build(origin[0], out, "fbnet")
    return out


def test_the_loader_reads_what_the_recipe_wrote(origin: tuple[Path, OpIndices], tables: Path) -> None:
    table = load_table(tables, "fbnet")
    np.testing.assert_array_equal(table.ops, origin[1])
    assert sorted(table.latency_ms) == ["1080ti_1", "1080ti_64", "pixel2", "titan_rtx_1"]
    stored = torch.load(origin[0] / "data" / "fbnet" / "latency" / "pixel2.pt", weights_only=True)
    np.testing.assert_array_equal(table.latency_ms["pixel2"], stored)


def test_a_missing_table_is_named(tables: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ofa_latency\.parquet"):
        load_table(tables, "ofa")


def test_latencies_that_are_not_positive_are_refused(tables: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    table = parquet.read_table(tables / "fbnet_latency.parquet")
    broken = table.set_column(table.schema.get_field_index("pixel2"), "pixel2", [[0.0] * table.num_rows])
    parquet.write_table(broken, tmp_path / "fbnet_latency.parquet")
    with pytest.raises(ValueError, match="pixel2"):
        load_table(tmp_path, "fbnet")


def test_a_benchmark_uses_what_it_finds_and_lists_what_is_missing(tables: Path) -> None:
    result = nas.run("nasflat-FA", tables, seeds=1)
    assert result["known"] == ["1080ti_1", "1080ti_64", "titan_rtx_1"]
    assert result["targets"] == ["pixel2"]
    assert result["trained_on"] == dict.fromkeys(("meta", "transfer"), result["known"])
    assert {"gold_6226", "2080ti_1"} <= set(result["missing"])
    assert result["summary"]["targets_missing"] == 3
    assert result["summary"]["spearman_planned_20"] > 0.95
    assert result["summary"]["spearman_20"] > result["summary"]["ridge_spearman_20"]
    assert all(isinstance(value, float) for value in result["summary"].values())
    named = {"flops_spearman", "adapt_ms"}
    for n in (5, 10, 20, 50):
        keys = ("spearman", "spearman_planned", "ridge_spearman", "median_error", "coverage")
        named |= {f"{key}_{n}" for key in keys}
    assert named <= set(result["summary"])
    assert {row["n"] for row in result["rows"] if row["method"] == "champion"} == set(nas.SIZES)


def test_pretraining_writes_a_learner_that_loads(tables: Path, tmp_path: Path) -> None:
    pretrain.main(["--data", str(tables), "--out", str(tmp_path), "--space", "fbnet", "--learner", "transfer"])
    loaded = FewShotRegressor.load(tmp_path / "network_fewshot_fbnet")
    assert sorted(loaded.devices) == ["1080ti_1", "1080ti_64", "pixel2", "titan_rtx_1"]
    assert len(loaded.plan(3)) == 3


def test_learners_train_from_the_command_line_with_honest_figures_of_left_out_devices(
    tables: Path, tmp_path: Path
) -> None:
    rows = train_few_shot(FewShotRequest("transfer", tables, out=tmp_path, track=False))
    assert {row["device"] for row in rows} == {"1080ti_1", "1080ti_64", "pixel2", "titan_rtx_1"}
    assert all(row["spearman_20"] > 0.9 and row["median_error_20"] < 0.1 for row in rows)
    loaded = FewShotRegressor.load(tmp_path / "network_fewshot_fbnet")
    assert loaded.card["left_out"]["pixel2"]["spearman_20"] == rows[2]["spearman_20"]


@pytest.mark.parametrize("learner", ["transfer", "meta", "gnn", "help"])
def test_every_learner_trains_by_the_command_and_loads(
    learner: str, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if learner == "gnn":
        pytest.importorskip("torch_geometric")
        monkeypatch.setattr(training, "train_deep", partial(train_deep, steps=15))
    if learner == "help":
        monkeypatch.setattr(help_learner, "HelpSettings", partial(HelpSettings, queries=50))
    command = ["train", "--kind", "network", "--learner", learner, "--data", str(tables), "--no-track"]
    command += ["--episodes", "20"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert "fbnet" in capsys.readouterr().out
    folder = tmp_path / "network_fewshot_fbnet"
    ops = SPACES["fbnet"].sample(20, np.random.default_rng(1))
    latency = law(ops, 90.0, 1e5, 4e5)
    if learner == "help":
        ranked = help_learner.Help.load(folder).rank(ops, latency[:10], ops[10:], latency[10:])
        assert ranked.shape == (20,)
        return
    loaded = FewShotRegressor.load(folder)
    assert loaded.learner == learner
    device = loaded.adapt(ops.tolist(), latency)
    assert np.median(np.abs(np.exp(device.predict(ops.tolist()).point) / latency - 1)) < 0.1


def test_other_targets_and_learners_are_compared_when_asked_for(tables: Path) -> None:
    result = nas.run("nasflat-FA", tables, seeds=1, learners="transfer", targets="pixel2")
    assert result["targets"] == ["pixel2"]
    assert result["trained_on"] == {"transfer": result["known"]}
    assert {row["method"] for row in result["rows"]} == {"flops", "ridge", "transfer", "champion"}
    with pytest.raises(InputError, match=r"must not be among the known devices.*1080ti_1"):
        nas.run("nasflat-FA", tables, targets="1080ti_1")


def test_a_bundle_that_knows_a_target_is_refused(tables: Path, tmp_path: Path) -> None:
    train_few_shot(FewShotRequest("transfer", tables, out=tmp_path, track=False))
    with pytest.raises(InputError, match="must not be trained on target devices"):
        nas.run("nasflat-FA", tables, seeds=1, bundle=str(tmp_path))
    with pytest.raises(InputError, match="is the folder of a few-shot learner"):
        nas.run("nasflat-FA", tables, seeds=1, bundle=str(tables))


def test_a_bundle_of_other_devices_answers_and_says_which(tables: Path, tmp_path: Path) -> None:
    table = load_table(tables, "fbnet")
    known = table.known(("1080ti_1", "titan_rtx_1"))
    (tmp_path / "transfer").mkdir()
    meta_train("transfer", table.space, table.ops, known).save(tmp_path / "transfer")
    result = nas.run("nasflat-FA", tables, seeds=1, bundle=str(tmp_path))
    assert result["trained_on"] == {"transfer": ["1080ti_1", "titan_rtx_1"]}
    assert result["summary"]["spearman_20"] > 0.9


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_training_run_is_in_mlflow(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--kind", "network", "--learner", "transfer", "--data", str(tables)]) == 0
    assert "4 known devices" in capsys.readouterr().out
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert run.data.params["learner"] == "transfer"
    assert run.data.metrics["mean/spearman_20"] > 0.9
    assert (tmp_path / "mlruns").is_dir()


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fbnet_latency\.parquet"):
        FewShotRequest("meta", tmp_path)
    with pytest.raises(UnknownNameError, match="oracle"):
        FewShotRequest("oracle", tmp_path)


def test_the_ceiling_of_a_noisy_table_is_below_one(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas_ceiling, "SPLITS", {"nasflat-FA": nas.SPLITS["nasflat-FA"]})
    result = nas_ceiling.run(tables)
    assert 0.9 < result["summary"]["ceiling_nasflat-FA"] < 1
    assert {row["device"] for row in result["rows"]} == {"1080ti_1", "1080ti_64", "pixel2", "titan_rtx_1"}


def test_without_a_target_device_there_is_no_benchmark(tables: Path) -> None:
    with pytest.raises(ValueError, match="a target"):
        nas.run("nasflat-FD", tables)


def test_an_unknown_task_and_no_data_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="nasflat-F9"):
        nas.run("nasflat-F9", None)
    with pytest.raises(InputError, match="--data"):
        nas.run("nasflat-FA", None)


@pytest.mark.parametrize("name", sorted(nas.SPLITS))
def test_a_target_is_never_among_the_known_devices(name: str) -> None:
    split = nas.SPLITS[name]
    assert not set(split.known) & set(split.targets)
    assert len(set(split.known)) == len(split.known)


def test_batch_sizes_of_one_gpu_are_one_model() -> None:
    assert {model_of(name) for name in ("titan_rtx_1", "titan_rtx_256")} == {"titan_rtx"}
    assert model_of("essential_ph_1") == "essential_ph_1"
    assert (family_of("titan_xp_32"), family_of("silver_4210r"), family_of("pixel3")) == ("nvidia", "xeon", "pixel3")
