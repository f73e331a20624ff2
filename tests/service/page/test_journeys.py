"""What people come to the page for, done as they do it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
VIEWS = ("try", "explore", "devices", "models")


def opened(page: Any, place: str) -> Any:
    page.goto(f"/#/{place}")
    page.wait_for_selector("main h1")
    return page


def test_an_onnx_file_is_answered_for_two_devices_and_explained(page: Any) -> None:
    opened(page, "try/network")
    page.set_input_files("input[type=file]", EXAMPLES / "resnet.onnx")
    page.check("input[value=xeon-emr-ort-fp32-b1]")
    page.check("input[value=xeon-emr-ort-int8-b1]")
    page.click("text=Predict")
    page.wait_for_selector("tbody tr:nth-child(2)")
    table = page.inner_text("table")
    assert re.search(r"xeon-emr-ort-fp32-b1\s+latency_ms\s+3\.67 ms\s+3\.34\s+4\.04\s+yes", table), table
    assert page.locator("svg line.range").count() >= 2
    page.click("summary")
    assert "curl --data-binary @resnet.onnx" in page.inner_text("pre >> nth=0")
    for device in page.eval_on_selector_all("input[name=device]:checked", "boxes => boxes.map(box => box.value)"):
        page.set_checked(f"input[value={device}]", device == "xeon-emr-ort-fp32-b1")
    page.click("text=Explain")
    page.wait_for_selector("text=/dearest of/")
    shares = [float(text.rstrip("%")) for text in page.locator("tbody td:last-child").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert 50 < sum(shares) <= 100.5


def test_an_error_is_shown_as_the_api_told_it(page: Any) -> None:
    opened(page, "try/network")
    page.fill("input[name=cell]", "|nor_conv_9x9~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    page.click("text=Predict")
    page.wait_for_selector("[role=alert]")
    assert "nor_conv_9x9" in page.inner_text("[role=alert]")
    page.complaints.clear()  # the browser itself logs an answer of 422


def test_other_kinds_are_a_click_away(page: Any) -> None:
    opened(page, "try/network")
    page.check("input[value=cpu]")
    page.wait_for_selector("input[name=server]")
    page.click("text=Predict")
    page.wait_for_selector("text=passmark:SUMM_CPU")
    page.check("input[value=hls4ml]")
    page.wait_for_selector("textarea[name=design]")
    page.click("text=Predict")
    page.wait_for_selector("td:has-text('lut_csynth')")


def test_cells_are_drawn_chosen_and_saved(page: Any) -> None:
    opened(page, "explore/cells")
    page.fill("input[type=number]", "200")
    page.click("text=Draw")
    page.wait_for_selector("svg circle >> nth=150", state="attached")
    box = page.locator("svg").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.15, box["y"] + box["height"] * 0.05)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.8)
    page.mouse.up()
    chosen = page.locator("circle.chosen").count()
    assert 0 < chosen < 200
    with page.expect_download() as download:
        page.click("text=Save as CSV")
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 1 + chosen
    assert lines[0].startswith('"cell","FLOPs')


def test_dragging_the_reuse_factor_moves_resources_and_latency(page: Any) -> None:
    opened(page, "explore/designs")
    page.wait_for_selector("text=The front over")
    before = page.inner_text("h2 >> nth=0"), page.inner_text("tbody >> nth=0")
    page.focus("input[type=range] >> nth=0")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=Reuse factor 8,")
    page.wait_for_function("before => document.querySelector('h2').innerText !== before", arg=before[0])
    latency = [float(text.split()[0].replace(",", "")) for text in (before[0], page.inner_text("h2 >> nth=0"))]
    assert latency[1] > latency[0]
    assert page.inner_text("tbody >> nth=0") != before[1]


def test_servers_are_ranked_for_a_mix_and_an_unknown_one_is_named(page: Any) -> None:
    opened(page, "explore/servers")
    page.fill("textarea", "aws/m7i.large\naws/m7i.2xlarge\nnowhere/nothing")
    page.click("text=Rank")
    page.wait_for_selector("tbody tr")
    assert page.locator("tbody td:first-child").all_inner_texts() == ["aws/m7i.2xlarge", "aws/m7i.large"]
    assert "nowhere/nothing" in page.inner_text(".problem")


def test_a_device_is_planned_added_shown_and_removed(page: Any) -> None:
    opened(page, "devices")
    page.fill("input[name=name]", "page-phone")
    page.click("text=Which ones?")
    page.wait_for_function("() => document.querySelector('textarea[name=measured]').value.includes('nor_conv')")
    cells = page.input_value("textarea[name=measured]").split("\n")
    assert len(cells) == 10
    measured = [f"{cell.strip()} {5 + 3 * cell.count('conv_3x3') + 1.1 * cell.count('conv_1x1')}" for cell in cells]
    page.fill("textarea[name=measured]", "\n".join(measured))
    page.click("button.main")
    page.wait_for_selector("h2:has-text('page-phone')")
    assert "10 measurements of nasbench201" in page.inner_text("main")
    page.click("text=Remove this device")
    page.wait_for_function("() => location.hash === '#/devices'")


def test_mlir_lines_are_shaded_by_what_they_cost(page: Any) -> None:
    opened(page, "try/mlir")
    for device in page.eval_on_selector_all("input[name=device]", "boxes => boxes.map(box => box.value)"):
        page.set_checked(f"input[value='{device}']", device == "znver4")
    page.click("text=Explain")
    page.wait_for_selector("pre.source")
    assert "affine.for %k" in page.inner_text("pre.source .heat-4")


def test_a_model_shows_predictions_beside_measurements(page: Any) -> None:
    opened(page, "models/costmodel-network")
    page.wait_for_selector("svg circle >> nth=50", state="attached")
    assert "Apache-2.0" in page.inner_text("main")
    assert page.locator("text=Median error by family").count() >= 1


def test_long_work_can_be_cancelled(page: Any) -> None:
    opened(page, "explore/cells")
    page.fill("input[type=number]", "15625")
    page.click("text=Draw")
    page.click("text=Cancel")
    page.wait_for_selector("text=Cancelled.")


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious_and_a_narrow_screen_needs_no_sideways_scrolling(page: Any, view: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened(page, view)
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        page.wait_for_timeout(300)
        serious = [v for v in axe.run(page).response["violations"] if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in serious] == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_reaches_the_answer(page: Any) -> None:
    opened(page, "try/network")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.focus("button.main")
    page.keyboard.press("Enter")
    page.wait_for_selector("tbody tr")


def test_theme_is_kept(page: Any) -> None:
    opened(page, "try")
    page.click("#theme")
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.reload()
    page.wait_for_selector("main h1")
    assert page.evaluate("document.documentElement.dataset.theme") == theme == "dark"
