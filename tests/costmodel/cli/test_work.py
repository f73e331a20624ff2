"""`costmodel train|evaluate|measure|datasets|benchmark`: arguments reach the library, results are printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costmodel import benchmarks
from costmodel.cli import main
from costmodel.zoo import nasbench201_model

TOY_BENCHMARK = """
def run(data, mirror):
    return {"benchmark": "toy", "rows": [{"data": str(data)}], "summary": {"speed": 2.5}}
"""


def test_train_writes_a_bundle_and_evaluate_reads_it(
    box_kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "boxes", tmp_path / "bundle"
    data.mkdir()
    trained = ["train", "--kind", box_kind, "--data", str(data), "--learner", "", "--out", str(out), "--no-track"]
    assert main([*trained, "--device", "fast"]) == 0
    table = capsys.readouterr().out
    assert "| fast | latency_ns | test_seen |" in table
    assert "slow" not in table
    assert main(["evaluate", "--kind", box_kind, "--data", str(data), "--bundle", str(out), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["device"], row["split"]) for row in rows} >= {("fast", "test_seen"), ("fast", "test_unseen")}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train", "--kind", "bxo"], "The kind 'bxo' is not known"),
        (["train", "--kind", "box", "--data", ".", "--learner", "magic"], "'magic' is not known"),
        (["train", "--kind", "box", "--data", ".", "--coverage", "2"], "'coverage' must be at least 0.5"),
        (["train", "--kind", "box"], "--data"),
        (["measure", "/nowhere.onnx", "--device", "ort-fp32-b1"], "The file must be readable"),
    ],
)
def test_a_wrong_request_is_exit_code_2(
    box_kind: str, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert main(argv) == 2
    assert message in capsys.readouterr().err


def test_measure_prints_the_latency_on_this_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model.onnx"
    arch = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    model.write_bytes(nasbench201_model(arch, cells=1).SerializeToString())
    asked = ["measure", str(model), "--device", "ort-fp32-b1", "--rounds", "1", "--core", "0"]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["latency_ms"] < 1000
    assert found["batch"] == 1


def test_datasets_tells_what_there_is(box_kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "--json"]) == 0
    [box] = [entry for entry in json.loads(capsys.readouterr().out)["datasets"] if entry["kind"] == "box"]
    assert box["name"] == "boxes"
    assert "not here" in box["folder"]


def test_benchmark_prints_and_writes_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_benchmark.py").write_text(TOY_BENCHMARK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(benchmarks.BENCHMARKS, "toy", "toy_benchmark:run")
    assert main(["benchmark", "toy", "--data", str(tmp_path), "--json", str(tmp_path / "out.json")]) == 0
    assert "speed" in capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["summary"] == {"speed": 2.5}
    assert written["rows"] == [{"data": str(tmp_path)}]
