"""The second compiler: what goes to it, what callgrind's dumps say, and programs that it measures on this host."""

from __future__ import annotations

import json

import pytest

from costmodel.mlir.labelling import ToolError, iree
from costmodel.mlir.labelling.iree import COMPILER, generated, measure_iree, merged, missing, takes

needs_iree = pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")

SCALE = """func.func @scale(%x: tensor<{n}xf32>, %y: tensor<{n}xf32>) -> tensor<{n}xf32> {{
  %0 = tosa.add %x, %y : (tensor<{n}xf32>, tensor<{n}xf32>) -> tensor<{n}xf32>
  %1 = tosa.clamp %0 {{max_val = 6.000000e+00 : f32, min_val = 0.000000e+00 : f32}}
    : (tensor<{n}xf32>) -> tensor<{n}xf32>
  return %1 : tensor<{n}xf32>
}}
"""
BUFFERS = "func.func @f(%x: memref<4xf32>, %y: tensor<4xf32>) { return }"
DUMP = """desc: Trigger: Client Request: p7

ob=/usr/lib/libc.so.6
fn=memcpy
0 900

ob=???
fn=0x000000000d3d50e0
0 40
calls=2 0
0 7000
0 2
"""


def test_functions_of_tensors_are_taken_and_those_of_buffers_or_of_doubles_that_it_cannot_link_are_not():
    assert takes(SCALE.format(n=8))
    assert not takes(BUFFERS)
    doubles = "func.func @f(%x: tensor<4xf64>) -> tensor<4xf64> { %0 = stablehlo.add %x, %x : tensor<4xf64> return %0 }"
    assert takes(doubles)
    assert not takes(doubles.replace("stablehlo.add", "stablehlo.exponential"))
    assert not takes(SCALE.format(n=8).replace("f32", "f64"))
    assert takes(SCALE.format(n=8) + "// and a constant of f64")


def test_programs_that_share_a_name_become_functions_of_one_module():
    module, signatures = merged([SCALE.format(n=8), SCALE.format(n=20)])
    assert module.count("func.func @p0(") == module.count("func.func @p1(") == 1
    assert "@scale" not in module
    assert signatures == {"p0": [([8], "f32")] * 2, "p1": [([20], "f32")] * 2}
    with pytest.raises(ToolError, match="memref"):
        merged([BUFFERS])


def test_only_code_of_no_file_counts_and_what_is_called_does_not_count_twice():
    assert generated(DUMP) == ("p7", 42.0)


def test_the_program_that_stops_valgrind_loses_its_count_and_those_behind_it_are_counted(monkeypatch, tmp_path):
    def counted(folder, library, seconds):
        for number, name in enumerate(json.loads((folder / "signatures.json").read_text())):
            if name == "p1":
                return "valgrind: Unrecognised instruction"
            (folder / f"callgrind.{number}").write_text(DUMP.replace("p7", name))
        return ""

    monkeypatch.setattr(iree, "_counted", counted)
    monkeypatch.setattr(iree, "_run", lambda command, seconds: "")
    counts, reasons = iree._counts(tmp_path, {"p0": [], "p1": [], "p2": []}, 1.0)
    assert counts == {"p0": 42.0, "p2": 42.0}
    assert reasons == {"p1": "valgrind: Unrecognised instruction"}


@needs_iree
def test_instructions_grow_with_the_elements_and_a_bad_program_loses_only_its_own():
    hlo = "func.func @g(%x: tensor<256xf32>) -> tensor<256xf32> {\n  %0 = stablehlo.add %x, %x : tensor<256xf32>\n"
    hlo += "  return %0 : tensor<256xf32>\n}\n"
    small, bad, other, large = measure_iree([SCALE.format(n=256), BUFFERS, hlo, SCALE.format(n=2560)])
    assert (small.status, bad.status, other.status, large.status) == ("ok", "failed", "ok", "ok")
    assert other.executed_instructions < small.executed_instructions
    assert small.compiler == COMPILER
    assert large.executed_instructions / small.executed_instructions == pytest.approx(10, rel=0.3)
    assert 0 < small.time_us < 10_000
    assert bad.reason
    assert bad.executed_instructions is None
