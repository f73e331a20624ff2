"""Rows at an index that is no linear form: what opt-22 makes of the loop over one of them."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import innermost

LOOKED_UP = """func.func @f(%t: memref<900x96xf32> KEPT, %x: memref<50xi32> KEPT, %o: memref<50x96xf32> KEPT) {
  affine.for %i = 0 to 50 { affine.for %j = 0 to 96 {
    %a = affine.load %x[%i] : memref<50xi32>
    %b = arith.index_cast %a : i32 to index
    %v = memref.load %t[%b, %j] : memref<900x96xf32>
    %w = arith.addf %v, %v : f32
    affine.store %w, %o[%i, %j] : memref<50x96xf32> } }
  return }"""

ROUNDED = """func.func @f(%t: memref<900x96xf32>, %o: memref<50x96xf32>) {
  affine.for %i = 0 to 50 { affine.for %j = 0 to 96 {
    %v = affine.load %t[%i floordiv 2, %j] : memref<900x96xf32>
    %w = arith.addf %v, %v : f32
    affine.store %w, %o[%i, %j] : memref<50x96xf32> } }
  return }"""


@pytest.mark.parametrize("name", ["skylake-avx512", "sifive-p670"])
def test_a_row_that_is_looked_up_is_read_in_whole_vectors(name: str) -> None:
    code = innermost(LOOKED_UP.replace("KEPT", "{llvm.noalias}"), name)
    assert code.vf == 8
    assert (code.loop.unit, code.loop.gathered) == (2, 0)


def test_an_index_of_a_buffer_that_the_loop_may_write_to_is_looked_up_each_time() -> None:
    """opt-22: cannot identify array bounds."""
    code = innermost(LOOKED_UP.replace("KEPT", ""), "skylake-avx512")
    assert (code.vf, code.loop.gathered) == (1, 1)


@pytest.mark.parametrize("name", ["skylake-avx512", "sifive-p670"])
def test_a_row_whose_index_is_rounded_is_one(name: str) -> None:
    code = innermost(ROUNDED, name)
    assert (code.vf, code.loop.unit, code.loop.checks) == (8, 2, 1)


SCATTERED = """func.func @f(%t: memref<900xf32> {llvm.noalias}, %x: memref<900xi32> {llvm.noalias},
    %o: memref<64xf32> {llvm.noalias}) {
  affine.for %i = 0 to 900 {
    %a = affine.load %x[%i] : memref<900xi32>
    %b = arith.index_cast %a : i32 to index
    %v = BEFORE : memref<SIZExf32>
    %w = arith.addf %v, %v : f32
    memref.store %w, %o[%b] : memref<64xf32> }
  return }"""


@pytest.mark.parametrize(("name", "vf"), [("skylake-avx512", 8), ("sifive-p670", 8)])
def test_a_store_to_any_place_of_a_buffer_that_nothing_else_uses_is_a_scatter(name: str, vf: int) -> None:
    text = SCATTERED.replace("BEFORE", "affine.load %t[%i]").replace("SIZE", "900")
    assert innermost(text, name).vf == vf
    counted = SCATTERED.replace("BEFORE", "memref.load %o[%b]").replace("SIZE", "64")
    assert innermost(counted, name).vf == 1
