"""The open designs: what is drawn, what its RTL computes, and what of it is in the repository."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from costmodel.hls4ml.forms import YOSYS_TARGETS
from costmodel.hls4ml.rows import load_designs
from costmodel.paths import dataset_folder
from featurizers.hls4ml import HlsFeaturizer

FOLDER = dataset_folder("hls4ml_open")


@pytest.fixture(scope="module")
def recipe():
    sys.path.insert(0, str(FOLDER))
    import designs
    import rtl

    yield designs, rtl
    sys.path.remove(str(FOLDER))


def test_a_design_is_a_function_of_its_number(recipe):
    designs, rtl = recipe
    for number in range(40):
        design = designs.draw(number)
        assert design == designs.draw(number)
        assert design["family"] == designs.FAMILIES[number % 5]
        for layer, shape in enumerate(rtl.layer_shapes(design)):
            assert np.abs(designs.weights(design, layer, shape)).max() <= 2 ** (design["weight_bits"] - 1)
        for (n_in, n_out), reuse in zip(rtl.layer_shapes(design), design.get("reuse_factors", ()), strict=False):
            assert (n_in * n_out) % reuse == 0


def test_the_labelled_designs_are_read_with_what_they_cost():
    found = load_designs(FOLDER / "data")
    assert len(found) >= 90
    featurizer = HlsFeaturizer()
    for design in found:
        parsed = featurizer.parse(design.raw)
        assert parsed.notes == ()
        assert set(design.labels) <= set(YOSYS_TARGETS)
        serial = sum(layer.multiplications // layer.reuse_factor for layer in parsed.layers if layer.reuse_factor > 1)
        assert design.labels.get("dsp_yosys", 0) <= serial


@pytest.mark.parametrize("number", [1, 3, 6])
def test_shared_multipliers_compute_the_layer(recipe, tmp_path, number):
    yosys = pytest.importorskip("pyosys.libyosys", reason="pyosys is in the environment of the data set alone")
    designs, rtl = recipe
    design = designs.draw(number)
    bits, n_out = design["input_bits"], design["sizes"][-1]
    x = np.random.default_rng(number).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), design["sizes"][0])
    (source,), cycles = rtl.write_rtl(design, tmp_path)
    packed = sum((int(v) & (2**bits - 1)) << (i * bits) for i, v in enumerate(x))
    (tmp_path / "tb.v").write_text(
        f"module tb(input clk, output [{n_out * bits - 1}:0] y, output done, output reg [15:0] t); initial t = 0;"
        f"always @(posedge clk) t <= t + 1; d{number} u(clk, t == 1, {len(x) * bits}'h{packed:x}, y, done); endmodule"
    )
    loaded, trace = yosys.Design(), tmp_path / "o.vcd"
    for step in (f"read_verilog -sv {source} {tmp_path / 'tb.v'}", "hierarchy -top tb", "proc", "flatten", "opt_clean",
                 "memory", f"sim -clock clk -n {cycles + 12} -zinit -vcd {trace} tb"):  # fmt: skip
        yosys.run_pass(step, loaded)
    y, taken = first_done(trace)
    assert taken - 1 == cycles
    assert [(y >> (i * bits)) & (2**bits - 1) for i in range(n_out)] == [int(v) for v in expected(recipe, design, x)]


def expected(recipe, design, x):
    designs, rtl = recipe
    bits, weight_bits = design["input_bits"], design["weight_bits"]
    for layer, shape in enumerate(rtl.layer_shapes(design)):
        total = x @ designs.weights(design, layer, shape)
        cut = np.where(total < 0, 0, total >> (weight_bits - 1)) & (2**bits - 1)
        x = np.where(cut >= 2 ** (bits - 1), cut - 2**bits, cut)
    return x & (2**bits - 1)


def first_done(trace: Path):
    """(y, t) when `done` is first up."""
    header, _, changes = trace.read_text().partition("$enddefinitions")
    names = {name: code for code, name in re.findall(r"\$var \w+ \d+ (\S+) (\w+) ?(?:\[[\d:]+\] )?\$end", header)}
    now = {}
    for line in changes.splitlines():
        if line.startswith("b"):
            value, code = line[1:].split()
            now[code] = value
        elif line[:1] in "01" and line:
            now[line[1:]] = line[0]
        if line.startswith("#") and now.get(names["done"]) == "1":
            return int(now[names["y"]], 2), int(now[names["t"]], 2)
    raise AssertionError("never done")
