"""rule4ml beside us, where an interpreter of this test answers in its place."""

import json
import stat

import numpy as np
import pytest

from costmodel.benchmarks.rule4ml_side import compare_rule4ml
from costmodel.hls4ml import HlsModel
from costmodel.hls4ml.rows import LabelledDesign

LAYER = {"class": "Dense", "units": 32, "weight": "fixed<6,1>", "reuse_factor": 64, "strategy": "resource"}
LABELS = {"lut_csynth": 100.0, "ff_csynth": 50.0, "dsp_csynth": 0.0, "bram_csynth": 2.0, "cycles_max": 66.0,
          "interval": 64.0}  # fmt: skip
DESIGNS = [
    LabelledDesign("dense1", f"{n}-32", {"layers": [LAYER], "input_shape": [n]}, LABELS if n != 32 else {}, n != 32)
    for n in (16, 32, 64)
]
ANSWER = {"LUT": 300.0, "FF": 50.0, "DSP": 0.0, "BRAM": 2.0, "CYCLES": 66.0, "INTERVAL": 64.0}


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Writes down what it is asked and gives the same answer to every labelled design."""
    program = tmp_path / "python"
    figures = {"ready_s": 1.0, "each_s": 5.0, "peak_mib": 900.0, "answers": [ANSWER, ANSWER]}
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/asked.json\necho loading\necho '{json.dumps(figures)}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("COSTMODEL_RULE4ML_PYTHON", str(program))
    return tmp_path / "asked.json"


def test_both_errors_stand_on_the_same_labelled_designs(stand_in):
    ours = {name: np.full(len(DESIGNS), value) for name, value in LABELS.items()}
    summary = {}
    rows = compare_rule4ml(HlsModel(), summary, DESIGNS, ours)
    beside = {row["target"]: row for row in rows if row["subset"] == "dense1: beside rule4ml"}
    assert beside.keys() == LABELS.keys()
    lut = beside["lut_csynth"]
    assert (lut["n"], lut["smape"], lut["smape_rule4ml"]) == (2, 0.0, round(200 * 200 / 401, 2))
    assert summary["rule4ml_time_ratio"] > 100
    _, _, labelled = json.loads(stand_in.read_text())
    assert labelled[0] == [[16, 32], {"board": "alveo-u250", "model": {
        "precision": "ap_fixed<6, 1>", "reuse_factor": 64, "strategy": "Resource"}}]  # fmt: skip
    assert [sizes for sizes, _ in labelled] == [[16, 32], [64, 32]]


def test_without_rule4ml_the_row_says_why(monkeypatch, tmp_path):
    monkeypatch.delenv("COSTMODEL_RULE4ML_PYTHON", raising=False)
    monkeypatch.delenv("COSTMODEL_RULE4ML_INSTALL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    summary = {}
    (row,) = compare_rule4ml(HlsModel(), summary, [], {})
    assert "COSTMODEL_RULE4ML_INSTALL=1" in row["note"]
    assert summary == {}
