func.func @matmul(%a: memref<64x96xf32> {llvm.noalias}, %b: memref<96x48xf32> {llvm.noalias},
                  %c: memref<64x48xf32> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f32
  affine.for %i = 0 to 64 {
    affine.for %j = 0 to 48 {
      %sum = affine.for %k = 0 to 96 iter_args(%acc = %zero) -> (f32) {
        %x = affine.load %a[%i, %k] : memref<64x96xf32>
        %y = affine.load %b[%k, %j] : memref<96x48xf32>
        %p = arith.mulf %x, %y : f32
        %q = arith.addf %acc, %p : f32
        affine.yield %q : f32
      }
      affine.store %sum, %c[%i, %j] : memref<64x48xf32>
    }
  }
  return
}
