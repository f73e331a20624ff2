"""Small programs whose costs are known by hand."""

from __future__ import annotations

MATMUL = """
func.func @matmul(%A: memref<64x80xf32>, %B: memref<80x64xf32>, %C: memref<64x64xf32>) {
  affine.for %i = 0 to 64 {
    affine.for %j = 0 to 64 {
      affine.for %k = 0 to 80 {
        %a = affine.load %A[%i, %k] : memref<64x80xf32>
        %b = affine.load %B[%k, %j] : memref<80x64xf32>
        %c = affine.load %C[%i, %j] : memref<64x64xf32>
        %p = arith.mulf %a, %b : f32
        %s = arith.addf %c, %p : f32
        affine.store %s, %C[%i, %j] : memref<64x64xf32>
      }
    }
  }
  return
}
"""

SAXPY = """
func.func @saxpy(%A: memref<1024xf32> {llvm.noalias}, %B: memref<1024xf32> {llvm.noalias}, %s: f32) {
  affine.for %i = 0 to 1024 {
    %a = affine.load %A[%i] : memref<1024xf32>
    %b = affine.load %B[%i] : memref<1024xf32>
    %p = arith.mulf %a, %s : f32
    %q = arith.addf %p, %b : f32
    affine.store %q, %B[%i] : memref<1024xf32>
  }
  return
}
"""

SUM = """
func.func @sum(%A: memref<1000xf32>) -> f32 {
  %zero = arith.constant 0.0 : f32
  %r = affine.for %i = 0 to 1000 iter_args(%acc = %zero) -> f32 {
    %a = affine.load %A[%i] : memref<1000xf32>
    %q = arith.addf %acc, %a : f32
    affine.yield %q : f32
  }
  return %r : f32
}
"""

LINALG = """
func.func @linear(%A: tensor<8x16xf32>, %B: tensor<16x4xf32>, %C: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = linalg.matmul ins(%A, %B : tensor<8x16xf32>, tensor<16x4xf32>) outs(%C : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}
"""

NEWTON = """func.func @f(%a: memref<48xf32> {llvm.noalias}, %b: memref<48xf32> {llvm.noalias}) {
  %c = arith.constant 0.5 : f32
  affine.for %i = 0 to 48 {
    %x = affine.load %a[%i] : memref<48xf32>
    %r = affine.for %j = 0 to 7 iter_args(%t = %x) -> (f32) {
      %0 = arith.divf %x, %t : f32
      %1 = arith.addf %t, %0 : f32
      %2 = arith.mulf %1, %c : f32
      affine.yield %2 : f32 }
    affine.store %r, %b[%i] : memref<48xf32> }
  return }"""
