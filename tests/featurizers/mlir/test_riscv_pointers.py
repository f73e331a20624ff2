"""Pointers in the sizes of RISC-V's loops, as opt-22 has them before full unrolling."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.test_sizes import sizes

STENCIL = """func.func @f(%a: memref<400x400xf32> {llvm.noalias}, %b: memref<400x400xf32> {llvm.noalias}) {
  LOOPS
    %0 = affine.load %a[%i - 1, %j] : memref<400x400xf32>
    %1 = affine.load %a[%i, %j] : memref<400x400xf32>
    %2 = affine.load %a[%i + 1, %j] : memref<400x400xf32>
    %3 = affine.load %a[%i, %j + 1] : memref<400x400xf32>
    %4 = affine.load %a[%i, %j - 1] : memref<400x400xf32>
    %5 = arith.addf %0, %1 : f32
    %6 = arith.addf %5, %2 : f32
    %7 = arith.addf %6, %3 : f32
    %8 = arith.addf %7, %4 : f32
    affine.store %8, %b[%i, %j] : memref<400x400xf32> } }
  return }""".replace("LOOPS", "affine.for %i = 1 to 399 { affine.for %j = 1 to 9 {")


def test_each_row_and_the_next_index_have_a_pointer() -> None:
    assert sizes(STENCIL, "sifive-p670")[8] == 20


SUM = """func.func @f(%a: memref<256x18xf32> {llvm.noalias}, %b: memref<18xf32> {llvm.noalias}) {
  affine.for %j = 0 to 16 { affine.for %i = 0 to BOUND {
    %0 = affine.load %b[%j] : memref<18xf32>
    %1 = affine.load %a[%i, %j] : memref<256x18xf32>
    %2 = affine.load %a[PLACE] : memref<256x18xf32>
    %3 = arith.addf %0, %1 : f32
    %4 = arith.addf %3, %2 : f32
    affine.store %4, %b[%j] : memref<18xf32> } }
  return }"""


@pytest.mark.parametrize(
    ("bound", "place", "trip", "size"), [("20 step 2", "%i + 1, %j", 10, 11), ("20", "%i, %j + 1", 20, 9)]
)
def test_rows_side_by_side_go_on_from_one_pointer_and_neighbours_have_the_same(
    bound: str, place: str, trip: float, size: float
) -> None:
    assert sizes(SUM.replace("BOUND", bound).replace("PLACE", place), "sifive-p670")[trip] == size


PRODUCT = """func.func @f(%a: memref<11x5xf32> {llvm.noalias}, %b: memref<5x6xf32> {llvm.noalias},
                        %c: memref<11x6xf32> {llvm.noalias}) {
  affine.for %i = 0 to 11 { affine.for %j = 0 to 6 { affine.for %k = 0 to 5 {
    %x = affine.load %a[%i, %k] : memref<11x5xf32>
    %y = affine.load %b[%k, %j] : memref<5x6xf32>
    %z = affine.load %c[%i, %j] : memref<11x6xf32>
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    affine.store %s, %c[%i, %j] : memref<11x6xf32> } } }
  return }"""


def test_copies_go_on_from_one_pointer() -> None:
    found = sizes(PRODUCT, "sifive-p670")
    assert (found[5], found[6]) == (10, 28)


def test_around_a_loop_each_buffer_has_a_pointer_to_its_row() -> None:
    """opt-22: 17 for the loop inside, of two products, and a product and a pointer for each of two rows around it."""
    text = """func.func @f(%a: memref<14x2xi32>, %b: memref<2x183xi32>, %c: memref<14x183xi32>) {
      affine.for %i = 0 to 14 { affine.for %j = 0 to 183 { affine.for %k = 0 to 2 {
        %x = affine.load %a[%i, %k] : memref<14x2xi32>
        %y = affine.load %b[%k, %j] : memref<2x183xi32>
        %p = arith.muli %x, %y : i32
        %z = affine.load %c[%i, %j] : memref<14x183xi32>
        %s = arith.addi %z, %p : i32
        affine.store %s, %c[%i, %j] : memref<14x183xi32> } } }
      return }"""
    assert 14 not in sizes(text, "sifive-p670")
