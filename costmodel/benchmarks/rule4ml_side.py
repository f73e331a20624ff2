"""rule4ml 0.2.0 beside us, in an environment of its own: it is GPL and never imported by this project.

The environment is looked for at ``$COSTMODEL_RULE4ML_PYTHON`` (an interpreter that can import rule4ml); with
``COSTMODEL_RULE4ML_INSTALL=1`` it is made in the user's cache folder from PyPI. Without either the comparison is left
out, and the row says why.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from costmodel.benchmarks.hls4ml_scores import smape
from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.rows import LabelledDesign
from costmodel.regressors import Array

VERSION = "0.2.0"
_DESIGNS = ((16, 64, 32, 5), (32, 32, 10), (64, 128, 64, 8), (8, 16, 8), (128, 64, 32, 16, 4), (24, 48, 24, 6))
_INSTALL_SECONDS = 1500
_RUN_SECONDS = 1500
_BOARD = "alveo-u250"
_LABELLED = 12
_TARGETS: Final[Mapping[str, Mapping[str, str]]] = {
    "dense1": {
        "LUT": "lut_csynth",
        "FF": "ff_csynth",
        "DSP": "dsp_csynth",
        "BRAM": "bram_csynth",
        "CYCLES": "cycles_max",
        "INTERVAL": "interval",
    },
    "dense23": {
        "LUT": "lut_vsynth",
        "FF": "ff_vsynth",
        "DSP": "dsp_vsynth",
        "BRAM": "bram_vsynth",
        "CYCLES": "cycles_max",
    },
}
"""By file rule4ml's names of what is labelled there. Which stage of synthesis it means is not documented."""

_REPEATS = 10
_SCRIPT = """
import json, resource, sys, time
designs, settings, labelled = json.load(sys.stdin)
started = time.perf_counter()
import keras
from rule4ml.models.wrappers import MultiModelWrapper
estimator = MultiModelWrapper()
estimator.load_default_models()
ready = time.perf_counter() - started
def chain(sizes, activation):
    inputs = x = keras.layers.Input(shape=(sizes[0],))
    for units in sizes[1:]:
        x = keras.layers.Dense(units, activation=activation)(x)
    model = keras.Model(inputs=inputs, outputs=x)
    model.build((None, sizes[0]))
    return model
models = [chain(sizes, "relu") for sizes in designs]
estimator.predict(models[:1], hls_configs=[settings])
started = time.process_time()
estimator.predict(models, hls_configs=[settings])
each = (time.process_time() - started) / len(models)
answers = []
for sizes, config in labelled:
    frame = estimator.predict([chain(sizes, None)], hls_configs=[config])
    answers.append({key: float(frame[key].iloc[0]) for key in ("LUT", "FF", "DSP", "BRAM", "CYCLES", "INTERVAL")})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"ready_s": ready, "each_s": each, "peak_mib": peak, "answers": answers}))
"""


def compare_rule4ml(
    model: HlsModel, summary: dict[str, float], designs: Sequence[LabelledDesign], values: Mapping[str, Array]
) -> list[dict[str, Any]]:
    """Rows of time and memory of both on the same designs, and of both errors on labelled ones.

    values : by target our answers to `designs` (n,), by models that had not seen their layer dimensions. Sets
    ``rule4ml_time_ratio`` when it could be measured.
    """
    ours = _our_seconds(model)
    chosen = _chosen(designs)
    try:
        theirs = _their_figures([_question(designs[i]) for i in chosen])
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        return [{"subset": "rule4ml", "target": "seconds per design", "n": 0, "note": f"not measured: {error}"[:300]}]
    summary["rule4ml_time_ratio"] = round(theirs["each_s"] / ours, 1)
    return [
        {
            "subset": "rule4ml",
            "target": "CPU ms per design",
            "n": len(_DESIGNS),
            "value": round(1e3 * theirs["each_s"], 3),
            "note": f"ready after {theirs['ready_s']:.1f} s, peak {theirs['peak_mib']:.0f} MiB",
        },
        {
            "subset": "costmodel",
            "target": "CPU ms per design",
            "n": len(_DESIGNS),
            "value": round(1e3 * ours, 3),
            "note": f"peak of this whole process {_peak_mib():.0f} MiB",
        },
        *_errors(designs, chosen, values, theirs["answers"]),
    ]


def _chosen(designs: Sequence[LabelledDesign]) -> list[int]:
    """As many designs of each file, evenly spread over it: each costs rule4ml seconds."""
    chosen = []
    for file in _TARGETS:
        own = [i for i, design in enumerate(designs) if design.file == file and design.labels]
        steps = np.linspace(0, len(own) - 1, min(_LABELLED, len(own))).astype(int)
        chosen += [own[step] for step in steps.tolist()]
    return chosen


def _question(design: LabelledDesign) -> tuple[list[int], dict[str, Any]]:
    """The design as rule4ml asks for it: one precision and one reuse factor, the largest of its layers."""
    layers = design.raw["layers"]
    settings = {
        "precision": layers[0]["weight"].replace(",", ", ").replace("fixed", "ap_fixed"),
        "reuse_factor": max(layer["reuse_factor"] for layer in layers),
        "strategy": str(layers[0]["strategy"]).capitalize(),
    }
    return [*design.raw["input_shape"], *(layer["units"] for layer in layers)], {"model": settings, "board": _BOARD}


def _errors(
    designs: Sequence[LabelledDesign],
    chosen: Sequence[int],
    values: Mapping[str, Array],
    answers: Sequence[Mapping[str, float]],
) -> list[dict[str, Any]]:
    rows = []
    for file, targets in _TARGETS.items():
        for theirs, target in targets.items():
            own = [(i, answer) for i, answer in zip(chosen, answers, strict=True) if designs[i].file == file]
            if not own:
                continue
            y = np.array([designs[i].labels[target] for i, _ in own], dtype=np.float64)
            ours = np.array([values[target][i] for i, _ in own])
            row = {"subset": f"{file}: beside rule4ml", "target": target, "n": len(own)}
            others = smape(y, np.array([answer[theirs] for _, answer in own]))
            rows.append(row | {"smape": round(smape(y, ours), 2), "smape_rule4ml": round(others, 2)})
    return rows


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _our_seconds(model: HlsModel) -> float:
    """CPU seconds per design, the same designs in one call, the way that a user of rule4ml would ask."""
    raws = [_raw(sizes) for sizes in _DESIGNS]
    model.predict([model.featurizer.parse(raw) for raw in raws])
    started = time.process_time()
    for _ in range(_REPEATS):
        model.predict([model.featurizer.parse(raw) for raw in raws])
    return (time.process_time() - started) / len(raws) / _REPEATS


def _raw(sizes: tuple[int, ...]) -> dict[str, Any]:
    layers = [{"class": "Dense", "units": units, "activation": "relu"} for units in sizes[1:]]
    config = {"Model": {"Precision": "ap_fixed<8,3>", "ReuseFactor": 4, "Strategy": "Resource"}}
    return {"layers": layers, "input_shape": list(sizes[:1]), "hls_config": config, "part": "zcu102"}


def _their_figures(labelled: Sequence[tuple[list[int], dict[str, Any]]]) -> dict[str, Any]:
    python = _interpreter()
    settings = {"model": {"precision": "ap_fixed<8, 3>", "reuse_factor": 4, "strategy": "Resource"}, "board": "zcu102"}
    question = json.dumps([_DESIGNS, settings, labelled])
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-c", _SCRIPT], input=question, capture_output=True, text=True, timeout=_RUN_SECONDS,
        env=environment, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise RuntimeError(f"rule4ml {VERSION} failed: {last[:200]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _interpreter() -> str:
    named = os.environ.get("COSTMODEL_RULE4ML_PYTHON")
    if named:
        return named
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "costmodel" / f"rule4ml-{VERSION}"
    python = cache / "bin" / "python"
    if python.exists():
        return str(python)
    if os.environ.get("COSTMODEL_RULE4ML_INSTALL") != "1":
        raise RuntimeError("no environment; set COSTMODEL_RULE4ML_PYTHON, or COSTMODEL_RULE4ML_INSTALL=1 to make one")
    subprocess.run([sys.executable, "-m", "venv", str(cache)], check=True, timeout=120)
    install = [str(python), "-m", "pip", "install", "-q", f"rule4ml=={VERSION}"]
    subprocess.run(install, check=True, timeout=_INSTALL_SECONDS)
    # Its torch brings triton, whose LLVM and TensorFlow's end one process by a segmentation fault; a CPU needs neither.
    subprocess.run([str(python), "-m", "pip", "uninstall", "-q", "-y", "triton"], check=True, timeout=120)
    return str(python)
