"""Loops whose length depends on others, and what becomes of them on each CPU, as opt-22 -O3 made it (remarks)."""

from __future__ import annotations

from tests.featurizers.mlir.test_loops import codes


def test_a_tile_that_is_cut_off_is_two_loops_once_those_around_are_unrolled() -> None:
    steps = " ".join([f"%x{k + 1} = arith.{'xori' if k % 2 else 'muli'} %x{k}, %c : i64" for k in range(9)])
    text = f"""func.func @f(%a: memref<34xi64>, %c: i64) {{
      affine.for %t = 0 to 34 step 32 {{
        affine.for %k = affine_map<(d0) -> (d0)>(%t) to min affine_map<(d0) -> (d0 + 32, 34)>(%t) {{
          %x0 = affine.load %a[%k] : memref<34xi64>
          {steps}
          affine.store %x9, %a[%k] : memref<34xi64> }} }}
      return }}"""
    (code,) = codes(text, "skylake-avx512")
    assert (code.loop.trip, code.loop.exact, code.loop.entries) == (32, True, 1)
    assert code.vf == 4, "the other one, of two iterations, is in the function's body"


def test_a_loop_around_others_is_unrolled_once_their_bodies_are_packed() -> None:
    text = """func.func @f(%a: memref<7x100x16xf32>, %c: f32) {
      affine.for %t = 0 to 7 { affine.for %i = 0 to 100 { affine.for %k = 0 to 16 {
        %x = affine.load %a[%t, %i, %k] : memref<7x100x16xf32>
        %y = arith.mulf %x, %c : f32
        %z = arith.addf %y, %c : f32
        affine.store %z, %a[%t, %i, %k] : memref<7x100x16xf32> } } }
      return }"""
    around, inside = codes(text, "apple-m1")
    assert (around.full, around.unroll, inside.full) == (True, 7, False)
    around, inside = codes(text, "znver4")
    assert (around.full, inside.vf) == (False, 16), "the vectorised loop is too large"
