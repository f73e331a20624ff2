"""Sums over windows: two loops that add to one place, as opt-22 has them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu

FEATURIZER = MlirFeaturizer()

WINDOW = """func.func @f(%a: memref<12x18x3xf32> {llvm.noalias}, %b: memref<5x5x3xf32> {llvm.noalias},
    %c: memref<8x14x3xf32> {llvm.noalias}) {
  affine.for %y = 0 to 8 { affine.for %x = 0 to 14 { affine.for %k = 0 to 3 {
    affine.for %i = 0 to 5 { affine.for %j = 0 to 5 {
      %p = affine.load %a[%y + %i, %x + %j, %k] : memref<12x18x3xf32>
      %q = affine.load %b[%i, %j, %k] : memref<5x5x3xf32>
      %r = affine.load %c[%y, %x, %k] : memref<8x14x3xf32>
      %s = arith.mulf %p, %q : f32
      %t = arith.addf %r, %s : f32
      affine.store %t, %c[%y, %x, %k] : memref<8x14x3xf32> } } } } }
  return }"""


def unrolled(text: str, name: str) -> list[tuple[float, float]]:
    """Size of each loop that is unrolled completely, with its iterations."""
    root = FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0]
    return [found for loop in root.walk() for found in loop.decided]


@pytest.mark.parametrize("name", ["skylake-avx512", "apple-m1"])
def test_sums_of_indices_are_computed_once_for_all_iterations_of_a_loop_that_they_do_not_vary_with(name: str) -> None:
    """The loop over three channels is beyond 400 (it goes from ``-unroll-threshold=410`` on where nothing raises that),
    and "completely unrolled loop with 3 iterations" at 300 (`simplifyInstWithSCEV`)."""
    size, trip = max(unrolled(WINDOW, name))
    assert trip == 3
    assert size > 400


def test_an_accumulator_of_two_loops_waits_in_a_register_before_any_is_unrolled() -> None:
    """opt-22's dump after `LoopFullUnrollPass` has neither load nor store of it in the loop over %i."""
    text = WINDOW.replace("= 0 to 5", "= 0 to 60").replace("12x18x3", "68x74x3").replace("5x5x3", "60x60x3")
    root = FEATURIZER.parse({"mlir": text}).loops_on("x86")[0]
    outer = next(loop for loop in root.walk() if loop.trip == 60)
    assert outer.children
    assert not [access for access in outer.accesses if access.store]


TILE = """func.func @f(%a: memref<56x22xf32> {llvm.noalias}, %b: memref<56x22xf32> {llvm.noalias}) {
  affine.for %i = 0 to 56 step 8 { affine.for %j = 0 to 22 step 8 {
    affine.for %k = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 8)>(%i) {
      affine.for %l = affine_map<(d) -> (d)>(%j) to min affine_map<(d) -> (d + 8, 22)>(%j) {
        %x = affine.load %a[%k, %l] : memref<56x22xf32>
        %y = arith.addf %x, %x : f32
        affine.store %y, %b[%k, %l] : memref<56x22xf32> } } } }
  return }"""


def test_rows_of_a_tile_have_an_index_and_a_product_each() -> None:
    """opt-22 unrolls the loop over %j (size 107) from ``-unroll-threshold=320`` on for P670, from 280 on for M1."""
    assert 3 not in [trip for _, trip in unrolled(TILE, "sifive-p670")]
    assert 3 in [trip for _, trip in unrolled(TILE, "apple-m1")]
