"""What iterations wait for, as llvm-mca-22 has it of the code that LLVM 22 makes of the same program."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate

FEATURIZER = MlirFeaturizer()


def cycles(text: str, name: str) -> float:
    """Of the innermost loop that is left."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1].cycles


def halves(operation: str, two: bool) -> str:
    second = "affine.load %b[%i, %j] : memref<64x16xf16>" if two else "arith.negf %x : f16"
    return f"""func.func @f(%a: memref<64x16xf16>, %b: memref<64x16xf16>) {{
      %c = arith.constant 3.0 : f16
      affine.for %i = 0 to 64 {{ affine.for %j = 0 to 5 {{
        %x = affine.load %a[%i, -%j + 15] : memref<64x16xf16>
        %y = {second}
        %z = {operation} : f16
        affine.store %z, %b[%i, %j] : memref<64x16xf16> }} }}
      return }}"""


@pytest.mark.parametrize(
    ("name", "operation", "two", "labelled"),
    [("znver4", "arith.addf %x, %y", True, 5773), ("znver4", "arith.mulf %x, %x", False, 4493),
     ("skylake-avx512", "arith.addf %x, %y", True, 5468), ("skylake-avx512", "arith.mulf %x, %x", False, 5133)],
)  # fmt: skip
def test_halves_are_put_into_the_register_of_the_last_result(
    name: str, operation: str, two: bool, labelled: float
) -> None:
    assert cycles(halves(operation, two), name) == pytest.approx(labelled, rel=0.01)


def test_a_constant_in_that_register_lets_results_overlap() -> None:
    assert cycles(halves("arith.mulf %x, %c", False), "znver4") < 1000  # labelled: 668


PRODUCT = """func.func @f(%a: memref<111x3xf32> {llvm.noalias}, %b: memref<1xf32> {llvm.noalias}) {
  affine.for %i = 0 to 111 { affine.for %j = 0 to 3 {
    %x = affine.load %b[0] : memref<1xf32>
    %y = affine.load %a[%i, %j] : memref<111x3xf32>
    %z = arith.mulf %x, %y : f32
    affine.store %z, %b[0] : memref<1xf32> } }
  return }"""

SUM = """func.func @f(%a: memref<120x4xf32> {llvm.noalias}, %s: f32) -> f32 {
  %r = affine.for %i = 0 to 120 iter_args(%t = %s) -> (f32) {
    %x = affine.load %a[%i, 0] : memref<120x4xf32>
    %y = arith.addf %t, %x : f32
    %u = affine.for %j = 1 to 4 iter_args(%v = %y) -> (f32) {
      %z = affine.load %a[%i, %j] : memref<120x4xf32>
      %w = arith.addf %v, %z : f32
      affine.yield %w : f32 }
    affine.yield %u : f32 }
  return %r : f32 }"""


@pytest.mark.parametrize(
    ("name", "text", "labelled"),
    [("skylake-avx512", PRODUCT, 1340), ("sifive-p670", PRODUCT, 1010), ("apple-m1", SUM, 1927), ("znver4", SUM, 1448)],
)  # fmt: skip
def test_a_value_that_an_unrolled_loop_carries_on_takes_all_its_steps(name: str, text: str, labelled: float) -> None:
    assert cycles(text, name) == pytest.approx(labelled, rel=0.05)
