"""The xDSL pass on xDSL's own IR."""

from __future__ import annotations

import pytest

pytest.importorskip("xdsl", reason="needs xdsl")

from xdsl.context import Context
from xdsl.dialects import get_all_dialects
from xdsl.dialects.builtin import FloatAttr, ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass

from costmodel.passes import CostModel
from costmodel.passes.xdsl import ATTRIBUTE, REFUSED, AnnotateCosts, annotate, cost_of

LOOP = """
func.func @scale(%a : memref<{size}xf32>) {{
  %from = arith.constant 0 : index
  %to = arith.constant {size} : index
  %by = arith.constant 1 : index
  scf.for %i = %from to %to step %by {{
    %x = memref.load %a[%i] : memref<{size}xf32>
    %y = arith.mulf %x, %x : f32
    memref.store %y, %a[%i] : memref<{size}xf32>
  }}
  func.return
}}
"""
DYNAMIC = """
func.func @any(%a : memref<?xf32>, %i : index) -> f32 {
  %x = memref.load %a[%i] : memref<?xf32>
  func.return %x : f32
}
"""


def parse(text: str) -> ModuleOp:
    context = Context()
    for name, load in get_all_dialects().items():
        context.register_dialect(name, load)
    return Parser(context, text).parse_module()


def test_functions_get_the_cost_that_their_text_has(estimate: CostModel) -> None:
    module = parse(LOOP.format(size=4096) + LOOP.format(size=64).replace("@scale", "@small"))
    annotate(module, estimate)
    large, small = module.body.block.ops
    costs = [function.attributes[ATTRIBUTE] for function in (large, small)]
    assert all(isinstance(cost, FloatAttr) for cost in costs)
    assert costs[0].value.data > 3 * costs[1].value.data > 0  # type: ignore[attr-defined]
    assert costs[0].value.data == estimate.cost(LOOP.format(size=4096))  # type: ignore[attr-defined]


def test_what_cannot_be_told_says_why_or_is_answered(estimate: CostModel) -> None:
    module = parse(DYNAMIC + LOOP.format(size=8))
    annotate(module, estimate)
    for function in module.body.block.ops:
        assert (ATTRIBUTE in function.attributes) != (REFUSED in function.attributes)


def test_operations_that_mlir_does_not_know_are_taken_as_they_are(estimate: CostModel) -> None:
    module = parse('func.func @f() {\n  "test.op"() : () -> ()\n  func.return\n}')
    assert cost_of(module, estimate) > 0


def test_it_is_a_module_pass_with_a_name() -> None:
    assert issubclass(AnnotateCosts, ModulePass)
    assert AnnotateCosts.name == "annotate-costs"
    assert AnnotateCosts(device="cortex-a55").device == "cortex-a55"
