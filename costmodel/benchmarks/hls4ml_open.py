"""The Yosys targets on the open labels: answers by models that never saw a design's layer dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.hls4ml_scores import smape
from costmodel.hls4ml.forms import YOSYS_TARGETS
from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.rows import LabelledDesign, load_designs
from costmodel.paths import dataset_folder
from costmodel.regressors import Array, group_folds
from featurizers.core import Features
from featurizers.errors import InputError
from featurizers.hls4ml import HlsFeaturizer

_FOLDS = 5
Answers = dict[str, tuple[Array, Array, Array]]


def open_rows(seed: int) -> list[dict[str, Any]]:
    """A row per way of building (adder trees, convolutions, shared multipliers) and target; none without data."""
    try:
        designs = load_designs(dataset_folder("hls4ml_open") / "data")
    except InputError:
        return []
    featurizer = HlsFeaturizer()
    features = featurizer.features([featurizer.parse(design.raw) for design in designs])
    learned, plain = (_held_out(designs, features, rounds, seed) for rounds in (120, 0))
    family = np.array([_family(design) for design in designs])
    rows = []
    for name in sorted(set(family.tolist())):
        for target in YOSYS_TARGETS:
            own = family == name
            at = np.array([i for i in np.flatnonzero(own).tolist() if target in designs[i].labels], dtype=np.int64)
            if len(at):
                y = np.array([designs[i].labels[target] for i in at.tolist()], dtype=np.float64)
                rows.append(
                    {"subset": f"yosys, {name}", "target": target, "n": len(at)} | _score(y, at, learned, plain, target)
                )
    return rows


def _score(y: Array, at: npt.NDArray[np.int64], learned: Answers, plain: Answers, target: str) -> dict[str, float]:
    value, low, high = (column[at] for column in learned[target])
    return {
        "smape": round(smape(y, value), 2),
        "covered": round(float(np.mean((y >= low) & (y <= high))), 3),
        "smape_closed_form": round(smape(y, plain[target][0][at]), 2),
    }


def _held_out(designs: Sequence[LabelledDesign], features: Features, rounds: int, seed: int) -> Answers:
    found = {name: (np.zeros(len(designs)), np.zeros(len(designs)), np.zeros(len(designs))) for name in YOSYS_TARGETS}
    for test_mask in group_folds(np.array([design.group for design in designs]), _FOLDS, seed):
        train, test = np.flatnonzero(~test_mask), np.flatnonzero(test_mask)
        model = HlsModel(rounds=rounds).fit([designs[i] for i in train.tolist()], features.take(train), seed)
        for name, answer in model.answer(features.take(test), list(YOSYS_TARGETS)).items():
            for column, part in zip(found[name], (answer.value, answer.low, answer.high), strict=True):
                column[test] = part
    return found


def _family(design: LabelledDesign) -> str:
    layer = design.raw["layers"][0]
    if layer["strategy"] == "resource":
        return "shared multipliers"
    return "adder trees, convolutions" if layer["class"] == "Conv2D" else "adder trees, dense"
