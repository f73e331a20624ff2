"""Designs with invented labels: what a made-up tool would report, so that no measured data is needed."""

import numpy as np
import pytest

from costmodel.hls4ml import HlsModel
from costmodel.hls4ml.forms import HLS_TARGETS
from costmodel.hls4ml.rows import LabelledDesign
from featurizers.hls4ml import HlsFeaturizer


def dense(sizes, bits=8, reuse=64, strategy="resource", **fields):
    """Raw input of a chain of dense layers."""
    layers = [
        {"class": "Dense", "units": n, "weight": f"fixed<{bits},1>", "reuse_factor": reuse, "strategy": strategy}
        for n in sizes[1:]
    ]
    return {"layers": layers, "input_shape": [sizes[0]], "part": "alveo-u250", **fields}


def invented(raw, noise):
    """A tool that uses 40 LUTs per input, 25 per output and 300 per multiplier, and registers of 16 bits."""
    design = HlsFeaturizer().parse(raw)
    matrix = [layer for layer in design.layers if layer.n_in]
    products = sum(layer.multiplications // layer.reuse_factor for layer in matrix)
    cycles = sum(layer.reuse_factor for layer in matrix) + 3 * len(matrix) - 1
    lut = sum(40 * layer.n_in + 25 * layer.n_out for layer in matrix) + 300 * products
    ff = 16 * sum(layer.n_out for layer in matrix) + 16 * products
    return {
        "lut_csynth": round(lut * noise),
        "ff_csynth": ff,
        "dsp_csynth": products,
        "bram_csynth": len(matrix),
        "cycles_min": cycles - 1,
        "cycles_max": cycles,
        "interval": max(layer.reuse_factor for layer in matrix),
    }


@pytest.fixture(scope="session")
def designs():
    random = np.random.default_rng(3)
    found = []
    for number in range(140):
        sizes = [int(n) for n in random.choice([16, 32, 48, 64, 96], size=int(random.integers(2, 4)))]
        reuse, bits = int(random.choice([32, 64, 128, 256])), int(random.choice([8, 10, 12, 14]))
        raw = dense(sizes, bits, reuse)
        labels = invented(raw, float(np.exp(random.normal(0, 0.05))))
        found.append(LabelledDesign("made", "-".join(map(str, sizes)), raw, labels))
        if number % 4 == 0:
            unrolled = dense([128, 128], bits, 1, "latency")
            found.append(LabelledDesign("made", f"failed-{number}", unrolled, {}, success=False))
    return found


@pytest.fixture(scope="session")
def model(designs):
    return HlsModel(rounds=20).fit(designs)


@pytest.fixture(scope="session")
def known_targets(model):
    return sorted(model.learned), sorted(HLS_TARGETS)
