"""Calls of the mathematical library: what opt-22 -O3 and llc-22 -O3 made of loops around them (remarks, code)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()

CARRIED = """func.func @f(%a: memref<720xf32>, %b: f32) {
  affine.for %i = 1 to 720 {
    %x = affine.load %a[%i - 1] : memref<720xf32>
    %y = math.exp %x : f32
    %z = arith.mulf %y, %b : f32
    affine.store %z, %a[%i] : memref<720xf32> }
  return }"""

ROWS = """func.func @f(%a: memref<64x16xf32> {llvm.noalias}, %b: memref<64x16xf32> {llvm.noalias}) {
  affine.for %i = 0 to 64 { affine.for %j = 0 to 16 {
    %x = affine.load %a[%i, %j] : memref<64x16xf32>
    %y = math.exp %x : f32
    affine.store %y, %b[%i, %j] : memref<64x16xf32> } }
  return }"""


def last(text: str, name: str) -> LoopCode:
    """Of the innermost loop that is left."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]


@pytest.mark.parametrize(
    ("name", "copies"),
    [("znver4", 8), ("skylake-avx512", 8), ("sifive-p670", 8), ("cortex-a55", 4), ("neoverse-v1", 2), ("apple-m1", 1)],
)
def test_an_intrinsic_keeps_no_loop_from_being_unrolled_in_part(name: str, copies: int) -> None:
    assert last(CARRIED, name).unroll == copies


@pytest.mark.parametrize(
    ("name", "copies"),
    [("znver4", 1), ("skylake-avx512", 1), ("sifive-p670", 1), ("cortex-a55", 2), ("neoverse-v1", 1), ("apple-m1", 1)],
)
def test_an_index_that_two_buffers_share_is_a_sum_of_its_own(name: str, copies: int) -> None:
    assert last(ROWS, name).unroll == copies
