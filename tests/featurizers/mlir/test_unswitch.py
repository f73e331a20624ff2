"""Versions of loops for inner ones that may not run, as opt-22 makes them (remarks, ``-unroll-threshold``)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate
from featurizers.mlir.loop import Loop

FEATURIZER = MlirFeaturizer()


def loops(text: str) -> list[Loop]:
    """Those that are left of a function, without itself."""
    return FEATURIZER.parse({"mlir": text}).loops_on("x86")[0].walk()[1:]


def product(lanes: int) -> str:
    """Rows below the diagonal, two by two, and the last one alone."""
    return f"""func.func @f(%a: memref<134x134xf64>, %b: memref<134x32xf64>) {{
      affine.for %i = 0 to 134 {{
        affine.for %j = 0 to {lanes} {{
          affine.for %k = affine_map<(d0) -> (d0 + 1)>(%i)
              to affine_map<(d0) -> (d0 + ((-d0 + 133) floordiv 2) * 2 + 1)>(%i) step 2 {{
            %0 = affine.load %a[%k, %i] : memref<134x134xf64>
            %1 = affine.load %b[%k, %j] : memref<134x32xf64>
            %2 = arith.mulf %0, %1 : f64
            %3 = affine.load %b[%i, %j] : memref<134x32xf64>
            %4 = arith.addf %3, %2 : f64
            affine.store %4, %b[%i, %j] : memref<134x32xf64>
            %5 = affine.load %a[%k + 1, %i] : memref<134x134xf64>
            %6 = affine.load %b[%k + 1, %j] : memref<134x32xf64>
            %7 = arith.mulf %5, %6 : f64
            %8 = affine.load %b[%i, %j] : memref<134x32xf64>
            %9 = arith.addf %8, %7 : f64
            affine.store %9, %b[%i, %j] : memref<134x32xf64>
          }}
          affine.for %k = affine_map<(d0) -> (d0 + ((-d0 + 133) floordiv 2) * 2 + 1)>(%i) to 134 {{
            %0 = affine.load %a[%k, %i] : memref<134x134xf64>
            %1 = affine.load %b[%k, %j] : memref<134x32xf64>
            %2 = arith.mulf %0, %1 : f64
            %3 = affine.load %b[%i, %j] : memref<134x32xf64>
            %4 = arith.addf %3, %2 : f64
            affine.store %4, %b[%i, %j] : memref<134x32xf64>
          }}
        }}
      }}
      return }}"""


def lu(size: int) -> str:
    """Both loops inside run where the first does."""
    return f"""func.func @f(%a: memref<{size}x{size}xf32> {{llvm.noalias}}) {{
      affine.for %i = 0 to {size} {{
        affine.for %j = affine_map<(d0) -> (d0 + 1)>(%i) to {size} {{
          %0 = affine.load %a[%j, %i] : memref<{size}x{size}xf32>
          %1 = affine.load %a[%i, %i] : memref<{size}x{size}xf32>
          %2 = arith.divf %0, %1 : f32
          affine.store %2, %a[%j, %i] : memref<{size}x{size}xf32>
          affine.for %k = affine_map<(d0) -> (d0 + 1)>(%i) to {size} {{
            %3 = affine.load %a[%j, %i] : memref<{size}x{size}xf32>
            %4 = affine.load %a[%i, %k] : memref<{size}x{size}xf32>
            %5 = arith.mulf %3, %4 : f32
            %6 = affine.load %a[%j, %k] : memref<{size}x{size}xf32>
            %7 = arith.subf %6, %5 : f32
            affine.store %7, %a[%j, %k] : memref<{size}x{size}xf32>
          }}
        }}
      }}
      return }}"""


def test_a_loop_that_may_not_run_divides_the_one_around() -> None:
    # opt-22: three loops of k are unrolled at run time, that of pairs once
    found = loops(product(32))
    between = [loop for loop in found if loop.children and loop.nest.depth == 2]
    assert [len(loop.children) for loop in between] == [2, 1]
    assert between[0].part > 0.9 > 0.1 > between[1].part
    whole = sum([loop.weight for loop in found if not loop.children])
    assert whole == pytest.approx(32 * (sum([(133 - i) // 2 for i in range(134)]) + 67), rel=0.03)


def test_versions_are_unrolled_each_for_itself() -> None:
    # opt-22: only the loop of 14 without pairs is (16 instructions: 198)
    codes = generate(FEATURIZER.parse({"mlir": product(14)}).loops_on("x86")[0], cpu("znver4"))
    assert [code.loop.trip for code in codes if code.loop.nest.depth == 2] == [14.0]


def test_a_version_that_never_runs_counts_for_the_loop_around() -> None:
    # opt-22: 43 instructions, which 11 times are too many
    assert any(loop.nest.depth == 1 for loop in loops(lu(11)))
    assert not any(loop.nest.depth == 1 for loop in loops(lu(6)))


def test_a_loop_that_always_runs_is_not_asked() -> None:
    # opt-22: 26 instructions, 290 for twelve
    text = """func.func @f(%a: memref<12x12xf64>, %b: memref<12x3xf64>) {
      affine.for %i = 0 to 12 {
        affine.for %j = 0 to affine_map<(d0) -> (d0 + 1)>(%i) {
          %0 = affine.load %a[%i, %j] : memref<12x12xf64>
          %1 = affine.load %b[%i, 0] : memref<12x3xf64>
          %2 = affine.load %b[%j, 0] : memref<12x3xf64>
          %3 = arith.mulf %1, %2 : f64
          %4 = arith.addf %0, %3 : f64
          %6 = affine.load %b[%i, 1] : memref<12x3xf64>
          %7 = affine.load %b[%j, 1] : memref<12x3xf64>
          %8 = arith.mulf %6, %7 : f64
          %9 = arith.addf %4, %8 : f64
          %10 = affine.load %b[%i, 2] : memref<12x3xf64>
          %11 = affine.load %b[%j, 2] : memref<12x3xf64>
          %12 = arith.mulf %10, %11 : f64
          %13 = arith.addf %9, %12 : f64
          affine.store %13, %a[%i, %j] : memref<12x12xf64>
        }
      }
      return }"""
    assert loops(text) == []


def test_an_index_goes_on_from_where_a_loop_begins() -> None:
    # opt-22: 10 instructions, 290 for 36
    text = """func.func @f(%a: memref<36x24xf32>, %b: memref<36x20xf32>) {
      affine.for %i = 0 to 3 {
        affine.for %k = affine_map<(d0) -> (d0)>(%i) to 36 {
          %0 = affine.load %a[%k, %i] : memref<36x24xf32>
          %1 = affine.load %b[%k, 3] : memref<36x20xf32>
          %2 = arith.mulf %0, %1 : f32
          %3 = arith.addf %2, %0 : f32
          affine.store %3, %b[%k, 3] : memref<36x20xf32>
        }
      }
      return }"""
    assert loops(text) == []


def test_a_version_divides_no_loop_once_more() -> None:
    text = """func.func @f(%a: memref<64x64xf32>, %b: memref<64x64xf32>) {
      affine.for %h = 0 to 20 {
        affine.for %i = 0 to 8 {
          affine.for %j = 0 to affine_map<(d) -> (d - 3)>(%h) {
            affine.for %k = 0 to affine_map<(d) -> (d - 5)>(%h) {
              %x = affine.load %a[%k, %j] : memref<64x64xf32>
              affine.store %x, %b[%k, %j] : memref<64x64xf32>
            }
            %y = affine.load %a[%i, %j] : memref<64x64xf32>
            affine.store %y, %b[%j, %i] : memref<64x64xf32>
          }
          %y = affine.load %a[%i, 3] : memref<64x64xf32>
          affine.store %y, %b[7, %i] : memref<64x64xf32>
        }
      }
      return }"""
    versions = [loop for loop in loops(text) if loop.nest.depth == 3]
    assert sum([loop.part for loop in versions]) == pytest.approx(1.0)
    assert sum([loop.weight for loop in versions]) == pytest.approx(8 * sum(range(17)))
