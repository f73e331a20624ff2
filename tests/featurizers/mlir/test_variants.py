"""Forms of one function that LLVM makes equal, and those that it does not, each as opt-22 -O3 made it."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()


def codes(text: str, name: str) -> list[LoopCode]:
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))


def fused(inner: str = "0", around: str = "") -> str:
    """A sum in a buffer of one element that each point begins anew, in a loop of one iteration or not."""
    return f"""func.func @f(%a: memref<4x64xf32> {{llvm.noalias}}, %b: memref<64xf32> {{llvm.noalias}}) {{
      %zero = arith.constant 0.0 : f32
      %sum = memref.alloc() : memref<1xf32>
      {around}
      affine.for %i = 0 to 64 {{
        affine.store %zero, %sum[0] : memref<1xf32>
        affine.for %k = 0 to 4 {{
          %x = affine.load %a[%k, %i] : memref<4x64xf32>
          %y = affine.load %sum[0] : memref<1xf32>
          %z = arith.addf %x, %y : f32
          affine.store %z, %sum[0] : memref<1xf32>
        }}
        %s = affine.load %sum[{inner}] : memref<1xf32>
        affine.store %s, %b[%i] : memref<64xf32>
      }}
      {"}" if around else ""}
      return }}"""


@pytest.mark.parametrize("text", [fused(), fused("%one", "affine.for %one = 0 to 1 {")])
def test_a_sum_that_each_point_begins_anew_is_not_carried_on(text: str) -> None:
    """Nor is it where it is read by the index of a loop that runs once."""
    (loop,) = [code for code in codes(text, "skylake-avx512") if code.loop.nest.trip == 64]
    assert loop.vf > 1
    assert not loop.loop.chains


def sums(jammed: bool) -> str:
    """Four sums of eight terms each, of buffers that may overlap, side by side or one after the other."""
    first = [f"%s{j}_0 = affine.load %a[{j}] : memref<4xi32>" for j in range(4)]
    terms = [
        f"""%t{j}_{k} = affine.load %b[{k}, {j}] : memref<8x4xi32>
        %s{j}_{k + 1} = arith.addi %s{j}_{k}, %t{j}_{k} : i32"""
        for k in range(8)
        for j in range(4)
    ]
    last = [f"affine.store %s{j}_8, %a[{j}] : memref<4xi32>" for j in range(4)]
    if jammed:
        lines = [*first, *terms, *last]
    else:
        lines = [line for j in range(4) for line in (first[j], *terms[j::4], last[j])]
    body = "\n".join(lines)
    return f"func.func @f(%a: memref<4xi32>, %b: memref<8x4xi32>) {{\n{body}\nreturn }}"


def test_sums_are_packed_where_no_store_stands_between_them() -> None:
    assert codes(sums(True), "neoverse-v1")[0].packed.share == 1.0
    assert codes(sums(False), "neoverse-v1")[0].packed.share == 0.0


def test_few_iterations_under_a_predicate_may_have_checks() -> None:
    """`CM_ScalarEpilogueNotNeededUsePredicate` stays where tails are folded anyhow."""
    text = """func.func @f(%a: memref<48x7xi64>, %b: memref<7xi64>) {
      affine.for %i = 0 to 7 {
        %0 = affine.load %b[%i] : memref<7xi64>
        %1 = affine.for %k = 0 to 48 iter_args(%x = %0) -> (i64) {
          %2 = affine.load %a[%k, %i] : memref<48x7xi64>
          %3 = arith.minsi %x, %2 : i64
          affine.yield %3 : i64
        }
        affine.store %1, %b[%i] : memref<7xi64>
      }
      return }"""
    assert codes(text, "neoverse-v1")[-1].vf == 4
    assert codes(text, "apple-m1")[-1].vf == 1


def rows(count: int, length: int, argument: str = "{llvm.noalias}") -> str:
    """Sums of rows, in order."""
    return f"""func.func @f(%a: memref<{count}x{length}xf32> {argument}, %b: memref<{count}xf32> {argument}) {{
      affine.for %i = 0 to {count} {{
        %0 = affine.load %b[%i] : memref<{count}xf32>
        %1 = affine.for %k = 0 to {length} iter_args(%x = %0) -> (f32) {{
          %2 = affine.load %a[%i, %k] : memref<{count}x{length}xf32>
          %3 = arith.addf %x, %2 : f32
          affine.yield %3 : f32
        }}
        affine.store %1, %b[%i] : memref<{count}xf32>
      }}
      return }}"""


@pytest.mark.parametrize("name", ["apple-m1", "cortex-a55"])
def test_sums_in_order_are_three_for_each_lane_to_the_unroller(name: str) -> None:
    """`opt-22 -passes='print<cost-model>' -cost-kind=code-size`: 11 for four lanes."""
    (inner,) = [code for code in codes(rows(64, 116), name) if code.loop.nest.trip == 116]
    assert inner.vf == 4
    assert not inner.full


def test_chains_that_each_execution_begins_anew_overlap() -> None:
    """Those of a loop that is unrolled completely, in the body around: llvm-mca has 500 cycles, 450 additions."""
    text = """func.func @f(%a: memref<3xf32> {llvm.noalias}, %b: memref<3x2x3x25xf32> {llvm.noalias}) {
      affine.for %t = 0 to 3 step 32 { affine.for %i = affine_map<(d) -> (d)>(%t) to affine_map<(d) -> (d + 3)>(%t) {
        %0 = affine.load %a[%i] : memref<3xf32>
        %1 = affine.for %j = 0 to 2 iter_args(%x = %0) -> (f32) {
          %2 = affine.for %k = 0 to 3 iter_args(%y = %x) -> (f32) {
            %3 = affine.for %l = 0 to 25 iter_args(%z = %y) -> (f32) {
              %4 = affine.load %b[%i, %j, %k, %l] : memref<3x2x3x25xf32>
              %5 = arith.addf %z, %4 : f32
              affine.yield %5 : f32
            }
            affine.yield %3 : f32
          }
          affine.yield %2 : f32
        }
        affine.store %1, %a[%i] : memref<3xf32>
      } }
      return }"""
    (full,) = [code for code in codes(text, "neoverse-v1") if code.full]
    assert 450 < full.cycles < 650  # 900 one after the other


def side_by_side(one: str, two: str) -> str:
    """Two sums at once."""
    return f"""func.func @f(%a: memref<2xf32> {{llvm.noalias}}, %b: memref<42x42xf32> {{llvm.noalias}}) {{
      %0 = affine.load %a[0] : memref<2xf32>
      %1 = affine.load %a[1] : memref<2xf32>
      %2:2 = affine.for %j = 0 to 6 iter_args(%x = %0, %y = %1) -> (f32, f32) {{
        %3:2 = affine.for %k = 0 to 21 iter_args(%p = %x, %q = %y) -> (f32, f32) {{
          %4 = affine.load %b[{one}] : memref<42x42xf32>
          %5 = arith.addf %p, %4 : f32
          %6 = affine.load %b[{two}] : memref<42x42xf32>
          %7 = arith.addf %q, %6 : f32
          affine.yield %5, %7 : f32, f32
        }}
        affine.yield %3#0, %3#1 : f32, f32
      }}
      affine.store %2#0, %a[0] : memref<2xf32>
      affine.store %2#1, %a[1] : memref<2xf32>
      return }}"""


def test_sums_side_by_side_are_packed_where_their_terms_are_neighbours() -> None:
    def packed(one: str, two: str) -> bool:
        found = codes(side_by_side(one, two), "sifive-p670")
        return any(code.loop.chains and code.packed.share for code in found)

    assert not packed("%j, %k", "%j + 6, %k")
    assert packed("%j + %k, 0", "%j + %k, 1")
