"""`costmodel predict|rank|explain|devices|models`: in process and through a service, the same as REST says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from costmodel.cli import main
from tests.costmodel.cli.conftest import Run

GOOD, BAD = {"sides": [3, 4, 5]}, {"sides": [0, 1, 1]}


@pytest.fixture(params=["in process", "service"])
def where(request: pytest.FixtureRequest, box_models: Path, box_url: str) -> tuple[str, str]:
    return ("--models-dir", str(box_models)) if request.param == "in process" else ("--url", box_url)


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., str]:
    def write(*inputs: Any) -> str:
        path = tmp_path / "inputs.jsonl"
        path.write_text("".join(json.dumps(raw) + "\n" for raw in inputs))
        return str(path)

    return write


@pytest.mark.parametrize("operation", ["predict", "rank", "explain"])
def test_json_is_what_rest_says(run: Run, where: tuple[str, str], lines: Any, box_url: str, operation: str) -> None:
    asked = [GOOD, BAD, {"sides": [9, 9, 2]}]
    code, out, _ = run(operation, "--kind", "box", "--inputs", lines(*asked), "--device", "fast", "--json", *where)
    answer = httpx.post(f"{box_url}/v1/{operation}/box", json={"device": "fast", "inputs": asked}, timeout=30)
    assert json.loads(out) == answer.json()
    assert code == 1


def test_predict_prints_units_and_intervals(run: Run, where: tuple[str, str], lines: Any) -> None:
    code, out, err = run("predict", "--kind", "box", "--inputs", lines(GOOD), "--device", "fast", *where)
    assert (code, err) == (0, "")
    header, row = out.splitlines()
    assert header.split() == ["input", "device", "target", "value", "unit", "interval", "note"]
    assert "fast" in row
    assert " ns " in row
    assert "(90%)" in row


def test_a_wrong_input_is_named_on_standard_error(run: Run, where: tuple[str, str], lines: Any) -> None:
    path = lines(BAD, GOOD, [1])
    code, out, err = run("predict", "--kind", "box", "--inputs", path, "--device", "fast", *where)
    assert code == 1
    assert len(out.splitlines()) == 2
    assert f"{path}:1: 'sides' must lie between 1 and 1000" in err
    assert f"{path}:3: The line must be a JSON object" in err


def test_rank_prints_the_best_first(run: Run, where: tuple[str, str], lines: Any) -> None:
    path = lines({"sides": [30, 30, 30]}, BAD, {"sides": [2, 2, 2]})
    code, out, err = run("rank", "--kind", "box", "--inputs", path, "--device", "slow", *where)
    assert code == 1
    assert [(line.split()[0], line.split()[1][-2:]) for line in out.splitlines()[1:]] == [("1", ":3"), ("2", ":1")]
    assert f"{path}:2" in err


def test_explain_prints_the_largest_shares(run: Run, where: tuple[str, str], lines: Any) -> None:
    asked = ("--kind", "box", "--inputs", lines({"sides": [2, 3, 4]}), "--device", "slow", "--top", "3")
    code, out, _ = run("explain", *asked, *where)
    assert code == 0
    assert out.count("25.0%") == 4
    assert "in 1 more" in out


def test_catalogue(run: Run, where: tuple[str, str]) -> None:
    assert "latency_ns [ns]" in run("devices", *where)[1]
    assert "costmodel-box" in run("models", *where)[1]
    assert json.loads(run("models", "--json", *where)[1])["models"][0]["source"] == "packaged"
    assert len(json.loads(run("devices", "--json", *where)[1])["devices"]) == 2


def test_thousands_of_lines_are_one_document(run: Run, lines: Any, box_models: Path) -> None:
    path = lines(*[{"sides": [1, 1, i % 50 + 1]} for i in range(5000)])
    asked = ("--kind", "box", "--inputs", path, "--device", "fast", "--json", "--models-dir", str(box_models))
    results = json.loads(run("predict", *asked)[1])["results"]
    assert len(results) == 5000
    assert results[0] == results[50] != results[1]


@pytest.mark.parametrize("text", ["[3, 4, 5]", "@"])
def test_a_field_is_given_as_json_or_in_a_file(run: Run, tmp_path: Path, box_models: Path, text: str) -> None:
    (tmp_path / "sides.json").write_text("[3, 4, 5]")
    field = f"sides={text}{tmp_path / 'sides.json' if text == '@' else ''}"
    (tmp_path / "empty.jsonl").write_text("{}\n")
    asked = ("--kind", "box", "--inputs", str(tmp_path / "empty.jsonl"), "--field", field, "--device", "fast")
    code, out, _ = run("predict", *asked, "--models-dir", str(box_models))
    assert code == 0
    assert "latency_ns" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("predict", "--kind", "box", "--device", "fast"), "The list of inputs must hold at least one input"),
        (("predict", "--kind", "bxo", "--device", "fast"), "The kind 'bxo' is not known. Nearest: box"),
        (("predict", "--kind", "box", "--field", "sides=[1,1,1]", "--inputs", "/nowhere", "--device", "x"), "readable"),
        (("predict", "--kind", "box", "--dim", "batch", "--inputs", "-", "--device", "x"), "--dim"),
        (("predict", "--kind", "box", "--field", "x", "--inputs", "-", "--device", "x"), "--field"),
        (("predict", "model.xyz", "--device", "fast"), "must end in one of"),
        (("predict",), "must name files"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(run: Run, box_models: Path, argv: tuple[str, ...], message: str) -> None:
    code, out, err = run(*argv, "--models-dir", str(box_models))
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("operation", ["predict", "rank", "explain"])
def test_an_unknown_device_is_exit_code_2(run: Run, where: tuple[str, str], lines: Any, operation: str) -> None:
    code, out, err = run(operation, "--kind", "box", "--inputs", lines(GOOD), "--device", "fsat", *where)
    assert (code, out) == (2, "")
    assert "'fsat' is not known. Nearest: fast. Known: fast, slow." in err


def test_a_service_that_is_not_there_is_exit_code_1(run: Run, lines: Any, box_kind: str) -> None:
    asked = ("--kind", "box", "--inputs", lines(GOOD), "--device", "fast", "--url", "http://127.0.0.1:9")
    code, _, err = run("predict", *asked)
    assert code == 1
    assert "No answer from http://127.0.0.1:9" in err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["fly"])
    assert raised.value.code == 2
    with pytest.raises(SystemExit) as raised:
        main(["--help"])
    assert raised.value.code == 0
    assert "predict" in capsys.readouterr().out
