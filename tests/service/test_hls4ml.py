"""The packaged hls4ml bundle through the service and the command line: answers, and each kind of bad input."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from costmodel.cli import main
from costmodel.registry import PRETRAINED, ModelStore
from service import Settings, create_app
from service.source import StoreSource

LAYER = {"class": "Dense", "name": "fc", "units": 32, "reuse_factor": 16, "strategy": "Resource"}
KERAS = {
    "class_name": "Sequential",
    "config": {
        "name": "net",
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 64], "name": "x"}},
            {"class_name": "Dense", "config": {"name": "fc", "units": 32, "activation": "relu"}},
        ],
    },
}


def design(**fields: Any) -> dict[str, Any]:
    return {"layers": [LAYER], "input_shape": [64], "part": "zcu102", **fields}


def bomb() -> str:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "0" * (65 << 20))
    return base64.b64encode(stream.getvalue()).decode()


BAD = {
    "not dividing, strict": (design(layers=[{**LAYER, "reuse_factor": 7}], strict=True), ["7", "fc"]),
    "zero, strict": (design(layers=[{**LAYER, "reuse_factor": 0}], strict=True), ["0", "fc"]),
    "precision": (design(hls_config={"Model": {"Precision": "ap_fixed<16,>"}}), ["ap_fixed<16,>"]),
    "unknown layer": (design(layers=[{"class": "Capsule"}]), ["Capsule"]),
    "unknown part": (design(part="zcu1O2"), ["zcu1O2", "zcu102"]),
    "no shapes": ({"layers": [LAYER]}, ["input_shape"]),
    "configured layer": (design(hls_config={"LayerName": {"dense_9": {"ReuseFactor": 2}}}), ["dense_9"]),
    "major version": ({"keras": {**KERAS, "keras_version": "4.0.0"}}, ["4.0.0"]),
    "archive bomb": ({"keras": bomb()}, ["unpacked"]),
}


@pytest.fixture
def served(client_of: Any) -> Any:
    return client_of(create_app(Settings(), StoreSource(ModelStore(PRETRAINED, use_registry=False))))


def ask(served: Any, operation: str, **body: Any) -> Any:
    return served.post(f"/v1/{operation}/hls4ml", json=body)


def test_a_corrected_reuse_factor_is_answered_and_said(served: Any) -> None:
    for asked in (0, 7):
        answer = ask(served, "predict", inputs=[design(layers=[{**LAYER, "reuse_factor": asked}])])
        assert answer.status_code == 200
        (result,) = answer.json()["results"]
        assert any(str(asked) in note for note in result["details"]["notes"])


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name_and_the_rest_answered(served: Any, name: str) -> None:
    raw, words = BAD[name]
    answer = ask(served, "predict", inputs=[design(), raw])
    assert answer.status_code == 200
    good, refused = answer.json()["results"]
    assert good["predictions"]
    told = json.dumps(refused["error"])
    assert all(word in told for word in words), told


@pytest.mark.parametrize("name", BAD)
def test_the_command_line_refuses_with_the_same_words(name: str, tmp_path: Path, capsys: Any) -> None:
    raw, words = BAD[name]
    path = tmp_path / "design.json"
    path.write_text(json.dumps(raw))
    assert main(["predict", str(path), "--kind", "hls4ml"]) != 0
    told = "".join(capsys.readouterr())
    assert all(word in told for word in words), told


def test_every_answer_has_interval_unit_share_of_the_part_and_report(served: Any) -> None:
    (result,) = ask(served, "predict", inputs=[design()]).json()["results"]
    found = {p["target"]: p for p in result["predictions"]}
    wanted = {f"{name}_csynth" for name in ("lut", "ff", "dsp", "bram")} | {"cycles_min", "cycles_max", "interval"}
    assert wanted <= found.keys()
    assert all(p["low"] <= p["value"] <= p["high"] and p["unit"] for p in found.values())
    assert found["dsp_csynth"]["value"] == 64 * 32 / 16
    details = result["details"]
    assert details["percent_of_part"]["dsp_csynth"] == pytest.approx(100 * 128 / 2520, rel=1e-3)
    assert 0 <= details["p_fits"] <= 1
    assert 0 <= details["p_synthesis_succeeds"] <= 1
    assert {"LUT", "FF", "DSP", "BRAM_18K"} <= details["report"]["CSynthesisReport"].keys()
    (explained,) = ask(served, "explain", inputs=[design()], target="lut_csynth").json()["results"]
    assert sum(share["fraction"] for share in explained["explanation"]["shares"]) == pytest.approx(1)


def test_advice_is_a_front_and_a_picture(served: Any) -> None:
    body = {"input": design(), "reuse_factors": [1, 16, 64], "weight_bits": [4, 8], "plot": True}
    advice = ask(served, "advise", **body).json()
    assert 1 <= len(advice["options"]) <= 6
    assert "<svg" in json.dumps(advice)
