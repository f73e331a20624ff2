"""What does not vary in a loop, though it is of loads: LICM moves it out."""

from __future__ import annotations

from featurizers.mlir import MlirFeaturizer
from featurizers.mlir.loop import Loop
from featurizers.mlir.opclass import CLASS, LIBM

FEATURIZER = MlirFeaturizer()


def loops(text: str) -> list[Loop]:
    """A function's loops that are left, the function first."""
    return FEATURIZER.parse({"mlir": text}).loops[0].walk()


def rows(body: str, alias: str = " {llvm.noalias}", length: int = 512) -> str:
    return f"""func.func @f(%a: memref<64xf32>{alias}, %b: memref<64x512xf32>{alias}) {{
      %c = arith.constant 2.0 : f32
      affine.for %i = 0 to 64 {{ affine.for %j = 0 to {length} {{
        %x = affine.load %a[%i] : memref<64xf32>
        {body} }} }}
      return }}"""


SINES = """%y = math.sin %x : f32
        %z = arith.mulf %y, %c : f32
        %w = affine.load %b[%i, %j] : memref<64x512xf32>
        %v = arith.addf %w, %z : f32
        affine.store %v, %b[%i, %j] : memref<64x512xf32>"""


def test_what_is_computed_of_an_invariant_load_moves_out_with_it() -> None:
    _, around, inner = loops(rows(SINES))
    assert (inner.counts[LIBM], inner.counts[CLASS["fmul"]], inner.counts[CLASS["fadd"]]) == (0.0, 0.0, 1.0)
    assert (around.counts[LIBM], around.counts[CLASS["fmul"]]) == (1.0, 1.0)
    assert inner.moved_out == 2.0


def test_what_a_store_may_change_stays() -> None:
    assert loops(rows(SINES, alias=""))[-1].counts[LIBM] == 1.0


def test_an_accumulator_in_memory_varies() -> None:
    text = rows("""%y = arith.addf %x, %c : f32
        affine.store %y, %a[%i] : memref<64xf32>""")
    assert loops(text)[-1].counts[CLASS["fadd"]] == 1.0


def test_what_is_done_under_a_condition_stays() -> None:
    text = rows("""%w = affine.load %b[%i, %j] : memref<64x512xf32>
        %d = arith.cmpf olt, %w, %c : f32
        scf.if %d { %y = math.sin %x : f32
          affine.store %y, %b[%i, %j] : memref<64x512xf32> }""")
    assert loops(text)[-1].counts[LIBM] == 1.0


def test_weights_of_an_unrolled_loop_are_converted_once() -> None:
    text = """func.func @f(%x: memref<80xi8> {llvm.noalias}, %w: memref<4xi8> {llvm.noalias},
                           %y: memref<64xi32> {llvm.noalias}) {
      %z = arith.constant 0 : i32
      affine.for %i = 0 to 64 {
        %s = affine.for %j = 0 to 4 iter_args(%t = %z) -> (i32) {
          %a = affine.load %x[%i + %j] : memref<80xi8>
          %b = affine.load %w[%j] : memref<4xi8>
          %c = arith.extsi %a : i8 to i32
          %d = arith.extsi %b : i8 to i32
          %m = arith.muli %c, %d : i32
          %n = arith.addi %t, %m : i32
          affine.yield %n : i32
        }
        affine.store %s, %y[%i] : memref<64xi32> }
      return }"""
    assert loops(text)[-1].counts[CLASS["extend"]] == 4.0  # of the elements, none of the weights
