// The same with the two inner loops exchanged: the innermost one may be vectorised.
func.func @matmul(%A: memref<96x64xf32>, %B: memref<64x80xf32>, %C: memref<96x80xf32>) {
  affine.for %i = 0 to 96 {
    affine.for %k = 0 to 64 {
      affine.for %j = 0 to 80 {
        %a = affine.load %A[%i, %k] : memref<96x64xf32>
        %b = affine.load %B[%k, %j] : memref<64x80xf32>
        %c = affine.load %C[%i, %j] : memref<96x80xf32>
        %p = arith.mulf %a, %b : f32
        %s = arith.addf %c, %p : f32
        affine.store %s, %C[%i, %j] : memref<96x80xf32>
      }
    }
  }
  return
}
