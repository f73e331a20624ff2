"""`costmodel train --kind mlir` with every learner on a small set, and what refitting changes."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from costmodel.benchmarks import mlir as benchmark
from costmodel.cli.main import main
from costmodel.corpora.mlir_programs import load_corpus
from costmodel.predictor import Predictor
from costmodel.training.run import REFITTED, TrainRequest, TrainResult, evaluate, train
from costmodel.training.shared import pools
from featurizers.errors import InputError
from tests.costmodel.mlir.conftest import CPUS, text_of

CPU = CPUS[1]
QUICK = {"rounds": 10, "min_leaf": 3}
FEW: dict[str, dict[str, object]] = {
    "mlir-boost": {"rounds": 30, "min_leaf": 3},
    "lightgbm": {"rounds": 100},
    "conv1d": {"epochs": 1, "longest": 48, "hidden": 8, "embedding": 4},
    "lstm": {"epochs": 1, "longest": 48, "hidden": 8, "embedding": 4},
    "gnn": {"epochs": 1, "hidden": 8, "layers": 1, "readout": "pooled"},
}


@pytest.fixture(scope="module")
def cycles_alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One target on one CPU: who does not share a model between CPUs fits one."""
    folder = tmp_path_factory.mktemp("cycles")
    (folder / "programs.parquet").write_bytes((data / "programs.parquet").read_bytes())
    labels = pq.read_table(data / "labels.parquet")
    own = labels.filter(pc.equal(labels["cpu"], CPU)).select(["program_id", "cpu", "cycles"])
    pq.write_table(own, folder / "labels.parquet")
    return folder


@pytest.mark.parametrize("learner", list(FEW))
def test_a_model_is_trained_written_and_answers(learner: str, cycles_alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    request = TrainRequest("mlir", cycles_alone, learner, out=out, track=False, parameters=FEW[learner])
    trained = train(request, log=lambda _: None)
    assert {row["split"] for row in trained.rows} == {"train", "validation", "test_seen", "test_unseen"}
    (folder,) = (out / "models").iterdir()
    assert bool(list((folder / "regressor").glob("*.onnx.zst"))) == (learner in ("conv1d", "lstm", "gnn"))
    raws = [{"mlir": text_of(length, chain)} for length, chain in ((100, 2), (1900, 11))]
    served, before = Predictor.load(out).predict(raws, [CPU]), trained.predictor.predict(raws, [CPU])
    assert served == before
    small, large = (outcome[0] for outcome in served)  # type: ignore[index]
    assert 0 < small.low <= small.value <= small.high
    assert (small.target, small.device) == ("cycles", CPU)
    if learner in ("mlir-boost", "lightgbm"):
        assert large.value > 10 * small.value


def test_the_command_of_mlproject_trains_the_kinds_own_learner(
    cycles_alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = (
        (Path(__file__).parents[3] / "MLproject").read_text().split("command:")[1].splitlines()[0].strip().strip('"')
    )
    given = {"kind": "mlir", "learner": "", "seed": "0", "tune": "0", "episodes": "0", "data": str(cycles_alone)}
    given |= {"include_feedback": "false", "refit": "false", "scheduler": ""}
    arguments = shlex.split(entry.format(**given))
    assert arguments[:3] == ["python", "-m", "costmodel"]
    assert main([*arguments[3:], "--no-track"]) == 0
    assert "mlir-estimate_median_error" in capsys.readouterr().out


@pytest.fixture(scope="module")
def refitted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult, list[str]]:
    """A bundle of all splits, what was said of it, and the log."""
    said: list[str] = []
    out = tmp_path_factory.mktemp("refitted") / "mlir"
    request = TrainRequest("mlir", data, out=out, track=False, parameters=QUICK, refit=True)
    return out, train(request, log=said.append), said


def test_what_is_refitted_says_so_and_is_not_judged_on_the_same_data(
    data: Path, refitted: tuple[Path, TrainResult, list[str]]
) -> None:
    folder, result, said = refitted
    assert any("cycles: fitted again to all 360 rows" in line for line in said)
    loaded = Predictor.load(folder)
    assert loaded.card["held_out"] == REFITTED
    with pytest.raises(InputError, match="cannot be judged"):
        evaluate(loaded, data)
    plain = train(TrainRequest("mlir", data, track=False, parameters=QUICK), log=lambda _: None)
    for row, other in zip(result.rows, plain.rows, strict=True):
        assert row == pytest.approx(other, nan_ok=True)
    shipped, judged = (p.model(CPU, "cycles") for p in (loaded, plain.predictor))
    assert shipped.calibration == judged.calibration
    assert shipped.domain.high.max() >= judged.domain.high.max()
    raw = [{"mlir": text_of(3000, 12)}]
    assert loaded.predict(raw, [CPU]) != plain.predictor.predict(raw, [CPU])


def test_refitting_is_refused_where_devices_share_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="share one model"):
        TrainRequest("network", tmp_path, refit=True)


def test_the_benchmark_trains_on_the_training_split_where_the_bundle_saw_all(
    data: Path,
    refitted: tuple[Path, TrainResult, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(benchmark, "PRETRAINED", refitted[0].parent)
    result = benchmark.run(data, None)
    assert "training one on their training split" in capsys.readouterr().out
    assert {row["split"] for row in result["rows"]} == {"seen", "unseen"}
    assert 0 < result["summary"]["median_error_cycles_seen"] < 1


def test_two_compilers_on_one_host_do_not_share_a_model(data: Path) -> None:
    labels = load_corpus(data).labels
    host = labels[0]
    other = replace(host, device=replace(host.device, name="the same host, another compiler"))
    found = pools([*labels, other])
    assert [other] in found
    assert sum(len(pool) for pool in found) == len(labels) + 1
    assert all(len({own.target.name for own in pool}) == 1 for pool in found)
