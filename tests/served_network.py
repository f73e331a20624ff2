"""A small network bundle in a models folder, trained in a moment on NAS-Bench-201 cells with invented times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel import kinds
from costmodel.corpus import Corpus, Labels
from costmodel.prediction import Target
from costmodel.predictor import Device
from costmodel.training import TrainRequest, train

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SPLITS = ("train", "train", "train", "validation", "test_seen", "test_unseen")
DEVICE = "invented-ort-fp32-b1"


def cell(a: str, b: str, c: str, d: str, e: str, f: str) -> str:
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


CELLS = [cell(*operations) for operations in itertools.product(OPERATIONS, repeat=6)][::173]


def _corpus(folder: Path) -> Corpus:
    count = len(CELLS)
    time = np.array([0.5 + text.count("conv_3x3") + 0.2 * text.count("conv_1x1") for text in CELLS])
    device = Device(DEVICE, "onnxruntime", ("latency_ms",), {"threads": 1})
    labels = Labels(device, Target("latency_ms", "ms"), np.arange(count), time, np.full(count, 0.01))
    splits = np.array([SPLITS[i % 6] for i in range(count)])
    ids = tuple(f"cell{i}" for i in range(count))
    raws = [{"nasbench201": text} for text in CELLS]
    return Corpus("cells", "network", raws, ids, splits, splits, (labels,), "0" * 64, "Apache-2.0")


@pytest.fixture(scope="session")
def network_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of bundles by kind that holds a network bundle with one device."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        network = replace(kinds.KINDS["network"], corpus=_corpus, baselines=("constant",))
        patch.setitem(kinds.KINDS, "network", network)
        request = TrainRequest("network", folder, learner="roofline", out=folder / "network", track=False)
        train(request, log=lambda _: None)
        yield folder
