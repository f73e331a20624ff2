"""What floating-point units make of vector loops, in cycles as llvm-mca-22 counted them on what opt-22 -O3 made."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate

FEATURIZER = MlirFeaturizer()

POSITIVE = """func.func @f(%a: memref<4096xf32> {llvm.noalias}, %b: memref<4096xf32> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f32
  affine.for %i = 0 to 4096 {
    %x = affine.load %a[%i] : memref<4096xf32>
    %y = arith.maximumf %x, %zero : f32
    affine.store %y, %b[%i] : memref<4096xf32> }
  return }"""

TWO_SUMS = """func.func @f(%a: memref<1024xf64> {llvm.noalias}, %b: memref<1024xf64> {llvm.noalias},
                         %c: memref<2xf64> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f64
  %r:2 = affine.for %i = 0 to 1024 iter_args(%s = %zero, %t = %zero) -> (f64, f64) {
    %x = affine.load %a[%i] : memref<1024xf64>
    %y = affine.load %b[%i] : memref<1024xf64>
    %u = arith.addf %s, %x : f64
    %v = arith.addf %t, %y : f64
    affine.yield %u, %v : f64, f64 }
  affine.store %r#0, %c[0] : memref<2xf64>
  affine.store %r#1, %c[1] : memref<2xf64>
  return }"""

QUOTIENTS = """func.func @f(%a: memref<1055xf32> {llvm.noalias}, %b: memref<1055xf32> {llvm.noalias}) {
  affine.for %i = 0 to 1055 {
    %x = affine.load %a[%i] : memref<1055xf32>
    %y = arith.divf %x, %x : f32
    affine.store %y, %b[%i] : memref<1055xf32> }
  return }"""


@pytest.mark.parametrize(
    ("text", "name", "cycles"),
    [
        (POSITIVE, "znver4", 531),  # a maximum and a comparison by the units of products
        (TWO_SUMS, "sifive-p670", 6181),  # one unit adds up in order, one sum after the other
        (QUOTIENTS, "skylake-avx512", 680),  # what is left goes through a narrower loop first
        (QUOTIENTS, "znver4", 419),
    ],
)
def test_cycles_of_the_busiest_unit(text: str, name: str, cycles: float) -> None:
    code = generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]
    assert code.cycles == pytest.approx(cycles, rel=0.04)
