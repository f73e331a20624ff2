"""The calls that Try shows for an answer, run as they stand: curl, Python and a shell give what the page gave."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.test_documented_commands import ROOT, run
from tests.test_documented_commands import folder as folder

MLIR = (ROOT / "examples/matmul.mlir").read_text()


def fill_network(page: Any, folder: Path) -> None:
    (folder / "resnet.onnx").write_bytes((ROOT / "examples/resnet.onnx").read_bytes())
    page.set_input_files("input[type=file]", folder / "resnet.onnx")


def fill_hls4ml(page: Any, folder: Path) -> None:
    (folder / "jets.json").write_bytes((ROOT / "examples/jets.json").read_bytes())
    page.set_input_files("input[type=file]", folder / "jets.json")
    page.fill("textarea[name=config]", (ROOT / "examples/jets.yml").read_text())
    page.fill("input[name=part]", "zcu102")


def fill_mlir(page: Any, folder: Path) -> None:
    page.fill("textarea[name=mlir]", MLIR + "// so long that nobody would type it\n" * 90)


def fill_cpu(page: Any, folder: Path) -> None:
    page.select_option("select[name=target]", "passmark:ME_LATENCY")


CASES = {
    "network": (fill_network, "Predict"),
    "mlir": (fill_mlir, "Predict"),
    "hls4ml": (fill_hls4ml, "Predict"),
    "cpu": (fill_cpu, "Explain"),
}


def saved(page: Any, folder: Path) -> None:
    """What the calls read is saved by the buttons beside them."""
    for button in page.locator("details.samples button").all():
        with page.expect_download() as download:
            button.click()
        download.value.save_as(folder / download.value.suggested_filename)


def first_value(answer: dict[str, Any]) -> float:
    (result,) = answer["results"]
    found = result["explanation"]["prediction"] if "explanation" in result else result["predictions"][0]
    return float(found["value"])


def first_printed(table: str) -> float:
    """The first number with a white space on both sides: the first value of the command's table."""
    return next(float(word) for word in table.split() if re.fullmatch(r"-?[0-9.]+(e[+-][0-9]+)?", word))


@pytest.mark.parametrize("kind", CASES)
def test_the_calls_shown_run_as_they_stand(page: Any, address: str, folder: Path, kind: str) -> None:
    fill, button = CASES[kind]
    page.goto(f"/#/try/{kind}")
    page.wait_for_selector("main > [data-title]")
    fill(page, folder)
    page.click(f"button:text-is('{button}')")
    page.wait_for_selector("details.samples")
    page.click("details.samples summary")
    saved(page, folder)
    curl, python, shell = page.locator("details.samples pre").all_inner_texts()
    here = address.removeprefix("http://")
    calls = [("shell", curl), ("python", python), ("shell", shell)]
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(lambda call: run(*call, folder, here), calls))
    for each in done:
        assert each.returncode == 0, each.args[-1] + each.stdout[-1500:] + each.stderr[-1500:]
    value = first_value(json.loads(done[0].stdout))
    assert repr(value) in done[1].stdout
    assert value == pytest.approx(first_printed(done[2].stdout), rel=2e-3), done[2].args[-1] + done[2].stdout
