"""What vector loops leave, as opt-22 -O3 made it (`vec.epilog.vector.body`)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate
from featurizers.mlir.remainders import narrower
from featurizers.mlir.vectorise import plan

FEATURIZER = MlirFeaturizer()

SQUARES = """func.func @f(%a: memref<311xf32> {llvm.noalias}, %b: memref<311xf32> {llvm.noalias}) {
  affine.for %i = 0 to 311 {
    %0 = affine.load %a[%i] : memref<311xf32>
    %1 = arith.mulf %0, %0 : f32
    affine.store %1, %b[%i] : memref<311xf32>
  }
  return }"""
ROWS = """func.func @f(%a: memref<69x6xi16> {llvm.noalias}, %b: memref<23x6xi16> {llvm.noalias}) {
  %three = arith.constant 3 : i16
  affine.for %i = 0 to 23 {
    affine.for %j = 0 to 6 {
      %0 = affine.load %a[%i * 3, %j] : memref<69x6xi16>
      %1 = arith.muli %0, %three : i16
      affine.store %1, %b[%i, %j] : memref<23x6xi16>
    }
  }
  return }"""


@pytest.mark.parametrize(("text", "lanes"), [(SQUARES, 16), (ROWS, 4)])
def test_narrower_vectors_are_those_that_cost_the_least_for_what_is_left(text: str, lanes: int) -> None:
    znver4 = cpu("znver4")
    loop = FEATURIZER.parse({"mlir": text}).loops_on("x86")[0].children[0]
    chosen = plan(loop, znver4, loop.size - 3.0, loop.size - 3.0)
    assert chosen.vf == 16
    assert narrower(loop, chosen)[0] == lanes


def test_vectors_of_few_lanes_that_move_one_by_one_take_less_than_wide_ones() -> None:
    code = generate(FEATURIZER.parse({"mlir": ROWS}).loops_on("x86")[0], cpu("znver4"))[-1]
    per_vector = code.port_cycles
    assert code.cycles < 2 * per_vector, "the narrow one is a third of the wide one, not as much"
