"""StableHLO on its way to labels: lowered by IREE's passes, labelled as the linalg that it becomes."""

from __future__ import annotations

import pytest

from costmodel.mlir.generators import expand, sample_groups
from costmodel.mlir.labelling import ToolError, label, missing_tools
from costmodel.mlir.labelling.gpu import label_gpu
from costmodel.mlir.labelling.stablehlo import is_stablehlo, printed, to_linalg

needs_tools = pytest.mark.skipif(
    bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())} (mlir-22-tools, llvm-22)"
)

DENSE = """func.func @dense(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>) -> tensor<4x16xf32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0]
    : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %1 = stablehlo.logistic %0 : tensor<4x16xf32>
  return %1 : tensor<4x16xf32>
}
"""
BROKEN = "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> { %0 = stablehlo.tanh %y : tensor<4xf32> }"


def test_every_operation_of_the_dialect_is_lowered_and_other_texts_stay_as_they_are():
    lowered = to_linalg(DENSE)
    assert "linalg.matmul" in lowered
    assert not is_stablehlo(lowered)
    assert "func.func @dense(%arg0: tensor<4x8xf32>, %arg1: tensor<8x16xf32>) -> tensor<4x16xf32>" in lowered
    assert to_linalg(lowered) == lowered


def test_a_text_that_does_not_parse_is_refused_with_what_the_parser_said():
    for refused in (to_linalg, printed):
        with pytest.raises(ToolError, match="undeclared SSA value"):
            refused(BROKEN)


@needs_tools
def test_its_label_is_that_of_its_linalg_form_and_a_broken_neighbour_loses_only_its_own():
    found = label([DENSE, BROKEN, to_linalg(DENSE)], ["znver4"])
    assert [row.status for row in found] == ["ok", "failed", "ok"]
    assert found[0] == found[2]
    assert "undeclared SSA value" in found[1].reason


@needs_tools
def test_its_kernels_are_those_of_its_linalg_form():
    text = DENSE.replace("logistic", "negate")
    first, second = label_gpu([text, to_linalg(text)], "gfx942")
    assert first == second
    assert first.status == "ok"
    assert first.vgprs > 0


@needs_tools
def test_graphs_of_every_kind_come_with_their_linalg_form_and_all_are_labelled():
    groups = sample_groups("stablehlo", 24, seed=6)
    programs = expand(groups)
    assert {group.key.split("-")[0] for group in groups} == {
        "perceptron", "attention", "normalisation", "convolution", "elementwise",
    }  # fmt: skip
    plain = [program for program in programs if program.variant == ""]
    assert all(is_stablehlo(program.text) for program in plain)
    assert len(plain) == sum(program.variant == '{"level":"linalg"}' for program in programs) == len(groups)
    assert not any(is_stablehlo(program.text) for program in programs if program.variant)
    assert {row.status for row in label([program.text for program in programs[:8]], ["znver4"])} == {"ok"}
